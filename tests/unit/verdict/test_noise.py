"""How many tries are enough, and when a line was cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.kinds import LineState
from probe.model.target import parse_target
from probe.verdict.line import Line
from probe.verdict.noise import ALPHA, CEILING, FLOOR, is_mixed, noise_of, weigh
from tests.cases.build import SITE, Side

TARGET = parse_target("https://site.example/")
counts = st.integers(0, 10_000)


@given(counts, counts)
def test_noise_is_a_probability_between_its_bounds_and_grows_with_failures(failed: int, more: int) -> None:
    tried = failed + more
    assert FLOOR <= noise_of(failed, tried) <= CEILING
    assert noise_of(failed, tried) <= noise_of(failed + 1, tried + 1)


@given(st.integers(0, 30), st.integers(0, 30), st.floats(FLOOR, CEILING))
def test_a_further_failure_never_speaks_for_noise_and_a_pass_never_against_it(f: int, p: int, p0: float) -> None:
    order = ("noise", "open", "apart")
    assert order.index(weigh(f + 1, p, p0)) >= order.index(weigh(f, p, p0)) >= order.index(weigh(f, p + 1, p0))


@pytest.mark.parametrize("p0", [0.02, 0.05, 0.1, 0.2])
def test_noise_alone_seldom_passes_for_a_block(p0: float) -> None:
    needed = next(n for n in range(1, 30) if weigh(n, 0, p0) == "apart")
    assert p0**needed <= ALPHA and weigh(needed - 1, 0, p0) == "open"


def test_one_failure_is_never_mixed_and_two_of_three_are_on_a_quiet_line() -> None:
    assert not is_mixed(1, 0, FLOOR) and not is_mixed(1, 5, FLOOR)
    assert is_mixed(2, 1, FLOOR) and not is_mixed(2, 1, 0.3)


def cut_off(reached: int, recent: int = 0) -> Line:
    side = Side("a" * 32, TARGET)
    side.walk(SITE, "tcp timeout")
    side.add(LineState(round_tried=3, round_reached=reached, recent_reached=recent), "line.state")
    return Line(tuple(side.facts))


def test_a_try_is_void_where_nothing_came_through_right_after_it() -> None:
    for reached, recent, void in ((0, 0, True), (1, 0, False), (0, 1, False)):
        line = cut_off(reached, recent)
        assert line.was_cut(line.observations[0]) is void


def test_a_line_that_was_never_looked_at_cuts_nothing() -> None:
    side = Side("a" * 32, TARGET)
    side.walk(SITE, "tcp timeout")
    assert not Line(tuple(side.facts)).was_cut(side.facts[0])


def test_the_first_word_that_stands_is_kept() -> None:
    side = Side("a" * 32, TARGET)
    side.walk(SITE, "tls reset", times=3)
    failed = [o for o in side.facts if o.failure]
    assert Line(tuple(side.facts)).weigh(failed, (), "walks") == "apart"
    # What is learnt of the line later does not unsay it.
    side.add(LineState(walks_tried=100, walks_failed=50), "line.state")
    assert Line(tuple(side.facts)).weigh(failed, (), "walks") == "apart"
    assert Line(tuple(side.facts)).weigh(failed[:2], (), "walks") == "open"
