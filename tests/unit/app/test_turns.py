"""Whose turn it is: order kept, width held, no site twice at once."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import trio
import trio.testing

from probe.app.turns import REST_S, Turns
from probe.model.target import Target, parse_target, site_of


@dataclass(frozen=True)
class Asked:
    target: Target


def asked(*urls: str) -> list[Asked]:
    return [Asked(parse_target(url)) for url in urls]


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("www.dawn.com", "dawn.com"),
        ("epaper.dawn.com.pk", "dawn.com.pk"),
        ("a.b.blogspot.com", "blogspot.com"),
        ("example.pk", "example.pk"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("localhost", "localhost"),
    ],
)
def test_a_site_is_the_registrable_domain_or_the_address(host: str, site: str) -> None:
    assert site_of(host) == site


async def run_all(turns: Turns[Asked], takes_s: float = 3.0) -> list[tuple[str, float, int]]:
    """(site, when it began, how many were under way then) of everything, in the order in which it began."""
    begun: list[tuple[str, float, int]] = []

    async def one(item: Asked) -> None:
        await trio.sleep(takes_s)
        turns.done(item)

    async with trio.open_nursery() as nursery:
        while (item := await turns.take()) is not None:
            begun.append((item.target.site, trio.current_time(), turns.under_way))
            nursery.start_soon(one, item)
    return begun


async def test_no_site_twice_at_once_and_it_rests_between(autojump_clock: trio.testing.MockClock) -> None:
    turns = Turns(asked("a.example.com", "b.example.com", "other.net", "www.example.com"), width=8)
    begun = await run_all(turns)
    times = [at for site, at, _ in begun if site == "example.com"]
    assert [site for site, _, _ in begun] == ["example.com", "other.net", "example.com", "example.com"]
    assert [round(b - a, 6) for a, b in zip(times, times[1:], strict=False)] == [3 + REST_S] * 2


async def test_the_width_is_held_and_order_kept(autojump_clock: trio.testing.MockClock) -> None:
    names = [f"site{n}.net" for n in range(7)]
    begun = await run_all(Turns(asked(*names), width=3))
    assert [site for site, _, _ in begun] == names
    assert max(under_way for _, _, under_way in begun) == 3


async def test_a_wider_door_lets_in_at_once(autojump_clock: trio.testing.MockClock) -> None:
    turns = Turns(asked("a.net", "b.net", "c.net"), width=1)
    first = await turns.take()
    assert first is not None and turns.is_full
    turns.set_width(2)
    second = await turns.take()
    assert second is not None and turns.under_way == 2 and trio.current_time() == 0


async def test_a_narrower_door_waits_for_those_inside(autojump_clock: trio.testing.MockClock) -> None:
    turns = Turns(asked("a.net", "b.net", "c.net"), width=2)
    inside = [await turns.take(), await turns.take()]
    turns.set_width(0)
    assert turns.width == 1
    for item in inside[:1]:
        assert item is not None
        turns.done(item)
    with trio.move_on_after(60) as scope:
        await turns.take()
    assert scope.cancelled_caught


async def test_closed_it_hands_out_the_rest_without_pacing(autojump_clock: trio.testing.MockClock) -> None:
    turns = Turns(asked("a.example.com", "b.example.com", "c.example.com"), width=1)
    assert await turns.take() is not None
    turns.close()
    assert await turns.take() is not None and await turns.take() is not None and await turns.take() is None
    assert trio.current_time() == 0


async def test_who_has_nothing_more_to_ask_gives_up_its_place_once(autojump_clock: trio.testing.MockClock) -> None:
    turns = Turns(asked("a.example.com", "b.example.com", "other.net"), width=1, rest_s=0)
    first = await turns.take()
    assert first is not None
    turns.done(first)
    second = await turns.take()
    turns.done(first)
    assert second is not None and turns.under_way == 1 and turns.is_full
