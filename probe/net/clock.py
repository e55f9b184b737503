"""Time, and how late we ourselves are.

A busy event loop looks exactly like a slow network: an answer that lay in the socket for 300 ms while another task
parsed a page is measured as 300 ms of latency, or as a timeout. So the loop's own lateness is sampled all the
time, and every operation carries the worst of it within its own duration. Judges may then disbelieve it.
"""

from __future__ import annotations

import time
from collections import deque

import trio

# Short enough to see a stall that matters next to a fast round trip, long enough to cost nothing (50 wake-ups/s).
INTERVAL_S = 0.02
# No operation lasts longer than this, so no one asks further back. Microseconds.
MEMORY_US = 300_000_000


def mono_us() -> int:
    """Monotonic time in microseconds."""
    return time.monotonic_ns() // 1_000


class LagSampler:
    """Naps in a task of its own and notes how much later than asked it woke, in microseconds.

    Only samples that can still be an answer are kept: a sample is dropped once a later one was at least as bad. What
    remains falls from left to right, so that the worst since any moment is the first sample after that moment.
    """

    def __init__(self, interval_s: float = INTERVAL_S, limit: int = 4096) -> None:
        self._interval_s = interval_s
        self._samples: deque[tuple[int, int]] = deque(maxlen=limit)
        self._due_us: int | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Sample until cancelled; meant for `nursery.start`."""
        task_status.started()
        try:
            while True:
                self._due_us = mono_us() + round(self._interval_s * 1_000_000)
                await trio.sleep(self._interval_s)
                now = mono_us()
                self.note(now, now - self._due_us)
        finally:
            self._due_us = None

    def note(self, at_us: int, lag_us: int) -> None:
        """Take in one sample: at `at_us` (monotonic) the loop was `lag_us` late. Times must not go backwards."""
        samples = self._samples
        while samples and samples[-1][1] <= lag_us:
            samples.pop()
        samples.append((at_us, max(0, lag_us)))
        while samples[0][0] < at_us - MEMORY_US:
            samples.popleft()

    def lag_us(self, since_us: int) -> int:
        """The worst lag since a monotonic moment, counting a nap that should have ended by now."""
        overdue = mono_us() - self._due_us if self._due_us is not None else 0
        worst = next((lag for at, lag in self._samples if at >= since_us), 0)
        return max(0, overdue, worst)


class RealClock:
    """The machine's clocks; lag is 0 without a sampler."""

    def __init__(self, sampler: LagSampler | None = None) -> None:
        self._sampler = sampler

    def now_us(self) -> int:
        """Unix time in microseconds."""
        return time.time_ns() // 1_000

    def mono_us(self) -> int:
        """Monotonic time in microseconds."""
        return mono_us()

    def lag_us(self, since_mono_us: int) -> int:
        """The worst lag of the event loop since that monotonic moment; 0 when it is not sampled."""
        return self._sampler.lag_us(since_mono_us) if self._sampler else 0
