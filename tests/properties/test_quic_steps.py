"""Planning over QUIC in random worlds: it ends, it is bounded, and only addresses that proved themselves are asked."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from probe.checks import CHECKS, FIELD_CHECKS
from probe.checks.quic.steps import ADDRESSES, FRESH
from probe.engine import STEPS_MAX
from probe.model.kinds import LineState
from probe.model.step import AskControl, AskLine, Lookup, QuicWalk, Step
from probe.verdict.case import Case, Control
from probe.verdict.read import walks_of
from tests.cases import measurement
from tests.cases.build import Side
from tests.properties.test_steps import World, questions

RECORDS = ('1 . alpn="h3,h2"', '1 . alpn="h2"', "0 other.example.", "empty", "timeout")
MET = ("ok", "shaken", "timeout", "reset", "refused", "alert", "noroute", "cert expired", "http timeout",
       "skipped not_supported")  # fmt: skip
REACHED = ("", "x", "xx")  # as many of three


class QuicWorld(World):
    """The web check's world, where HTTP/3 is announced now and then."""

    def answer(self, step: Step) -> None:
        match step:
            case Lookup(qtype="HTTPS"):
                said = self.pick(RECORDS, step.host, step.resolver)
                self.here.lookup(step.resolver, "HTTPS", said, host=step.host)
            case QuicWalk():
                self._over_quic(self.here, step)
            case AskLine():
                row = (self.pick(("canaries", "others"), "whose"), 4, 3, len(self.pick(REACHED, "line", step.attempt)))
                self.here.add(LineState(quic=(row,)), "line.state", attempt=step.attempt, why=step.why)
            case AskControl(quic=True):
                self._asked_over_quic(step)
            case _:
                super().answer(step)

    def _over_quic(self, side: Side, step: QuicWalk) -> None:
        met = self.pick(MET, side.name, step.ip, step.attempt, step.sni)
        side.quic(step.ip, met, attempt=step.attempt, trial=step.sni != step.host, host=step.host)

    def _asked_over_quic(self, step: AskControl) -> None:
        side = Side(f"{len(self.controls) + 1:032x}", self.question.target)
        for host, ip, _ in step.endpoints:
            side.quic(ip, self.pick(MET, "control", ip), host=host)
        self.controls.append(Control(measurement(side.name, side.target, answers=self.here.name), tuple(side.facts)))
        self.here.asked(side.name)


worlds = st.builds(QuicWorld, questions, st.integers(0, 2**32))


def proposed_by(world: QuicWorld) -> list[Step]:
    case = world.case()
    return [step for name in FIELD_CHECKS for step in CHECKS[name](world.question, case)]


def play(world: QuicWorld, last_first: bool) -> Iterator[tuple[Step, Case]]:
    """Run to the end as the engine does; yields each step with the facts known when it was proposed."""
    asked: set[Step] = set()
    queue: deque[Step] = deque()
    while True:
        case = world.case()
        for step in proposed_by(world):
            if step not in asked:
                asked.add(step)
                queue.append(step)
                yield step, case
        if not queue:
            return
        step = queue.pop() if last_first else queue.popleft()
        world.answer(step)


@given(worlds, st.booleans())
def test_it_ends_and_is_bounded(world: QuicWorld, last_first: bool) -> None:
    steps = [step for step, _ in play(world, last_first)]
    assert len(steps) <= STEPS_MAX
    mine = [step for step in steps if isinstance(step, QuicWalk)]
    for host in {step.host for step in mine}:
        addresses = {step.ip for step in mine if step.host == host}
        first = Counter(step.ip for step in mine if step.host == host and step.attempt == 1 and step.sni == host)
        assert set(first.values()) <= {1}
        assert len(addresses) <= 2 * ADDRESSES + FRESH
        assert all(step.attempt <= world.question.attempts for step in mine)


@given(worlds, st.booleans())
def test_only_addresses_that_proved_themselves_are_asked(world: QuicWorld, last_first: bool) -> None:
    for step, case in play(world, last_first):
        if isinstance(step, QuicWalk):
            sides = (case.observations, *(c.observations for c in case.controls))
            proven = {w.ip for facts in sides for w in walks_of(facts) if w.host == step.host and w.proven}
            assert step.ip in proven


@given(worlds)
def test_the_same_facts_give_the_same_steps(world: QuicWorld) -> None:
    for _ in play(world, False):
        assert proposed_by(world) == proposed_by(world)
