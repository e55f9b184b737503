"""Lookups over a scripted net."""

from __future__ import annotations

import ipaddress

import dns.flags
import dns.message
import dns.rrset
import pytest

from probe.model.kinds import DnsLookup, Icmp, Skipped
from probe.model.step import Lookup
from probe.net.base import Datagram, Echoes, Failure
from probe.net.fakenet import SILENCE, FakeNet, Hello, Peer
from probe.net.hops import NO_RIGHTS
from probe.perform import perform_lookup
from probe.perform.world import Policy
from probe.wire.dns import frame
from tests.unit.perform.kit import ANYWHERE, Facts, Verdict, world_of

RESOLVER = ("192.0.2.53", 53)


def reply(question: bytes, *addresses: str, tc: bool = False) -> bytes:
    query = dns.message.from_wire(question)
    response = dns.message.make_response(query)
    for address in addresses:
        response.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", query.question[0].rdtype, address))
    if tc:
        response.flags |= dns.flags.TC
    return response.to_wire()


def unframed(data: bytes) -> bytes:
    return data[2 : 2 + int.from_bytes(data[:2], "big")]


def in_two(sent: bytes) -> tuple[bytes, ...]:
    answer = frame(reply(unframed(sent), "192.0.2.1"))
    return answer[:1], answer[1:]


async def look(
    net: FakeNet,
    resolver: str = "udp://192.0.2.53",
    qtype: str = "A",
    trust: Verdict | None = None,
    local_resolvers: tuple[str, ...] = (),
    ttl: int = 0,
    policy: Policy = ANYWHERE,
) -> Facts:
    facts = Facts()
    world = world_of(net, trust, local_resolvers=local_resolvers, policy=policy)
    await perform_lookup(Lookup("example.org", qtype, resolver, parent=9, ttl=ttl), world, facts)
    return facts


async def test_every_answer_is_a_fact() -> None:
    net = FakeNet()
    net.resolvers[RESOLVER] = lambda q: (
        reply(q, "192.0.2.66"),
        Datagram(reply(q, "192.0.2.1"), RESOLVER, 30_000, True),
    )
    facts = await look(net)
    (first, forged), (second, true) = facts.of(DnsLookup)
    assert [r.data for r in forged.answers + true.answers] == ["192.0.2.66", "192.0.2.1"]
    assert (forged.query, forged.nth) == (true.query, true.nth - 1) == (0x1234, 0)
    assert (forged.kernel_us, true.kernel_us, second.took_us) == (None, 30_000, 30_000)
    assert first.failure is None and first.parent == 9 and (first.ip, first.port) == RESOLVER
    assert facts.blobs[true.message or ""].media == "application/dns-message"


async def test_strangers_and_strays_are_marked() -> None:
    net = FakeNet()
    net.resolvers[RESOLVER] = lambda q: (
        Datagram(reply(q, "192.0.2.66"), ("192.0.2.54", 53), 1, False),
        b"\x00\x00" + reply(q, "192.0.2.67")[2:],
        b"\x12\x34junk",
    )
    facts = await look(net)
    details = [detail for _, detail in facts.of(DnsLookup)]
    assert [(d.source_ok, d.id_ok) for d in details] == [(False, True), (True, False), (True, True)]
    assert details[2].raw == "malformed: ShortHeader"


async def test_silence() -> None:
    draft, detail = (await look(FakeNet())).one(DnsLookup)
    assert (draft.failure, detail.raw, detail.rcode) == ("generic_timeout_error", "deadline", None)


@pytest.mark.parametrize("resolver", ["tcp://192.0.2.53", "udp://192.0.2.53"])
async def test_tcp_and_fallback_to_it(resolver: str) -> None:
    net = FakeNet()
    net.resolvers[RESOLVER] = lambda q: (reply(q, tc=True),)
    net.peers[RESOLVER] = Peer(says=in_two)
    facts = await look(net, resolver)
    draft, detail = facts.of(DnsLookup)[-1]
    assert detail.engine == "tcp" and detail.answers[0].data == "192.0.2.1"
    if resolver.startswith("udp"):
        assert len(facts.drafts) == 2
        assert (draft.parent, detail.nth, detail.query) == (0, 1, 0x1234)
        assert draft.at_us > facts.drafts[0].at_us


