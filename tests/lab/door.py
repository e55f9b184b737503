"""What stands between the volunteer's line and the wide network: nothing, a NAT64, or the two ends of a tunnel."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.atlas import EXIT, ISP, VOLUNTEER
from tests.lab.packet import Packet, packed
from tests.lab.translate import is_for_nat64, readdressed, to_v4, to_v6

_OWN = {4: packed(VOLUNTEER[0]), 6: packed(VOLUNTEER[1])}
_EXIT = {4: packed(EXIT[0]), 6: packed(EXIT[1])}
_EXITS = frozenset(_EXIT.values())
_ISP = frozenset(packed(ip) for ip in ISP)


@dataclass(frozen=True, slots=True)
class Door:
    """`nat64`: the volunteer speaks IPv6 alone. `vpn`: the volunteer's packets leave at the exit, but those to the
    ISP's resolver, as with many a client that leaves the system's resolver where it was."""

    nat64: bool = False
    vpn: bool = False

    def out(self, packet: Packet) -> Packet | None:
        """A packet of the volunteer's as the access router gets it; None for what goes nowhere."""
        if self.nat64 and is_for_nat64(packet):
            return to_v4(packet, _OWN[4])
        if self.is_tunnelled(packet, True):
            return readdressed(packet, _EXIT[packet.version], packet.dst)
        return packet

    def back(self, packet: Packet) -> Packet | None:
        """A packet for the volunteer as it comes out of the line."""
        if self.nat64 and packet.version == 4:
            return to_v6(packet, _OWN[6])
        if packet.dst in _EXITS:
            return readdressed(packet, packet.src, _OWN[packet.version])
        return packet

    def is_tunnelled(self, packet: Packet, up: bool) -> bool:
        """Does a packet on the line itself, outward (`up`) or homeward, travel in the tunnel?"""
        if up:
            return self.vpn and packet.dst not in _ISP
        return packet.dst in _EXITS

    def is_inside(self, packet: Packet) -> bool:
        """Is a packet under way in the tunnel?"""
        return self.vpn and (packet.src in _EXITS or packet.dst in _EXITS)
