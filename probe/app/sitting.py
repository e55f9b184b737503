"""One sitting over a list: measures every planned target, stores facts as they come and verdicts as they are reached.

It prints nothing: whoever sits watches through `Watcher`. Each target is finished exactly once, whatever happens.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

import trio

from probe.app.canaries import Canaries
from probe.app.controls import Archive, Known
from probe.app.judge import judge_case, keep_verdict
from probe.app.line import LineWatch
from probe.app.pages import PageWatch
from probe.app.turns import Turns
from probe.checks import FIELD_CHECKS, Question
from probe.checks.question import Door
from probe.engine import Stop, measure
from probe.model.kinds import LineState, QuicHandshake
from probe.model.measurement import Measurement
from probe.model.observation import Observation
from probe.model.step import Step
from probe.model.target import Target
from probe.model.vantage import Run, Vantage
from probe.model.verdict import Judgement
from probe.net.load import Governor
from probe.net.meter import Meter, MeteredNet
from probe.net.pace import EPOCH_S, WORDS, Pace
from probe.perform.world import World
from probe.store.sqlite import FLUSH_S, Store
from probe.verdict.case import Case
from probe.verdict.read import OWN_RESOLVERS
from probe.verdict.reference import Reference
from probe.wire.facts import Row

# How long a run waits for a line that went away, and how often one target is measured at most because of that.
LINE_PATIENCE_S = 60.0
MEASURED_MAX = 3
# How often whoever looks on hears of bytes and width. Seconds.
PULSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Item:
    """A planned target and every spelling under which it was asked for."""

    target: Target
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Everything a sitting needs, decided before the first packet. Times in seconds; 0 means no bound. `concurrency` is
    how many targets at once, 0 for as many as the line bears."""

    items: tuple[Item, ...]
    canaries: tuple[Target, ...]
    resolvers: tuple[str, ...]
    helpers: tuple[str, ...]
    vantage: Vantage
    run: Run
    archives: tuple[Archive, ...] = ()
    concurrency: int = 8
    max_time_s: float = 0
    attempts: int = 8
    gaps_s: tuple[float, ...] = (1.5, 4.0, 4.0, 6.0)
    doors: tuple[Door, ...] = ()


@dataclass(frozen=True, slots=True)
class Pulse:
    """How a sitting goes, told every half second: bytes moved so far, how many targets may be under way, and in words
    why not more, where there is a reason."""

    bytes_used: int
    width: int
    why: str


class Watcher(Protocol):
    """Who looks on. Called in the event loop; must not wait."""

    def began(self, item: Item) -> None: ...

    def stepped(self, item: Item, step: Step) -> None: ...

    def noted(self, observation: Observation) -> None: ...

    def finished(self, item: Item, judgement: Judgement, measurement: Measurement, took_ms: int) -> None: ...

    def pulsed(self, pulse: Pulse) -> None: ...

    def stopping(self, grace_s: float) -> None:
        """Asked to stop: nothing new is begun, and what is under way has this long."""
        ...


def new_id() -> str:
    """128 random bits in hex."""
    return secrets.token_hex(16)


