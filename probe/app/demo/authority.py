"""The name servers of the demo: an ISP's resolver that lies, a public one, and one abroad that the control asks.

All three know the same zone. The ISP's adds its lies; on the way to the first two the path injects forged answers ahead
of the true ones, into plain UDP only. TCP, DNS over TLS (RFC 7858) and over HTTPS (RFC 8484) come through clean.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import trio

from probe.app.demo.censor import Censor
from probe.app.demo.sites import BLOCK_PORTAL, IPV6, PORTAL_NAME, Deed, Site
from probe.app.demo.webserver import IDLE_S, Request, Response

_TTL = 300
# How far the true answer trails the forged one: well inside the 50 ms for which a probe at least listens on.
_TRAILING_S = 0.015
_SOA = "ns.registry.test. hostmaster.registry.test. 2026112401 7200 900 1209600 300"
_MESSAGE = "application/dns-message"

View = Literal["isp", "public", "abroad"]
Records = dict[tuple[str, str], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Reply:
    """One message to send back, and after how long."""

    wire: bytes
    after_s: float = 0.0


class Zone:
    """The truth, by (name, type); content networks tell visitors from here and from abroad different truths."""

    def __init__(self, sites: Iterable[Site], *, ipv6: bool) -> None:
        self._here: Records = {(PORTAL_NAME, "A"): (BLOCK_PORTAL,)}
        self._abroad: Records = dict(self._here)
        for site in sites:
            self._here.update(_records(site, site.address, ipv6))
            self._abroad.update(_records(site, site.abroad or site.address, ipv6))
        self._names = {name for name, _ in self._here}

    def fill(self, response: dns.message.Message, name: str, qtype: str, *, abroad: bool) -> None:
        """Put the true answer into `response`: records, NODATA or NXDOMAIN, the last two with their SOA."""
        records = self._abroad if abroad else self._here
        alias = records.get((name, "CNAME"))
        if alias and qtype != "CNAME":
            response.answer.append(_rrset(name, "CNAME", alias))
            name = alias[0].rstrip(".")
        found = records.get((name, qtype))
        if found:
            response.answer.append(_rrset(name, qtype, found))
        else:
            if name not in self._names:
                response.set_rcode(dns.rcode.NXDOMAIN)
            response.authority.append(_rrset(self._apex(name), "SOA", (_SOA,)))

    def _apex(self, name: str) -> str:
        labels = name.split(".")
        return next((held for i in range(1, len(labels)) if (held := ".".join(labels[i:])) in self._names), labels[-1])


def _records(site: Site, address: str, ipv6: bool) -> Records:
    records: Records = {}
    for name in site.names:
        records[(name, "A")] = (address,)
        if site.ipv6 and ipv6:
            records[(name, "AAAA")] = (IPV6,)
        if "h2" in site.alpn:
            records[(name, "HTTPS")] = ('1 . alpn="h2,http/1.1"',)
    if site.cname:
        del records[(site.name, "A")]
        records[(site.name, "CNAME")] = (site.cname + ".",)
        records[(site.cname, "A")] = (address,)
        records.pop((site.name, "HTTPS"), None)
    return records


def _rrset(name: str, rdtype: str, texts: Iterable[str]) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(dns.name.from_text(name), _TTL, "IN", rdtype, list(texts))


class Resolver:
    """A recursive resolver as its visitors see it. `view` says which of the three it is."""

    def __init__(self, view: View, zone: Zone, censor: Censor) -> None:
        self._view, self._zone, self._censor = view, zone, censor

    def replies(self, wire: bytes, peer: str, *, udp: bool = False) -> tuple[Reply, ...]:
        """Everything that comes back to one query: nothing to nonsense, two answers where the path injects one."""
        try:
            query = dns.message.from_wire(wire)
            response = dns.message.make_response(query, recursion_available=True, our_payload=1232)
        except dns.exception.DNSException:
            return ()
        if len(query.question) != 1:
            response.set_rcode(dns.rcode.FORMERR)
            return (Reply(response.to_wire()),)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        qtype = dns.rdatatype.to_text(question.rdtype)
        self._answer(response, name, qtype)
        true = _bounded(response, query, udp=udp)
        forged = self._censor.at_query(name, peer) if udp and qtype == "A" and self._view != "abroad" else None
        if forged is None:
            return (Reply(true),)
        return (Reply(_forgery(query, name, forged)), Reply(true, _TRAILING_S))

    def _answer(self, response: dns.message.Message, name: str, qtype: str) -> None:
        lie = self._censor.of_resolver(name) if self._view == "isp" else None
        if lie is None:
            self._zone.fill(response, name, qtype, abroad=self._view == "abroad")
        else:
            _tell(lie, response, name, qtype)

    def doh(self, request: Request) -> Response:
        """The same over HTTP: POST with the message as body, or GET with it in `dns=`."""
        split = urlsplit(request.path)
        if split.path != "/dns-query":
            return Response(404, b"no such page\n", (("content-type", "text/plain"),))
        wire = request.body if request.method == "POST" else _from_query(split.query)
        replies = self.replies(wire, request.peer)
        if not replies:
            return Response(400, b"not a query\n", (("content-type", "text/plain"),))
        return Response(200, replies[0].wire, (("content-type", _MESSAGE), ("cache-control", f"max-age={_TTL}")))


def _tell(lie: Deed, response: dns.message.Message, name: str, qtype: str) -> None:
    """Write the ISP's lie into `response`. Like the real ones it brings no SOA with a forged NXDOMAIN."""
    if lie.act == "nxdomain":
        response.set_rcode(dns.rcode.NXDOMAIN)
    elif lie.act == "refuse":
        response.set_rcode(dns.rcode.REFUSED)
        # Code 16, Censored (RFC 8914 section 4.17): the operator was made to.
        censored = dns.edns.EDEOption(dns.edns.EDECode.CENSORED, "by order of the demo")
        response.use_edns(0, payload=1232, options=[censored])
    elif qtype == "A":
        response.answer.append(_rrset(name, "A", (lie.to,)))


