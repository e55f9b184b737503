"""Walks over a scripted net: which facts, in which order, from which parents, and what is told to whom."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

import pytest
import trio

from probe.inputs.deny import DenyList
from probe.model.kinds import HttpFetch, Skipped, TcpConnect, TlsHandshake, TlsVerify
from probe.model.step import Fetch, Lookup, Walk
from probe.net.base import Failure
from probe.net.fakenet import SILENCE, FakeNet, Hello, Peer, Says
from probe.net.hops import NOT_SUPPORTED
from probe.perform import PERFORMERS, perform_walk
from probe.perform.world import Limits, Policy
from tests.unit.perform.kit import ANYWHERE, QUICK, Facts, Verdict, world_of

RESET = Failure("connection_reset", "ECONNRESET")
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 26\r\n\r\n<title>hello</title><p>abc"
URL = "https://example.org/secret?q=1"


async def walk(
    net: FakeNet, step: Walk, trust: Verdict | None = None, limits: Limits = QUICK, policy: Policy = ANYWHERE
) -> Facts:
    facts = Facts()
    await PERFORMERS[Walk](step, world_of(net, trust, limits, policy), facts)
    assert all(stream.closed for stream in net.streams)
    return facts


def secure(says: Says = (PAGE,), failure: Failure | None = None, ended: str | None = None) -> FakeNet:
    net = FakeNet()
    chain = () if failure else (b"leaf", b"issuer")
    hello = Hello(failure=failure, chain=chain, says=says, alpn="http/1.1", ended=ended)
    net.peers["192.0.2.1", 443] = Peer(tls={"example.org": hello})
    return net


STEP = Walk("example.org", "192.0.2.1", 443, "example.org", Fetch(URL, (("a", "1"),)), why="because", parent=7)


async def test_the_whole_way() -> None:
    facts = await walk(secure(), STEP)
    kinds = [draft.kind for draft in facts.drafts]
    assert kinds == ["tcp.connect", "tls.handshake", "tls.verify", "http.fetch"]
    assert [draft.parent for draft in facts.drafts] == [7, 0, 1, 1]
    assert {draft.why for draft in facts.drafts} == {"because"}
    _, handshake = facts.one(TlsHandshake)
    assert [facts.blobs[sha].data for sha in handshake.chain] == [b"leaf", b"issuer"]
    draft, fetch = facts.one(HttpFetch)
    assert (draft.failure, fetch.status, fetch.url, fetch.wire_bytes) == (None, 200, URL, 26)
    assert fetch.features and fetch.features.title == "hello"
    assert ("Cookie", "a=1") in fetch.request_headers


@pytest.mark.parametrize(
    "reason,word",
    [
        ("wrong_name", "ssl_invalid_hostname"),
        ("self_signed", "ssl_unknown_authority"),
        ("incomplete", "ssl_unknown_authority"),
        ("expired", "ssl_invalid_certificate"),
    ],
)
async def test_who_cannot_prove_its_name_learns_nothing(reason: str, word: str) -> None:
    net = secure()
    facts = await walk(net, STEP, Verdict(reason))
    draft, verify = facts.one(TlsVerify)
    assert (draft.failure, verify.reason, verify.name) == (word, reason, "example.org")
    _, fetch = facts.one(HttpFetch)
    assert fetch.url == "https://example.org/"
    assert net.streams[-1].sent.startswith(b"GET / HTTP/1.1\r\nHost: example.org\r\n")
    assert b"secret" not in net.streams[-1].sent and b"Cookie" not in net.streams[-1].sent


async def test_handshake_fails() -> None:
    net = secure(failure=RESET, ended="rst")
    facts = await walk(net, STEP)
    draft, detail = facts.one(TlsHandshake)
    assert len(facts.drafts) == 2 and draft.failure == "connection_reset"
    assert (detail.ended, detail.raw) == ("rst", "ECONNRESET")


async def test_connect_fails() -> None:
    net = FakeNet()
    net.peers["192.0.2.1", 443] = Peer(connect=Failure("connection_refused", "ECONNREFUSED"))
    draft, detail = (await walk(net, STEP)).one(TcpConnect)
    assert (draft.failure, detail.raw, draft.parent) == ("connection_refused", "ECONNREFUSED", 7)


@pytest.mark.parametrize(
    "ip,port,because,note",
    [("127.0.0.1", 443, "special_address", "127.0.0.0/8 Loopback"), ("192.0.2.1", 25, "port", "25")],
)
async def test_not_dialled(ip: str, port: int, because: str, note: str) -> None:
    net = FakeNet()
    policy = Policy(((ipaddress.ip_network("127.0.0.0/8"), "Loopback"),))
    draft, detail = (await walk(net, Walk("example.org", ip, port), policy=policy)).one(Skipped)
    assert (draft.failure, detail.step, detail.because, detail.note) == ("skipped", "walk", because, note)
    assert net.asked == []


async def test_no_name_is_sent_where_there_is_none() -> None:
    net = FakeNet()
    net.peers["192.0.2.1", 443] = Peer(tls={"*": Hello(chain=(b"leaf",))})
    facts = await walk(net, Walk("192.0.2.1", "192.0.2.1", 443, ""))
    assert ("shake", None, ("h2", "http/1.1"), None) in net.asked
    assert facts.one(TlsHandshake)[1].sni is None and facts.one(TlsVerify)[1].name == "192.0.2.1"


def plain(says: Says) -> FakeNet:
    net = FakeNet()
    net.peers["192.0.2.1", 80] = Peer(says=says)
    return net


PLAIN = Walk("example.org", "192.0.2.1", 80, None, Fetch("http://example.org/"))
HEAD = b"HTTP/1.1 200 OK\r\n"
MOVED = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"


async def test_in_the_clear() -> None:
    facts = await walk(plain((PAGE,)), PLAIN)
    assert [draft.kind for draft in facts.drafts] == ["tcp.connect", "http.fetch"]
    draft, fetch = facts.one(HttpFetch)
    assert (draft.parent, fetch.status, fetch.ended, fetch.truncated) == (0, 200, None, None)


@pytest.mark.parametrize(
    "says,word,truncated,status",
    [
        ((), "eof_error", None, None),
        ((RESET,), "connection_reset", None, None),
        ((HEAD, b"Content-Length: 9\r\n\r\nabc"), "eof_error", "cut", 200),
        ((HEAD, b"Content-Length: 9\r\n\r\nabc", RESET), "connection_reset", "cut", 200),
        ((HEAD, b"Content-Length: 9\r\n\r\nabc", SILENCE), "generic_timeout_error", "stall", 200),
        ((SILENCE,), "generic_timeout_error", None, None),
        ((HEAD + b"Server: x",), "eof_error", "cut", 200),
        ((HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",), "http_request_failed", "cut", 200),
        ((b"<html>no http</html>",), "http_request_failed", None, None),
        ((b"<html>no http</html>", SILENCE), "generic_timeout_error", "stall", None),
        ((b"HTTP/1.1 000 x\r\nServer : y\r\n\r\nbody",), "http_request_failed", None, 0),
        ((HEAD + b"X: " + b"y" * 10_000_000,), "http_body_too_large", "cap", 200),
        ((b"HTTP/1.1 100 Continue\r\n\r\n" * 30_000,), "http_body_too_large", "cap", 100),
        ((b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + PAGE,), None, None, 200),
        ((b"HTTP/1.1 204 No Content\r\n\r\n",), None, None, 204),
        ((b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",), None, None, 304),
        ((b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",), "http_request_failed", None, 101),
        ((MOVED + b"Location: intent://x\r\n\r\n",), "http_invalid_redirect", None, 302),
        ((HEAD + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",), "http_request_failed", None, 200),
    ],
)  # fmt: skip
async def test_bad_servers(
    says: Says, word: str | None, truncated: str | None, status: int | None, autojump_clock: object
) -> None:
    draft, fetch = (await walk(plain(says), PLAIN)).one(HttpFetch)
    assert (draft.failure, fetch.truncated, fetch.status) == (word, truncated, status)
    assert (fetch.raw is None) == (word is None)


async def test_nonsense_is_kept_as_evidence() -> None:
    facts = await walk(plain((b"<html><title>Blocked</title>",)), PLAIN)
    _, fetch = facts.one(HttpFetch)
    assert fetch.lenient and fetch.features and fetch.features.title == "Blocked"
    assert facts.blobs[fetch.body or ""].data == b"<html><title>Blocked</title>"


async def test_cap_and_timeline() -> None:
    limits = Limits(body_cap=10_000, stored_cap=4_000)
    says: Says = (HEAD + b"Content-Type: text/html\r\n\r\n", *([b"x" * 50] * 1_000))
    facts = await walk(plain(says), PLAIN, limits=limits)
    draft, fetch = facts.one(HttpFetch)
    assert (draft.failure, fetch.truncated, fetch.wire_bytes) == (None, "cap", 10_000)
    assert len(facts.blobs[fetch.body or ""].data) == 4_000
    assert len(fetch.timeline) == 64 and fetch.timeline[-1][1] == 10_000


async def test_a_body_of_just_the_cap_is_whole() -> None:
    says = (HEAD + b"Content-Length: 100\r\n\r\n", b"x" * 100)
    _, fetch = (await walk(plain(says), PLAIN, limits=Limits(body_cap=100))).one(HttpFetch)
    assert fetch.truncated is None and fetch.wire_bytes == 100


async def test_redirect_with_cookie() -> None:
    answer = b"HTTP/1.1 302 Found\r\nSet-Cookie: a=1\r\nLOCATION: /next page\r\nContent-Length: 0\r\n\r\n"
    _, fetch = (await walk(plain((answer,)), PLAIN)).one(HttpFetch)
    assert fetch.location == "http://example.org/next%20page"
    assert [name for name, _ in fetch.headers] == ["Set-Cookie", "LOCATION", "Content-Length"]


async def test_a_cancelled_fetch_is_still_a_fact() -> None:
    facts = Facts()
    net = plain((HEAD + b"Content-Length: 9\r\n\r\nabc", SILENCE))
    with trio.move_on_after(0.05):
        await perform_walk(PLAIN, world_of(net), facts)
    draft, fetch = facts.one(HttpFetch)
    assert (draft.failure, fetch.status, fetch.wire_bytes) == ("interrupted", 200, 3)
    assert net.streams[0].closed


NEAR = Walk("example.org", "192.0.2.1", 443, "example.org", ttl=3)


async def test_a_hello_that_is_to_die_on_the_way() -> None:
    net = FakeNet()
    cut = Hello(failure=RESET, ended="rst", hops=3, answer_us=900)
    net.peers["192.0.2.1", 443] = Peer(tls={"example.org": cut}, hops=9)
    _, met = (await walk(net, NEAR)).one(TlsHandshake)
    assert (met.ttl, met.ended, met.answer_us) == (3, "rst", 900)
    _, met = (await walk(net, replace(NEAR, ttl=2))).one(TlsHandshake)
    assert (met.ttl, met.ended, met.answer_us) == (2, "silence", None)
    # The connect took 10 ms, so that what a hello sets off is here long before the usual patience ends.
    assert net.clock.mono_us() < 2_000_000
    assert net.asked.index(("limit", 3)) > net.asked.index(("dial", "192.0.2.1", 443))


@pytest.mark.parametrize("says,status", [((SILENCE,), None), ((PAGE,), 200)])
async def test_a_request_in_the_clear_that_is_to_die_on_the_way(
    says: Says, status: int | None, autojump_clock: trio.testing.MockClock
) -> None:
    net = FakeNet()
    net.peers["192.0.2.1", 80] = Peer(says=says)
    step, began = Walk("example.org", "192.0.2.1", 80, None, Fetch("http://example.org/"), ttl=3), trio.current_time()
    draft, met = (await walk(net, step, limits=Limits())).one(HttpFetch)
    assert (met.ttl, met.status) == (3, status)
    assert draft.failure == (None if status else "generic_timeout_error")
    assert net.asked.index(("limit", 3)) > net.asked.index(("dial", "192.0.2.1", 80))
    assert trio.current_time() - began < Limits().stall_s / 2


async def test_no_hello_without_its_hop_limit() -> None:
    net = secure()
    net.unlimited = NOT_SUPPORTED
    facts = await walk(net, NEAR)
    draft, detail = facts.one(Skipped)
    assert (draft.failure, draft.parent, detail.because, detail.note) == ("skipped", 0, "not_supported", "hop limit 3")
    assert not facts.of(TlsHandshake)


@pytest.mark.parametrize("reason,asked", [("unknown_authority", True), ("self_signed", True), ("expired", False)])
async def test_where_no_authority_is_known_this_machines_own_store_is_asked(reason: str, asked: bool) -> None:
    facts, own = Facts(), Verdict("ok", "1" * 64)
    world = replace(world_of(secure(), Verdict(reason)), system_trust=own)
    await perform_walk(STEP, world, facts)
    said = [(detail.whose, detail.store, detail.reason) for _, detail in facts.of(TlsVerify)]
    assert said == [("", "0" * 64, reason), ("system", own.digest, "ok")][: 2 if asked else 1]
    # A second opinion proves nothing: the unproven path still gets no cookie and no query.
    _, fetch = facts.one(HttpFetch)
    assert fetch.url == "https://example.org/"


async def test_the_same_store_is_not_asked_twice() -> None:
    facts = Facts()
    world = replace(world_of(secure(), Verdict("self_signed")), system_trust=Verdict("ok"))
    await perform_walk(STEP, world, facts)
    assert len(facts.of(TlsVerify)) == 1


async def test_the_kind_of_hello_goes_to_the_net_and_into_the_fact() -> None:
    net = secure()
    facts = await walk(net, Walk("example.org", "192.0.2.1", 443, "example.org", profile="plain"))
    _, detail = facts.one(TlsHandshake)
    assert ("shake", "example.org", ("h2", "http/1.1"), None, "plain") in net.asked and detail.profile == "plain"


async def test_a_hello_that_cannot_be_sent_here_dials_nobody() -> None:
    net = secure()
    facts = await walk(net, Walk("example.org", "192.0.2.1", 443, "example.org", profile="browser"))
    draft, detail = facts.one(Skipped)
    assert (draft.failure, detail.step, detail.because, net.asked) == ("skipped", "browser", "not_supported", [])


def test_a_helpers_door_is_a_port_at_one_address_only() -> None:
    nets = ((ipaddress.ip_network("10.0.0.0/8"), "Private-Use"),)
    policy = Policy(nets, doors=frozenset({("192.0.2.9", 8765), ("10.1.2.3", 8765)}))
    assert policy.allows("192.0.2.9", 8765) is None
    assert policy.allows("192.0.2.8", 8765) == "port: 8765"
    assert policy.allows("10.1.2.3", 8765) == "special_address: 10.0.0.0/8 Private-Use"


async def test_a_denied_name_is_a_fact_and_nothing_is_sent() -> None:
    net = secure()
    policy = Policy((), (), frozenset({443}), denied=DenyList(frozenset({"example.org"})))
    facts = await walk(net, STEP, policy=policy)
    draft, skipped = facts.one(Skipped)
    assert (draft.failure, skipped.step, skipped.because) == ("skipped", "walk", "denied")
    await PERFORMERS[Lookup](Lookup("example.org", "A", "system"), world_of(net, policy=policy), facts)
    assert [s.step for _, s in facts.of(Skipped)] == ["walk", "lookup"] and net.asked == []
