"""Kinds of ClientHello against servers that like only some of them, and names that only the site can read."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import pytest
import trio

from probe.model.kinds import Skipped, TlsHandshake
from probe.model.step import Walk
from probe.net.hellos import available
from probe.net.trionet import TrioNet
from probe.perform import perform_walk
from probe.wire.tls import ClientHello, ja4_of, parse_client_hello
from tests.loopback.ech import OUTER, EchKey, inner_name
from tests.loopback.net_peers import HOST, Handler, authority, reset, server_context, tcp_peer, tls_peer
from tests.unit.perform.kit import Facts, world_of

NAME = "site.example"
needs_mimic = pytest.mark.skipif("browser" not in available(), reason="the extra mimic is not installed")
PROFILES = ["", "plain", pytest.param("browser", marks=needs_mimic)]


async def walked(port: int, profile: str = "", ech: str = "") -> Facts:
    facts = Facts()
    await perform_walk(Walk(NAME, HOST, port, NAME, profile=profile, ech=ech), world_of(TrioNet()), facts)
    return facts


async def handshake(port: int, profile: str = "", ech: str = "") -> tuple[str | None, TlsHandshake]:
    draft, detail = (await walked(port, profile, ech)).one(TlsHandshake)
    return draft.failure, detail


def hearing(heard: list[bytes], likes: Callable[[ClientHello], bool], context: ssl.SSLContext) -> Handler:
    """A server that reads the whole hello, and resets those that it does not like."""

    async def serve(stream: trio.SocketStream) -> None:
        hello = b""
        while len(hello) < 5 or len(hello) < 5 + int.from_bytes(hello[3:5], "big"):
            hello += await stream.receive_some(4096)
        heard.append(hello)
        parsed = parse_client_hello(hello)
        assert parsed is not None
        if not likes(parsed):
            reset(stream)
            return
        inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = context.wrap_bio(inward, outward, server_side=True)
        inward.write(hello)
        while True:
            try:
                server.do_handshake()
                await stream.send_all(outward.read())
                return
            except ssl.SSLWantReadError:
                await stream.send_all(outward.read())
                data = await stream.receive_some(4096)
                inward.write(data) if data else inward.write_eof()

    return serve


def site() -> ssl.SSLContext:
    return server_context(authority().issue_cert(NAME), ("h2", "http/1.1"))


@pytest.mark.parametrize("profile", PROFILES)
async def test_what_was_sent_is_what_the_fact_tells(profile: str) -> None:
    heard: list[bytes] = []
    async with tcp_peer(hearing(heard, lambda hello: True, site())) as port:
        failure, detail = await handshake(port, profile)
    hello = parse_client_hello(heard[0])
    assert hello is not None and failure is None and detail.chain
    assert (detail.profile, detail.ja4, detail.hello_bytes) == (profile, ja4_of(hello), len(heard[0]))
    assert (detail.sni, detail.alpn_offered, detail.outer) == (NAME, hello.alpn, None)


@pytest.mark.parametrize("profile", PROFILES[1:])
async def test_every_kind_looks_different(profile: str) -> None:
    heard: list[bytes] = []
    async with tcp_peer(hearing(heard, lambda hello: True, site())) as port:
        _, usual = await handshake(port)
        _, other = await handshake(port, profile)
    assert usual.ja4 and other.ja4
    # Version, ciphers, extensions and ALPN make the first part, their digests the others.
    assert not set(usual.ja4.split("_")) & set(other.ja4.split("_"))
    assert len(heard[1]) < 400 if profile == "plain" else len(heard[1]) > 1_400


@pytest.mark.parametrize("profile", PROFILES[1:])
async def test_a_server_that_knows_our_usual_hello_by_its_fingerprint(profile: str) -> None:
    heard: list[bytes] = []
    async with tcp_peer(hearing(heard, lambda hello: True, site())) as port:
        _, usual = await handshake(port)
    async with tcp_peer(hearing(heard, lambda hello: ja4_of(hello) != usual.ja4, site())) as port:
        assert (await handshake(port))[0] == "connection_reset"
        assert (await handshake(port, profile))[0] is None


@needs_mimic
async def test_a_server_that_wants_what_only_browsers_send() -> None:
    """A certificate compressed (RFC 8879): neither the usual hello nor the plain one offers to take it."""
    heard: list[bytes] = []
    async with tcp_peer(hearing(heard, lambda hello: 27 in hello.extensions, site())) as port:
        words = [(await handshake(port, profile))[0] for profile in ("", "plain", "browser")]
    assert words == ["connection_reset", "connection_reset", None]


@needs_mimic
@pytest.mark.parametrize(
    "said,failure,ended",
    [
        (bytes.fromhex("15030300020228"), "ssl_failed_handshake", "alert"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "ssl_failed_handshake", "garbage"),
        (b"", "eof_error", "fin"),
    ],
)
async def test_ways_to_fail_stay_apart_for_the_other_engine(said: bytes, failure: str, ended: str) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some(65536)
        await stream.send_all(said)

    async with tcp_peer(serve) as port:
        word, detail = await handshake(port, "browser")
    assert (word, detail.ended, detail.version) == (failure, ended, None)
    assert detail.alert == ("handshake_failure" if ended == "alert" else None)


@needs_mimic
async def test_data_both_ways_over_the_other_engine() -> None:
    async def echo(stream: trio.SSLStream[trio.SocketStream]) -> None:
        async for data in stream:
            await stream.send_all(data)

    net = TrioNet()
    async with tls_peer(site(), echo) as port:
        dialed = await net.dial(HOST, port, 2.0)
        assert dialed.stream is not None
        shaken = await net.shake(dialed.stream, NAME, (), 2.0, profile="browser")
        assert shaken.stream is not None
        got = b""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(shaken.stream.send, b"x" * 100_000)
            while len(got) < 100_000:
                part = await shaken.stream.receive()
                assert isinstance(part, bytes) and part
                got += part
        shaken.stream.close()


async def test_what_this_machine_cannot_send_is_skipped_and_dials_nobody() -> None:
    class Bare(TrioNet):
        profiles = frozenset({"plain"})

    facts = Facts()
    await perform_walk(Walk(NAME, HOST, 1, NAME, profile="browser"), world_of(Bare()), facts)
    (draft,) = facts.drafts
    assert draft.failure == "skipped" and isinstance(draft.detail, Skipped)
    assert (draft.detail.step, draft.detail.because) == ("browser", "not_supported")


@needs_mimic
async def test_an_encrypted_name_is_read_by_the_site_alone() -> None:
    heard: list[bytes] = []
    key = EchKey()
    async with tcp_peer(hearing(heard, lambda hello: hello.sni == OUTER, site())) as port:
        _, detail = await handshake(port, "ech", key.config())
    assert NAME.encode() not in heard[0] and (detail.sni, detail.outer) == (NAME, OUTER)
    assert inner_name(heard[0], key) == NAME


@needs_mimic
async def test_a_server_that_knows_nothing_of_encrypted_names() -> None:
    """It shakes hands as whoever the outer name is; that is a rejection (RFC 9849), and nobody cut anything off."""
    context = server_context(authority().issue_cert(OUTER), ("h2", "http/1.1"))
    async with tcp_peer(hearing([], lambda hello: True, context)) as port:
        failure, detail = await handshake(port, "ech", EchKey().config())
    assert (failure, detail.raw, detail.ech, detail.ended) == ("ssl_failed_handshake", "ECH_REJECTED", "rejected", None)


@needs_mimic
@pytest.mark.parametrize("config", ["bm90aGluZw==", "%%%"])
async def test_a_configuration_that_is_none_sends_nothing(config: str) -> None:
    heard: list[bytes] = []
    async with tcp_peer(hearing(heard, lambda hello: True, site())) as port:
        failure, detail = await handshake(port, "ech", config)
    assert (failure, detail.raw, heard) == ("skipped", "unusable_ech", [])
