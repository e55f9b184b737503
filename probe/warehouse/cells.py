"""Judged measurements to cells, by a rule that a reader can check by hand.

    1. One vantage point is one vote, however often it measured: the outcome of more than half of its settled
       measurements in the cell. Blocked and likely blocked together may make that half, and then vote likely blocked.
       Without a majority the vote is `impaired`; with nothing settled, `insufficient`.
    2. A cell's state is what more than half of the settled votes say, again with blocked and likely blocked together.
       It is `blocked` when at least `floor` of those votes are, else `likely_blocked` when at least `floor` are either.
    3. Below the floor, or with nothing settled, the state is `insufficient`. It is never `ok` for want of evidence.

`p_blocked` is a Jeffreys interval on the votes that bear on blocking. A later model replaces it (pooling over networks,
error rates per technique); the fields stay.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from probe.model.cell import Cell, Cube, Interval, bin_of
from probe.model.corpus import HEADLINE, Judged, Opinion
from probe.model.outcome import OUTCOMES, Outcome

# Two of the seven words say that something here stands in the way.
BLOCKISH: tuple[Outcome, ...] = ("blocked", "likely_blocked")
# `down` tells nothing of blocking either way, `insufficient` nothing at all.
_BEARS: tuple[Outcome, ...] = ("blocked", "likely_blocked", "ok", "restricted", "impaired")
FLOOR = 1
_MAX_WITNESS = 20
_Key = tuple[str, str, str, str, str, str, str, str]
# (vantage point, measurement, what it says)
_Entry = tuple[str, str, Opinion]


def make_cube(judged: Sequence[Judged], span: str = "hour", floor: int = FLOOR) -> Cube:
    """Cells of every layer, and the headline's sums over places and over the whole period."""
    whole = [replace(one, vantage=replace(one.vantage, place="", access="", gateway="")) for one in judged]
    heads = [replace(one, opinions=tuple(o for o in one.opinions if o.layer == HEADLINE)) for one in whole]
    return Cube(
        span, floor, make_cells(judged, span, floor), make_cells(heads, span, floor), make_cells(heads, "period", floor)
    )


def make_cells(judged: Iterable[Judged], span: str = "hour", floor: int = FLOOR) -> tuple[Cell, ...]:
    """Cells in order of their keys; the order of `judged` does not matter."""
    piles: dict[_Key, list[_Entry]] = {}
    for one in judged:
        who, start = one.vantage, bin_of(one.started_at, span)
        for opinion in one.opinions:
            key = (one.target, one.network, who.cc, who.place, who.access, who.gateway, opinion.layer, start)
            piles.setdefault(key, []).append((who.vantage_id, one.measurement_id, opinion))
    return tuple(_cell(key, piles[key], floor) for key in sorted(piles))


def _cell(key: _Key, entries: list[_Entry], floor: int) -> Cell:
    target, network, country, place, access, gateway, layer, start = key
    by_vantage: dict[str, list[Outcome]] = {}
    for vantage_id, _, opinion in entries:
        by_vantage.setdefault(vantage_id, []).append(opinion.outcome)
    votes = [vote(outcomes) for outcomes in by_vantage.values()]
    state = state_of(votes, floor)
    opinions = [opinion for _, _, opinion in entries]
    return Cell(
        target=target,
        network=network,
        place=place,
        access=access,
        gateway=gateway,
        layer=layer,
        bin=start,
        measurements=len(entries),
        vantage_points=len(by_vantage),
        counts=tally([opinion.outcome for opinion in opinions]),
        techniques=_ranked(t for opinion in opinions for t in opinion.techniques),
        state=state,
        witness=_witness(entries, state),
        country=country,
        votes=tally(votes),
        reasons=_ranked(o.reason or "" for o in opinions if o.outcome == "insufficient"),
        p_blocked=p_blocked(votes),
    )


def _witness(entries: Iterable[_Entry], state: str) -> tuple[str, ...]:
    ranked = sorted((opinion.outcome != state, mid) for _, mid, opinion in entries)
    return tuple(mid for _, mid in ranked[:_MAX_WITNESS])


def tally(outcomes: Sequence[Outcome]) -> tuple[tuple[str, int], ...]:
    """(outcome, count) in the order of OUTCOMES, without zeros."""
    return tuple((word, outcomes.count(word)) for word in OUTCOMES if word in outcomes)


def _ranked(words: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(words).items(), key=lambda item: (-item[1], item[0])))


def vote(outcomes: Sequence[Outcome]) -> Outcome:
    """One vantage point's word on its own measurements: rule 1."""
    return _majority([outcome for outcome in outcomes if outcome != "insufficient"])


def _majority(settled: Sequence[Outcome]) -> Outcome:
    if not settled:
        return "insufficient"
    for word in OUTCOMES:
        if 2 * settled.count(word) > len(settled):
            return word
    blockish = sum(outcome in BLOCKISH for outcome in settled)
    return "likely_blocked" if 2 * blockish > len(settled) else "impaired"


def state_of(votes: Sequence[Outcome], floor: int = FLOOR) -> Outcome:
    """What the votes of several vantage points support: rules 2 and 3."""
    settled = [word for word in votes if word != "insufficient"]
    if len(settled) < max(floor, 1):
        return "insufficient"
    blockish = [word for word in settled if word in BLOCKISH]
    if 2 * len(blockish) > len(settled):
        if blockish.count("blocked") >= floor:
            return "blocked"
        return "likely_blocked" if len(blockish) >= floor else "insufficient"
    return _majority(settled)


def p_blocked(votes: Sequence[Outcome]) -> Interval | None:
    """Jeffreys' posterior for the share of vantage points that meet a block; None when no vote bears on it."""
    bearing = [word for word in votes if word in _BEARS]
    return jeffreys(sum(word in BLOCKISH for word in bearing), len(bearing)) if bearing else None


@lru_cache(8192)
def jeffreys(k: int, n: int, level: float = 0.9) -> Interval:
    """Mean and equal-tailed interval of Beta(k + 1/2, n - k + 1/2)."""
    a, b = k + 0.5, n - k + 0.5
    tail = (1 - level) / 2
    low = 0.0 if k == 0 else beta_quantile(tail, a, b)
    high = 1.0 if k == n else beta_quantile(1 - tail, a, b)
    return Interval(round(a / (a + b), 3), round(low, 3), round(high, 3))


def beta_quantile(p: float, a: float, b: float) -> float:
    """The x with I_x(a, b) = p, by bisection: slow, and plain enough to be believed."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if beta_cdf(middle, a, b) < p else (low, middle)
    return (low + high) / 2


def beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        # The fraction converges fast only on this side of the mean; the other follows by symmetry.
        return 1 - beta_cdf(1 - x, b, a)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b))
    return front / a / _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """1 + d1/(1 + d2/(1 + ...)), evaluated from its far end; 200 terms are plenty for a, b below 10 000."""
    value = 1.0
    for m in range(200, 0, -1):
        half, odd = divmod(m, 2)
        if odd:
            d = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            d = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        value = 1 + d / value
    return value
