"""The real network behind `base.Net`: plain sockets on trio, one file per operation."""

from __future__ import annotations

import importlib
import importlib.util

import trio

from probe.net.base import (
    Clock,
    Dialed,
    Echoes,
    Failure,
    Heard,
    QuicPlan,
    QuicShaken,
    Resolved,
    Shaken,
    Stream,
    UdpPlan,
)
from probe.net.clock import LagSampler, RealClock
from probe.net.dial import dial
from probe.net.hellos import available
from probe.net.hops import NOT_SUPPORTED
from probe.net.roundtrips import RoundTrips
from probe.net.stream import TcpStream
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
        self._round_trips = RoundTrips()
        self._profiles = available()

    @classmethod
    async def start(cls, nursery: trio.Nursery, source: str | None = None) -> TrioNet:
        """A net with a lag sampler running in `nursery` until that is cancelled."""
        sampler = LagSampler()
        await nursery.start(sampler.run)
        return cls(RealClock(sampler), source=source)

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def profiles(self) -> frozenset[str]:
        return self._profiles

    async def dial(self, ip: str, port: int, timeout_s: float) -> Dialed:
        dialed = await dial(self._clock, ip, port, timeout_s, self._source)
        if dialed.stream is not None:
            self._round_trips.note(ip, (dialed.info.min_rtt_us if dialed.info else 0) or dialed.took_us)
        return dialed

    async def shake(
        self,
        stream: Stream,
        sni: str | None,
        alpn: tuple[str, ...],
        timeout_s: float,
        max_version: str | None = None,
        profile: str = "",
        ech: bytes = b"",
    ) -> Shaken:
        return await shake(self._clock, stream, sni, alpn, timeout_s, max_version, profile, ech)

    def limit(self, stream: Stream, ttl: int) -> Failure | None:
        return stream.limit(ttl) if isinstance(stream, TcpStream) else NOT_SUPPORTED

    async def ask_udp(self, ip: str, port: int, payload: bytes, plan: UdpPlan, heard: Heard | None = None) -> Echoes:
        known_us = self._round_trips.of(ip)
        return await ask_udp(self._clock, ip, port, payload, plan, self._source, heard, known_us)

    @property
    def speaks_quic(self) -> bool:
        return importlib.util.find_spec("aioquic") is not None

    async def shake_quic(
        self, ip: str, port: int, sni: str | None, alpn: tuple[str, ...], plan: QuicPlan
    ) -> QuicShaken:
        # Loaded at its first use, since few need it, and in a thread: it takes as long as a far round trip.
        quic = await trio.to_thread.run_sync(importlib.import_module, "probe.net.quic")
        shaken: QuicShaken = await quic.shake_quic(self._clock, ip, port, sni, alpn, plan, self._source)
        return shaken

    async def resolve(self, host: str, ipv6: bool, timeout_s: float) -> Resolved:
        return await self._resolver.resolve(host, ipv6, timeout_s)