@pytest.mark.parametrize(
    "says,word",
    [((Failure("connection_reset", "ECONNRESET"),), "connection_reset"), ((b"\x00",), "eof_error"), ((), "eof_error")],
)
async def test_tcp_ends(says: tuple[bytes | Failure, ...], word: str) -> None:
    net = FakeNet()
    net.peers[RESOLVER] = Peer(says=says)
    draft, _ = (await look(net, "tcp://192.0.2.53")).one(DnsLookup)
    assert draft.failure == word
    assert net.streams[0].closed


async def test_tcp_silence(autojump_clock: object) -> None:
    net = FakeNet()
    net.peers[RESOLVER] = Peer(says=(SILENCE,))
    draft, _ = (await look(net, "tcp://192.0.2.53")).one(DnsLookup)
    assert draft.failure == "generic_timeout_error"


@pytest.mark.parametrize("reason,note", [("ok", "verified"), ("wrong_name", "unverified:wrong_name")])
async def test_dot(reason: str, note: str) -> None:
    net = FakeNet()
    hello = Hello(chain=(b"leaf",), says=lambda sent: (frame(reply(unframed(sent), "192.0.2.1")),))
    net.peers["192.0.2.53", 853] = Peer(tls={"dns.example": hello})
    facts = await look(net, "tls://192.0.2.53?name=dns.example", trust=Verdict(reason))
    draft, detail = facts.one(DnsLookup)
    assert (detail.note, detail.engine, draft.failure, draft.port) == (note, "tls", None, 853)
    assert detail.resolver == "tls://192.0.2.53?name=dns.example"


async def test_dot_handshake_fails() -> None:
    net = FakeNet()
    net.peers["192.0.2.53", 853] = Peer(tls={"*": Hello(failure=Failure("connection_reset", "ECONNRESET"))})
    draft, detail = (await look(net, "tls://192.0.2.53?name=dns.example")).one(DnsLookup)
    assert (draft.failure, detail.note) == ("connection_reset", "handshake")


@pytest.mark.parametrize("status,word", [(200, None), (503, "http_request_failed")])
async def test_doh_over_http1(status: int, word: str | None) -> None:
    def says(sent: bytes) -> tuple[bytes, ...]:
        head, _, body = sent.partition(b"\r\n\r\n")
        if not body:
            return ()
        assert head.startswith(b"POST /dns-query?x=1 HTTP/1.1\r\nHost: dns.example\r\n")
        assert body[:2] == b"\0\0"
        answer = reply(body, "192.0.2.1")
        said = f"HTTP/1.1 {status} OK\r\nContent-Type: application/dns-message\r\nContent-Length: {len(answer)}"
        return said.encode(), b"\r\n\r\n", answer

    net = FakeNet()
    net.peers["192.0.2.53", 443] = Peer(tls={"dns.example": Hello(chain=(b"leaf",), alpn="http/1.1", says=says)})
    draft, detail = (await look(net, "https://192.0.2.53/dns-query?name=dns.example&x=1")).one(DnsLookup)
    assert (draft.failure, detail.note, detail.id_ok) == (word, "verified", word is None or detail.id_ok)


async def test_system() -> None:
    net = FakeNet()
    net.names["example.org", False] = ("192.0.2.1", "192.0.2.2")
    net.names["example.org", True] = Failure("dns_nxdomain_error", "EAI_NONAME")
    _, detail = (await look(net, "system")).one(DnsLookup)
    assert [r.data for r in detail.answers] == ["192.0.2.1", "192.0.2.2"] and detail.engine == "getaddrinfo"
    draft, detail = (await look(net, "system", "AAAA")).one(DnsLookup)
    assert (draft.failure, detail.raw) == ("dns_nxdomain_error", "EAI_NONAME")


