"""From judged measurements and cells to events: what began, what ended, between which bounds. Pure.

A series is one target on one network from one place, access type and gateway. In a series, an event runs over its
blocked cells until a clear one; cells that say neither (insufficient, impaired, down) and gaps do not end it. Series of
one target and network that overlap in time are one event. Bounds come from measurements, not from the edges of bins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from probe.model.cell import Cell
from probe.model.corpus import HEADLINE, Judged
from probe.model.outcome import OUTCOMES, Outcome
from probe.report.model import EventKind, Span
from probe.report.words import parse_time

CLEAR: frozenset[str] = frozenset(("ok", "restricted"))
BLOCKISH: frozenset[str] = frozenset(("blocked", "likely_blocked"))
_DOWN: frozenset[str] = frozenset(("down",))
_NOT_DOWN: frozenset[str] = frozenset(("ok", "restricted", "blocked", "likely_blocked", "impaired"))
Spot = tuple[str, str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of one series: the measurements within its bounds that met it, and those next to it that did not."""

    spot: Spot
    state: Outcome
    affected: tuple[Judged, ...]
    before: str | None
    after: str | None

    @property
    def first(self) -> str:
        return self.affected[0].started_at

    @property
    def last(self) -> str:
        return self.affected[-1].started_at


@dataclass(frozen=True, slots=True)
class Episode:
    """Runs that belong together: an event before it is put into words."""

    kind: EventKind
    state: Outcome
    runs: tuple[Run, ...]

    @property
    def affected(self) -> tuple[Judged, ...]:
        found = {one.measurement_id: one for run in self.runs for one in run.affected}
        return tuple(sorted(found.values(), key=lambda one: (one.started_at, one.measurement_id)))

    @property
    def first(self) -> str:
        return min(run.first for run in self.runs)

    @property
    def last(self) -> str:
        return max(run.last for run in self.runs)

    @property
    def onset(self) -> Span:
        """The event began when the first of its runs did, so both bounds are the smallest of theirs."""
        starts = [run.before for run in self.runs]
        return span(None if None in starts else min(filter(None, starts)), self.first)

    @property
    def ending(self) -> Span:
        """It ended when the last of its runs did; open as long as one of them is."""
        ends = [run.after for run in self.runs]
        return span(self.last, None if None in ends else max(filter(None, ends)))

    @property
    def id(self) -> str:
        """Stable for equal facts: a digest of what it is about and when it was first seen."""
        spots = sorted({"\x1f".join(run.spot) for run in self.runs})
        return sha256("\x1e".join([self.kind, self.first, *spots]).encode("utf-8", "replace")).hexdigest()[:12]


def span(earliest: str | None, latest: str | None) -> Span:
    """Bounds with their middle, to the second."""
    a, b = parse_time(earliest or ""), parse_time(latest or "")
    middle = (a + (b - a) / 2).strftime("%Y-%m-%dT%H:%M:%SZ") if a and b else None
    return Span(earliest, latest, middle)


def spot_of(one: Judged) -> Spot:
    who = one.vantage
    return one.target, one.network, who.cc, who.place, who.access, who.gateway


def outcome_of(one: Judged) -> Outcome:
    headline = one.headline
    return headline.outcome if headline else "insufficient"


def episodes(judged: Sequence[Judged], cells: Sequence[Cell], bin_start: Callable[[str], str]) -> tuple[Episode, ...]:
    """All events that the cells support, in order of first sight. `judged` must be in order of time."""
    by_spot: dict[Spot, list[Judged]] = {}
    for one in judged:
        by_spot.setdefault(spot_of(one), []).append(one)
    states: dict[Spot, dict[str, Outcome]] = {}
    for cell in cells:
        if cell.layer == HEADLINE:
            spot = (cell.target, cell.network, cell.country, cell.place, cell.access, cell.gateway)
            states.setdefault(spot, {})[cell.bin] = _word(cell.state)
    blocking, down = [], []
    for spot in sorted(by_spot):
        series = _Series(spot, by_spot[spot], states.get(spot, {}), bin_start)
        blocking.extend(series.runs(BLOCKISH, CLEAR))
        down.extend(series.runs(_DOWN, _NOT_DOWN))
    found = [
        *_grouped("blocking", blocking, lambda run: (run.spot[0], run.spot[1], run.spot[2])),
        *_grouped("site_down", down, lambda run: (run.spot[0],)),
        *_outages(judged, bin_start),
    ]
    return tuple(sorted(found, key=lambda e: (e.first, e.kind, e.id)))


