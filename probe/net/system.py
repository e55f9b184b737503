"""The system resolver, off the event loop.

getaddrinfo cannot be cancelled: where DNS is blocked, it holds its thread for as long as the system is patient (tens of
seconds), long after we gave up. So it has a limit of threads of its own, and waiting for a free one is not counted:
our queue must not look like the network's silence.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import trio

from probe.net.base import Clock, Failure, Resolved
from probe.net.classify import DEADLINE, classify

THREADS = 32
NOTHING = Failure("dns_no_answer", "EMPTY")
# One row of getaddrinfo: family, type, protocol, canonical name, address.
Row = tuple[Any, Any, int, str, tuple[Any, ...]]
Lookup = Callable[[str, int], Sequence[Row]]


def getaddrinfo(host: str, family: int) -> Sequence[Row]:
    """The stdlib's call, for one family and with the canonical name. Raises OSError, UnicodeError."""
    return socket.getaddrinfo(host, None, family, socket.SOCK_STREAM, 0, socket.AI_CANONNAME)


class SystemResolver:
    """Runs `lookup` in threads; a lookup that outlives its deadline keeps its place until it ends."""

    def __init__(self, clock: Clock, lookup: Lookup = getaddrinfo, threads: int = THREADS) -> None:
        self._clock = clock
        self._lookup = lookup
        self._places = trio.CapacityLimiter(threads)

    async def resolve(self, host: str, ipv6: bool, timeout_s: float) -> Resolved:
        """See `base.Net.resolve`. The deadline runs from the moment a thread took the question up."""
        work = _Work(self._clock, self._lookup, host, socket.AF_INET6 if ipv6 else socket.AF_INET, timeout_s)
        with work.scope:
            await trio.to_thread.run_sync(work.run, abandon_on_cancel=True, limiter=self._places)
        rows, failure = work.found or ((), DEADLINE)
        addresses = tuple(dict.fromkeys(str(row[4][0]) for row in rows))
        return Resolved(
            addresses=addresses,
            failure=failure if failure or addresses else NOTHING,
            at_us=work.at_us,
            took_us=self._clock.mono_us() - work.began_us,
            canonical=next((row[3] for row in rows if row[3]), None),
            lag_us=self._clock.lag_us(work.began_us),
        )


@dataclass(slots=True)
class _Work:
    """One lookup: made in the event loop, run in a thread. `found` is set once, when it has ended."""

    clock: Clock
    lookup: Lookup
    host: str
    family: int
    timeout_s: float
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    token: trio.lowlevel.TrioToken = field(default_factory=trio.lowlevel.current_trio_token)
    at_us: int = 0
    began_us: int = 0
    found: tuple[Sequence[Row], Failure | None] | None = None

    def run(self) -> None:
        self.at_us, self.began_us = self.clock.now_us(), self.clock.mono_us()
        self.token.run_sync_soon(self._start_deadline)
        try:
            self.found = self.lookup(self.host, self.family), None
        except (OSError, UnicodeError) as exc:
            self.found = (), classify(exc)

    def _start_deadline(self) -> None:
        self.scope.deadline = trio.current_time() + self.timeout_s
