"""Whose turn it is: the planned targets, handed out so that no site is asked twice at once.

Targets of one registrable domain often live on one server, and a middlebox that was provoked by one name may punish the
next connection to the same address for a while: both would be measured as something else than they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import trio

from probe.model.target import Target

# A site rests this long between two of its targets. Seconds.
REST_S = 1.0


class HasTarget(Protocol):
    """A planned target, whatever else is known of it."""

    @property
    def target(self) -> Target: ...


T = TypeVar("T", bound=HasTarget)


@dataclass
class _Site:
    busy: bool = False
    rested_at_s: float = 0.0

    def may_begin(self, now_s: float) -> bool:
        return not self.busy and self.rested_at_s <= now_s


class Turns(Generic[T]):
    """Items in their order, at most `width` under way, and never two of one site. `width` may change at any time."""

    def __init__(self, items: Iterable[T], width: int, rest_s: float = REST_S) -> None:
        self._waiting: list[T] = list(items)
        self._sites: dict[str, _Site] = {item.target.site: _Site() for item in self._waiting}
        self._width, self._rest_s = width, rest_s
        self._changed = trio.Event()
        self._closing = False
        self._begun: list[T] = []

    @property
    def width(self) -> int:
        """How many may be under way."""
        return self._width

    @property
    def under_way(self) -> int:
        """How many are."""
        return len(self._begun)

    @property
    def is_full(self) -> bool:
        """True when one more place would be used at once."""
        return self.under_way >= self._width

    def set_width(self, width: int) -> None:
        """From now on; what is under way is not taken back."""
        self._width = max(1, width)
        self._wake()

    def close(self) -> None:
        """Pacing ends: the caller will not send a packet for what is left."""
        self._closing = True
        self._wake()

    async def take(self) -> T | None:
        """The next item, when it may begin; None when there is none left. Give it back with `done`."""
        while self._waiting:
            item = self._ready()
            if item is not None:
                self._sites[item.target.site].busy = True
                self._begun.append(item)
                return item
            await self._wait()
        return None

    def done(self, item: T) -> None:
        """It is finished, or has nothing more to ask; its site rests. Said twice, it counts once."""
        if item not in self._begun:
            return
        self._begun.remove(item)
        site = self._sites[item.target.site]
        site.busy, site.rested_at_s = False, trio.current_time() + self._rest_s
        self._wake()

    def _ready(self) -> T | None:
        if self._closing:
            return self._waiting.pop(0)
        if self.is_full:
            return None
        now_s = trio.current_time()
        sites = (self._sites[item.target.site] for item in self._waiting)
        found = next((n for n, site in enumerate(sites) if site.may_begin(now_s)), None)
        return None if found is None else self._waiting.pop(found)

    async def _wait(self) -> None:
        """Until something is done or changed, or a site has rested."""
        rests = [] if self.is_full else [s.rested_at_s for s in self._sites.values() if not s.busy]
        now_s = trio.current_time()
        with trio.move_on_at(min((at for at in rests if at > now_s), default=float("inf"))):
            await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