def _word(state: str) -> Outcome:
    return next((word for word in OUTCOMES if word == state), "insufficient")


@dataclass(frozen=True, slots=True)
class _Series:
    spot: Spot
    judged: Sequence[Judged]
    states: Mapping[str, Outcome]
    bin_start: Callable[[str], str]

    def runs(self, on: frozenset[str], off: frozenset[str]) -> list[Run]:
        """Stretches of bins in `on`, each ended only by a bin in `off`."""
        found: list[Run] = []
        current: list[str] = []
        for start in sorted(self.states):
            if self.states[start] in on:
                current.append(start)
            elif self.states[start] in off and current:
                found.extend(self._run(current, on, off))
                current = []
        return [*found, *(self._run(current, on, off) if current else ())]

    def _run(self, bins: Sequence[str], on: frozenset[str], off: frozenset[str]) -> list[Run]:
        inside = [one for one in self.judged if bins[0] <= self.bin_start(one.started_at) <= bins[-1]]
        affected = tuple(one for one in inside if outcome_of(one) in on)
        if not affected:
            return []
        clear = [one.started_at for one in self.judged if outcome_of(one) in off]
        before = max((at for at in clear if at < affected[0].started_at), default=None)
        after = min((at for at in clear if at > affected[-1].started_at), default=None)
        state = next(word for word in OUTCOMES if word in {self.states[start] for start in bins})
        return [Run(self.spot, state, affected, before, after)]


def _grouped(kind: EventKind, runs: Iterable[Run], key: Callable[[Run], tuple[str, ...]]) -> list[Episode]:
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return [
        Episode(kind, _strongest(together), tuple(together))
        for group in groups.values()
        for together in _overlaps(group)
    ]


def _overlaps(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs chained while the next one was first met before all so far had certainly ended."""
    chains: list[list[Run]] = []
    reach = ""
    for run in sorted(runs, key=lambda r: (r.first, r.spot)):
        # An open end may have lasted; only a clear observation shows that it had not.
        end = run.after or "9999"
        if chains and run.first < reach:
            chains[-1].append(run)
            reach = max(reach, end)
        else:
            chains.append([run])
            reach = end
    return chains


def _strongest(runs: Iterable[Run]) -> Outcome:
    met = {run.state for run in runs}
    return next(word for word in OUTCOMES if word in met)


def _outages(judged: Sequence[Judged], bin_start: Callable[[str], str]) -> list[Episode]:
    """Networks whose vantage points mostly reached nothing at all, bin by bin. One vantage point is one vote."""
    by_network: dict[tuple[str, str], list[Judged]] = {}
    for one in judged:
        by_network.setdefault((one.network, one.vantage.cc), []).append(one)
    found: list[Episode] = []
    for (network, country), rows in sorted(by_network.items()):
        spot = ("", network, country, "", "", "")
        bins: dict[str, list[Judged]] = {}
        for one in rows:
            bins.setdefault(bin_start(one.started_at), []).append(one)
        dark = _Dark(spot, bins)
        found.extend(Episode("general_outage", "insufficient", (run,)) for run in dark.runs())
    return found


@dataclass(frozen=True, slots=True)
class _Dark:
    spot: Spot
    bins: Mapping[str, Sequence[Judged]]

    def runs(self) -> list[Run]:
        """Contiguous dark bins as runs, bounded by the settled measurements around them."""
        found: list[Run] = []
        dark: list[Judged] = []
        before: str | None = None
        for start in sorted(self.bins):
            lit = [one.started_at for one in self.bins[start] if outcome_of(one) != "insufficient"]
            if _is_dark(self.bins[start]):
                dark.extend(one for one in self.bins[start] if _reached_nothing(one))
                continue
            if dark and lit:
                found.append(Run(self.spot, "insufficient", tuple(dark), before, min(lit)))
                dark = []
            before = max([*lit, before or ""]) or None
        return [*found, *([Run(self.spot, "insufficient", tuple(dark), before, None)] if dark else ())]


def _is_dark(rows: Sequence[Judged]) -> bool:
    by_vantage: dict[str, list[bool]] = {}
    for one in rows:
        by_vantage.setdefault(one.vantage.vantage_id, []).append(_reached_nothing(one))
    votes = [2 * sum(nothing) > len(nothing) for nothing in by_vantage.values()]
    return 2 * sum(votes) > len(votes)


def _reached_nothing(one: Judged) -> bool:
    headline = one.headline
    return headline is not None and headline.outcome == "insufficient" and headline.reason == "no_network"
