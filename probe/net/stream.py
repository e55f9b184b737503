"""A TCP stream over a plain non-blocking socket.

Not trio's own socket: that one closes itself when a connect is cancelled, and its streams hide the errno two levels
down. Here the socket stays ours, so the kernel's story can be read at any time, also after the end.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Awaitable, Callable

import trio

from probe.model.kinds import TcpInfo
from probe.net.base import Failure
from probe.net.classify import errno_failure
from probe.net.hops import limit_hops
from probe.net.tcpinfo import read_tcp_info

CLOSED = Failure("interrupted", "closed")


class TcpStream:
    """A connected socket as `base.Stream`. One task may send while another receives."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._bytes_in = 0
        self._bytes_out = 0
        self._last_info: TcpInfo | None = None

    async def send(self, data: bytes) -> Failure | None:
        """Send all of it. When cancelled, `bytes_out` tells how much the kernel had taken."""
        await trio.lowlevel.checkpoint()
        rest = memoryview(data)
        while rest:
            try:
                sent = self._sock.send(rest)
            except BlockingIOError:
                if failure := await self._wait(trio.lowlevel.wait_writable):
                    return failure
                continue
            except OSError as exc:
                return self._failed(exc)
            self._bytes_out += sent
            rest = rest[sent:]
        return None

    async def receive(self, limit: int = 65536) -> bytes | Failure:
        """Bytes as soon as there are any; b"" when the peer sent FIN. What was queued before a reset comes first."""
        await trio.lowlevel.checkpoint()
        while True:
            try:
                data = self._sock.recv(limit)
            except BlockingIOError:
                if failure := await self._wait(trio.lowlevel.wait_readable):
                    return failure
                continue
            except OSError as exc:
                return self._failed(exc)
            self._bytes_in += len(data)
            return data

    def limit(self, ttl: int) -> Failure | None:
        """See `base.Net.limit`."""
        return limit_hops(self._sock, ttl) if self._sock.fileno() >= 0 else CLOSED

    def info(self) -> TcpInfo | None:
        """TCP_INFO now, or as it was when we closed."""
        return read_tcp_info(self._sock) if self._sock.fileno() >= 0 else self._last_info

    @property
    def bytes_in(self) -> int:
        return self._bytes_in

    @property
    def bytes_out(self) -> int:
        return self._bytes_out

    @property
    def wire_in(self) -> int:
        return self._bytes_in

    def nudge(self) -> None:
        """See `base.Stream.nudge`. Where the system has no such knobs, nothing is asked."""
        self._set(socket.SOL_SOCKET, "SO_KEEPALIVE", 1)
        for option in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
            self._set(socket.IPPROTO_TCP, option, 1)

    def narrow(self, window: int) -> None:
        """See `base.Stream.narrow`."""
        self._set(socket.IPPROTO_TCP, "TCP_WINDOW_CLAMP", window)

    def _set(self, level: int, option: str, value: int) -> None:
        number = getattr(socket, option, None)
        if number is not None and self._sock.fileno() >= 0:
            with contextlib.suppress(OSError):
                self._sock.setsockopt(level, number, value)

    def close(self) -> None:
        """Close; a task that waits on the stream gets `interrupted`. Doing it twice is fine."""
        if self._sock.fileno() < 0:
            return
        self._last_info = read_tcp_info(self._sock)
        if trio.lowlevel.in_trio_run():
            trio.lowlevel.notify_closing(self._sock)
        self._sock.close()

    async def _wait(self, wait_ready: Callable[[socket.socket], Awaitable[None]]) -> Failure | None:
        try:
            await wait_ready(self._sock)
        except trio.ClosedResourceError:
            return CLOSED
        return None

    def _failed(self, exc: OSError) -> Failure:
        return CLOSED if self._sock.fileno() < 0 else errno_failure(exc.errno or 0)
