"""What a run learns about pages in the clear: what innocent sites gave, what strangers answered in other targets'
places, and what controls were given for the same URL before. Raw pages, kept with the measurement that needs them, so
that it can be judged again by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import trio

from probe.app.judge import observations_of
from probe.checks.web.candidates import Stranger, strangers
from probe.checks.web.strange import given_so_far
from probe.engine import Stop
from probe.model.errors import BundleError
from probe.model.kinds import HttpFetch, LineState, PageMet
from probe.model.observation import Observation
from probe.store.sqlite import Store
from probe.verdict.case import Case
from probe.verdict.likeness import is_among, same_answer
from probe.verdict.pair import Pairing
from probe.verdict.read import of_kind
from probe.verdict.reference import Reference

# So many pages of each sort are kept with a measurement at most.
PAGES_MAX = 8
# So many earlier measurements of a URL by controls are looked at.
EARLIER_MAX = 4


@dataclass
class PageWatch:
    """The pages of one run over `planned` targets."""

    reference: Reference
    store: Store
    planned: int
    _innocents: dict[str, PageMet] = field(default_factory=dict)
    _strange: dict[str, tuple[Stranger, ...]] = field(default_factory=dict)
    _waiting: int = 0
    _finished: int = 0
    _all_met: trio.Event = field(default_factory=trio.Event)

    def note_canary(self, o: Observation) -> None:
        """Take a fact of a canary's measurement."""
        if isinstance(o.detail, HttpFetch) and o.detail.status is not None:
            d = o.detail
            self._innocents[o.host or ""] = PageMet(o.host or "", o.ip or "", d.status, d.location, d.body, d.features)

    def note_finished(self) -> None:
        """One more target is done with."""
        self._finished += 1
        self._look_round()

    def meet(self, case: Case) -> bool:
        """Remember a measurement's strange pages; True when it has any, so that what others met matters to it."""
        found = tuple(strangers(Pairing(case, self.reference)))
        self._strange[case.measurement.measurement_id] = found
        return bool(found)

    async def wait_for_others(self, stop: Stop) -> None:
        """Until every other target is done with or waits here too: the order of a list must not decide who learns of
        whom. Ends at once when the run is stopped."""
        self._waiting += 1
        self._look_round()
        scope = stop.enter()
        try:
            with scope:
                await self._all_met.wait()
        finally:
            self._waiting -= 1
            stop.leave(scope)

    def _look_round(self) -> None:
        if self._waiting + self._finished >= self.planned:
            self._all_met.set()

    def known_to(self, case: Case, state: LineState) -> LineState:
        """The state, with the pages that this measurement may be compared with."""
        in_the_clear = [d for o, d in of_kind(case.observations, HttpFetch) if d.url.startswith("http:")]
        if not in_the_clear:
            return state
        return replace(
            state,
            pages_canaries=tuple(self._innocents.values())[:PAGES_MAX],
            pages_elsewhere=tuple(self._elsewhere(case))[:PAGES_MAX],
            pages_before=tuple(self._before(case, in_the_clear))[:PAGES_MAX],
        )

    def _elsewhere(self, case: Case) -> Iterator[PageMet]:
        """What others were answered with and is like a strange page of this one."""
        me = case.measurement.measurement_id
        mine = [s.page for s in self._strange.get(me, ())]
        for name, found in self._strange.items():
            for other in found if name != me else ():
                if any(same_answer(page, other.page) for page in mine):
                    yield other.met

    def _before(self, case: Case, pages: list[HttpFetch]) -> Iterator[PageMet]:
        """What controls were given earlier for a URL whose page differs from what they are given now."""
        urls = {p.url for p in pages if (given := given_so_far(case, p.url)) and not is_among(p, given)}
        for o, detail in self._earlier(case) if urls else ():
            if detail.url in urls and detail.status is not None:
                yield PageMet(o.host or "", o.ip or "", detail.status, detail.location, detail.body, detail.features)

    def _earlier(self, case: Case) -> Iterator[tuple[Observation, HttpFetch]]:
        known = tuple(c.measurement.measurement_id for c in case.controls)
        params: tuple[Any, ...] = (case.measurement.url, *known, EARLIER_MAX)
        rows = self.store.query(_EARLIER.format(marks=",".join("?" * len(known))), params)
        for (name,) in rows:
            try:
                yield from of_kind(observations_of(self.store, name), HttpFetch)
            except BundleError:
                # A stranger's row in our database is no reason to lose a measurement.
                continue


_EARLIER = """
SELECT measurement_id FROM measurement JOIN run USING (run_id) JOIN vantage USING (vantage_id)
WHERE url = ? AND role = 'control' AND checks != 'endpoints' AND measurement_id NOT IN ({marks})
ORDER BY measurement.started_at DESC LIMIT ?"""
