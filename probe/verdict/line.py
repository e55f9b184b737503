"""What the run had met on its own line while a measurement went on: readings of its `line.state` facts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from probe.model.kinds import LineState
from probe.model.observation import Observation
from probe.verdict.noise import Ratio, is_mixed, noise_of, weigh
from probe.verdict.read import of_kind

Operation = Literal["walks", "lookups"]
# `apart`: failed more than noise explains, and never passed; `mixed`: did both, more than noise explains.
Weight = Literal["apart", "mixed", "noise", "open"]


@dataclass(frozen=True)
class Line:
    """The states that one measurement's facts hold, in the order in which they were taken."""

    observations: tuple[Observation, ...]

    @cached_property
    def states(self) -> tuple[tuple[Observation, LineState], ...]:
        return tuple(of_kind(self.observations, LineState))

    @property
    def last(self) -> LineState:
        """The newest state; empty when none was kept."""
        return self.states[-1][1] if self.states else LineState()

    def weigh(self, failed: Iterable[Observation], passed: Iterable[Observation], of: Operation) -> Weight:
        """Whether these tries at one endpoint (or of one resolver) are more than the line's noise, or `mixed`. Taken in
        their order, each with the noise that was known by then, until a word stands: so planning, which stops there,
        and judging agree. Failures with one number of try count once."""
        bad, good, noise, word = self._count(failed, passed, of)
        if good and is_mixed(bad, good, noise):
            return "mixed"
        return "noise" if good else word

    def is_open(self, failed: Iterable[Observation], passed: Iterable[Observation], of: Operation) -> bool:
        """Whether one more try could still settle it."""
        return self._count(failed, passed, of)[3] == "open"

    def _count(
        self, failed: Iterable[Observation], passed: Iterable[Observation], of: Operation
    ) -> tuple[int, int, float, Ratio]:
        bad, good, noise = 0, 0, self.noise(of, 0)
        word: Ratio = "open"
        tries = [(o, True) for o in passed] + [(o, False) for o in {o.attempt: o for o in failed}.values()]
        for o, well in sorted(tries, key=lambda pair: pair[0].seq):
            good, bad, noise = good + well, bad + (not well), self.noise(of, o.seq)
            word = weigh(bad, good, noise)
            if word != "open":
                break
        return bad, good, noise, word

    def noise(self, of: Operation, seq: int) -> float:
        """How often operations towards something healthy fail here, as it was known when the fact `seq` was kept."""
        state = next((state for at, state in reversed(self.states) if at.seq < seq), LineState())
        if of == "lookups":
            return noise_of(state.lookups_failed, state.lookups_tried)
        return noise_of(state.walks_failed, state.walks_tried)

    def was_cut(self, o: Observation) -> bool:
        """Nothing at all came through when this operation failed: the first look at the line after it reached no
        canary, and no other target had been reached lately. Such a try says nothing about its target."""
        ended = o.at_us + o.took_us
        after = next((state for at, state in self.states if at.seq > o.seq and at.at_us + at.took_us >= ended), None)
        return after is not None and is_cut(after)

    def cut(self, failed: Iterable[Observation]) -> frozenset[int]:
        """The seqs of those operations that failed while the line was cut."""
        return frozenset(o.seq for o in failed if self.was_cut(o))


def is_cut(state: LineState) -> bool:
    """The canaries were just asked and none answered, nor did anything else lately."""
    return bool(state.round_tried) and not state.round_reached and not state.recent_reached
