"""What the run had met on its own line while a measurement went on: readings of its `line.state` facts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from probe.model.kinds import LineState
from probe.model.observation import Observation
from probe.verdict.noise import noise_of
from probe.verdict.read import of_kind


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

    @property
    def walk_noise(self) -> float:
        """How often connects, handshakes and fetches towards something healthy fail here."""
        return noise_of(self.last.walks_failed, self.last.walks_tried)

    @property
    def lookup_noise(self) -> float:
        """How often lookups of innocent names fail here."""
        return noise_of(self.last.lookups_failed, self.last.lookups_tried)

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
