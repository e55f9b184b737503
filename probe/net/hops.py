"""Hop limits: letting packets of ours die on the way, as an ordinary user may on any system.

The router at which a packet dies may say so by ICMP (type 11 of RFC 792, type 3 of RFC 4443). Its address is that of
a router near the volunteer, so whoever reads the error queue for this drops it.
"""

from __future__ import annotations

import errno
import socket

from probe.net.base import Failure

# How a refusal of the system is told: the performer makes a `skipped` fact of it, with the raw word as the reason.
NO_RIGHTS = Failure("skipped", "no_rights")
NOT_SUPPORTED = Failure("skipped", "not_supported")
_OPTIONS = {
    socket.AF_INET: (socket.IPPROTO_IP, socket.IP_TTL),
    socket.AF_INET6: (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS),
}


def limit_hops(sock: socket.socket, ttl: int) -> Failure | None:
    """Set the hop limit of all that the socket sends from now on, 1 to 255."""
    try:
        sock.setsockopt(*_OPTIONS[socket.AddressFamily(sock.family)], ttl)
    except OSError as exc:
        return NO_RIGHTS if exc.errno in (errno.EPERM, errno.EACCES) else NOT_SUPPORTED
    return None
