"""Canaries, asked in the beginning and again."""

from __future__ import annotations

import trio
import trio.testing

from probe.app.canaries import FRESH_S, Canaries
from probe.app.line import LineWatch
from probe.checks import Question
from probe.model.target import Target, parse_target
from probe.verdict.case import Case
from tests.cases import case
from tests.cases.build import REFERENCE, SITE, Side

ONE, TWO = parse_target("https://one.example/"), parse_target("https://two.example/")


class Sites:
    """Two canaries; those in `dead` answer nothing. Remembers what was asked."""

    def __init__(self) -> None:
        self.dead: set[str] = set()
        self.asked: list[tuple[str, bool]] = []

    async def ask(self, target: Target, question: Question) -> Case:
        self.asked.append((target.host, bool(question.endpoints)))
        await trio.sleep(0.1)
        side = Side("a" * 32, target)
        side.walk(SITE, "tcp timeout" if target.host in self.dead else "shaken")
        return case(side, (), "none")


def flock(sites: Sites) -> Canaries:
    line = LineWatch(REFERENCE, lambda: round(trio.current_time() * 1e6))
    return Canaries((ONE, TWO), ("network",), line, sites.ask)


async def test_those_that_answered_are_asked_again(autojump_clock: trio.testing.MockClock) -> None:
    sites = Sites()
    sites.dead = {"two.example"}
    canaries = flock(sites)
    await canaries.first()
    await canaries.again()
    assert sites.asked[2:] == [("one.example", True)] and canaries.line.round == (1, 1)


async def test_one_round_serves_all_who_wait(autojump_clock: trio.testing.MockClock) -> None:
    sites = Sites()
    canaries = flock(sites)
    await canaries.first()
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(canaries.again)
    assert len(sites.asked) == 4
    await trio.sleep(FRESH_S)
    await canaries.again()
    assert len(sites.asked) == 6


async def test_a_line_that_comes_back_is_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    sites = Sites()
    canaries = flock(sites)
    await canaries.first()
    sites.dead = {"one.example", "two.example"}
    await canaries.again()
    assert canaries.are_silent
    async with trio.open_nursery() as nursery:
        alive: list[bool] = []

        async def wait() -> None:
            alive.append(await canaries.wait_alive(60))

        nursery.start_soon(wait)
        await trio.sleep(20)
        sites.dead = set()
    assert alive == [True]
    assert not await gone(sites, canaries)


async def gone(sites: Sites, canaries: Canaries) -> bool:
    sites.dead = {"one.example", "two.example"}
    await trio.sleep(FRESH_S)
    return await canaries.wait_alive(30)


async def test_without_canaries_nothing_is_silent(autojump_clock: trio.testing.MockClock) -> None:
    canaries = Canaries((), (), LineWatch(REFERENCE, lambda: 0), Sites().ask)
    await canaries.first()
    await canaries.again()
    assert not canaries.are_silent and canaries.line.round == (0, 0)
