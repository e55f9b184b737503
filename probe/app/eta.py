"""How long it will still take, learnt from how long it took lately. Pure: times in, words out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

# The pace of the last so many targets counts: the width of a run changes, and so does the line.
WINDOW = 30
# Before that, a guess would be worse than none.
FEWEST = 3


@dataclass
class Eta:
    """Times in seconds on one clock, whatever its zero."""

    began_s: float
    _ends: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW + 1))
    _count: int = 0

    def __post_init__(self) -> None:
        self._ends.append(self.began_s)

    def finished(self, now_s: float) -> None:
        """One more target is finished."""
        self._count += 1
        self._ends.append(now_s)

    def left_s(self, remaining: int, now_s: float) -> float | None:
        """Seconds until so many more are finished; None while there is nothing to go by."""
        if self._count < FEWEST or remaining <= 0:
            return None if remaining > 0 else 0.0
        # Up to now, not to the last end: a stall is a change of pace too.
        span_s = max(now_s - self._ends[0], 1e-6)
        return remaining * span_s / (len(self._ends) - 1)

    def words(self, remaining: int, now_s: float) -> str:
        """`about 12 min left`."""
        left_s = self.left_s(remaining, now_s)
        return "learning the pace" if left_s is None else f"about {duration(left_s)} left"


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`: as exact as a guess may sound."""
    if seconds < 90:
        return f"{max(0, round(seconds / 5) * 5) if seconds >= 10 else round(seconds)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60 // 10 * 10:02} min"


def size(count: float) -> str:
    """`830 B`, `14 kB`, `5.2 MB`."""
    if count < 1000:
        return f"{count:.0f} B"
    return f"{count / 1000:.0f} kB" if count < 1_000_000 else f"{count / 1e6:.1f} MB"
