"""Turns at the helpers' doors: one visitor at a time, and none while a door is believed shut.

A censor that keeps client, address and port apart for some minutes after a name it stopped (residual blocking) would
stop every later visitor too, whatever name they bring. So visits do not overlap, and after one that left the door shut
the next ones wait, or go without.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

# How long a visitor waits for its turn. Other things of its measurement take as long. Seconds.
PATIENCE_S = 30.0
# For so long a door that was found shut is left alone; censors keep it so for one to three minutes (Bock et al. 2021).
SHUT_S = 90.0


@dataclass
class Door:
    """One helper's doors, by address. `shut_until` is in trio's time."""

    lock: trio.Lock = field(default_factory=trio.Lock)
    shut_until: float = float("-inf")

    def found_shut(self) -> None:
        """A visit just left it shut."""
        self.shut_until = trio.current_time() + SHUT_S


@dataclass
class Turns:
    """The doors of a run."""

    _doors: dict[str, Door] = field(default_factory=dict)

    @asynccontextmanager
    async def wait_turn(self, ip: str) -> AsyncIterator[Door | None]:
        """The door, for as long as the block lasts; None where it is taken, or shut, for longer than one can wait."""
        door = self._doors.setdefault(ip, Door())
        held = False
        try:
            with trio.move_on_after(PATIENCE_S):
                await door.lock.acquire()
                held = True
            yield door if held and await self._opens(door) else None
        finally:
            if held:
                door.lock.release()

    async def _opens(self, door: Door) -> bool:
        """False where it stays shut too long: those who wait behind should know at once, too."""
        left_s = door.shut_until - trio.current_time()
        if left_s > PATIENCE_S:
            return False
        await trio.sleep(max(0.0, left_s))
        return True
