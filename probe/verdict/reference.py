"""Reference data as frozen values. `probe.inputs.reference` reads them from `seeds/`; nothing here opens a file.

`digest` names the whole set: a verdict carries it, so that it can be derived again from the same facts.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

FingerprintKind = Literal["blockpage", "parental", "portal", "refusal", "innocent"]
FingerprintPlace = Literal["body", "title", "header", "location", "address"]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class SpecialBlock:
    """One block of the IANA special-purpose registries. `reachable` is None where the registry says N/A."""

    network: Network
    name: str
    reachable: bool | None


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A mark by which a page, header, redirect or address is recognised, within its scope. `pattern` is a literal
    unless `regex`; `header` (lower case) is the header's name where `where` is "header"."""

    id: str
    kind: FingerprintKind
    where: FingerprintPlace
    pattern: str
    regex: bool = False
    header: str = ""
    scope_cc: str = ""
    scope_asn: tuple[int, ...] = ()
    because: str = ""
    source: str = ""
    match: str = ""
    lookalike: str = ""


@dataclass(frozen=True, slots=True)
class PublicResolver:
    """A public resolver: its URLs in `--resolver` syntax; `filters` when it withholds names by its own policy."""

    id: str
    operator: str
    asn: int | None
    urls: tuple[str, ...]
    also: tuple[str, ...] = ()
    filters: bool = False
    dnssec: bool = False


@dataclass(frozen=True, slots=True)
class Canary:
    """A dull and steady site; `home` is the country it is domestic to, or empty."""

    id: str
    url: str
    operator: str
    home: str = ""
    because: str = ""


@dataclass(frozen=True)
class Reference:
    """Everything judging may look up, by value."""

    digest: str
    special: tuple[SpecialBlock, ...] = ()
    fingerprints: tuple[Fingerprint, ...] = ()
    resolvers: tuple[PublicResolver, ...] = ()
    default_resolvers: tuple[str, ...] = ()
    canaries: tuple[Canary, ...] = ()
    networks: tuple[tuple[int, str, str], ...] = ()

    @cached_property
    def network_names(self) -> dict[int, str]:
        """Autonomous system number to name."""
        return {asn: name for asn, name, _ in self.networks}

    def special_block(self, ip: str) -> SpecialBlock | None:
        """The longest special-purpose block that holds `ip` (or the IPv4 address inside it) and is not reachable
        from everywhere; None for an ordinary public address. IANA registries; RFC 6052, RFC 4291, RFC 3056."""
        try:
            address = ipaddress.ip_address(ip.split("%", 1)[0])
        except ValueError:
            return SpecialBlock(ipaddress.ip_network("0.0.0.0/32"), "not an address", False)
        found = self._longest(address)
        if found is not None and found.reachable is True:
            found = None
        inner = embedded_ipv4(address)
        if inner is not None:
            # NAT64, mapped and 6to4 addresses lead where the IPv4 address inside leads.
            inside = self._longest(inner)
            return inside if inside is not None and inside.reachable is not True else _unless_nat64(address, found)
        return found

    def _longest(self, address: Address) -> SpecialBlock | None:
        held = [b for b in self.special if b.network.version == address.version and address in b.network]
        return max(held, key=lambda block: block.network.prefixlen, default=None)


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def _unless_nat64(address: Address, found: SpecialBlock | None) -> SpecialBlock | None:
    return None if address in _NAT64 else found


def embedded_ipv4(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address inside NAT64 (RFC 6052), IPv4-mapped (RFC 4291) and 6to4 (RFC 3056) addresses."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour


def nat64_target(ip: str) -> str | None:
    """The IPv4 address that a NAT64 address leads to; None for any other."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return None
    inner = embedded_ipv4(address) if address.version == 6 and address in _NAT64 else None
    return str(inner) if inner is not None else None


def seen_elsewhere(ip: str) -> str:
    """The same endpoint's address on other lines: what a NAT64 address leads to, as a translator's prefix means
    nothing behind another router; else itself."""
    return nat64_target(ip) or ip
