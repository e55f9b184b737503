"""The demo's small internet, opened: servers listening on loopback for as long as the block lasts.

    async with open_world() as world:
        world.places, world.isp_resolver, world.resolvers, world.control_resolvers, world.ca_file, ...

The field resolves through the ISP's and the public resolver and dials from wherever the system likes. The control
resolves through the resolver abroad and must dial from `world.control_source`: that address is how the censor at each
door tells them apart (see `censor.py`). Nothing leaves the machine.
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from probe.app.demo import sites as data
from probe.app.demo.authority import Resolver, View, Zone, serve_framed, serve_udp
from probe.app.demo.censor import Censor
from probe.app.demo.certs import Authority
from probe.app.demo.doors import RESOLVERS, Doors, Ports, has_address, missing_addresses, open_doors
from probe.app.demo.origins import Origins, serve_over_tls, web_addresses
from probe.app.demo.sites import Expect, Site
from probe.app.demo.webserver import PEER_FAULTS, Ends
from probe.model.errors import ProbeError

Service = Callable[[trio.SocketStream], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Place:
    """One site with its URL as it is now. `told` says what was done to it, `expect` what should be found,
    `address` where the field finds it and `control_address` where the control does."""

    site: Site
    url: str
    told: str
    expect: Expect
    address: str
    control_address: str


@dataclass(frozen=True, slots=True)
class Consenting:
    """An innocent site whose owner lets strangers' names be spoken at its address: for name trials elsewhere."""

    name: str
    ip: str
    port: int


@dataclass(frozen=True, slots=True)
class World:
    """The open world. Resolvers are URLs as `--resolver` takes them; `isp_resolver` plays the network's own one.
    `country` is where the field must say it is for the block page's fingerprint to be in scope."""

    places: tuple[Place, ...]
    canaries: tuple[str, ...]
    consenting: tuple[Consenting, ...]
    isp_resolver: str
    isp_resolver_tcp: str
    resolvers: tuple[str, ...]
    control_resolvers: tuple[str, ...]
    control_source: str
    ca_file: Path
    ports: Ports
    ipv6: bool
    allow_nets: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    country: str = "PK"

    @property
    def allow_ports(self) -> tuple[int, ...]:
        """The ports of the web servers."""
        return (self.ports.http, self.ports.https)

    def place(self, name: str) -> Place:
        """The place of the site with that name; KeyError when it is not in this world."""
        return {place.site.name: place for place in self.places}[name]


@asynccontextmanager
async def open_world(sites: Sequence[Site] = data.SITES) -> AsyncIterator[World]:
    """Open the world with these sites and the canaries; close every server at the end of the block. Raises
    ProbeError where this machine lacks the loopback addresses it takes."""
    everyone = [*sites, *data.CANARIES]
    missing = missing_addresses(sites)
    if missing:
        raise ProbeError(
            f"the demo needs all of 127.0.0.0/8 and this system lacks {len(missing)} of its addresses; add each "
            f"with 'sudo ifconfig lo0 alias ADDRESS': {' '.join(missing)}"
        )
    ipv6 = has_address(data.IPV6)
    web = [*sorted(web_addresses(everyone)), data.BLOCK_PORTAL, *([data.IPV6] if ipv6 else [])]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="probe-demo-")))
        doors = open_doors(web)
        stack.callback(doors.close)
        authority = Authority("Demo", folder)
        ca_file = folder / "demo-ca.pem"
        ca_file.write_bytes(authority.root_pem)
        town = _Town(everyone, doors, authority, Authority("Transit Gateway", folder, intermediate=False), ipv6)
        try:
            async with trio.open_nursery() as nursery:
                town.start(nursery)
                try:
                    yield _describe(sites, doors.ports, ca_file, ipv6)
                finally:
                    nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            # The nursery is ours, so its wrapping is too: what the block raised comes out as it was.
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from None
            raise


