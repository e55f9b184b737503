"""Walks over QUIC by script: which facts come of them, in which order, and what is held back from whom."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from typing import Any

import pytest
import trio

from probe.inputs.deny import DenyList
from probe.model.kinds import HttpFetch, QuicHandshake, Skipped, TlsVerify
from probe.model.step import Fetch, QuicWalk
from probe.net.base import Failure, ResponseHead
from probe.net.fakenet import SILENCE, FakeClock, FakeNet
from probe.net.fakequic import FakeHttp3, QuicHello
from probe.perform import PERFORMERS, perform_quic
from probe.perform.held3 import Exchange3
from probe.perform.world import Limits, Policy
from probe.verdict.read import TRIAL
from tests.unit.perform.kit import ANYWHERE, QUICK, Facts, Verdict, world_of

IP, NAME = "192.0.2.1", "site.example"
PAGE = Fetch("https://site.example/path?q=1", (("a", "b"),))
STEP = QuicWalk(NAME, IP, 443, NAME, PAGE, attempt=2, why="again: x", parent=7)
HTML = ((b"content-type", b"text/html"), (b"alt-svc", b'h3=":443"'))
GOOD = QuicHello(chain=(b"leaf", b"issuer"), says=(ResponseHead(200, HTML), b"<title>hel", b"lo</title>"))


async def walked(
    hello: QuicHello | None, step: QuicWalk = STEP, trust: Verdict | None = None, limits: Limits = QUICK,
    policy: Policy = ANYWHERE, net: FakeNet | None = None, **more: Any,
) -> tuple[Facts, FakeNet]:  # fmt: skip
    net = net or FakeNet()
    if hello is not None:
        net.quic[IP, 443] = {NAME: hello}
    facts = Facts()
    await perform_quic(step, replace(world_of(net, trust, limits, policy), **more), facts)
    return facts, net


async def test_a_walk_gives_handshake_certificate_and_page() -> None:
    facts, net = await walked(GOOD)
    assert [draft.kind for draft in facts.drafts] == ["quic.handshake", "tls.verify", "http.fetch"]
    assert [draft.parent for draft in facts.drafts] == [7, 0, 0]
    assert {(d.host, d.ip, d.port, d.attempt, d.why) for d in facts.drafts} == {(NAME, IP, 443, 2, "again: x")}
    _, shaken = facts.one(QuicHandshake)
    assert (shaken.sni, shaken.version, shaken.alpn) == (NAME, "v1", "h3")
    assert shaken.chain == tuple(hashlib.sha256(der).hexdigest() for der in GOOD.chain)
    _, page = facts.one(HttpFetch)
    assert (page.protocol, page.status, page.body_bytes, page.ended) == ("HTTP/3", 200, 20, "fin")
    assert page.features is not None and page.features.title == "hello"
    assert net.http3[0].closed and {*shaken.chain, page.body} == set(facts.blobs)


async def test_the_request_is_a_browsers() -> None:
    _, net = await walked(GOOD)
    sent = net.http3[0].sent
    assert sent[:4] == (
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":authority", b"site.example"),
        (b":path", b"/path?q=1"),
    )
    names = [name for name, _ in sent]
    assert b"host" not in names and b"cookie" in names and names == [name.lower() for name in names]


async def test_a_stranger_learns_neither_path_nor_cookies() -> None:
    facts, net = await walked(GOOD, trust=Verdict("wrong_name"))
    assert dict(net.http3[0].sent)[b":path"] == b"/" and b"cookie" not in dict(net.http3[0].sent)
    assert facts.one(TlsVerify)[0].failure == "ssl_invalid_hostname"


async def test_without_a_page_none_is_asked_for() -> None:
    facts, net = await walked(GOOD, replace(STEP, fetch=None))
    assert not facts.of(HttpFetch) and net.http3[0].closed and not net.http3[0].sent


@pytest.mark.parametrize(
    "hello,word,ended",
    [
        (QuicHello(Failure("connection_refused", "ECONNREFUSED"), ended="icmp"), "connection_refused", "icmp"),
        (QuicHello(Failure("connection_reset", "NO_ERROR"), ended="close"), "connection_reset", "close"),
        (None, "generic_timeout_error", "silence"),
    ],
)
async def test_a_handshake_that_fails_is_one_fact(hello: QuicHello | None, word: str, ended: str) -> None:
    facts, _ = await walked(hello)
    draft, shaken = facts.one(QuicHandshake)
    assert len(facts.drafts) == 1
    assert (draft.failure, shaken.ended, shaken.raw is not None) == (word, ended, True)


async def test_a_chain_of_a_failed_handshake_is_judged_all_the_same() -> None:
    alert = QuicHello(Failure("ssl_failed_handshake", "bad_certificate"), chain=(b"leaf",), alert="bad_certificate")
    facts, _ = await walked(alert)
    assert [draft.kind for draft in facts.drafts] == ["quic.handshake", "tls.verify"]


async def test_where_the_extra_is_missing_it_is_skipped() -> None:
    net = FakeNet()
    net.speaks_quic = False
    facts, _ = await walked(GOOD, net=net)
    draft, skipped = facts.one(Skipped)
    assert (draft.failure, skipped.step, skipped.because) == ("skipped", "quic", "not_supported")
    assert not net.asked


async def test_a_line_that_leaves_quic_unanswered_is_not_asked() -> None:
    net = FakeNet()
    facts, _ = await walked(GOOD, replace(STEP, attempt=1), net=net, is_quic_shut=lambda ip: ip == STEP.ip)
    assert facts.one(Skipped)[1].because == "unanswered" and not net.asked


@pytest.mark.parametrize("step", [STEP, replace(STEP, attempt=1, sni="www.example.org", why=f"{TRIAL}: x")])
async def test_what_was_begun_is_not_broken_off(step: QuicWalk) -> None:
    _, net = await walked(GOOD, step, is_quic_shut=lambda ip: True)
    assert net.asked


@pytest.mark.parametrize("policy,because", [(Policy(ports=frozenset({80})), "port")])
async def test_the_policy_is_asked_first(policy: Policy, because: str) -> None:
    facts, net = await walked(GOOD, policy=policy)
    assert facts.one(Skipped)[1].because == because and not net.asked


async def test_a_denied_name_is_not_asked() -> None:
    policy = replace(ANYWHERE, denied=DenyList(frozenset({NAME})))
    facts, net = await walked(GOOD, policy=policy)
    assert facts.one(Skipped)[1].because == "denied" and not net.asked


SIZES = replace(QUICK, http3_cap=1000)


@pytest.mark.parametrize(
    "says,failure,truncated,size",
    [
        ((ResponseHead(200, ()), *[b"x" * 300] * 9), None, "cap", 1000),
        ((ResponseHead(200, ((b"content-length", b"1000"),)), b"x" * 1000), None, None, 1000),
        ((ResponseHead(200, ()), b"x" * 10, Failure("connection_reset", "NO_ERROR")), "connection_reset", "cut", 10),
        ((ResponseHead(200, ()), b"x", SILENCE), "generic_timeout_error", "stall", 1),
        ((SILENCE,), "generic_timeout_error", None, 0),
        ((), "eof_error", None, 0),
    ],
)
async def test_bodies_end_in_many_ways(
    says: tuple[ResponseHead | bytes | Failure, ...], failure: str | None, truncated: str | None, size: int,
    autojump_clock: trio.testing.MockClock,
) -> None:  # fmt: skip
    facts, _ = await walked(replace(GOOD, says=says), limits=SIZES)
    draft, page = facts.one(HttpFetch)
    assert (draft.failure, page.truncated, page.wire_bytes) == (failure, truncated, size)


class Dripping(FakeHttp3):
    """Each part takes two seconds."""

    async def receive(self) -> ResponseHead | bytes | Failure:
        await trio.sleep(2)
        return await super().receive()


@pytest.mark.parametrize(
    ("says", "fetch_s", "truncated"),
    [
        ([ResponseHead(200, ()), *[b"x"] * 99], 30, "time"),
        ([ResponseHead(200, ()), *[b"x"] * 9], 30, None),
        # Still at the end of our time for more than half of what a standstill is.
        ([ResponseHead(200, ()), *[b"x"] * 9, SILENCE], 26, "stall"),
    ],
)
async def test_a_body_that_still_comes_is_slow_and_no_failure(
    says: list[ResponseHead | bytes | Failure], fetch_s: float, truncated: str | None,
    autojump_clock: trio.testing.MockClock,
) -> None:  # fmt: skip
    exchange = Exchange3(Dripping(tuple(says)), FakeClock(), replace(QUICK, stall_s=10, fetch_s=fetch_s))
    await exchange.run("https://example.org/", ())
    assert exchange.truncated == truncated
    assert (exchange.ended is None) is (truncated != "stall")


async def test_a_compressed_bomb_is_a_failure() -> None:
    body = gzip.compress(b" " * 40_000_000)
    says = (ResponseHead(200, ((b"content-encoding", b"gzip"),)), body)
    facts, _ = await walked(replace(GOOD, says=says))
    draft, page = facts.one(HttpFetch)
    assert (draft.failure, page.truncated) == ("http_body_too_large", "bomb")
    assert page.body_bytes <= QUICK.decoded_cap


async def test_a_cancelled_fetch_is_told(autojump_clock: trio.testing.MockClock) -> None:
    facts = Facts()
    net = FakeNet()
    net.quic[IP, 443] = {NAME: replace(GOOD, says=(ResponseHead(200, ()), b"x", SILENCE))}
    with trio.move_on_after(0.1):
        await perform_quic(STEP, world_of(net), facts)
    draft, page = facts.one(HttpFetch)
    assert (draft.failure, page.wire_bytes) == ("interrupted", 1) and net.http3[0].closed


def test_the_step_has_its_performer() -> None:
    assert PERFORMERS[QuicWalk] is perform_quic
