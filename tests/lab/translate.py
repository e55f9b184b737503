"""Packets as they look on the other side of a translator: NAT64 (RFC 6146, with the mapping of RFC 6052), and the exit
of a tunnel. One client stands behind each, so ports stay and nothing has to be remembered."""

from __future__ import annotations

from tests.lab.packet import (
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    Packet,
    build_ip,
    checksum,
    packed,
    parse,
    summed,
)

NAT64 = packed("64:ff9b::")[:12]
# ICMP errors by family (RFC 7915 section 4.2): time exceeded, and unreachable with its codes where they have a match.
_TO_V6 = {(11, 0): (3, 0), (3, 0): (1, 0), (3, 1): (1, 0), (3, 3): (1, 4), (3, 10): (1, 1), (3, 13): (1, 1)}
_TO_V4 = {(3, 0): (11, 0), (1, 0): (3, 1), (1, 1): (3, 10), (1, 4): (3, 3)}
_CHECKSUM_AT = {TCP: 16, UDP: 6}


def is_for_nat64(packet: Packet) -> bool:
    return packet.version == 6 and packet.dst[:12] == NAT64


def to_v4(packet: Packet, own: bytes) -> Packet | None:
    """An IPv6 packet for the NAT64 prefix as IPv4, from the address `own`; None for what has no translation."""
    return _between(packet, own, packet.dst[12:])


def to_v6(packet: Packet, own: bytes) -> Packet | None:
    """An IPv4 packet as it arrives at the IPv6 address `own`."""
    return _between(packet, NAT64 + packet.src, own)


def readdressed(packet: Packet, src: bytes, dst: bytes) -> Packet:
    """The same packet with other addresses of its family."""
    made = _between(packet, src, dst)
    return packet if made is None else made


def _between(packet: Packet, src: bytes, dst: bytes) -> Packet | None:
    data = bytes(packet.data)
    start = (data[0] & 15) * 4 if packet.version == 4 else 40
    body, protocol = data[start:], packet.protocol
    if protocol in (ICMP, ICMPV6):
        told = _error(body, src, dst)
        if told is None:
            return None
        return build_ip(src, dst, ICMP if len(src) == 4 else ICMPV6, told, packet.ttl)
    at = _CHECKSUM_AT.get(protocol)
    if at is None or len(body) < at + 2:
        return None
    body = body[:at] + b"\0\0" + body[at + 2 :]
    return build_ip(src, dst, protocol, summed(src, dst, protocol, body, at), packet.ttl)


def _error(body: bytes, src: bytes, dst: bytes) -> bytes | None:
    """An ICMP error towards `dst`. What it quotes went out from there, so the quoted source becomes `dst` too."""
    quoted = parse(body[8:])
    if quoted is None:
        return None
    kind = (body[0], body[1])
    if len(src) == 16 and quoted.version == 4:
        kind = _TO_V6.get(kind, (1, 0))
    elif len(src) == 4 and quoted.version == 6:
        kind = _TO_V4.get(kind, (3, 1))
    far = quoted.dst
    if len(dst) == 16 and len(far) == 4:
        far = NAT64 + far
    inner = _between(quoted, dst, far)
    if inner is None:
        return None
    head = bytes(kind) + b"\0\0" + body[4:8]
    told = head + bytes(inner.data)
    if len(src) == 16:
        return summed(src, dst, ICMPV6, told, 2)
    return told[:2] + checksum(told).to_bytes(2, "big") + told[4:]
