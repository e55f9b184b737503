"""IP packets as values: enough of IPv4, IPv6, TCP, UDP and ICMP to forward, to read along, and to forge.

A reader and a builder of its own, so that a fault in the prober's cannot hide behind itself. Fragments and IPv6
extension headers are forwarded and not read: nothing in the lab makes any.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
_TTL = 64


@dataclass(slots=True)
class Packet:
    """One packet. `src` and `dst` are packed addresses; ports, flags and numbers are 0 where the protocol has none;
    `payload` is what the transport carries."""

    data: bytearray
    version: int
    src: bytes
    dst: bytes
    protocol: int
    sport: int = 0
    dport: int = 0
    seq: int = 0
    ack: int = 0
    flags: int = 0
    payload: bytes = b""

    @property
    def ttl(self) -> int:
        return self.data[8] if self.version == 4 else self.data[7]

    @property
    def is_syn(self) -> bool:
        return self.protocol == TCP and self.flags & (SYN | ACK) == SYN

    @property
    def length(self) -> int:
        """How far the packet moves the sequence number on."""
        return len(self.payload) + (1 if self.flags & (SYN | FIN) else 0)


def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def parse(data: bytes) -> Packet | None:
    """The packet in `data`, or None for what is neither IPv4 nor IPv6 or is cut short."""
    if len(data) < 20:
        return None
    version = data[0] >> 4
    if version == 4:
        start, protocol, src, dst = (data[0] & 15) * 4, data[9], data[12:16], data[16:20]
        end = int.from_bytes(data[2:4], "big")
        readable = not int.from_bytes(data[6:8], "big") & 0x3FFF
    elif version == 6 and len(data) >= 40:
        start, protocol, src, dst = 40, data[6], data[8:24], data[24:40]
        end = 40 + int.from_bytes(data[4:6], "big")
        readable = True
    else:
        return None
    packet = Packet(bytearray(data), version, src, dst, protocol)
    if readable and protocol == UDP and len(data) >= start + 8:
        packet.sport, packet.dport = struct.unpack_from("!HH", data, start)
        packet.payload = data[start + 8 : end]
    elif readable and protocol == TCP and len(data) >= start + 20:
        packet.sport, packet.dport, packet.seq, packet.ack = struct.unpack_from("!HHII", data, start)
        packet.flags = data[start + 13]
        packet.payload = data[start + (data[start + 12] >> 4) * 4 : end]
    return packet


def hop(packet: Packet) -> bool:
    """Count the packet's life down by one, in place; False when that ended it."""
    data = packet.data
    if packet.version == 6:
        data[7] -= 1
        return data[7] > 0
    data[8] -= 1
    # RFC 1624: the checksum grows by what the header word lost.
    total = int.from_bytes(data[10:12], "big") + 0x0100
    data[10:12] = ((total & 0xFFFF) + (total >> 16)).to_bytes(2, "big")
    return data[8] > 0


def checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def build_ip(src: bytes, dst: bytes, protocol: int, body: bytes, ttl: int = _TTL) -> Packet:
    """A packet round a finished transport body."""
    if len(src) == 4:
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0x4000, ttl, protocol, 0, src, dst)
        head = head[:10] + checksum(head).to_bytes(2, "big") + head[12:]
    else:
        head = struct.pack("!IHBB16s16s", 6 << 28, len(body), protocol, ttl, src, dst)
    made = parse(head + body)
    assert made is not None
    return made


def summed(src: bytes, dst: bytes, protocol: int, body: bytes, at: int) -> bytes:
    """`body` with its checksum, over the pseudo-header, written at offset `at`."""
    pseudo = src + dst + struct.pack("!II", len(body), protocol)
    value = checksum(pseudo + body)
    if protocol == UDP and value == 0:
        value = 0xFFFF
    return body[:at] + value.to_bytes(2, "big") + body[at + 2 :]


def build_tcp(ends: Packet, back: bool, seq: int, ack: int, flags: int, payload: bytes = b"") -> Packet:
    """A segment between the two ends of `ends`, towards its destination or `back` to its source."""
    src, dst, sport, dport = (
        (ends.dst, ends.src, ends.dport, ends.sport) if back else (ends.src, ends.dst, ends.sport, ends.dport)
    )
    head = struct.pack(
        "!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 0x50, flags, 65535 if payload else 0, 0, 0
    )
    return build_ip(src, dst, TCP, summed(src, dst, TCP, head + payload, 16))


def build_udp_back(ends: Packet, payload: bytes) -> Packet:
    """A datagram in answer to `ends`, from where that was sent to."""
    head = struct.pack("!HHHH", ends.dport, ends.sport, 8 + len(payload), 0)
    return build_ip(ends.dst, ends.src, UDP, summed(ends.dst, ends.src, UDP, head + payload, 6))


def build_icmp(about: Packet, router: bytes, kind: int, code: int) -> Packet:
    """An ICMP error of a router about a packet. `kind` and `code` are those of its family."""
    quoted = bytes(about.data[: 548 if about.version == 4 else 1200])
    body = struct.pack("!BBHI", kind, code, 0, 0) + quoted
    if about.version == 4:
        body = body[:2] + checksum(body).to_bytes(2, "big") + body[4:]
        return build_ip(router, about.src, ICMP, body)
    return build_ip(router, about.src, ICMPV6, summed(router, about.src, ICMPV6, body, 2))
