"""The aggregate cell of reports: one target, one network and place, one layer, one span of time."""

from __future__ import annotations

from dataclasses import dataclass

# The spans that cells may have; `period` is everything at once.
BINS = ("hour", "day", "period")


def bin_of(started_at: str, span: str) -> str:
    """The start of the span that an RFC 3339 UTC time falls into; empty for `period`. Raises ValueError for others."""
    if span not in BINS:
        raise ValueError(f"{span!r} is no bin; choose one of {', '.join(BINS)}")
    starts = {"hour": f"{started_at[:13]}:00:00Z", "day": f"{started_at[:10]}T00:00:00Z", "period": ""}
    return starts[span]


@dataclass(frozen=True, slots=True)
class Interval:
    """A probability with its credible interval of 90 %, each rounded to three digits."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Cell:
    """`bin` is the start of the span, RFC 3339 UTC; `layer` a layer or `headline`. `counts` and `votes` are
    (outcome, number) pairs in the order of `probe.model.outcome.OUTCOMES`, zeros left out: `counts` of measurements,
    `votes` of vantage points, one each. `reasons` say why measurements were insufficient. `state` is the outcome word
    that the votes support. `witness` are measurement ids, those that speak for `state` first."""

    target: str
    network: str
    place: str
    access: str
    gateway: str
    layer: str
    bin: str
    measurements: int
    vantage_points: int
    counts: tuple[tuple[str, int], ...]
    techniques: tuple[tuple[str, int], ...]
    state: str
    witness: tuple[str, ...] = ()
    country: str = ""
    votes: tuple[tuple[str, int], ...] = ()
    reasons: tuple[tuple[str, int], ...] = ()
    p_blocked: Interval | None = None


@dataclass(frozen=True, slots=True)
class Cube:
    """Cells at three depths: `cells` in full, `lines` (headline only) over all places of a network, `totals` over the
    whole period as well. `bin` is hour or day; `floor` the vantage points that a state needs."""

    bin: str
    floor: int
    cells: tuple[Cell, ...]
    lines: tuple[Cell, ...]
    totals: tuple[Cell, ...]
