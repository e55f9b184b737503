"""ICMP errors with their sender: the socket error queue (Linux IP_RECVERR). Nothing elsewhere.

An unconnected UDP socket never hears of ICMP, and a connected one drops answers from other addresses, which is where
an injector's come from. The queue gives both. Numbers from Linux include/uapi/linux/in.h, in6.h and errqueue.h; the
`socket` module has no names for them before Python 3.14.
"""

from __future__ import annotations

import socket
import struct
import sys
from dataclasses import dataclass
from typing import Any

from probe.model.kinds import Icmp
from probe.net.base import Failure
from probe.net.classify import errno_failure

IP_RECVERR = 11
IPV6_RECVERR = 25
MSG_ERRQUEUE = 0x2000
SUPPORTED: bool = sys.platform == "linux"
# struct sock_extended_err: errno, origin, type, code, pad, info, data; the offender's sockaddr follows it.
_EXTENDED = struct.Struct("=IBBBBII")
_ORIGIN_ICMP, _ORIGIN_ICMP6 = 2, 3
_OPTIONS = {socket.AF_INET: (socket.IPPROTO_IP, IP_RECVERR), socket.AF_INET6: (socket.IPPROTO_IPV6, IPV6_RECVERR)}
# No honest path sends more in one window; a flood must not hold us here.
_MOST = 32


@dataclass(frozen=True, slots=True)
class QueuedError:
    """One error of the queue: its errno, and the ICMP message behind it unless it is the kernel's own."""

    errno: int
    icmp: Icmp | None

    @property
    def failure(self) -> Failure:
        """Its word. "No route" said by a router is about the path, not about this machine."""
        failure = errno_failure(self.errno)
        if self.icmp and failure.word == "network_unreachable":
            return Failure("host_unreachable", failure.raw)
        return failure


def watch_errors(sock: socket.socket, on: bool = True) -> bool:
    """Switch the error queue of a socket on or off; False where there is none."""
    if not SUPPORTED:
        return False
    try:
        sock.setsockopt(*_OPTIONS[socket.AddressFamily(sock.family)], int(on))
    except OSError:
        return False
    return True


def read_errors(sock: socket.socket) -> tuple[QueuedError, ...]:
    """Empty the queue of a non-blocking socket, oldest first."""
    if not SUPPORTED:
        return ()
    reader: Any = sock  # Windows has no recvmsg, so its type has none either
    found: list[QueuedError] = []
    while len(found) < _MOST:
        try:
            _, ancillary, _, _ = reader.recvmsg(512, 512, MSG_ERRQUEUE)
        except OSError:  # an empty queue is EAGAIN; any other error leaves nothing to read either
            break
        found += [parse_error(data) for level, kind, data in ancillary if (level, kind) in _OPTIONS.values()]
    return tuple(found)


def parse_error(data: bytes) -> QueuedError:
    """A control message of the queue as values."""
    code, origin, kind, sub, _, _, _ = _EXTENDED.unpack_from(data.ljust(_EXTENDED.size, b"\0"))
    if origin not in (_ORIGIN_ICMP, _ORIGIN_ICMP6):
        return QueuedError(code, None)
    return QueuedError(code, Icmp(kind, sub, _address(data[_EXTENDED.size :])))


def _address(sockaddr: bytes) -> str:
    """The address of a sockaddr_in or sockaddr_in6; empty when the kernel did not know the sender."""
    family = int.from_bytes(sockaddr[:2], sys.byteorder)
    start, size = {int(socket.AF_INET): (4, 4), int(socket.AF_INET6): (8, 16)}.get(family, (0, 0))
    packed = sockaddr[start : start + size]
    return socket.inet_ntop(family, packed) if size and len(packed) == size else ""
