"""What the speed check asks, played against situations in which a site, its path or the line is slow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from probe.checks import CHECKS
from probe.checks.speed.series import UNTRIED
from probe.checks.speed.steps import MOST_WALKS, REPEAT_MOST
from probe.model.kinds import HttpFetch
from probe.model.step import AskBytes, AskLine, Step, Walk
from tests.cases.build import HELPER, OTHER_SITE, SITE
from tests.cases.timed import Flow, Flows, Timed, size_of


def page(size: int, rate: float, **more: Any) -> Flow:
    return {"size": min(size, 262_144), "rate": rate, **more}


def policed_name(n: int, trial: bool, ip: str, size: int) -> Flow:
    return page(size, 600_000) if trial else page(size, 8_000, lost=3)


def policed_all(n: int, trial: bool, ip: str, size: int) -> Flow:
    return page(size, 8_000, lost=3)


def policed_few(n: int, trial: bool, ip: str, size: int) -> Flow:
    return page(300, 1e6) if trial else page(size, 8_000, lost=3)


def one_edge(n: int, trial: bool, ip: str, size: int) -> Flow:
    return page(size, 900_000) if ip == OTHER_SITE else policed_few(n, trial, ip, size)


def tarpit(n: int, trial: bool, ip: str, size: int) -> Flow:
    return page(300, 1e6) if trial else page(size, 8_000)


def delayed_name(n: int, trial: bool, ip: str, size: int) -> Flow:
    return {"size": 300 if trial else 20_000, "late": 0 if trial else 1_400}


def delayed_all(n: int, trial: bool, ip: str, size: int) -> Flow:
    return {"size": 20_000, "late": 1_400}


def fast(n: int, trial: bool, ip: str, size: int) -> Flow:
    return page(size, 900_000)


def sorts(steps: list[Step]) -> str:
    """t(rial), o(wn name), b(ytes of the helper), e (another edge)."""
    words = {"name trial: speed": "t", "speed: again": "o", "speed: another address": "e"}
    return "".join("b" if isinstance(s, AskBytes) else words[s.why] for s in steps)


@pytest.mark.parametrize(
    ("world", "asked", "said"),
    [
        (Timed(fast), "", "ok"),
        (Timed(lambda _, t, ip, n: page(20_000, 8_000)), "", "ok"),
        (Timed(policed_name), "totot", "tls.throttle.sni"),
        (Timed(policed_name, url="http://site.example/"), "totot", "http.throttle.host"),
        (Timed(policed_few), "tbobobobob", "tcp.throttle"),
        (Timed(policed_all), "tbobobobob", "tcp.throttle"),
        (Timed(policed_all, line=lambda: (9_000, 60, 3)), "tb", "ok"),
        (Timed(policed_all, edges=True), "tebobobobob", "tcp.throttle"),
        (Timed(one_edge, edges=True), "te", "ok"),
        (Timed(policed_all, helpers=()), "toooo", "ok"),
        (Timed(tarpit), "tbobobobob", "impaired"),
        (Timed(policed_name, control={"size": 262_144, "rate": 9_000}), "", "ok"),
        (Timed(delayed_name), "tototot", "tls.throttle.sni"),
        (Timed(delayed_name, url="http://site.example/"), "tototot", "http.throttle.host"),
        (Timed(delayed_all), "t", "ok"),
        (Timed(policed_few, url="https://192.0.2.1/"), "bobobobob", "tcp.throttle"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_the_whole_course(world: Timed, asked: str, said: str) -> None:
    assert (sorts(world.play()), world.said()) == (asked, said)


def test_what_only_happened_once_is_asked_no_further() -> None:
    tries = iter([8_000.0])
    world = Timed(lambda _, t, ip, n: page(n, 700_000 if t else next(tries, 900_000)))
    assert (sorts(world.play()), world.said()) == ("to", "ok")


def test_a_line_that_loses_packets_needs_more_tries() -> None:
    world = Timed(lambda _, t, ip, n: page(n, 90_000 if t else 8_000, lost=6))
    assert (sorts(world.play()), world.said()) == ("totototot", "tls.throttle.sni")


def test_a_freeze_is_tried_with_an_innocent_name_just_beyond_its_place() -> None:
    world = Timed(lambda _, t, ip, n: page(n, 1e6) if t else {"raw": 15_600, "quiet": 10_000}, met="still")
    steps = world.play()
    assert (sorts(steps), {size_of(s) for s in steps}) == ("tt", {15_600 + 32_768})
    for attempt, raw in ((2, 15_610), (3, 15_590)):
        world.here.walk(SITE, "still", attempt=attempt, flow={"raw": raw, "quiet": 10_000})
    assert world.play() == steps and world.said() == "tls.freeze.sni"


@pytest.mark.parametrize("flow", [policed_name, policed_few, policed_all, delayed_name, tarpit])
def test_it_is_bounded_and_spaced_and_goes_nowhere_else(flow: Flows) -> None:
    world = Timed(flow, edges=True)
    steps = world.play()
    sizes = [size_of(s) for s in steps]
    walks = [s for s in steps if isinstance(s, Walk)]
    assert len(walks) <= MOST_WALKS and len(steps) - len(walks) <= UNTRIED and max(sizes) <= REPEAT_MOST
    assert all(s.not_before_s > 0 or isinstance(s, AskBytes) for s in steps)
    assert {s.ip for s in steps if isinstance(s, Walk)} <= {SITE, OTHER_SITE}
    assert not any(isinstance(s, AskLine) for s in steps) and all(s.why != "plan" for s in steps)


def test_an_innocent_name_is_all_that_the_path_can_read_of_a_trial() -> None:
    first = Timed(policed_name).play()[0]
    assert isinstance(first, Walk) and first.fetch is not None
    assert (first.sni, first.fetch.url, first.fetch.cookies) == ("www.example.org", "https://site.example/", ())
    plain = Timed(policed_name, url="http://site.example/").play()[0]
    assert isinstance(plain, Walk) and plain.fetch is not None
    assert (plain.sni, plain.fetch.url) == (None, "http://www.example.org/")


def test_a_helper_times_nothing() -> None:
    world = Timed(policed_name)
    assert not list(CHECKS["speed"](replace(world.question, role="control"), world.case()))


def test_nothing_is_timed_before_the_control_has_spoken() -> None:
    world = Timed(policed_name, helpers=(HELPER, "https://other.example"))
    assert not world.play()


def test_another_version_of_http_is_another_servers_and_shows_nothing() -> None:
    world = Timed(policed_name)
    world.play()
    assert world.said() == "tls.throttle.sni"
    for o in tuple(world.here.facts):
        if isinstance(o.detail, HttpFetch) and o.why == "name trial: speed":
            world.here.facts[o.seq] = replace(o, detail=replace(o.detail, protocol="HTTP/2"))
    assert world.said() == "ok"
