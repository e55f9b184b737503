"""Counting every byte of a run as it moves, and holding back where a person set a bound.

`MeteredNet` stands before any `Net`. It holds back only before a connection is opened, never within one: a transfer
that we ourselves slow down would be measured as throttling, and one that we cut as a cut by the censor. So the bounds
are kept at the door. A budget is never passed by more than one body: near its end connections go one at a time. A rate
is kept on average: a page may come faster, then the next connection waits until the account is even again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import trio

from probe.model.kinds import TcpInfo
from probe.net.base import (
    Clock,
    Dialed,
    Echoes,
    Failure,
    Heard,
    Http3,
    Net,
    QuicPlan,
    QuicShaken,
    Resolved,
    ResponseHead,
    Shaken,
    Stream,
    UdpPlan,
)

# What one connection may bring at most: a body up to its cap, header, certificates, framing
# (`probe.perform.world.Limits`).
BODY = 300_000
# Taken from the account when a connection begins, given back when it ends: without it all that wait would begin at once
# the moment the account is even. Bytes of a handshake and part of a page.
DEPOSIT = 24_000
# Headers of IP and TCP with timestamps (RFC 791, 9293, 7323), by segment of what Ethernet carries; UDP and IP.
_SEGMENT, _TCP_HEADER, _UDP_HEADER = 1_448, 52, 28
# Opening and closing: three segments each way at least.
OPENING = 6 * _TCP_HEADER
# An Initial fills a datagram (RFC 9000 section 14.1); one that is broken off has sent one at least.
OPENING_QUIC = 1_200 + _UDP_HEADER
# getaddrinfo tells no sizes: a question and an answer with a few records.
LOOKUP = 240


def on_the_wire(payload: int) -> int:
    """Bytes that a TCP payload takes on the wire, without link layer and acknowledgements."""
    return payload + _TCP_HEADER * -(-payload // _SEGMENT)


class Meter:
    """The account of a run. `budget` in bytes, `rate` in bytes a second, 0 for none. `when_spent` is called once, when
    the budget is used up. `now_s` is the clock of the rate."""

    def __init__(
        self,
        budget: int = 0,
        rate: float = 0,
        when_spent: Callable[[], None] = lambda: None,
        now_s: Callable[[], float] = trio.current_time,
    ) -> None:
        self.budget, self.rate, self.when_spent = budget, rate, when_spent
        self.used = 0
        self._now_s = now_s
        self._open = 0
        self._debt, self._settled_s = 0.0, 0.0
        self._door = trio.Lock()
        self._closed = trio.Event()

    def charge(self, size: int) -> None:
        """Bytes that moved."""
        before = self.used
        self.used += size
        self._debt += size
        if self.budget and before < self.budget <= self.used:
            self.when_spent()

    async def admit(self) -> None:
        """Return when one more connection may be opened; give it back with `release`."""
        async with self._door:
            while not self._fits():
                await self._closed.wait()
            wait_s = self._overdrawn_s()
            while wait_s > 0:
                await trio.sleep(wait_s)
                wait_s = self._overdrawn_s()
            self._open += 1
            self._debt += DEPOSIT

    def release(self) -> None:
        """A connection has ended."""
        self._open -= 1
        self._debt -= DEPOSIT
        self._closed.set()
        self._closed = trio.Event()

    def _fits(self) -> bool:
        """What is open may bring all it can and the budget still holds; or nothing is open."""
        return not self.budget or not self._open or self.used + (self._open + 1) * BODY <= self.budget

    def _overdrawn_s(self) -> float:
        """Seconds until the account is even."""
        if not self.rate:
            return 0.0
        now_s = self._now_s()
        self._debt = max(0.0, self._debt - (now_s - self._settled_s) * self.rate)
        self._settled_s = now_s
        return self._debt / self.rate


class MeteredStream:
    """A stream whose bytes are charged as they move; `inner` is the one it counts for."""

    def __init__(self, stream: Stream, meter: Meter) -> None:
        self.inner, self._meter = stream, meter
        self._is_open = True

    async def send(self, data: bytes) -> Failure | None:
        before = self.inner.bytes_out
        try:
            return await self.inner.send(data)
        finally:
            self._meter.charge(on_the_wire(self.inner.bytes_out - before))

    async def receive(self, limit: int = 65536) -> bytes | Failure:
        came = await self.inner.receive(limit)
        if isinstance(came, bytes):
            self._meter.charge(on_the_wire(len(came)))
        return came

    def info(self) -> TcpInfo | None:
        return self.inner.info()

    @property
    def bytes_in(self) -> int:
        return self.inner.bytes_in

    @property
    def bytes_out(self) -> int:
        return self.inner.bytes_out

    @property
    def wire_in(self) -> int:
        return self.inner.wire_in

    def nudge(self) -> None:
        self.inner.nudge()

    def narrow(self, window: int) -> None:
        self.inner.narrow(window)

    def close(self) -> None:
        self.inner.close()
        if self._is_open:
            self._is_open = False
            self._meter.release()


class MeteredHttp3:
    """A request over QUIC whose datagrams are charged as they move. The handshake was charged before."""

    def __init__(self, http3: Http3, meter: Meter) -> None:
        self._http3, self._meter = http3, meter
        self._charged = http3.moved
        self._is_open = True

    async def ask(self, headers: tuple[tuple[bytes, bytes], ...], header_cap: int) -> Failure | None:
        try:
            return await self._http3.ask(headers, header_cap)
        finally:
            self._settle()

    async def receive(self) -> ResponseHead | bytes | Failure:
        try:
            return await self._http3.receive()
        finally:
            self._settle()

    @property
    def ended(self) -> str | None:
        return self._http3.ended

    @property
    def moved(self) -> tuple[int, int]:
        return self._http3.moved

    def close(self) -> None:
        self._http3.close()
        self._settle()
        if self._is_open:
            self._is_open = False
            self._meter.release()

    def _settle(self) -> None:
        before, self._charged = self._charged, self._http3.moved
        datagrams, size = (now - then for now, then in zip(self._charged, before, strict=True))
        self._meter.charge(size + datagrams * _UDP_HEADER)


class MeteredNet:
    """A net that counts, and waits at the door."""

    def __init__(self, net: Net, meter: Meter) -> None:
        self._net, self.meter = net, meter

    @property
    def clock(self) -> Clock:
        return self._net.clock

    async def dial(self, ip: str, port: int, timeout_s: float) -> Dialed:
        await self.meter.admit()
        dialed: Dialed | None = None
        try:
            dialed = await self._net.dial(ip, port, timeout_s)
        finally:
            self.meter.charge(OPENING)
            if dialed is None or dialed.stream is None:
                self.meter.release()
        if dialed.stream is None:
            return dialed
        stream = MeteredStream(dialed.stream, self.meter)
        return Dialed(stream, dialed.failure, dialed.at_us, dialed.took_us, dialed.info, dialed.icmp, dialed.lag_us)

    @property
    def profiles(self) -> frozenset[str]:
        return self._net.profiles

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
        return await self._net.shake(stream, sni, alpn, timeout_s, max_version, profile, ech)

    def limit(self, stream: Stream, ttl: int) -> Failure | None:
        return self._net.limit(stream.inner if isinstance(stream, MeteredStream) else stream, ttl)

    async def ask_udp(self, ip: str, port: int, payload: bytes, plan: UdpPlan, heard: Heard | None = None) -> Echoes:
        echoes: Echoes | None = None
        try:
            echoes = await self._net.ask_udp(ip, port, payload, plan, heard)
        finally:
            self.meter.charge((1 if echoes is None else echoes.sends) * (len(payload) + _UDP_HEADER))
        self.meter.charge(sum(len(d.data) + _UDP_HEADER for d in echoes.datagrams))
        return echoes

    @property
    def speaks_quic(self) -> bool:
        return self._net.speaks_quic

    async def shake_quic(
        self, ip: str, port: int, sni: str | None, alpn: tuple[str, ...], plan: QuicPlan
    ) -> QuicShaken:
        await self.meter.admit()
        shaken: QuicShaken | None = None
        try:
            shaken = await self._net.shake_quic(ip, port, sni, alpn, plan)
        finally:
            self.meter.charge(OPENING_QUIC if shaken is None else _moved(shaken))
            if shaken is None or shaken.http3 is None:
                self.meter.release()
        if shaken.http3 is None:
            return shaken
        return replace(shaken, http3=MeteredHttp3(shaken.http3, self.meter))

    async def resolve(self, host: str, ipv6: bool, timeout_s: float) -> Resolved:
        self.meter.charge(LOOKUP)
        return await self._net.resolve(host, ipv6, timeout_s)


def _moved(shaken: QuicShaken) -> int:
    return shaken.bytes_in + shaken.bytes_out + (shaken.datagrams_in + shaken.datagrams_out) * _UDP_HEADER
