from __future__ import annotations

import random

import pytest

from probe.model.cell import Interval, bin_of
from probe.model.corpus import Judged, Opinion
from probe.model.outcome import Outcome
from probe.model.vantage import Vantage
from probe.warehouse.cells import beta_cdf, beta_quantile, jeffreys, make_cells, make_cube, p_blocked, state_of, vote


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["ok"], "ok"),
        (["insufficient", "insufficient"], "insufficient"),
        (["insufficient", "ok"], "ok"),
        (["blocked", "blocked", "ok"], "blocked"),
        (["blocked", "likely_blocked"], "likely_blocked"),
        (["blocked", "ok"], "impaired"),
        (["blocked", "likely_blocked", "ok"], "likely_blocked"),
        ([], "insufficient"),
    ],
)
def test_one_vantage_point_is_one_vote(outcomes: list[Outcome], expected: Outcome) -> None:
    assert vote(outcomes) == expected


@pytest.mark.parametrize(
    ("votes", "floor", "expected"),
    [
        (["blocked"], 1, "blocked"),
        (["blocked"], 2, "insufficient"),
        (["blocked", "likely_blocked"], 2, "likely_blocked"),
        (["blocked", "blocked", "ok"], 2, "blocked"),
        (["blocked", "ok"], 1, "impaired"),
        (["blocked", "ok", "ok"], 1, "ok"),
        (["ok", "insufficient"], 2, "insufficient"),
        (["insufficient"], 1, "insufficient"),
        ([], 1, "insufficient"),
        (["down", "down"], 1, "down"),
    ],
)
def test_state_needs_a_majority_and_the_floor(votes: list[Outcome], floor: int, expected: Outcome) -> None:
    assert state_of(votes, floor) == expected


def one(vantage: str, outcome: Outcome, at: str = "2024-11-29T13:05:00.000000Z", n: int = 0) -> Judged:
    opinions = (Opinion("headline", outcome),)
    who = Vantage(vantage, "field", "PK", 17557, "Lahore")
    return Judged(f"{vantage}-{at}-{n}", "r", "https://a.example/", "a.example", at, who, "AS17557 PTCL", opinions)


def test_a_flood_from_one_vantage_point_stays_one_vote() -> None:
    flood = [one("liar", "blocked", n=n) for n in range(1000)]
    (cell,) = make_cells([*flood, one("a", "ok"), one("b", "ok")])
    assert (cell.state, cell.measurements, cell.vantage_points) == ("ok", 1002, 3)
    assert dict(cell.votes) == {"blocked": 1, "ok": 2}


def test_cells_do_not_depend_on_order() -> None:
    rows = [one(f"v{n % 5}", "blocked" if n % 3 else "ok", f"2024-11-29T{n % 24:02}:00:00.000000Z") for n in range(60)]
    shuffled = random.Random(3).sample(rows, len(rows))
    assert make_cube(rows) == make_cube(shuffled)


def test_insufficient_alone_is_never_ok_and_bears_on_nothing() -> None:
    (cell,) = make_cells([one("a", "insufficient"), one("b", "insufficient")])
    assert cell.state == "insufficient" and cell.p_blocked is None


def test_bins() -> None:
    assert bin_of("2024-11-29T13:05:00.000000Z", "hour") == "2024-11-29T13:00:00Z"
    assert bin_of("2024-11-29T13:05:00.000000Z", "day") == "2024-11-29T00:00:00Z"
    with pytest.raises(ValueError, match="no bin"):
        bin_of("2024-11-29T13:05:00.000000Z", "week")


def test_beta_against_closed_forms() -> None:
    # I_x(2, 5) is a binomial tail; I_x(1/2, 1/2) is the arcsine law, whose median is one half.
    assert beta_cdf(0.3, 2, 5) == pytest.approx(0.579825, abs=1e-9)
    assert beta_quantile(0.5, 0.5, 0.5) == pytest.approx(0.5, abs=1e-9)
    assert beta_quantile(0.25, 1, 1) == pytest.approx(0.25, abs=1e-9)


def test_jeffreys_is_honest_at_the_edges_and_narrows() -> None:
    assert jeffreys(0, 1) == Interval(0.25, 0.0, 0.771)
    assert jeffreys(1, 1).high == 1.0
    assert jeffreys(50, 100).high - jeffreys(50, 100).low < jeffreys(5, 10).high - jeffreys(5, 10).low
    assert p_blocked(["down", "insufficient"]) is None
