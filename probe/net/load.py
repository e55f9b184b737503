"""Keeping the load at half of what this machine can do: a saturated event loop invents latency and timeouts.

The machine is calibrated by its own work: the share of a processor that this process used since the last look. New
measurements wait while that share is above the ceiling, so a slow board starts fewer at a time and a fast one more,
without a setting.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import trio

# Half of one processor: above it, waiting in the loop begins to look like the network (measured: at saturation a 0.02
# ms DNS answer looked like 22 ms).
CEILING = 0.5


class Governor:
    """Shared by all workers of a run. `cpu_s` and `wall_s` are clocks in seconds."""

    def __init__(
        self,
        ceiling: float = CEILING,
        cpu_s: Callable[[], float] = time.process_time,
        wall_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ceiling = ceiling
        self._cpu_s, self._wall_s = cpu_s, wall_s
        self._credit_s = 0.25
        self._last = (cpu_s(), wall_s())

    def share(self) -> float:
        """Settle the account: CPU seconds that may still be used. Time earns credit, work spends it."""
        cpu, wall = self._cpu_s(), self._wall_s()
        earned = (wall - self._last[1]) * self.ceiling
        spent = cpu - self._last[0]
        self._last = (cpu, wall)
        # At most half a second of credit, so that a quiet spell does not pay for a burst that saturates the loop.
        self._credit_s = min(0.5, self._credit_s + earned - spent)
        return self._credit_s

    async def wait_turn(self) -> None:
        """Return when there is credit to start one more measurement."""
        credit_s = self.share()
        while credit_s < 0:
            await trio.sleep(-credit_s / self.ceiling)
            credit_s = self.share()
        await trio.lowlevel.checkpoint()
