"""A site, its path and a line as the speed check meets them: every step is answered as a situation says, and at the end
it is judged. No socket, no time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from probe.checks import CHECKS, RULESET, Question
from probe.model.kinds import LineState
from probe.model.step import AskBytes, Step, Walk
from probe.model.target import parse_target
from probe.model.verdict import Judgement
from probe.verdict.case import Case, Control
from probe.verdict.judge import judge
from tests.cases import HEALTHY, case, measurement
from tests.cases.build import HELPER, OTHER_SITE, REFERENCE, SITE, Side

CONTROL = "1" * 32
Flow = dict[str, Any]
# Of which try, is it an innocent name, at which address, how many bytes are wanted.
Flows = Callable[[int, bool, str, int], Flow]


@dataclass
class Timed:
    """Walks come as `flow` says, bytes of the helper as `line` says: (a second, round trip in ms, segments out of
    order). With `edges` the site has two addresses. `others` are other targets' pages."""

    flow: Flows
    line: Callable[[], tuple[float, float, int]] = lambda: (500_000, 60, 0)
    url: str = "https://site.example/"
    edges: bool = False
    helpers: tuple[str, ...] = (HELPER,)
    met: str = "ok"
    control: Flow = field(default_factory=lambda: {"size": 262_144, "rate": 2e6, "rtt": 20})
    others: tuple[tuple[int, int, int], ...] = ()
    asked: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        target = parse_target(self.url)
        self.here, self.there = Side("a" * 32, target), Side(CONTROL, target)
        ips = f"{SITE} {OTHER_SITE}" if self.edges else SITE
        self.here.lookup("network", "A", ips)
        self.there.lookup("udp://192.0.2.53", "A", ips)
        for ip in ips.split():
            self.there.walk(ip, "ok", flow=self.control)
        self.here.walk(SITE, self.met, flow=self.flow(1, False, SITE, 262_144))
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
        """Ask until nobody asks any more, and answer every step."""
        while True:
            fresh = [s for s in CHECKS["speed"](self.question, self.case()) if s not in self.asked]
            if not fresh:
                return self.asked
            for step in fresh:
                self.asked.append(step)
                self._answer(step)

    def _answer(self, step: Step) -> None:
        if isinstance(step, AskBytes):
            rate, rtt, lost = self.line()
            self.here.bytes(step.size, rate, rtt=rtt, lost=lost, attempt=step.attempt)
            return
        assert isinstance(step, Walk)
        trial, most = step.why.startswith("name trial"), step.fetch.most if step.fetch else 0
        met = "shaken" if step.fetch is None else self.met if not trial else "ok"
        flow = self.flow(step.attempt, trial, step.ip, most)
        self.here.walk(step.ip, met, attempt=step.attempt, trial=trial, speed=True, flow=flow)

    def judged(self) -> Judgement:
        """What is said of it all."""
        known = Side(self.here.name, self.here.target, list(self.here.facts), self.here.bodies)
        known.end(LineState(**HEALTHY, transfers=self.others), "fixpoint")  # type: ignore[arg-type]
        return judge(replace(self.case(), observations=tuple(known.facts)), REFERENCE, RULESET)

    def said(self) -> str:
        """The technique, or the outcome where there is none."""
        judgement = self.judged()
        return " ".join(judgement.techniques) or judgement.outcome


def size_of(step: Step) -> int:
    """Bytes of a body that a step takes at most."""
    if isinstance(step, AskBytes):
        return step.size
    return step.fetch.most if isinstance(step, Walk) and step.fetch else 0
