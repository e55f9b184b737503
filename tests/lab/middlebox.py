"""A router that reads along: what each rule does to real packets, connection by connection.

The node stands in the path. It forgets a packet, lets it pass, or sends others in either direction. Everything it
needs to know of a connection is what it saw of it. Time comes in as an argument, chance as a seeded generator.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.lab.deeds import AT_THE_ANSWER, Flow, Verdict, at_the_answer, reset_of, said
from tests.lab.packet import (
    ACK,
    FIN,
    PSH,
    RST,
    SYN,
    TCP,
    UDP,
    Packet,
    build_icmp,
    build_tcp,
    build_udp_back,
)
from tests.lab.rules import Rule, Seen, forged_answer, question_of
from tests.quic.initial import forged_close

_ADMIN_PROHIBITED = {4: (3, 13), 6: (1, 1)}
_PORT_UNREACHABLE = {4: (3, 3), 6: (1, 4)}
_DNS_DEEDS = ("forge", "nxdomain", "empty", "refused", "servfail")
Key = tuple[bytes, bytes, int, int, int]


class Middlebox:
    """One router's rules and its memory of connections. `address` maps 4 and 6 to its own addresses."""

    def __init__(self, rules: Sequence[Rule], address: dict[int, bytes], seed: int = 0) -> None:
        self._rules = tuple(rules)
        self._by_query = [r for r in rules if r.on == "query"]
        self._by_name = [r for r in rules if r.on in ("sni", "hello", "host", "url")]
        self._by_syn_ack = [r for r in rules if r.on == "syn_ack"]
        self._by_initial = [r for r in rules if r.on == "initial"]
        self._by_data = [r for r in rules if r.on == "data"]
        self._by_address = [r for r in rules if r.on in ("address", "any")]
        self._address = address
        self._flows: dict[Key, Flow] = {}
        self._residue: dict[tuple[bytes, bytes, int], tuple[float, Rule]] = {}
        self._recent: dict[tuple[bytes, Rule], list[float]] = {}
        self._random = random.Random(seed)

    @property
    def is_plain(self) -> bool:
        return not self._rules

    def meet(self, packet: Packet, outward: bool, now_s: float) -> Verdict:
        """Judge one packet; `outward` when it goes towards the wide network. `now_s` since the lab's first packet."""
        if packet.protocol not in (TCP, UDP):
            return self._opaque(packet, outward, now_s)
        flow = self._flow(packet, outward)
        if not outward:
            return self._inward(packet, flow, now_s)
        if flow.struck is not None:
            return self._again(packet, flow, flow.struck)
        rule = self._trigger(packet, flow, now_s)
        return Verdict() if rule is None else self._strike(packet, flow, rule, now_s)

    def _flow(self, packet: Packet, outward: bool) -> Flow:
        p = packet
        key = (p.src, p.dst, p.sport, p.dport, p.protocol) if outward else (p.dst, p.src, p.dport, p.sport, p.protocol)
        flow = self._flows.get(key)
        if flow is None or (p.is_syn and flow.struck is not None and flow.struck.on not in ("address", "any")):
            if len(self._flows) > 20_000:
                self._flows.clear()
            flow = self._flows[key] = Flow(self._random.random())
        return flow

    def _opaque(self, packet: Packet, outward: bool, now_s: float) -> Verdict:
        far = packet.dst if outward else packet.src
        hit = any(_active(r, now_s) and _at(r, packet, far, 0) and r.do == "drop" and not r.ports and not r.protocol
                  for r in self._by_address)  # fmt: skip
        return Verdict(passes=not hit)

    def _trigger(self, packet: Packet, flow: Flow, now_s: float) -> Rule | None:
        """The rule that this packet sets off, if any."""
        if packet.dport == 53 and packet.payload:
            found = self._query(packet, flow, now_s)
            if found is not None:
                return found
        left = self._residue.get((packet.src, packet.dst, packet.dport))
        if left is not None and now_s < left[0]:
            return left[1]
        for rule in self._by_address:
            if self._applies(rule, packet, flow, now_s):
                return rule
        if packet.payload:
            for rule in self._by_data:
                if self._applies(rule, packet, flow, now_s):
                    return rule
        if packet.protocol == UDP and self._by_initial and flow.initial.feed(packet.payload):
            return next(
                (r for r in self._by_initial if r.named(flow.initial.sni) and self._applies(r, packet, flow, now_s)),
                None,
            )
        if packet.protocol == TCP and packet.payload and self._by_name and flow.seen.feed(packet.payload):
            return next(
                (r for r in self._by_name if _reads(r, flow.seen) and self._applies(r, packet, flow, now_s)), None
            )
        return None

    def _query(self, packet: Packet, flow: Flow, now_s: float) -> Rule | None:
        # Over TCP a length goes before the message (RFC 1035 section 4.2.2).
        asked = question_of(packet.payload[2:] if packet.protocol == TCP else packet.payload)
        if asked is None:
            return None
        name, qtype = asked
        for rule in self._by_query:
            if (
                (rule.protocol == "tcp") is (packet.protocol == TCP)
                and rule.named(name)
                and (not rule.qtypes or qtype in rule.qtypes)
                and self._applies(rule, packet, flow, now_s)
            ):
                return rule
        return None

    def _applies(self, rule: Rule, packet: Packet, flow: Flow, now_s: float) -> bool:
        if rule.clients and packet.src not in rule.clients:
            return False
        if not (_active(rule, now_s) and flow.dice < rule.part and _at(rule, packet, packet.dst, packet.dport)):
            return False
        return not rule.free or self._is_too_many(rule, packet, now_s)

    def _is_too_many(self, rule: Rule, packet: Packet, now_s: float) -> bool:
        """Count a new connection of this client; True when the last minute's share is used up."""
        recent = [at for at in self._recent.get((packet.src, rule), ()) if at > now_s - 60]
        if packet.is_syn and len(recent) < rule.free:
            self._recent[(packet.src, rule)] = [*recent, now_s]
            return False
        return packet.is_syn

    def _strike(self, packet: Packet, flow: Flow, rule: Rule, now_s: float) -> Verdict:
        """Do the deed to the packet that set it off."""
        ends = (packet.src, packet.dst, packet.dport)
        if rule.residual_s and self._residue.get(ends, (0.0, rule))[0] <= now_s:
            self._residue[ends] = (now_s + rule.residual_s, rule)
        if rule.do in _DNS_DEEDS:
            asked = question_of(packet.payload)
            answer = forged_answer(packet.payload, rule, asked[1] if asked else "A")
            return Verdict(passes=rule.also, back=[build_udp_back(packet, answer)])
        flow.struck = rule
        if rule.do in AT_THE_ANSWER:
            return Verdict()
        if rule.do == "divert":
            return Verdict(divert=True)
        return self._end(packet, flow, rule)

    def _end(self, packet: Packet, flow: Flow, rule: Rule) -> Verdict:
        """Deeds that end a connection. The packet itself goes no further, unless it races (`also`)."""
        if rule.do == "drop":
            flow.silenced = True
            return Verdict(passes=False)
        if rule.do == "icmp":
            kind, code = _ADMIN_PROHIBITED[packet.version]
            return Verdict(passes=False, back=[build_icmp(packet, self._address[packet.version], kind, code)])
        if packet.protocol == UDP:
            return self._end_datagrams(packet, rule)
        if packet.protocol != TCP or packet.flags & RST:
            return Verdict(passes=False)
        after = packet.seq + packet.length
        if rule.do in ("reset", "refuse"):
            number = packet.ack if packet.flags & ACK else 0
            back = [build_tcp(packet, True, number, after, RST | ACK)]
        else:
            body = said(rule)
            back = [build_tcp(packet, True, packet.ack, after, PSH | ACK, body)] if body else []
            back.append(build_tcp(packet, True, packet.ack + len(body), after, FIN | ACK))
            flow.silenced = True
        # Where the true packet passes as well, the far end has it already: the reset follows behind it.
        following = packet.seq + (packet.length if rule.also else 0)
        onward = [] if packet.is_syn else [build_tcp(packet, False, following, packet.ack, RST | ACK)]
        return Verdict(passes=rule.also, back=back, on=onward)

    def _end_datagrams(self, packet: Packet, rule: Rule) -> Verdict:
        """Where there is no TCP: a refusal is ICMP's "port unreachable", a reset QUIC's close."""
        if rule.do == "refuse":
            kind, code = _PORT_UNREACHABLE[packet.version]
            return Verdict(passes=False, back=[build_icmp(packet, self._address[packet.version], kind, code)])
        close = forged_close(packet.payload) if rule.do == "reset" else None
        return Verdict(passes=False, back=[build_udp_back(packet, close)] if close else [])

    def _again(self, packet: Packet, flow: Flow, rule: Rule) -> Verdict:
        """A further outward packet of a connection that a rule has in hand."""
        if rule.do in AT_THE_ANSWER:
            return Verdict(passes=not flow.silenced)
        if rule.do == "divert":
            return Verdict(divert=True)
        if flow.silenced or packet.flags & RST:
            return Verdict(passes=False)
        if rule.do in ("reset", "refuse", "icmp") and (packet.payload or packet.is_syn):
            return self._end(packet, flow, rule)
        return Verdict(passes=False)

    def _inward(self, packet: Packet, flow: Flow, now_s: float) -> Verdict:
        """A packet from the far end: what it answers may be cut, slowed, or lost."""
        rule = flow.struck
        if rule is None:
            return self._greeted(packet, flow, now_s) if packet.flags & SYN and self._by_syn_ack else Verdict()
        return at_the_answer(packet, flow, rule, now_s)

    def _greeted(self, packet: Packet, flow: Flow, now_s: float) -> Verdict:
        """The far end says yes to a connection: it opens, and is reset at once."""
        for rule in self._by_syn_ack:
            if _active(rule, now_s) and flow.dice < rule.part and _at(rule, packet, packet.src, packet.sport):
                flow.struck = rule
                return Verdict(on=[reset_of(packet, False, 1)], back=[reset_of(packet, True, 1)])
        return Verdict()


def _active(rule: Rule, now_s: float) -> bool:
    return rule.after_s <= now_s and (not rule.until_s or now_s < rule.until_s)


def _at(rule: Rule, packet: Packet, far: bytes, port: int) -> bool:
    """Address, port, protocol and family are the rule's."""
    if rule.addresses and far not in rule.addresses:
        return False
    if rule.ports and port not in rule.ports:
        return False
    if rule.protocol and packet.protocol != (TCP if rule.protocol == "tcp" else UDP):
        return False
    return not rule.family or packet.version == (4 if rule.family == "ipv4" else 6)


def _reads(rule: Rule, seen: Seen) -> bool:
    """The name or path that was read is the rule's."""
    if rule.on == "sni":
        return rule.named(seen.sni)
    if rule.on == "hello":
        return bool(rule.ciphers) and rule.ciphers == seen.ciphers
    if rule.on == "host":
        return rule.named(seen.host)
    return rule.named(seen.host) and seen.path.startswith(rule.path)
