"""The lab's name servers: the ISP's resolver, with whatever lies the rules give it, and the public ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from probe.app.demo.authority import Reply, Resolver
from tests.lab.atlas import ABROAD, CONTROL, NOTICE_HOST, PORTAL, WARNING, WARNING_HOST
from tests.lab.http3 import RECORD, speaks_h3
from tests.lab.rules import RCODES, Rule

_SOA = "ns.registry.example. hostmaster.registry.example. 2026112401 7200 900 1209600 300"
_TTL = 300

Records = dict[tuple[str, str], tuple[str, ...]]


class LabResolver(Resolver):
    """A resolver of the lab. `lies` are the rules at this resolver; `at_home` says that it is the ISP's, `dns64` that
    it makes up IPv6 addresses for names that have none (RFC 6147). The demo's transports serve it unchanged."""

    def __init__(
        self, sites: Sequence[dict[str, Any]], lies: Sequence[Rule], *, at_home: bool = False, dns64: bool = False
    ) -> None:
        self._lies, self._dns64 = tuple(lies), dns64
        self._records = {False: _records(sites, "here"), True: _records(sites, "there")}
        self._failing = {name: s["site"]["dns"] for s in sites for name in _names(s)}
        # Signatures that do not fit fail at those who check them.
        self._fails = {"servfail", "bogus_here" if at_home else "bogus"}
        self._rotating = {name: s["site"]["rotate"] for s in sites for name in _names(s) if s["site"]["rotate"]}
        self._asked = 0

    def replies(self, wire: bytes, peer: str, *, udp: bool = False) -> tuple[Reply, ...]:
        try:
            query = dns.message.from_wire(wire)
            response = dns.message.make_response(query, recursion_available=True, our_payload=1232)
        except dns.exception.DNSException:
            return ()
        if len(query.question) != 1:
            return ()
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        qtype = dns.rdatatype.to_text(query.question[0].rdtype)
        abroad = peer in (*CONTROL, *ABROAD)
        lie = next((r for r in self._lies if r.named(name) and (not r.qtypes or qtype in r.qtypes)), None)
        if lie is not None and lie.do == "search" and self._knows(name, abroad):
            lie = None
        if lie is not None and lie.do == "drop":
            return ()
        if lie is not None and lie.do != "delay":
            _tell(lie, response, name, qtype)
        else:
            self._truth(response, name, qtype, abroad, bool(query.flags & dns.flags.CD))
        return (Reply(_bounded(response, query, udp), lie.delay_ms / 1000 if lie else 0.0),)

    def _knows(self, name: str, abroad: bool) -> bool:
        return any(known == name for known, _ in self._records[abroad])

    def _truth(self, response: dns.message.Message, name: str, qtype: str, abroad: bool, unchecked: bool) -> None:
        failing = self._failing.get(name, "")
        if failing in self._fails and not (unchecked and failing != "servfail"):
            response.set_rcode(dns.rcode.SERVFAIL)
            if failing != "servfail":
                _explain(response, dns.edns.EDECode.DNSSEC_BOGUS)
            return
        records = self._records[abroad]
        for _ in range(4):
            alias = records.get((name, "CNAME"))
            if not alias or qtype == "CNAME":
                break
            response.answer.append(_rrset(name, "CNAME", alias))
            name = alias[0].rstrip(".")
        found = records.get((name, qtype)) or self._made_up(records, name, qtype)
        if found:
            response.answer.append(_rrset(name, qtype, self._turned(name, found)))
            return
        if not self._knows(name, abroad):
            response.set_rcode(dns.rcode.NXDOMAIN)
        response.authority.append(_rrset("example", "SOA", (_SOA,)))

    def _made_up(self, records: Records, name: str, qtype: str) -> tuple[str, ...]:
        """The IPv6 addresses of the NAT64 for a name that has IPv4 ones alone."""
        if not self._dns64 or qtype != "AAAA":
            return ()
        return tuple(f"64:ff9b::{ip}" for ip in records.get((name, "A"), ()))

    def _turned(self, name: str, found: tuple[str, ...]) -> tuple[str, ...]:
        """The addresses whose turn it is."""
        count = self._rotating.get(name, 0)
        if not count:
            return found
        self._asked += 1
        return tuple(found[(self._asked * count + n) % len(found)] for n in range(min(count, len(found))))


def _names(row: dict[str, Any]) -> tuple[str, ...]:
    name = row["site"]["name"]
    return (name, f"www.{name}") if row["site"]["www"] else (name,)


def _records(sites: Sequence[dict[str, Any]], view: str) -> Records:
    found: Records = {
        (NOTICE_HOST, "A"): PORTAL[:1],
        (WARNING_HOST, "A"): (WARNING,),
        # RFC 7050: how a machine finds out that a NAT64 is there.
        ("ipv4only.arpa", "A"): ("192.0.0.170", "192.0.0.171"),
    }
    for row in sites:
        if row["site"]["dns"] == "nxdomain":
            continue
        v4 = tuple(ip for ip in row[view] if ":" not in ip)
        v6 = tuple(ip for ip in row[view] if ":" in ip)
        for name in _names(row):
            owner, alias = name, row["site"]["cname"]
            if alias and name == row["site"]["name"]:
                middle = f"edge.{alias}"
                found[(name, "CNAME")] = (f"{alias}.",)
                found[(alias, "CNAME")] = (f"{middle}.",)
                owner = middle
            if v4:
                found[(owner, "A")] = v4
            if v6:
                found[(owner, "AAAA")] = v6
            if speaks_h3(row["site"]):
                found[(owner, "HTTPS")] = (RECORD,)
    return found


def _rrset(name: str, rdtype: str, texts: Sequence[str]) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(name + ".", _TTL, "IN", rdtype, list(texts))


def _tell(lie: Rule, response: dns.message.Message, name: str, qtype: str) -> None:
    if lie.do in RCODES:
        response.set_rcode(dns.rcode.Rcode(RCODES[lie.do]))
    elif lie.do in ("forge", "search") and qtype == ("AAAA" if ":" in lie.to else "A"):
        response.answer.append(_rrset(name, qtype, (lie.to,)))
    if lie.ede >= 0:
        _explain(response, dns.edns.EDECode(lie.ede))


def _explain(response: dns.message.Message, code: dns.edns.EDECode) -> None:
    """Say why (RFC 8914)."""
    response.use_edns(0, payload=1232, options=[dns.edns.EDEOption(code)])


def _bounded(response: dns.message.Message, query: dns.message.Message, udp: bool) -> bytes:
    try:
        return response.to_wire(max_size=max(512, query.payload) if udp else 65535)
    except dns.exception.TooBig:
        short = dns.message.make_response(query, recursion_available=True)
        short.flags |= dns.flags.TC
        return short.to_wire()
