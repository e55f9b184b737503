"""What to ask for the sake of speed: only where a page crawled, was late or stood still here and not at the control.

One address of one URL of the chain is looked into, one step after the other, so that no try competes with another:
an innocent name, the site's own again, and so on in turn, spaced. It stops as soon as the difference is gone. Where an
innocent name yields nothing to compare with, bytes from a helper tell how fast the line is, and another address of the
site whether it is this one's own trouble. All in all that is `MOST_WALKS` walks to the site at most, for `REPEAT_MOST`
bytes each, and `UNTRIED` times as many bytes from a helper.

An innocent name in the handshake, the site's own in the request: only what the path can read is changed, so that the
same bytes come where the server takes it. It goes to the site's own address.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from probe.checks.question import Question
from probe.checks.speed.freeze import PASSES, Freeze, freeze_of
from probe.checks.speed.series import LATE_TRIES, TRIES_LOSSY, UNTRIED, Series, series_of
from probe.checks.speed.transfers import raw_bytes
from probe.checks.web.again import control_settled
from probe.checks.web.common import genuine
from probe.checks.web.reading import chain
from probe.checks.web.steps import endpoints, hops, server_name
from probe.model.kinds import HttpFetch
from probe.model.step import AskBytes, Fetch, Step, Walk
from probe.verdict.case import Case
from probe.verdict.pair import Pairing
from probe.verdict.read import SPEED, SPEED_TRIAL, Hop, of_kind
from probe.verdict.reference import Reference

# What a repeat takes of a page: as much as came in so many seconds at first, within bounds. Bytes.
REPEAT_S, REPEAT_LEAST, REPEAT_MOST = 8, 49_152, 131_072
# A late answer needs no more than its beginning; a freeze so much more than the place where it stood still.
LATE_BYTES, BEYOND = 16_384, 32_768
AGAIN, OTHER_ADDRESS, LINE = f"{SPEED}: again", f"{SPEED}: another address", f"{SPEED}: the line itself"
# An innocent name in each of so many tries, the site's own in all but the first, and another address.
MOST_WALKS = 2 * TRIES_LOSSY
_NOTHING = Reference("")


def next_steps(question: Question, case: Case) -> Iterator[Step]:
    """Everything worth asking now; see the top of the file."""
    if question.role != "field" or question.endpoints or not case.controls or not control_settled(question, case):
        return
    if not any(True for _ in of_kind(case.observations, HttpFetch)):
        return
    pairing = Pairing(case, _NOTHING)
    urls = {target.normal for target in chain(pairing)}
    for hop in hops(question, case):
        if hop.target.normal not in urls:
            continue
        asking = _asking(question, pairing, hop)
        if asking is not None:
            yield from asking
            return


def _asking(question: Question, pairing: Pairing, hop: Hop) -> Iterator[Step] | None:
    """What a hop is worth asking, or None where its speed is nothing to ask about."""
    freeze = freeze_of(pairing, hop.target)
    if freeze is not None:
        return _Asking(question, pairing, hop, freeze.ip).beyond(freeze)
    found = series_of(pairing, hop.target)
    for series in found:
        if series.is_delayed:
            return _Asking(question, pairing, hop, series.ip).late(series)
    for series in found:
        if series.is_slow:
            return _Asking(question, pairing, hop, series.ip).slow(series, found)
    return None


@dataclass(frozen=True, slots=True)
class _Asking:
    """Steps at one address of one hop."""

    question: Question
    pairing: Pairing
    hop: Hop
    ip: str

    def beyond(self, freeze: Freeze) -> Iterator[Step]:
        """Does an innocent name get past the place? The site's own name is tried again by the web check."""
        if self._secure and self._has_name:
            # By the first try alone: the place wavers by some bytes, and steps are not to.
            beyond = raw_bytes(freeze.walks[0]) + BEYOND
            for attempt in range(1, PASSES + 1):
                yield self._trial(attempt, beyond)

    def late(self, series: Series) -> Iterator[Step]:
        """An innocent name and the site's own in turn."""
        tried = len(series.trials)
        if series.late_flip in ("same", "mute") or not self._has_name:
            return
        if tried < min(len(series.lates), LATE_TRIES):
            yield self._trial(tried + 1, 0 if self._secure else LATE_BYTES)
        elif len(series.lates) < LATE_TRIES:
            yield self._again(series, 0 if self._secure else LATE_BYTES)

    def slow(self, series: Series, everywhere: tuple[Series, ...]) -> Iterator[Step]:
        """In turn as well; beside each try the line itself, where an innocent name moves too little or as slowly."""
        own, tried, most = len(series.paced), len(series.trials), _most(series)
        if series.flip in ("none", "flips") and self._has_name:
            if tried < min(own, series.tries):
                yield self._trial(tried + 1, most)
            elif own < series.tries:
                yield self._again(series, most)
            return
        if any(not s.is_slow for s in everywhere) or series.line_is_fast is False:
            return
        other = self._other_address(everywhere, most)
        if other is not None:
            yield other
        elif self.question.helpers and len(series.refs) < min(own, UNTRIED):
            n = len(series.refs) + 1
            yield AskBytes(self.question.helpers[0], most, n, LINE, self.question.gap_s(n))
        elif own < UNTRIED:
            yield self._again(series, most)

    @property
    def _secure(self) -> bool:
        return self.hop.target.scheme == "https"

    @property
    def _has_name(self) -> bool:
        """An address has no name that a path could read."""
        return not self.hop.target.is_address

    def _walk(self, ip: str, sni: str | None, fetch: Fetch | None, attempt: int, why: str) -> Walk:
        target = self.hop.target
        return Walk(target.host, ip, target.port, sni, fetch, attempt, why, self.question.gap_s(max(2, attempt)))

    def _page(self, most: int) -> Fetch | None:
        return Fetch(self.hop.target.normal, self.hop.cookies, self.hop.number, most) if most else None

    def _own_name(self) -> str | None:
        return server_name(self.hop.target.host) if self._secure else None

    def _again(self, series: Series, most: int) -> Walk:
        attempt = max(w.attempt for w in series.own) + 1
        return self._walk(self.ip, self._own_name(), self._page(most), attempt, AGAIN)

    def _trial(self, attempt: int, most: int) -> Walk:
        """An innocent name where the path can read it: in the hello, or in a plain request."""
        name, hop = self.question.trial_name, self.hop.number
        if self._secure:
            page = Fetch(self.hop.target.normal, (), hop, most) if most else None
            return self._walk(self.ip, name, page, attempt, SPEED_TRIAL)
        return self._walk(self.ip, None, Fetch(f"http://{name}/", (), hop, most), attempt, SPEED_TRIAL)

    def _other_address(self, everywhere: tuple[Series, ...], most: int) -> Walk | None:
        """A genuine address from which the page was not asked yet, if that has not been tried for speed."""
        asked, target = {s.ip for s in everywhere}, self.hop.target
        tried = any(w.connect.why == OTHER_ADDRESS for w in self.pairing.timed)
        known = [ip for ip in endpoints(self.question, self.pairing.case, target.host) if ip not in asked]
        left = [ip for ip in known if ip in genuine(self.pairing, target)]
        if tried or not left:
            return None
        return self._walk(left[0], self._own_name(), self._page(most), 1, OTHER_ADDRESS)


def _most(series: Series) -> int:
    """How many bytes a repeat is to take. Goes by the first try alone, so that all further ones are alike."""
    first = series.paced[0]
    return max(REPEAT_LEAST, min(REPEAT_MOST, int(first.pace(first.size) * REPEAT_S)))
