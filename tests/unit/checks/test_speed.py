"""What one connection tells of speed, read off synthetic timelines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from probe.checks.speed.transfers import (
    LATE_US,
    Transfer,
    froze,
    is_held,
    is_late,
    late_us,
    moved,
    raw_bytes,
    slow_start_us,
    transfer_of,
)
from probe.model.kinds import HttpFetch
from probe.model.target import parse_target
from probe.verdict.read import Tried, walks_of
from tests.cases.build import SITE, Side

RTT = 40_000


def walked(met: str = "ok", url: str = "https://site.example/", **flow: Any) -> Tried:
    side = Side("a" * 32, parse_target(url))
    side.walk(SITE, met, flow=flow or {"size": 100_000})
    (walk,) = walks_of(side.facts)
    return walk


def transfer(**flow: Any) -> Transfer:
    found = transfer_of(walked(**flow))
    assert found is not None
    return found


def test_a_page_is_timed_from_its_head() -> None:
    found = transfer(size=94_600, rate=8_000, begin=5)
    assert (found.size, found.points[0], found.rtt_us) == (94_600, (0, 0), RTT)
    assert found.us_for(94_600) == pytest.approx(10e6, rel=0.01)
    assert found.pace(94_600) == pytest.approx(9_460, rel=0.01)


def test_between_points_time_goes_evenly() -> None:
    found = transfer(size=94_600, rate=8_000)
    assert found.us_for(54_600) == pytest.approx(5e6, rel=0.01)
    assert found.us_for(10**9) == found.us_for(94_600) and found.pace(10**9) == found.pace(94_600)


@pytest.mark.parametrize("met", ["http eof", "http timeout", "tls reset", "tcp timeout", "cut", "still"])
def test_what_came_to_no_end_is_no_transfer(met: str) -> None:
    assert transfer_of(walked(met, size=100_000, quiet=9_000)) is None


def test_without_a_timeline_there_is_nothing_to_read() -> None:
    side = Side("a" * 32, parse_target("https://site.example/"))
    side.walk(SITE, "ok")
    (walk,) = walks_of(side.facts)
    assert transfer_of(walk) is None and late_us(walk) is None and moved(walk.fetch or walk.connect) is None


def test_what_a_line_carried() -> None:
    fetch = walked(size=100_000, rate=50_000).fetch
    assert fetch is not None
    size, took_us, rtt_us = moved(fetch) or (0, 0, 0)
    assert (size, rtt_us) == (100_000, RTT) and took_us == pytest.approx(1.7e6, rel=0.02)
    # What comes over QUIC is as quick as our own work on it.
    assert isinstance(fetch.detail, HttpFetch)
    assert moved(replace(fetch, detail=replace(fetch.detail, protocol="HTTP/3"))) is None


@pytest.mark.parametrize(("size", "rounds"), [(1_000, 0), (14_600, 0), (30_000, 1), (60_000, 2), (262_144, 4)])
def test_an_empty_path_doubles_every_round_trip(size: int, rounds: int) -> None:
    assert slow_start_us(size, RTT) == rounds * RTT


@pytest.mark.parametrize("url", ["https://site.example/", "http://site.example/"])
@pytest.mark.parametrize("late_ms", [0, 100, 400, 1_500])
def test_lateness_is_recovered_from_the_smoothed_round_trip(late_ms: int, url: str) -> None:
    walk = walked(url=url, size=20_000, late=late_ms)
    assert late_us(walk) == pytest.approx(late_ms * 1000, abs=10)
    assert is_late(walk) is (late_ms * 1000 >= LATE_US)


def test_a_far_server_is_late_only_by_its_own_measure() -> None:
    assert not is_late(walked(rtt=600, late=1_000)) and is_late(walked(rtt=600, late=1_300))


def test_thinking_is_not_lateness() -> None:
    assert late_us(walked(url="http://site.example/", size=20_000, begin=8)) == 0


@pytest.mark.parametrize(
    ("raw", "quiet", "frozen", "held"),
    [
        (15_600, 10_000, True, False),
        (15_600, 900, False, True),
        (3_000, 10_000, False, False),  # the handshake, and no full segment after it
        (4_500, 10_000, True, False),
    ],
)
def test_a_freeze_is_silence_on_both_sides_after_a_beginning(raw: int, quiet: int, frozen: bool, held: bool) -> None:
    walk = walked("still", raw=raw, quiet=quiet)
    assert (froze(walk), is_held(walk), raw_bytes(walk)) == (frozen, held, raw)


def test_a_page_that_came_is_neither_frozen_nor_held() -> None:
    assert not froze(walked(size=100_000, quiet=60_000)) and not is_held(walked(size=100_000))


def test_without_the_kernels_word_bytes_are_counted_as_far_as_known() -> None:
    side = Side("a" * 32, parse_target("https://site.example/"))
    side.walk(SITE, "ok")
    walk = walks_of(side.facts)[0]
    assert isinstance(walk.fetch and walk.fetch.detail, HttpFetch) and raw_bytes(walk) == 0
    assert not froze(walk) and not is_held(walk)
