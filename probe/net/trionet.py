"""The real network behind `base.Net`: plain sockets on trio, one file per operation."""

from __future__ import annotations

import trio

from probe.net.base import Clock, Dialed, Echoes, Resolved, Shaken, Stream, UdpPlan
from probe.net.clock import LagSampler, RealClock
from probe.net.dial import dial
from probe.net.system import SystemResolver
from probe.net.tls import shake
from probe.net.udp import ask_udp


class TrioNet:
    """Use `start` inside a nursery to have the event loop's lag measured as well. `source` is the address of ours to
    dial from; destinations of the other family are dialled from wherever the system likes."""

    def __init__(
        self, clock: Clock | None = None, resolver: SystemResolver | None = None, source: str | None = None
    ) -> None:
        self._source = source
        self._clock = clock or RealClock()
        self._resolver = resolver or SystemResolver(self._clock)

    @classmethod
    async def start(cls, nursery: trio.Nursery, source: str | None = None) -> TrioNet:
        """A net with a lag sampler running in `nursery` until that is cancelled."""
        sampler = LagSampler()
        await nursery.start(sampler.run)
        return cls(RealClock(sampler), source=source)

    @property
    def clock(self) -> Clock:
        return self._clock

    async def dial(self, ip: str, port: int, timeout_s: float) -> Dialed:
        return await dial(self._clock, ip, port, timeout_s, self._source)

    async def shake(
        self, stream: Stream, sni: str | None, alpn: tuple[str, ...], timeout_s: float, max_version: str | None = None
    ) -> Shaken:
        return await shake(self._clock, stream, sni, alpn, timeout_s, max_version)

    async def ask_udp(self, ip: str, port: int, payload: bytes, plan: UdpPlan) -> Echoes:
        return await ask_udp(self._clock, ip, port, payload, plan, self._source)

    async def resolve(self, host: str, ipv6: bool, timeout_s: float) -> Resolved:
        return await self._resolver.resolve(host, ipv6, timeout_s)