def utc_text(now_us: int) -> str:
    """RFC 3339 UTC with microseconds."""
    return datetime.fromtimestamp(now_us / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class Sitting:
    """A run under way. `scrub` takes the volunteer's own addresses out of every row before it is kept. `meter` counts
    what moves, and its bounds are the run's."""

    plan: Plan
    store: Store
    world: World
    reference: Reference
    watcher: Watcher
    governor: Governor
    stop: Stop = field(default_factory=Stop)
    scrub: Callable[[Row], Row] = lambda row: row
    meter: Meter = field(default_factory=Meter)
    _line: LineWatch = field(init=False)
    _canaries: Canaries = field(init=False)
    _known: Known = field(init=False)
    _pages: PageWatch = field(init=False)
    _turns: Turns[Item] = field(init=False)
    _pace: Pace = field(default_factory=Pace)
    # Halted when nothing new is to begin: what is taken then is finished without a packet.
    _rest: Stop = field(default_factory=Stop)

    def __post_init__(self) -> None:
        plan = self.plan
        self._line = LineWatch(self.reference, self.world.net.clock.mono_us)
        own = tuple(r for r in plan.resolvers if r.startswith(OWN_RESOLVERS)) or plan.resolvers[:1]
        self._pages = PageWatch(self.reference, self.store, len(plan.items))
        self._canaries = Canaries(plan.canaries, own, self._line, self._ask_canary, plan.resolvers)
        self._known = Known(self.store, plan.archives)
        self._turns = Turns(plan.items, plan.concurrency or self._pace.width)
        self.meter.when_spent = lambda: self.stop.halt("budget")
        metered = MeteredNet(self.world.net, self.meter)
        self.world = replace(self.world, net=metered, is_quic_shut=self._line.is_quic_shut)

    @property
    def ended(self) -> str | None:
        """Why it ended before everything was measured: budget, interrupted; None when it did not."""
        return self.stop.reason or self._rest.reason

    def wind_down(self) -> None:
        """Begin nothing new; what is under way goes on until `stop` is halted."""
        self._rest.halt("interrupted")
        self._turns.close()

    async def run(self) -> None:
        """Measure everything. Raises StoreError when facts cannot be kept; the facts before that are safe."""
        self.store.append(self.plan.vantage)
        self.store.append(self.plan.run)
        self.store.flush()
        async with trio.open_nursery() as background:
            background.start_soon(self._flush_forever)
            background.start_soon(self._beat)
            if not self.plan.concurrency:
                background.start_soon(self._keep_pace)
            if self.plan.max_time_s:
                background.start_soon(self._time_out)
            await self._measure_all()
            background.cancel_scope.cancel()
        self.store.flush()

    async def _flush_forever(self) -> None:
        while True:
            await trio.sleep(FLUSH_S)
            self.store.flush()

    async def _time_out(self) -> None:
        await trio.sleep(self.plan.max_time_s)
        self.stop.halt("budget")

    async def _beat(self) -> None:
        while True:
            self.watcher.pulsed(Pulse(self.meter.used, self._turns.width, WORDS[self._pace.why]))
            await trio.sleep(PULSE_S)

    async def _keep_pace(self) -> None:
        while True:
            began_us = self.world.net.clock.mono_us()
            await trio.sleep(EPOCH_S)
            lag_us = self.world.net.clock.lag_us(began_us)
            self._turns.set_width(self._pace.decide(lag_us, self._turns.is_full))

    async def _measure_all(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._canaries.first)
            while (item := await self._turns.take()) is not None:
                if self.stop.reason is not None:
                    self._turns.close()
                elif self._rest.reason is None:
                    await self.governor.wait_turn()
                    await self._wait_for_line()
                nursery.start_soon(self._work, item)

    async def _ask_canary(self, target: Target, question: Question) -> Case:
        measurement = self._open(new_id(), target, "line")
        self._line.add_canary(measurement.measurement_id, target.normal)
        return await measure(
            question, measurement, self.world, self.store.append, stop=self.stop, note=self._note, scrub=self.scrub
        )

    def _open(self, name: str, target: Target, checks: str) -> Measurement:
        now = utc_text(self.world.net.clock.now_us())
        measurement = Measurement(name, self.plan.run.run_id, target.url, checks, now)
        self.store.append(measurement)
        return measurement

    async def _work(self, item: Item) -> None:
        try:
            await self._one(item, self._rest if self._rest.reason else self.stop)
        finally:
            self._turns.done(item)

    async def _wait_for_line(self) -> bool:
        """While nothing answers at all, nothing is begun: it would only fill the list with no_network. False when the
        line stayed away."""
        if not self._canaries.are_silent:
            return True
        scope = self.stop.enter()
        alive = False
        try:
            with scope:
                alive = await self._canaries.wait_alive(LINE_PATIENCE_S)
        finally:
            self.stop.leave(scope)
        return alive

    async def _one(self, item: Item, stop: Stop) -> None:
        """Measure a target; once more where the line itself had failed under it and is back."""
        self.watcher.began(item)
        began = self.world.net.clock.mono_us()
        for left in reversed(range(MEASURED_MAX)):
            judgement, measurement = await self._measure(item, stop)
            lost = judgement.reason == "no_network" and self._line.lived and self.ended is None
            if not (lost and left and await self._wait_for_line()):
                break
        took_ms = math.ceil((self.world.net.clock.mono_us() - began) / 1000)
        self._pages.note_finished()
        self.watcher.finished(item, judgement, measurement, took_ms)

    async def _measure(self, item: Item, stop: Stop) -> tuple[Judgement, Measurement]:
        measurement = self._open(new_id(), item.target, ",".join(FIELD_CHECKS))
        question = Question(
            item.target,
            resolvers=self.plan.resolvers,
            helpers=self.plan.helpers,
            attempts=self.plan.attempts,
            gaps_s=self.plan.gaps_s,
            doors=self.plan.doors,
            profiles=self.world.net.profiles,
        )
        case = await measure(
            question,
            measurement,
            self.world,
            self.store.append,
            note=self._note,
            scrub=self.scrub,
            controls=self._known.of(item.target, measurement),
            vantage=self.plan.vantage,
            line=partial(self._line_state, item),
            stop=stop,
            watch=partial(self.watcher.stepped, item),
            admit=self._known.admit,
        )
        judgement = judge_case(case, self.reference)
        self.store.flush()
        keep_verdict(self.store, judgement)
        return judgement, measurement

    async def _line_state(self, item: Item, case: Case, again: bool) -> LineState:
        if again:
            await self._canaries.again()
        if self.stop.reason is None and any(
            isinstance(o.detail, QuicHandshake) and o.failure for o in case.observations
        ):
            await self._canaries.over_quic()
        failed = again or any(o.failure not in (None, "skipped", "dns_no_answer") for o in case.observations)
        strange = not again and self._pages.meet(case)
        if strange and self.stop.reason is None:
            # It has nothing more to ask: another takes its place.
            self._turns.done(item)
            await self._pages.wait_for_others(self.stop)
        hear = (failed or strange) and self.stop.reason is None
        state = await self._line.state(case.measurement.measurement_id, hear)
        return state if again else self._pages.known_to(case, state)

    def _note(self, observation: Observation) -> None:
        self._line.note(observation)
        self._pace.note(observation)
        if observation.measurement_id in self._line.canaries:
            self._pages.note_canary(observation)
        self.watcher.noted(observation)
