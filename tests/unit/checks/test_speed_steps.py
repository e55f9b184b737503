"""What the speed check asks, played against worlds in which a site, its path or the line is slow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from probe.checks import CHECKS, RULESET, Question
from probe.model.kinds import LineState
from probe.model.step import AskBytes, AskLine, Step, Walk
from probe.model.target import parse_target
from probe.verdict.case import Case, Control
from probe.verdict.judge import judge
from tests.cases import HEALTHY, case, measurement
from tests.cases.build import HELPER, OTHER_SITE, REFERENCE, SITE, Side

CONTROL = "1" * 32
Flow = dict[str, Any]


@dataclass
class World:
    """Walks come as `flow` says for (is it an innocent name, which address, how many bytes are wanted); bytes of the
    helper at `line` a second. Two addresses where there are `edges`."""

    flow: Callable[[bool, str, int], Flow]
    line: float = 500_000
    url: str = "https://site.example/"
    edges: bool = False
    helpers: tuple[str, ...] = (HELPER,)
    met: str = "ok"
    control: Flow = field(default_factory=lambda: {"size": 262_144, "rate": 2e6, "rtt": 20})
    asked: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        target = parse_target(self.url)
        self.here, self.there = Side("a" * 32, target), Side(CONTROL, target)
        ips = f"{SITE} {OTHER_SITE}" if self.edges else SITE
        self.here.lookup("network", "A", ips)
        self.there.lookup("udp://192.0.2.53", "A", ips)
        for ip in ips.split():
            self.there.walk(ip, "ok", flow=self.control)
        self.here.walk(SITE, self.met, flow=self.flow(False, SITE, 262_144))
        if self.edges:
            self.here.walk(OTHER_SITE, "shaken", flow={"rtt": 40})
        self.here.asked(CONTROL)

    @property
    def question(self) -> Question:
        return Question(self.here.target, checks=("speed",), resolvers=("network",), helpers=self.helpers)

    def case(self) -> Case:
        controls = (Control(measurement(CONTROL, self.here.target), tuple(self.there.facts)),)
        return case(self.here, controls, "helper", sides=[self.there])

    def play(self) -> list[Step]:
        """Ask until nobody asks any more; every step must be answered before the next one is proposed."""
        while True:
            fresh = [s for s in CHECKS["speed"](self.question, self.case()) if s not in self.asked]
            if not fresh:
                return self.asked
            for step in fresh:
                self.asked.append(step)
                self._answer(step)

    def _answer(self, step: Step) -> None:
        if isinstance(step, AskBytes):
            self.here.bytes(step.size, self.line)
            return
        assert isinstance(step, Walk)
        trial, most = step.why.startswith("name trial"), step.fetch.most if step.fetch else 0
        met = "shaken" if step.fetch is None else self.met if not trial else "ok"
        self.here.walk(
            step.ip, met, attempt=step.attempt, trial=trial, speed=True, flow=self.flow(trial, step.ip, most)
        )

    def said(self) -> str:
        """What is said at the end: the technique, or the outcome where there is none."""
        known = Side(self.here.name, self.here.target, list(self.here.facts), self.here.bodies)
        known.end(LineState(**HEALTHY), "fixpoint")  # type: ignore[arg-type]
        judgement = judge(replace(self.case(), observations=tuple(known.facts)), REFERENCE, RULESET)
        return " ".join(judgement.techniques) or judgement.outcome


def page(size: int, rate: float, **more: Any) -> Flow:
    return {"size": min(size, 262_144), "rate": rate, **more}


def policed_name(trial: bool, ip: str, size: int) -> Flow:
    return page(size, 600_000) if trial else page(size, 8_000, lost=3)


def policed_all(trial: bool, ip: str, size: int) -> Flow:
    return page(size, 8_000, lost=3)


def policed_few(trial: bool, ip: str, size: int) -> Flow:
    return page(300, 1e6) if trial else page(size, 8_000, lost=3)


def one_edge(trial: bool, ip: str, size: int) -> Flow:
    return page(size, 900_000) if ip == OTHER_SITE else policed_few(trial, ip, size)


def tarpit(trial: bool, ip: str, size: int) -> Flow:
    return page(300, 1e6) if trial else page(size, 8_000)


def delayed_name(trial: bool, ip: str, size: int) -> Flow:
    return {"size": 300 if trial else 20_000, "late": 0 if trial else 1_400}


def delayed_all(trial: bool, ip: str, size: int) -> Flow:
    return {"size": 20_000, "late": 1_400}


def fast(trial: bool, ip: str, size: int) -> Flow:
    return page(size, 900_000)


def sorts(steps: list[Step]) -> str:
    """t(rial), o(wn name), b(ytes of the helper), e (another edge)."""
    words = {"name trial: speed": "t", "speed: again": "o", "speed: another address": "e"}
    return "".join("b" if isinstance(s, AskBytes) else words[s.why] for s in steps)


def size_of(step: Step) -> int:
    """Bytes of a body that a step takes at most."""
    if isinstance(step, AskBytes):
        return step.size
    return step.fetch.most if isinstance(step, Walk) and step.fetch else 0


@pytest.mark.parametrize(
    ("world", "asked", "said"),
    [
        (World(fast), "", "ok"),
        (World(lambda t, ip, n: page(20_000, 8_000)), "", "ok"),
        (World(policed_name), "totot", "tls.throttle.sni"),
        (World(policed_name, url="http://site.example/"), "totot", "http.throttle.host"),
        (World(policed_few), "tbobob", "tcp.throttle"),
        (World(policed_all), "tbobob", "tcp.throttle"),
        (World(policed_all, line=9_000), "tb", "ok"),
        (World(policed_all, edges=True), "tebobob", "tcp.throttle"),
        (World(one_edge, edges=True), "te", "ok"),
        (World(policed_all, helpers=()), "too", "ok"),
        (World(tarpit), "tbobob", "impaired"),
        (World(policed_name, control={"size": 262_144, "rate": 9_000}), "", "ok"),
        (World(delayed_name), "totot", "tls.throttle.sni"),
        (World(delayed_name, url="http://site.example/"), "totot", "http.throttle.host"),
        (World(delayed_all), "t", "ok"),
        (World(policed_few, url="https://192.0.2.1/"), "bobob", "tcp.throttle"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_the_whole_course(world: World, asked: str, said: str) -> None:
    assert (sorts(world.play()), world.said()) == (asked, said)


def test_what_only_happened_once_is_asked_no_further() -> None:
    tries = iter([8_000.0])
    world = World(lambda t, ip, n: page(n, 700_000 if t else next(tries, 900_000)))
    assert (sorts(world.play()), world.said()) == ("to", "ok")


def test_a_line_that_loses_packets_needs_more_tries() -> None:
    world = World(lambda t, ip, n: page(n, 90_000 if t else 8_000, lost=6))
    assert (sorts(world.play()), world.said()) == ("totototot", "tls.throttle.sni")


def test_a_freeze_is_tried_with_an_innocent_name_just_beyond_its_place() -> None:
    world = World(lambda t, ip, n: page(n, 1e6) if t else {"raw": 15_600, "quiet": 10_000}, met="still")
    steps = world.play()
    assert sorts(steps) == "tt" and {s.fetch.most for s in steps if isinstance(s, Walk) and s.fetch} == {
        15_600 + 32_768
    }
    for attempt, raw in ((2, 15_610), (3, 15_590)):
        world.here.walk(SITE, "still", attempt=attempt, flow={"raw": raw, "quiet": 10_000})
    assert world.play() == steps and world.said() == "tls.freeze.sni"


@pytest.mark.parametrize("flow", [policed_name, policed_few, policed_all, delayed_name, tarpit])
def test_it_is_bounded_and_spaced_and_goes_nowhere_else(flow: Callable[[bool, str, int], Flow]) -> None:
    world = World(flow, edges=True)
    steps = world.play()
    sizes = [
        s.size if isinstance(s, AskBytes) else s.fetch.most if isinstance(s, Walk) and s.fetch else 0 for s in steps
    ]
    assert len(steps) <= 11 and sum(sizes) <= 10 * 131_072 and max(sizes) <= 131_072
    assert all(s.not_before_s > 0 or isinstance(s, AskBytes) for s in steps)
    assert {s.ip for s in steps if isinstance(s, Walk)} <= {SITE, OTHER_SITE}
    assert not any(isinstance(s, AskLine) for s in steps) and all(s.why != "plan" for s in steps)


def test_an_innocent_name_is_all_that_the_path_can_read_of_a_trial() -> None:
    first = World(policed_name).play()[0]
    assert isinstance(first, Walk) and first.fetch is not None
    assert (first.sni, first.fetch.url, first.fetch.cookies) == ("www.example.org", "https://site.example/", ())
    plain = World(policed_name, url="http://site.example/").play()[0]
    assert isinstance(plain, Walk) and plain.fetch is not None
    assert (plain.sni, plain.fetch.url) == (None, "http://www.example.org/")


def test_a_helper_times_nothing() -> None:
    world = World(policed_name)
    assert not list(CHECKS["speed"](replace(world.question, role="control"), world.case()))


def test_nothing_is_timed_before_the_control_has_spoken() -> None:
    world = World(policed_name, helpers=(HELPER, "https://other.example"))
    assert not world.play()
