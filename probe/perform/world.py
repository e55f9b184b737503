"""What performers need from outside, in one frozen value: the network, the trust store, limits and policy."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from probe.inputs.deny import NOTHING, DenyList
from probe.model.kinds import TlsVerify
from probe.model.observation import Blob, Draft
from probe.net.base import Net, QuicPlan, UdpPlan
from probe.perform.turns import Turns
from probe.wire.content import DECODED_CAP
from probe.wire.http1 import FIREFOX, HeaderProfile

# Takes a fact and its blobs the moment the fact exists, and gives back its seq: the parent of what follows from it.
Emit = Callable[[Draft, tuple[Blob, ...]], int]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

WEB_PORTS = frozenset({80, 443, 8080, 8443})
# RFC 6052's well-known prefix: a NAT64 gateway turns the last four bytes into the address that it dials.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Trust(Protocol):
    """A pinned set of roots: see `probe.net.trust`."""

    @property
    def digest(self) -> str: ...

    def verify(self, chain: tuple[bytes, ...], name: str, at_unix_s: int) -> TlsVerify: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Deadlines in seconds, sizes in bytes. `dns` also says how long an answer over a stream may take. A handshake ends
    `handshake_s` after the last byte, a fetch `stall_s` after it, and after `fetch_s` in any case. `header_cap` bounds
    all that comes before a response's head is complete, `body_cap` the body on the wire, `decoded_cap` what it may
    expand to, and `stored_cap` what of that is kept. `http3_cap` is the `body_cap` of HTTP/3, where each kilobyte costs
    several times the work, and the page is known from elsewhere."""

    dns: UdpPlan = UdpPlan()
    connect_s: float = 10.0
    handshake_s: float = 10.0
    stall_s: float = 10.0
    fetch_s: float = 60.0
    header_cap: int = 65_536
    body_cap: int = 262_144
    decoded_cap: int = DECODED_CAP
    stored_cap: int = 262_144
    quic: QuicPlan = QuicPlan()
    http3_cap: int = 65_536


@dataclass(frozen=True, slots=True)
class Policy:
    """Where may be dialled. `special` are the special-purpose blocks, (network, name) each; `allowed_nets` are let
    through whatever block they lie in; `ports` are the only ones, but for the (ip, port) of `doors`: our own helpers'.
    What the person at the line has `denied` is left alone whatever else holds. Resolvers are not asked about: whoever
    configured them has decided already, whereas the addresses of walks come from the network and may be anything."""

    special: tuple[tuple[Network, str], ...] = ()
    allowed_nets: tuple[Network, ...] = ()
    ports: frozenset[int] = WEB_PORTS
    doors: frozenset[tuple[str, int]] = frozenset()
    denied: DenyList = NOTHING

    def refuses(self, host: str) -> bool:
        """Whether a person has denied this name: it is neither looked up nor walked."""
        return self.denied.covers(host)

    def allows(self, ip: str, port: int) -> str | None:
        """None when it may be dialled, else why not: `port: 25` or `special_address: 127.0.0.0/8 Loopback`."""
        if port not in self.ports and (ip, port) not in self.doors:
            return f"port: {port}"
        return self.allows_address(ip)

    def allows_address(self, ip: str) -> str | None:
        """The same for an address at whatever port."""
        if self.denied.nets and self.denied.covers(ip):
            return "denied: by the person at this line"
        try:
            address = ipaddress.ip_address(ip)
        except ValueError:
            return "special_address: not an IP address"
        if any(address in net for net in self.allowed_nets):
            return None
        for reached in _reached(address):
            found = [(net, name) for net, name in self.special if reached in net]
            if found and not any(reached in net for net in self.allowed_nets):
                net, name = max(found, key=lambda row: row[0].prefixlen)
                return f"special_address: {net} {name}"
        return None


def _reached(address: Address) -> tuple[Address, ...]:
    """The address and the IPv4 address inside it that dialling it would reach."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    inner = address.ipv4_mapped or address.sixtofour
    if address in _NAT64:
        inner = ipaddress.IPv4Address(address.packed[-4:])
    return (address, inner) if inner else (address,)


def _random_id() -> int:
    return secrets.randbelow(65_536)


@dataclass(frozen=True, slots=True)
class World:
    """`local_resolvers` are the URLs behind the resolver names `network`, `network:1` ...: those that the network
    itself configured. Facts keep the name, since a router's private address is none of theirs. `random_id` gives the
    16-bit ids of DNS questions. `helper_client` talks to test helpers (one a run, so that connections are kept),
    `helper_direct` says that no proxy stands between, and `learn_address` is told which address of ours a helper sees:
    for scrubbing, in memory only. `system_trust` is what this machine itself trusts: a second opinion where the pinned
    store knows no authority of a chain. `turns` lets one visitor at a time to a helper's door. `is_quic_shut` says of
    an address that nobody has answered over QUIC on this line lately."""

    net: Net
    trust: Trust
    policy: Policy
    limits: Limits = Limits()
    local_resolvers: tuple[str, ...] = ()
    headers: HeaderProfile = FIREFOX
    random_id: Callable[[], int] = field(default=_random_id)
    helper_client: httpx.AsyncClient | None = None
    helper_direct: bool = True
    learn_address: Callable[[str], None] | None = None
    system_trust: Trust | None = None
    turns: Turns = field(default_factory=Turns)
    is_quic_shut: Callable[[str], bool] = lambda ip: False

    def now_s(self) -> int:
        """Unix time in whole seconds, by the net's clock."""
        return self.net.clock.now_us() // 1_000_000
