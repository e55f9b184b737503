"""Freezes: an answer begins, stands still for good after so many bytes, in every try at nearly the same place, and the
control gets past it (seen in Russia from June 2025: 15 to 20 kB of TCP, no reset).

What tells a freeze from a server that sends no more: the far end's kernel is silent as well. What tells it from a line
that died: other things came over the line meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Literal

from probe.checks.speed.transfers import SAME_PLACE, froze, raw_bytes, transfer_of
from probe.checks.web.common import genuine
from probe.model.target import Target
from probe.verdict.pair import Pairing
from probe.verdict.read import Tried

# So often an innocent name must get past the place.
PASSES = 2


@dataclass(frozen=True, slots=True)
class Freeze:
    """Where one address's answers stood still. `settled` says that it was seen often enough, on a line that lived;
    `name` what trials said: an innocent name passes, freezes as well, or did not get as far (open)."""

    ip: str
    place: int
    walks: tuple[Tried, ...]
    settled: bool
    name: Literal["passes", "freezes", "open"]


def freeze_of(pairing: Pairing, target: Target) -> Freeze | None:
    """The freeze of a URL's page, at the first genuine address that has one."""
    mine = [w for w in pairing.here if is_page_of(w, target) and (w.proven or target.scheme == "http")]
    for ip in sorted({w.ip for w in mine} & genuine(pairing, target)):
        found = _at(pairing, target, ip, [w for w in mine if w.ip == ip])
        if found is not None:
            return found
    return None


def is_page_of(walk: Tried, target: Target) -> bool:
    """The walk asked for this very page."""
    page = walk.page
    return page is not None and (walk.host, walk.port, page.url) == (target.host, target.port, target.normal)


def _at(pairing: Pairing, target: Target, ip: str, mine: list[Tried]) -> Freeze | None:
    frozen = [w for w in mine if froze(w)]
    cut = pairing.line.cut(w.fetch for w in frozen if w.fetch is not None)
    frozen = [w for w in frozen if w.fetch is not None and w.fetch.seq not in cut]
    places = [raw_bytes(w) for w in frozen]
    if not places or max(places) - min(places) > SAME_PLACE:
        return None
    beyond = max(places) + SAME_PLACE
    if not any(is_page_of(w, target) and raw_bytes(w) >= beyond for w in pairing.there):
        return None
    trials = [w for w in pairing.timed if w.is_trial and (w.ip, w.port) == (ip, target.port)]
    passes = sum(raw_bytes(w) >= beyond for w in trials)
    freezes = sum(froze(w) and abs(raw_bytes(w) - median(places)) <= SAME_PLACE for w in trials)
    settled = _is_enough(pairing, frozen, mine) and (bool(passes) or _line_lived(pairing))
    name: Literal["passes", "freezes", "open"] = "freezes" if freezes else "passes" if passes >= PASSES else "open"
    return Freeze(ip, int(median(places)), tuple(frozen), settled, name)


def _is_enough(pairing: Pairing, frozen: list[Tried], mine: list[Tried]) -> bool:
    passed = [w.fetch for w in mine if transfer_of(w) is not None and w.fetch is not None]
    return pairing.line.weigh([w.fetch for w in frozen if w.fetch is not None], passed, "walks") == "apart"


def _line_lived(pairing: Pairing) -> bool:
    """Something else came over this line about then."""
    return any(s.round_reached or s.recent_reached or s.others_reached or s.transfers for _, s in pairing.line.states)
