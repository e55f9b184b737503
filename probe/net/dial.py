"""Connecting TCP to an address, keeping the socket until its story is read.

`connect_ex` on a non-blocking socket, then waiting for writability under a deadline of our own, then SO_ERROR: the
errno decides what happened, never the phase it showed in (a reset right after SYN-ACK may surface in the connect).
"""

from __future__ import annotations

import errno
import ipaddress
import socket

import trio

from probe.net.base import Clock, Dialed, Failure
from probe.net.classify import DEADLINE, errno_failure
from probe.net.errqueue import QueuedError, read_errors, watch_errors
from probe.net.stream import TcpStream
from probe.net.tcpinfo import read_tcp_info

# What a connect under way says: Unix, Windows.
_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, 10035})


def family_of(ip: str) -> socket.AddressFamily:
    """The family of a literal address. Raises ValueError for anything else: names are never resolved here."""
    return socket.AF_INET6 if ipaddress.ip_address(ip).version == 6 else socket.AF_INET


def open_socket(ip: str, kind: socket.SocketKind, source: str | None = None) -> socket.socket:
    """A non-blocking socket of the address's family alone, with its error queue on, bound to our address `source` where
    that is of the same family. Raises OSError."""
    family = family_of(ip)
    sock = socket.socket(family, kind)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if source and family_of(source) == family:
            sock.bind((source, 0))
    except OSError:
        sock.close()
        raise
    watch_errors(sock)
    return sock


async def dial(clock: Clock, ip: str, port: int, timeout_s: float, source: str | None = None) -> Dialed:
    """See `base.Net.dial`. `took_us` ends when the outcome is known, before the kernel's story is read."""
    at_us, began = clock.now_us(), clock.mono_us()
    await trio.lowlevel.checkpoint()
    try:
        sock = open_socket(ip, socket.SOCK_STREAM, source)
    except OSError as exc:
        return Dialed(None, errno_failure(exc.errno or 0), at_us, clock.mono_us() - began)
    kept = False
    try:
        failure = await _connect(sock, ip, port, timeout_s)
        took_us = clock.mono_us() - began
        info, errors = read_tcp_info(sock), read_errors(sock)
        kept = failure is None
        return Dialed(
            stream=_stream(sock) if kept else None,
            failure=_told_by_icmp(failure, errors) if failure else None,
            at_us=at_us,
            took_us=took_us,
            info=info,
            icmp=next((error.icmp for error in errors if error.icmp), None),
            lag_us=clock.lag_us(began),
        )
    finally:
        if not kept:
            sock.close()


async def _connect(sock: socket.socket, ip: str, port: int, timeout_s: float) -> Failure | None:
    code = sock.connect_ex((ip, port))
    if code in _UNDER_WAY:
        with trio.move_on_after(timeout_s) as scope:
            await trio.lowlevel.wait_writable(sock)
        if scope.cancelled_caught:
            return DEADLINE
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return errno_failure(code) if code else None


def _stream(sock: socket.socket) -> TcpStream:
    # With the queue on, one ICMP message would end an established connection that any browser's would survive.
    watch_errors(sock, on=False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return TcpStream(sock)


def _told_by_icmp(failure: Failure, errors: tuple[QueuedError, ...]) -> Failure:
    """The same failure, but with the word of the router that sent it, where it was a router."""
    same = (error.failure for error in errors if error.icmp and error.failure.raw == failure.raw)
    return next(same, failure)
