"""Scripted peers over QUIC, for `fakenet`: what a handshake meets, and what answers a request."""

from __future__ import annotations

from dataclasses import dataclass

import trio

from probe.net.base import Failure, QuicShaken, ResponseHead
from probe.net.classify import DEADLINE

# What a peer says: in order; a DEADLINE among it is silence for ever.
Part = ResponseHead | bytes | Failure


@dataclass(frozen=True, slots=True)
class QuicHello:
    """How a peer answers a QUIC Initial. With `failure` the handshake fails, else `says` answers the first request."""

    failure: Failure | None = None
    chain: tuple[bytes, ...] = ()
    says: tuple[Part, ...] = ()
    alpn: str | None = "h3"
    alert: str | None = None
    ended: str | None = None
    close_code: int | None = None
    took_us: int = 10_000

    def shaken(self, http3: FakeHttp3 | None, at_us: int, took_us: int, lag_us: int) -> QuicShaken:
        """What a handshake with it gives."""
        return QuicShaken(
            http3=http3,
            failure=self.failure,
            at_us=at_us,
            took_us=took_us,
            chain=self.chain,
            version=None if self.failure else "v1",
            alpn=None if self.failure else self.alpn,
            alert=self.alert,
            ended=self.ended,
            close_code=self.close_code,
            lag_us=lag_us,
        )


class FakeHttp3:
    """A request's stream that follows a script, and ends with it. `sent` are the request's headers."""

    def __init__(self, says: tuple[Part, ...]) -> None:
        self.sent: tuple[tuple[bytes, bytes], ...] = ()
        self.ended: str | None = None
        self.closed = False
        self.moved = (0, 0)
        self._parts = list(says)

    async def ask(self, headers: tuple[tuple[bytes, bytes], ...], header_cap: int) -> Failure | None:
        await trio.lowlevel.checkpoint()
        self._count(sum(len(name) + len(value) for name, value in headers))
        self.sent = headers
        return None

    async def receive(self) -> ResponseHead | bytes | Failure:
        await trio.lowlevel.checkpoint()
        part = self._parts.pop(0) if self._parts else b""
        if part is DEADLINE:
            await trio.sleep_forever()
        if not part:
            self.ended = "fin"
        self._count(len(part) if isinstance(part, bytes) else 0)
        return part

    def _count(self, size: int) -> None:
        datagrams, moved = self.moved
        self.moved = datagrams + 1, moved + size

    def close(self) -> None:
        self.closed = True
