"""How the bytes of a walk came, in few words: what the kernel and the timeline of a fetch tell of it.

rtt     round trip in milliseconds            late    how much later the first packet with data was acknowledged
size    bytes of the page                     rate    bytes a second after the first flight
burst   what comes in the first flight        lost    segments that came out of order
raw     bytes of TCP where it stood still     quiet   for how long the far end had been silent by then (ms)
begin   seconds before the head came          jitter  times the rate, one for each quarter of the page
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from probe.model.kinds import TcpInfo

HELLO, FLIGHT, SEGMENT = 1_400, 14_600, 1_400


@dataclass(frozen=True, slots=True)
class Flow:
    rtt: float = 40
    late: float = 0
    size: int = 0
    rate: float = 1e6
    burst: int = FLIGHT
    lost: int = 0
    raw: int = 0
    quiet: int = 20
    begin: float = 0
    jitter: tuple[float, ...] = (1.0,)

    @classmethod
    def of(cls, table: dict[str, Any]) -> Flow:
        """From a table of a case."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
        return cls(**values)

    def connected(self) -> TcpInfo:
        """What the kernel says once the connection stands."""
        us = int(self.rtt * 1000)
        return TcpInfo(1, us, us, 0, 1, 2, 1, 0, 0, quiet_ms=0)

    def shaken(self) -> TcpInfo:
        """After the handshake, or an exchange: one more sample has gone into the round trip (RFC 6298)."""
        us = int(self.rtt * 1000)
        return TcpInfo(1, us + int(self.late * 125), us, 0, 3, 5, 518, HELLO, 0, quiet_ms=0)

    def fetched(self) -> TcpInfo:
        """At the end of the fetch."""
        us, raw = int(self.rtt * 1000), self.raw or HELLO + self.size
        segments = raw // SEGMENT + 2
        return TcpInfo(
            1, us + int(self.late * 125), us, 0, segments, segments, 1036, raw, 0, self.lost, self.quiet
        )  # fmt: skip

    def timeline(self) -> tuple[tuple[int, int], ...]:
        """The page as it came: the head after a round trip, a flight beside it, and the rest in its time."""
        head = int(self.begin * 1e6 + self.rtt * 1000)
        if not self.size:
            return ()
        first = min(self.size, self.burst)
        marks = [first + (self.size - first) * n // 8 for n in range(9)]
        points, at = [(head, 0), (head + 500, first)], head + 500.0
        for n, (before, after) in enumerate(pairwise(marks)):
            at += (after - before) * 1e6 / (self.rate * self.jitter[n * len(self.jitter) // 8])
            points.append((int(at), after))
        return tuple(points)
