"""What plain requests at our own helper's door showed: neither the site nor its address has any part in what comes back
there, so that the name alone is what somebody on the way answers or breaks off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from probe.checks.web.looks import broken_word
from probe.model.failure import is_local
from probe.model.kinds import HttpFetch
from probe.model.observation import Observation
from probe.model.target import Target
from probe.verdict.pair import Pairing, was_busy
from probe.verdict.read import HOST_THERE, INNOCENT_HOST_THERE, Tried
from probe.wire.door import is_door_page

# Each side was tried so often, with one outcome.
SETTLED = 2


@dataclass(frozen=True, slots=True)
class Visit:
    """One door's tries: with the site's name, and with innocent ones before and after. Only where the door itself
    answers those, a request comes to where it was sent: some proxies take it to wherever its name leads."""

    named: tuple[Tried, ...]
    before: tuple[Tried, ...]
    after: tuple[Tried, ...]

    @property
    def facts(self) -> tuple[Observation, ...]:
        """What came of each request."""
        return tuple(w.fetch for w in (*self.before, *self.named, *self.after) if w.fetch is not None)


Facts = tuple[Observation, ...]


def answered_there(pairing: Pairing, target: Target, is_it: Callable[[HttpFetch], bool]) -> Facts:
    """The facts of a visit in which the site's name is answered with that page each time, and innocent ones by the
    door; none where there was no such visit."""
    for visit in _visits(pairing, target):
        named = [w.page for w in visit.named]
        if len(visit.before) >= SETTLED and len(named) >= SETTLED and all(p is not None and is_it(p) for p in named):
            return visit.facts
    return ()


def broken_there(pairing: Pairing, target: Target, word: str) -> Facts:
    """The facts of a visit in which requests for the site's name end in that way each time, and the door answers those
    for innocent ones, before and after; none where there was no such visit."""
    for visit in _visits(pairing, target):
        if len(visit.before) < SETTLED or not visit.after or len(visit.named) < SETTLED:
            continue
        if all(w.fetch is not None and w.page and broken_word(w.fetch, w.page) == word for w in visit.named):
            return visit.facts
    return ()


def _visits(pairing: Pairing, target: Target) -> list[Visit]:
    there = [w for w in pairing.trials if w.host == target.host and _is_valid(pairing, w)]
    found = []
    for door in sorted({(w.ip, w.port) for w in there if w.connect.why == HOST_THERE}):
        at_door = [w for w in there if (w.ip, w.port) == door]
        named = tuple(w for w in at_door if w.connect.why == HOST_THERE)
        innocent = [w for w in at_door if w.connect.why == INNOCENT_HOST_THERE and w.page and w.page.status]
        if not all(w.page and is_door_page(w.page) for w in innocent):
            continue
        first, last = min(w.connect.seq for w in named), max(w.seqs()[-1] for w in named)
        before = tuple(w for w in innocent if w.connect.seq < first)
        found.append(Visit(named, before, tuple(w for w in innocent if w.connect.seq > last)))
    return found


def _is_valid(pairing: Pairing, walk: Tried) -> bool:
    """Not a try that our own machine or a dead line has spoilt."""
    failed = walk.failed()
    return failed is None or not (is_local(failed.failure) or was_busy(failed) or pairing.line.was_cut(failed))
