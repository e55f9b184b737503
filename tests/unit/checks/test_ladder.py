"""The ladder by simulation: a box at some hop, a line that loses packets, and how many are spent to find it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from random import Random

import pytest

from probe.checks.web.ladder import MOST_HOPS, MOST_TRIES, Ladder

Met = Callable[[int], bool]


def climb(met: Met, at_once: int = 1) -> tuple[Ladder, int, int]:
    """The ladder at its end, the packets sent, and how many of them reached the box."""
    tries: dict[int, list[bool]] = defaultdict(list)
    sent, reached = 0, 0
    while steps := [s for s in ladder(tries).following(at_once) if s[1] > len(tries[s[0]])]:
        for ttl, _ in steps:
            answered = met(ttl)
            tries[ttl].append(answered)
            sent, reached = sent + 1, reached + answered
    return ladder(tries), sent, reached


def ladder(tries: dict[int, list[bool]]) -> Ladder:
    return Ladder({ttl: tuple(met) for ttl, met in tries.items() if met})


@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("hop", [1, 2, 5, MOST_HOPS])
def test_a_box_is_found_where_it_stands(hop: int, at_once: int) -> None:
    found, sent, _ = climb(lambda ttl: ttl >= hop, at_once)
    assert found.hop == hop and sent <= MOST_TRIES


@pytest.mark.parametrize("hop", [1, 5, 9])
def test_a_single_climber_shows_the_box_two_packets(hop: int) -> None:
    assert climb(lambda ttl: ttl >= hop)[2] == 2


def test_nothing_is_found_where_nothing_answers() -> None:
    found, sent, _ = climb(lambda ttl: False)
    assert found.hop is None and sent == MOST_HOPS


def test_one_stray_answer_is_no_hop() -> None:
    strays = iter([False, False, True])
    found, _, _ = climb(lambda ttl: next(strays, False))
    assert found.hop is None


@pytest.mark.parametrize("loss", [0.1, 0.3])
def test_a_line_that_loses_packets_seldom_misplaces_it_and_never_nearer(loss: float) -> None:
    hops = []
    for seed in range(400):
        dice = Random(seed)
        found, sent, _ = climb(lambda ttl, dice=dice: ttl >= 5 and dice.random() > loss, 4)  # type: ignore[misc]
        assert sent <= MOST_TRIES
        hops.append(found.hop)
    assert {hop for hop in hops if hop is not None and hop < 5} == set()
    too_far = sum(hop is not None and hop > 5 for hop in hops)
    assert hops.count(5) > 300 * (1 - loss) and too_far <= 2 * 400 * loss**2


def test_what_was_proposed_stays_proposed_until_it_is_met() -> None:
    assert list(Ladder({}).following(4)) == [(1, 1), (2, 1), (3, 1), (4, 1)]
    assert list(Ladder({2: (False,)}).following(4)) == [(1, 1), (2, 1), (3, 1), (4, 1)]
    assert list(Ladder({1: (False,), 2: (True,)}).following(4)) == [(2, 2), (1, 2)]
