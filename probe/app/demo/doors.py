"""The doors of the demo's world: every socket bound before the first server starts, all or none.

Ports are unprivileged, and the same number serves at every address; addresses are loopback's, which only some systems
have in full.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from probe.app.demo import sites as data
from probe.app.demo.authority import View
from probe.app.demo.origins import web_addresses
from probe.app.demo.sites import Site
from probe.model.errors import ProbeError

RESOLVERS: tuple[tuple[View, str], ...] = (
    ("isp", data.ISP_RESOLVER),
    ("public", data.PUBLIC_RESOLVER),
    ("abroad", data.ABROAD_RESOLVER),
)


@dataclass(frozen=True, slots=True)
class Ports:
    """The port numbers in use, the same at every address. DNS over HTTPS shares `https`."""

    http: int
    https: int
    dns: int
    dot: int


# Tried first, so that one demo's results may be compared with another's; free ones are taken where these are not.
_PREFERRED = Ports(http=8080, https=8443, dns=5300, dot=8853)


def missing_addresses(sites: Sequence[Site] = data.SITES) -> tuple[str, ...]:
    """The loopback addresses that this world needs and this machine lacks: none on Linux and Windows, where all of
    127.0.0.0/8 is there; nearly all on macOS and the BSDs, where only 127.0.0.1 is until aliases are added."""
    wanted = web_addresses([*sites, *data.CANARIES]) | {address for _, address in RESOLVERS}
    return tuple(sorted(a for a in wanted | {data.BLOCK_PORTAL, data.CONTROL_SOURCE} if not has_address(a)))


def has_address(address: str) -> bool:
    """True when this machine can listen there."""
    try:
        _bind(address, 0, "tcp").close()
    except OSError:
        return False
    return True


def _bind(address: str, port: int, transport: Literal["tcp", "udp"]) -> socket.socket:
    """A bound socket, listening if it is TCP. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM)
    try:
        if transport == "tcp" and os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        if transport == "tcp":
            sock.listen(256)
    except BaseException:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


class Doors:
    """Every bound socket of a world, by what it is for. Binding is all or nothing."""

    def __init__(self, web: Sequence[str], ports: Ports) -> None:
        self.ports = ports
        self.http: list[socket.socket] = []
        self.https: list[socket.socket] = []
        self.dns: dict[tuple[View, str], socket.socket] = {}
        try:
            self._bind_all(web)
        except OSError:
            self.close()
            raise

    def _bind_all(self, web: Sequence[str]) -> None:
        for address in web:
            self.http.append(_bind(address, self.ports.http, "tcp"))
            self.https.append(_bind(address, self.ports.https, "tcp"))
        for view, address in RESOLVERS:
            self.dns[view, "udp"] = _bind(address, self.ports.dns, "udp")
            self.dns[view, "tcp"] = _bind(address, self.ports.dns, "tcp")
            if view != "isp":
                self.dns[view, "tls"] = _bind(address, self.ports.dot, "tcp")
                self.dns[view, "https"] = _bind(address, self.ports.https, "tcp")

    def close(self) -> None:
        """Close them all; closing twice does no harm."""
        for sock in (*self.http, *self.https, *self.dns.values()):
            sock.close()


def open_doors(web: Sequence[str]) -> Doors:
    """Bind everything at the preferred ports, or else at four that are free at every address."""
    ports = _PREFERRED
    for _ in range(20):
        try:
            return Doors(web, ports)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            ports = _free_ports()
    raise ProbeError("the demo found no free ports on this machine")


def _free_ports() -> Ports:
    held = [_bind("127.0.0.1", 0, "tcp") for _ in range(4)]
    http, https, dns, dot = (int(sock.getsockname()[1]) for sock in held)
    for sock in held:
        sock.close()
    return Ports(http, https, dns, dot)
