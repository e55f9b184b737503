"""Canaries: dull, steady sites by which a run knows its own line. All are asked once in the beginning; where something
fails, those that answered are asked again beside each repeat, one round for all who wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from probe.app.line import LineWatch
from probe.checks import Question
from probe.model.kinds import TcpConnect
from probe.model.target import Target
from probe.verdict.case import Case

# A round this fresh serves whoever asks. Seconds.
FRESH_S = 4.0
# So many canaries are asked again in one round.
PER_ROUND = 3
# How long a round may take, and how often a line that is gone is looked at again. Seconds.
ROUND_S = 6.0
PAUSE_S = 3.0
# Looking up whether HTTP/3 is announced, and a handshake that may be silence. Seconds.
QUIC_ROUND_S = 12.0

# Measures one canary to the end; the first argument is its target.
Ask = Callable[[Target, Question], Awaitable[Case]]


@dataclass
class Canaries:
    """The canaries of one run. `ask` carries out one measurement of the check `line`. `resolvers` are the line's own,
    `everybody` all that the run asks."""

    targets: tuple[Target, ...]
    resolvers: tuple[str, ...]
    line: LineWatch
    ask: Ask
    everybody: tuple[str, ...] = ()
    _ends: dict[tuple[str, bool], tuple[Target, tuple[str, str, int]]] = field(default_factory=dict)
    _known: dict[str, tuple[Target, tuple[str, str, int]]] = field(default_factory=dict)
    _lock: trio.Lock = field(default_factory=trio.Lock)
    _ended: float = float("-inf")
    _quic_lock: trio.Lock = field(default_factory=trio.Lock)
    _quic_asked: bool = False

    async def first(self) -> None:
        """Ask each of them once. Returns when all have answered or failed."""
        async with trio.open_nursery() as nursery:
            for target in self.targets:
                nursery.start_soon(self._meet, target)
        self.line.all_heard.set()

    async def _meet(self, target: Target) -> None:
        case = await self.ask(target, Question(target, checks=("line",), resolvers=self.resolvers))
        for o in case.observations:
            if isinstance(o.detail, TcpConnect) and o.failure is None and o.ip and o.port:
                known = (target, (target.host, o.ip, o.port))
                self._known.setdefault(target.normal, known)
                self._ends.setdefault((target.normal, ":" in o.ip), known)

    async def again(self) -> None:
        """One more round over those that had answered, unless one has just ended; its counts go to the line watch."""
        await self.line.all_heard.wait()
        async with self._lock:
            if not self._known or trio.current_time() - self._ended < FRESH_S:
                return
            chosen = list(self._known.values())[:PER_ROUND]
            reached: list[bool] = []
            with trio.move_on_after(ROUND_S):
                async with trio.open_nursery() as nursery:
                    for target, endpoint in chosen:
                        nursery.start_soon(self._look, target, endpoint, reached)
            self.line.round = (len(chosen), sum(reached))
            self._ended = trio.current_time()

    async def _look(self, target: Target, endpoint: tuple[str, str, int], reached: list[bool]) -> None:
        question = Question(target, checks=("line",), resolvers=self.resolvers, endpoints=(endpoint,))
        case = await self.ask(target, question)
        reached.append(any(isinstance(o.detail, TcpConnect) and o.failure is None for o in case.observations))

    async def over_quic(self) -> None:
        """Ask those over QUIC that announce HTTP/3, at one address of each family. Once a run at most, when a target's
        QUIC is in doubt: a line that carries none accuses nobody."""
        await self.line.all_heard.wait()
        async with self._quic_lock:
            if self._quic_asked:
                return
            with trio.move_on_after(QUIC_ROUND_S):
                async with trio.open_nursery() as nursery:
                    for target, endpoint in list(self._ends.values()):
                        question = Question(target, resolvers=self.everybody, endpoints=(endpoint,), quic=True)
                        nursery.start_soon(self.ask, target, question)
            self._quic_asked = True

    @property
    def are_silent(self) -> bool:
        """The last round reached nobody, and nothing else was reached lately either."""
        tried, reached = self.line.round
        return bool(tried) and not reached and not self.line.reached_lately()

    async def wait_alive(self, patience_s: float) -> bool:
        """Wait until a round reaches somebody. False when nobody answers in time."""
        with trio.move_on_after(patience_s):
            while True:
                await self.again()
                if not self.are_silent:
                    return True
                await trio.sleep(PAUSE_S + FRESH_S)
        return False