async def test_the_networks_own_resolver_keeps_its_address_to_itself() -> None:
    net = FakeNet()
    net.resolvers["192.0.2.1", 53] = lambda q: (reply(q, "192.0.2.9"),)
    facts = await look(net, "network:1", local_resolvers=("udp://192.0.2.3", "udp://192.0.2.1"))
    draft, detail = facts.one(DnsLookup)
    assert (detail.resolver, draft.ip, draft.port, draft.failure) == ("network:1", None, None, None)
    assert "192.0.2.1'" not in repr(draft)


@pytest.mark.parametrize(
    "resolver,qtype",
    [
        ("system", "HTTPS"),
        ("network", "A"),
        ("quic://192.0.2.1", "A"),
        ("udp://name.example", "A"),
        ("udp://[::1", "A"),
        ("udp://192.0.2.1", "?"),
    ],
)
async def test_questions_that_cannot_be_put(resolver: str, qtype: str) -> None:
    draft, detail = (await look(FakeNet(), resolver, qtype)).one(Skipped)
    assert (draft.failure, detail.step, detail.because) == ("skipped", "lookup", "not_supported")


async def test_an_answer_is_told_of_before_the_window_closes() -> None:
    """Whoever waits for the first answer need not wait for a second one."""
    facts = Facts()

    class Watching(FakeNet):
        async def ask_udp(self, *args: object, **more: object) -> Echoes:
            echoes = await super().ask_udp(*args, **more)  # type: ignore[arg-type]
            assert len(facts.of(DnsLookup)) == 1
            return echoes

    net = Watching()
    net.resolvers[RESOLVER] = lambda q: (reply(q, "192.0.2.1"),)
    await perform_lookup(Lookup("example.org", "A", "udp://192.0.2.53"), world_of(net), facts)
    assert len(facts.drafts) == 1


async def test_a_question_where_no_resolver_is() -> None:
    net = FakeNet()
    net.resolvers[RESOLVER] = lambda q: (reply(q, "192.0.2.66"),)
    draft, detail = (await look(net, "nobody://192.0.2.53")).one(DnsLookup)
    assert (detail.resolver, draft.ip, draft.port, detail.engine) == ("nobody://192.0.2.53", *RESOLVER, "udp")


async def test_a_question_never_goes_astray_to_a_special_address() -> None:
    policy = Policy(((ipaddress.ip_network("192.0.2.0/24"), "Documentation"),))
    draft, detail = (await look(FakeNet(), "nobody://192.0.2.53", policy=policy)).one(Skipped)
    assert (detail.because, detail.note) == ("special_address", "192.0.2.0/24 Documentation")
    assert (await look(FakeNet(), "udp://192.0.2.53", policy=policy)).one(DnsLookup)


async def test_the_router_at_which_a_question_dies_stays_unnamed() -> None:
    class Dying(FakeNet):
        async def ask_udp(self, *args: object, **more: object) -> Echoes:
            return Echoes((), Failure("host_unreachable", "EHOSTUNREACH"), 0, 5, 1, Icmp(11, 0, "198.51.100.7"))

    facts = await look(Dying(), "nobody://192.0.2.53", ttl=2)
    draft, detail = facts.one(DnsLookup)
    assert (draft.failure, detail.ttl, detail.icmp) == ("host_unreachable", 2, Icmp(11, 0, ""))
    assert "198.51.100.7" not in repr(facts.drafts)


async def test_a_hop_limit_that_the_system_refuses() -> None:
    net = FakeNet()
    net.unlimited = NO_RIGHTS
    draft, detail = (await look(net, "nobody://192.0.2.53", ttl=2)).one(Skipped)
    assert (draft.failure, detail.step) == ("skipped", "lookup")
    assert (detail.because, detail.note) == ("no_rights", "hop limit 2")