class _Town:
    """The servers behind the doors."""

    def __init__(
        self, everyone: Sequence[Site], doors: Doors, authority: Authority, rival: Authority, ipv6: bool
    ) -> None:
        censor = Censor(everyone, is_field)
        zone = Zone(everyone, ipv6=ipv6)
        self._doors = doors
        self._resolvers = {view: Resolver(view, zone, censor) for view, _ in RESOLVERS}
        self._contexts = {view: authority.context((_dns_name(view),), ("h2", "http/1.1")) for view, _ in RESOLVERS}
        self._dot = {view: authority.context((_dns_name(view),), ("dot",)) for view, _ in RESOLVERS}
        self._origins = Origins(everyone, censor, authority, rival, doors.ports.http, doors.ports.https)

    def start(self, nursery: trio.Nursery) -> None:
        """Start every server."""
        _listen(nursery, self._doors.http, self._origins.serve_plain)
        _listen(nursery, self._doors.https, self._origins.serve_tls)
        for (view, transport), sock in self._doors.dns.items():
            if transport == "udp":
                nursery.start_soon(serve_udp, trio.socket.from_stdlib_socket(sock), self._resolvers[view])
            else:
                _listen(nursery, [sock], self._dns_service(view, transport))

    def _dns_service(self, view: View, transport: str) -> Service:
        resolver = self._resolvers[view]

        async def serve_tcp(stream: trio.SocketStream) -> None:
            await serve_framed(stream, _peer(stream), resolver)

        async def serve_dot(stream: trio.SocketStream) -> None:
            tls = trio.SSLStream(stream, self._dot[view], server_side=True, https_compatible=True)
            await serve_framed(tls, _peer(stream), resolver)
            await tls.aclose()

        async def serve_doh(stream: trio.SocketStream) -> None:
            ends = Ends(_peer(stream), stream.socket.getsockname()[0], secure=True)
            await serve_over_tls(stream, self._contexts[view], ends, resolver.doh)

        return {"tcp": serve_tcp, "tls": serve_dot, "https": serve_doh}[transport]


def is_field(peer: str) -> bool:
    """True for every visitor but the control. There is one ::1 only, so over IPv6 everybody is the field."""
    return peer != data.CONTROL_SOURCE


def _peer(stream: trio.SocketStream) -> str:
    return str(stream.socket.getpeername()[0])


def _listen(nursery: trio.Nursery, socks: Sequence[socket.socket], service: Service) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        try:
            async with stream:
                await service(stream)
        except PEER_FAULTS:
            return  # the peer's business; the world goes on

    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(sock)) for sock in socks]
    nursery.start_soon(trio.serve_listeners, serve, listeners)


def _dns_name(view: View) -> str:
    return f"dns.{view}.test"


def _resolver_urls(view: View, address: str, ports: Ports) -> tuple[str, ...]:
    name = _dns_name(view)
    return (
        f"udp://{address}:{ports.dns}",
        f"tcp://{address}:{ports.dns}",
        f"tls://{address}:{ports.dot}?name={name}",
        f"https://{address}:{ports.https}/dns-query?name={name}",
    )


def _describe(sites: Sequence[Site], ports: Ports, ca_file: Path, ipv6: bool) -> World:
    udp, tcp = _resolver_urls("isp", data.ISP_RESOLVER, ports)[:2]
    return World(
        places=tuple(_place(site, ports) for site in sites),
        canaries=tuple(_url(site, ports) for site in data.CANARIES),
        consenting=tuple(Consenting(site.name, site.address, ports.https) for site in data.CANARIES),
        isp_resolver=udp,
        isp_resolver_tcp=tcp,
        resolvers=_resolver_urls("public", data.PUBLIC_RESOLVER, ports),
        control_resolvers=_resolver_urls("abroad", data.ABROAD_RESOLVER, ports),
        control_source=data.CONTROL_SOURCE,
        ca_file=ca_file,
        ports=ports,
        ipv6=ipv6,
    )


def _url(site: Site, ports: Ports) -> str:
    return site.url.format(http=ports.http, https=ports.https)


def _place(site: Site, ports: Ports) -> Place:
    return Place(site, _url(site, ports), site.told, site.expect, site.address, site.abroad or site.address)
