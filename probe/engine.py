"""The loop. Its whole law: each check proposes what it would like to know, given what is known; nothing is asked
twice; stop when nobody asks. Every fact is handed on the moment it exists. The engine knows no kind of fact and no
rule.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace

import trio

from probe.checks import CHECKS, Question
from probe.model.errors import BundleError
from probe.model.kinds import Conclusion, ControlAsk, HttpFetch, LineState
from probe.model.measurement import Measurement
from probe.model.observation import Blob, Draft, Observation
from probe.model.step import AskControl, AskLine, Lookup, Step
from probe.model.vantage import Vantage
from probe.perform import PERFORMERS
from probe.perform.control import perform_control
from probe.perform.world import Emit, World
from probe.verdict.case import Case, Control, ControlSource
from probe.wire.facts import ObservationRow, Row, observation_of, row_of

Keep = Callable[[Row], None]
# Gives what the run knows of its own line; with True, it looks again first.
AskLineState = Callable[[Case, bool], Awaitable[LineState]]
# How a control that came from a database is named, in place of a helper's URL.
FROM_DB = "db:"
# A measurement never takes more steps than this, whatever the answers: a last bound under all the others.
STEPS_MAX = 400


@dataclass
class Stop:
    """How a sitting is told to stop: `halt` cancels every measurement under way, and says why."""

    reason: str | None = None
    _scopes: set[trio.CancelScope] = field(default_factory=set)

    def halt(self, reason: str) -> None:
        """`reason` is budget or interrupted."""
        self.reason = self.reason or reason
        for scope in tuple(self._scopes):
            scope.cancel()

    def enter(self) -> trio.CancelScope:
        """A scope that `halt` will cancel; cancelled at once if that has happened already."""
        scope = trio.CancelScope()
        self._scopes.add(scope)
        if self.reason:
            scope.cancel()
        return scope

    def leave(self, scope: trio.CancelScope) -> None:
        self._scopes.discard(scope)


async def measure(
    question: Question,
    measurement: Measurement,
    world: World,
    keep: Keep,
    *,
    controls: tuple[Control, ...] = (),
    vantage: Vantage | None = None,
    line: AskLineState | None = None,
    stop: Stop | None = None,
    watch: Callable[[Step], None] | None = None,
    note: Callable[[Observation], None] | None = None,
    scrub: Callable[[Row], Row] | None = None,
    admit: Callable[[str], bool] | None = None,
) -> Case:
    """Measure one target to the end and return its facts. Never raises for the network; `keep` may raise StoreError.

    `controls` are control measurements known beforehand (from a database), `line` gives the state of the run's own line
    beside repeats and when the measurement is concluded. `watch` sees each step as it begins, `note` each field fact as
    it is kept; `scrub` takes our own addresses out of a row before anybody sees it, `admit` says whether a control's id
    is new.
    """
    stop = stop or Stop()
    asking = _Asking(question, measurement, world, keep, vantage, watch, note, scrub, admit, line)
    asking.bring(controls)
    scope = stop.enter()
    try:
        with scope:
            # Told to stop before it began: not one packet.
            await trio.lowlevel.checkpoint()
            async with trio.open_nursery() as nursery:
                asking.propose(nursery)
    finally:
        stop.leave(scope)
    ended = (stop.reason or "interrupted") if scope.cancelled_caught else asking.exhausted or "fixpoint"
    if line is not None:
        asking.emit(Draft(LineState.kind, await line(asking.case, False), at_us=world.net.clock.now_us()))
    asking.emit(Draft(Conclusion.kind, Conclusion(ended, len(asking.asked)), at_us=world.net.clock.now_us()))
    return asking.case


class _Asking:
    """One measurement under way: what was asked, and what is known."""

    def __init__(
        self,
        question: Question,
        measurement: Measurement,
        world: World,
        keep: Keep,
        vantage: Vantage | None,
        watch: Callable[[Step], None] | None,
        note: Callable[[Observation], None] | None,
        scrub: Callable[[Row], Row] | None,
        admit: Callable[[str], bool] | None,
        line: AskLineState | None,
    ) -> None:
        self.question, self.world, self.keep = question, world, keep
        self.watch, self.note, self.scrub = watch, note, scrub or (lambda row: row)
        self.admit = admit or (lambda name: True)
        self.line = line
        self.checks = [CHECKS[name] for name in measurement.checks.split(",")]
        self.asked: set[Step] = set()
        self.exhausted: str | None = None
        self.bodies: dict[str, bytes] = {}
        self.case = Case(question.target, measurement, (), vantage=vantage, bodies=self.bodies)

    def bring(self, controls: tuple[Control, ...]) -> None:
        """Controls that are known beforehand; the fact names them, so that judging again finds the same ones."""
        self.case = replace(self.case, controls=controls)
        for control in controls:
            name = control.measurement.measurement_id
            detail = ControlAsk(
                f"{FROM_DB}{control.measurement.run_id[:12]}", self.question.target.url, measurement=name
            )
            self.emit(Draft(ControlAsk.kind, detail, at_us=self.world.net.clock.now_us()))

    def propose(self, nursery: trio.Nursery) -> None:
        """Start every step that some check asks for and that was not asked before."""
        for check in self.checks:
            for step in check(self.question, self.case):
                if step in self.asked:
                    continue
                if len(self.asked) >= STEPS_MAX:
                    self.exhausted = "budget"
                    return
                self.asked.add(step)
                nursery.start_soon(self._run, step, nursery)

    async def _run(self, step: Step, nursery: trio.Nursery) -> None:
        if step.not_before_s:
            await trio.sleep(step.not_before_s)
        if self.watch is not None:
            self.watch(step)
        if isinstance(step, AskControl):
            await perform_control(step, self.world, self.emit, self.keep_control)
        elif isinstance(step, AskLine):
            await self._look_at_line(step)
        else:
            await PERFORMERS[type(step)](step, self.world, self._teller(step, nursery))
        self.propose(nursery)

    async def _look_at_line(self, step: AskLine) -> None:
        began = self.world.net.clock.mono_us()
        at_us = self.world.net.clock.now_us()
        state = await self.line(self.case, True) if self.line else LineState()
        took_us = self.world.net.clock.mono_us() - began
        self.emit(Draft(LineState.kind, state, at_us=at_us, took_us=took_us, attempt=step.attempt, why=step.why))

    def _teller(self, step: Step, nursery: trio.Nursery) -> Emit:
        """Where a step hands its facts. A lookup listens on after its answer, for a second one; what follows from the
        first need not wait for that."""
        if not isinstance(step, Lookup):
            return self.emit

        def tell(draft: Draft, blobs: tuple[Blob, ...] = ()) -> int:
            seq = self.emit(draft, blobs)
            self.propose(nursery)
            return seq

        return tell

    def emit(self, draft: Draft, blobs: tuple[Blob, ...] = ()) -> int:
        """Give a fact its place, hand it on, and remember it. Returns its seq."""
        d = draft
        seq = len(self.case.observations)
        observation = Observation(
            self.case.measurement.measurement_id, seq, d.parent, d.kind, d.host, d.ip, d.port,
            d.attempt, d.why, d.failure, d.at_us, d.took_us, d.detail,
        )  # fmt: skip
        for blob in blobs:
            # Before the observation: a scrubbed blob has another digest, and the scrubber renames it in what follows.
            kept = self.scrub(blob)
            self.keep(kept)
            if d.kind == HttpFetch.kind and isinstance(kept, Blob):
                self.bodies[kept.sha256] = kept.data
        row = row_of(observation)
        clean = self.scrub(row)
        if clean is not row and isinstance(clean, ObservationRow):
            observation = observation_of(clean)
        self.keep(clean)
        if self.note is not None:
            self.note(observation)
        self.case = replace(
            self.case,
            observations=(*self.case.observations, observation),
            control_source=self._control_source(observation),
        )
        return seq

    def _control_source(self, observation: Observation) -> ControlSource:
        if not isinstance(observation.detail, ControlAsk) or self.case.control_source == "helper":
            return self.case.control_source
        if observation.failure is None:
            return "db" if observation.detail.helper.startswith(FROM_DB) else "helper"
        return self.case.control_source if self.case.controls else "unreachable"

    def keep_control(self, rows: Iterable[Row]) -> None:
        """Facts that a helper sent: kept as a control measurement that answers for this one, and known from now on.
        Raises BundleError for an id that is taken: a helper must not add to measurements of others."""
        rows = tuple(rows)
        measurement = next(row for row in rows if isinstance(row, Measurement))
        if not self.admit(measurement.measurement_id):
            raise BundleError("the helper used a measurement id twice")
        measurement = replace(measurement, answers=self.case.measurement.measurement_id)
        observations: list[Observation] = []
        for row in rows:
            clean = self.scrub(measurement if isinstance(row, Measurement) else row)
            if isinstance(clean, ObservationRow):
                observations.append(observation_of(clean))
            self.keep(clean)
        control = Control(measurement, tuple(observations))
        self.case = replace(self.case, controls=(*self.case.controls, control))
