"""Translators and tunnels: what leaves comes back, whatever it was turned into on the way."""

from __future__ import annotations

from tests.lab.atlas import EXIT, ISP, VOLUNTEER
from tests.lab.door import Door
from tests.lab.packet import TCP, UDP, Packet, build_icmp, build_ip, build_tcp, checksum, packed, parse
from tests.lab.translate import NAT64

_OWN4, _OWN6 = packed(VOLUNTEER[0]), packed(VOLUNTEER[1])
_SITE = packed("45.60.1.10")


def _syn(src: bytes, dst: bytes) -> Packet:
    return build_tcp(Packet(bytearray(), 6, src, dst, TCP, sport=40000, dport=443), False, 7, 0, 2)


def _sum_is_true(packet: Packet) -> bool:
    start = 20 if packet.version == 4 else 40
    body = bytes(packet.data[start:])
    pseudo = packet.src + packet.dst + len(body).to_bytes(4, "big") + packet.protocol.to_bytes(4, "big")
    return checksum(pseudo + body) == 0


def test_a_packet_for_the_translator_leaves_as_ipv4_and_its_answer_comes_back_as_ipv6() -> None:
    door = Door(nat64=True)
    out = door.out(_syn(_OWN6, NAT64 + _SITE))
    assert out is not None and (out.version, out.src, out.dst, out.dport) == (4, _OWN4, _SITE, 443)
    assert _sum_is_true(out)
    back = door.back(_syn(_SITE, _OWN4))
    assert back is not None and (back.version, back.src, back.dst) == (6, NAT64 + _SITE, _OWN6)
    assert _sum_is_true(back)


def test_real_ipv6_passes_the_translator_by() -> None:
    packet = _syn(_OWN6, packed("2a0d:5600:1::a"))
    assert Door(nat64=True).out(packet) is packet


def test_a_router_beyond_the_translator_is_heard() -> None:
    door = Door(nat64=True)
    out = door.out(_syn(_OWN6, NAT64 + _SITE))
    assert out is not None
    told = door.back(build_icmp(out, packed("39.50.0.9"), 11, 0))
    assert told is not None and (told.src, bytes(told.data[40:42])) == (NAT64 + packed("39.50.0.9"), bytes((3, 0)))
    quoted = parse(bytes(told.data[48:]))
    assert quoted is not None and (quoted.src, quoted.dst, quoted.sport) == (_OWN6, NAT64 + _SITE, 40000)


def test_a_tunnel_comes_out_at_its_exit() -> None:
    door = Door(vpn=True)
    out = door.out(_syn(_OWN4, _SITE))
    assert out is not None and out.src == packed(EXIT[0]) and door.is_inside(out) and _sum_is_true(out)
    back = door.back(_syn(_SITE, packed(EXIT[0])))
    assert back is not None and back.dst == _OWN4


def test_the_resolver_is_asked_outside_the_tunnel() -> None:
    door, query = Door(vpn=True), build_ip(_OWN4, packed(ISP[0]), UDP, b"\x9c@\0\x35\0\x0c\0\0abcd")
    assert door.out(query) is query and not door.is_inside(query)