def _forgery(query: dns.message.Message, name: str, address: str) -> bytes:
    """What the path injects: an answer without EDNS, as injectors that copy only the question make it."""
    forged = dns.message.make_response(query, recursion_available=True)
    forged.use_edns(False)
    forged.answer.append(_rrset(name, "A", (address,)))
    return forged.to_wire()


def _bounded(response: dns.message.Message, query: dns.message.Message, *, udp: bool) -> bytes:
    """The message's bytes; over UDP an answer too big for the asker becomes an empty one with TC set."""
    limit = max(512, query.payload) if udp else 65535
    try:
        return response.to_wire(max_size=limit)
    except dns.exception.TooBig:
        short = dns.message.make_response(query, recursion_available=True)
        short.flags |= dns.flags.TC
        return short.to_wire()


def _from_query(query: str) -> bytes:
    text = parse_qs(query).get("dns", [""])[0]
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""


async def serve_udp(sock: trio.socket.SocketType, resolver: Resolver) -> None:
    """Answer datagrams for ever."""
    async with trio.open_nursery() as nursery:
        while True:
            try:
                wire, peer = await sock.recvfrom(65535)
            except ConnectionResetError:  # Windows reports an earlier answer's ICMP error here
                continue
            for reply in resolver.replies(wire, peer[0], udp=True):
                nursery.start_soon(_send_later, sock, reply, peer)


async def _send_later(sock: trio.socket.SocketType, reply: Reply, peer: tuple[str, int]) -> None:
    await trio.sleep(reply.after_s)
    try:
        await sock.sendto(reply.wire, peer)
    except OSError:
        return  # the asker has gone; its own timeout tells it


async def serve_framed(stream: trio.abc.Stream, peer: str, resolver: Resolver) -> None:
    """Answer length-prefixed queries (RFC 1035 section 4.2.2) until the peer leaves; plain TCP and TLS alike."""
    while head := await _exactly(stream, 2):
        wire = await _exactly(stream, int.from_bytes(head, "big"))
        for reply in resolver.replies(wire, peer):
            await stream.send_all(len(reply.wire).to_bytes(2, "big") + reply.wire)


async def _exactly(stream: trio.abc.Stream, count: int) -> bytes:
    held = b""
    with trio.fail_after(IDLE_S):
        while len(held) < count:
            data = await stream.receive_some(count - len(held))
            if not data:
                return b""
            held += data
    return held
