"""Finding a hop: the same packet with growing hop limits, until what answers it is in reach.

A ladder and no halving, since every packet below the hop dies before whoever listens has seen it: a volunteer's line
shows as few forbidden names as can be. Each step is tried once; then the step that answered and the one below it are
tried again, because a lost packet looks like a hop further off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

# Censors of whole countries stand within so many hops of the homes there; further up lies somebody else's network.
MOST_HOPS = 14
# Of one endpoint, so many packets with a hop limit at most.
MOST_TRIES = 16
# A hop is found when it answers so often, and the one below it was silent so often.
ANSWERS, SILENCES = 2, 2
# How often one step is tried at most: one packet of it may be lost.
AGAIN = 3


@dataclass(frozen=True, slots=True)
class Ladder:
    """Tries by hop limit: of each, whether what we look for came back."""

    tries: Mapping[int, tuple[bool, ...]]

    @property
    def lowest(self) -> int | None:
        """The smallest hop limit that was answered at all."""
        return min((ttl for ttl, met in self.tries.items() if any(met)), default=None)

    @property
    def hop(self) -> int | None:
        """The hop at which the answer is born: it answers from there on, and not before. None while that is not
        settled, or where it cannot be."""
        lowest = self.lowest
        if lowest is None or sum(self.tries[lowest]) < ANSWERS:
            return None
        below = self.tries.get(lowest - 1, ())
        return lowest if lowest == 1 or len(below) >= SILENCES else None

    def following(self, at_once: int) -> Iterator[tuple[int, int]]:
        """(hop limit, attempt) to try now. `at_once` steps are climbed together, and the next ones only when all of
        those were silent. What was proposed stays proposed until it has been met."""
        left = MOST_TRIES - sum(len(met) for met in self.tries.values())
        return islice(self._following(at_once), max(left, 0))

    def _following(self, at_once: int) -> Iterator[tuple[int, int]]:
        lowest = self.lowest
        if lowest is None:
            yield from ((ttl, 1) for ttl in self._next_steps(at_once))
            return
        answers = self.tries[lowest]
        if sum(answers) < ANSWERS and len(answers) < AGAIN:
            yield lowest, len(answers) + 1
        below = self.tries.get(lowest - 1, ())
        if lowest > 1 and len(below) < SILENCES:
            yield lowest - 1, len(below) + 1

    def _next_steps(self, at_once: int) -> range:
        for first in range(1, MOST_HOPS + 1, at_once):
            steps = range(first, min(first + at_once, MOST_HOPS + 1))
            if not all(ttl in self.tries for ttl in steps):
                return steps
        return range(0)
