"""The lab's name servers: the ISP's resolver, with whatever lies the rules give it, and the public ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dns.edns
import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from probe.app.demo.authority import Reply, Resolver
from tests.lab.atlas import CONTROL, NOTICE_HOST, PORTAL
from tests.lab.rules import RCODES, Rule

_SOA = "ns.registry.example. hostmaster.registry.example. 2026112401 7200 900 1209600 300"
_TTL = 300


class LabResolver(Resolver):
    """A resolver of the lab. `lies` are the rules at this resolver; the demo's transports serve it unchanged."""

    def __init__(self, sites: Sequence[dict[str, Any]], lies: Sequence[Rule]) -> None:
        self._lies = tuple(lies)
        self._records = {False: _records(sites, "here"), True: _records(sites, "there")}
        self._failing = {name: s["site"]["dns"] for s in sites for name in _names(s) if s["site"]["dns"]}

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
        lie = next((r for r in self._lies if r.named(name) and (not r.qtypes or qtype in r.qtypes)), None)
        if lie is not None and lie.do == "drop":
            return ()
        if lie is not None:
            _tell(lie, response, name, qtype)
        else:
            self._truth(response, name, qtype, peer in CONTROL)
        return (Reply(_bounded(response, query, udp)),)

    def _truth(self, response: dns.message.Message, name: str, qtype: str, abroad: bool) -> None:
        if self._failing.get(name) == "servfail":
            response.set_rcode(dns.rcode.SERVFAIL)
            return
        records = self._records[abroad]
        for _ in range(4):
            alias = records.get((name, "CNAME"))
            if not alias or qtype == "CNAME":
                break
            response.answer.append(_rrset(name, "CNAME", alias))
            name = alias[0].rstrip(".")
        if found := records.get((name, qtype)):
            response.answer.append(_rrset(name, qtype, found))
            return
        if not any(known == name for known, _ in records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        response.authority.append(_rrset("example", "SOA", (_SOA,)))


def _names(row: dict[str, Any]) -> tuple[str, ...]:
    name = row["site"]["name"]
    return (name, f"www.{name}") if row["site"]["www"] else (name,)


def _records(sites: Sequence[dict[str, Any]], view: str) -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], tuple[str, ...]] = {(NOTICE_HOST, "A"): PORTAL[:1]}
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
    return found


def _rrset(name: str, rdtype: str, texts: Sequence[str]) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(name + ".", _TTL, "IN", rdtype, list(texts))


def _tell(lie: Rule, response: dns.message.Message, name: str, qtype: str) -> None:
    if lie.do in RCODES:
        response.set_rcode(dns.rcode.Rcode(RCODES[lie.do]))
    elif lie.do == "forge" and qtype == ("AAAA" if ":" in lie.to else "A"):
        response.answer.append(_rrset(name, qtype, (lie.to,)))
    if lie.ede >= 0:
        response.use_edns(0, payload=1232, options=[dns.edns.EDEOption(dns.edns.EDECode(lie.ede))])


def _bounded(response: dns.message.Message, query: dns.message.Message, udp: bool) -> bytes:
    try:
        return response.to_wire(max_size=max(512, query.payload) if udp else 65535)
    except dns.exception.TooBig:
        short = dns.message.make_response(query, recursion_available=True)
        short.flags |= dns.flags.TC
        return short.to_wire()
