"""Walks against real servers on loopback, well-behaved and not."""

from __future__ import annotations

import gzip

import h2.config
import h2.connection
import h2.events
import pytest
import trio

from probe.model.kinds import HttpFetch, TcpConnect, TlsHandshake, TlsVerify
from probe.model.step import Fetch, Walk
from probe.model.target import parse_target
from probe.net.trionet import TrioNet
from probe.net.trust import TrustStore
from probe.perform import perform_walk
from probe.wire.urls import cookies_for
from tests.loopback.servers import CA, Serve, reset, serving, tls_context
from tests.unit.perform.kit import Facts, world_of

CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
BOMB = b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(30_000_000))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
NAME = "site.example"


async def walk(port: int, fetch: Fetch | None, sni: str | None = None, roots: tuple[bytes, ...] = (CA,)) -> Facts:
    facts = Facts()
    step = Walk(NAME, "127.0.0.1", port, sni, fetch)
    await perform_walk(step, world_of(TrioNet(), TrustStore(roots)), facts)
    return facts


async def get(serve: Serve) -> tuple[str | None, HttpFetch]:
    """The failure and detail of a plain fetch from a server."""
    async with serving(serve) as port:
        draft, detail = (await walk(port, Fetch(f"http://{NAME}:{port}/"))).one(HttpFetch)
    return draft.failure, detail


def says(*parts: bytes, then: str = "close", pause_s: float = 0.0) -> Serve:
    """A server that waits for a request, says its parts, and then closes, resets or hangs."""

    async def serve(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        for part in parts:
            await stream.send_all(part)
            await trio.sleep(pause_s)
        if then == "reset":
            await trio.sleep(0.05)
            reset(stream)
        elif then == "hang":
            await trio.sleep_forever()

    return serve


def forever(head: bytes, part: bytes, pause_s: float = 0.0) -> Serve:
    async def serve(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        await stream.send_all(head)
        while True:
            await stream.send_all(part)
            await trio.sleep(pause_s)

    return serve


@pytest.mark.parametrize(
    "serve,word,truncated,status",
    [
        (says(HEAD + b"Content-Length: 3\r\n\r\nabc"), None, None, 200),
        (says(HEAD + b"\r\nuntil the end"), None, None, 200),
        (says(), "eof_error", None, None),
        (says(then="hang"), "generic_timeout_error", None, None),
        (says(then="reset"), "connection_reset", None, None),
        (says(HEAD + b"Content-Length: 9\r\n\r\nabc"), "eof_error", "cut", 200),
        (says(HEAD + b"Content-Length: 9\r\n\r\nabc", then="reset"), "connection_reset", "cut", 200),
        (says(HEAD + b"Content-Length: 9\r\n\r\nabc", then="hang"), "generic_timeout_error", "stall", 200),
        (forever(HEAD + b"\r\n", b"x" * 65_536), None, "cap", 200),
        (forever(HEAD + b"\r\n", b"x", 0.05), None, "time", 200),
        (forever(HEAD + b"X-Long: ", b"x" * 65_536), "http_body_too_large", "cap", 200),
        (forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), "http_body_too_large", "cap", 100),
        (says(b"<html>HTTP/0.9 is not dead</html>"), "http_request_failed", None, None),
        (says(b"HTTP/1.1 000 Blocked\r\nServer : x\r\n\r\n<title>no</title>"), "http_request_failed", None, 0),
        (says(bytes(range(256)) * 40), "http_request_failed", None, None),
        (says(HEAD + BOMB), "http_body_too_large", "bomb", 200),
        (says(HEAD + CHUNKED + b"no number\r\n"), "http_request_failed", "cut", 200),
        (forever(HEAD + CHUNKED, b"1;" + b"x" * 999 + b"\r\na\r\n"), "http_body_too_large", "cap", 200),
    ],
)  # fmt: skip
async def test_servers(serve: Serve, word: str | None, truncated: str | None, status: int | None) -> None:
    with trio.fail_after(10):
        failure, detail = await get(serve)
    assert (failure, detail.truncated, detail.status) == (word, truncated, status)
    assert detail.wire_bytes <= 262_144 and len(detail.timeline) <= 64
    assert detail.first_byte_us is None or detail.first_byte_us > 0


async def test_nobody_listens() -> None:
    async with serving(says()) as port:
        pass
    draft, detail = (await walk(port, None)).one(TcpConnect)
    assert (draft.failure, detail.raw) == ("connection_refused", "ECONNREFUSED")


async def test_compressed_page() -> None:
    page = b"<html lang=en><title>Fine</title>" + b"<p>some words</p>" * 500
    packed = gzip.compress(page)
    _, detail = await get(says(HEAD + b"Content-Encoding: gzip\r\n\r\n" + packed))
    assert (detail.wire_bytes, detail.body_bytes, detail.ended) == (len(packed), len(page), "fin")
    assert detail.features and (detail.features.title, detail.features.words) == ("Fine", 1_000)


async def test_a_chain_of_redirects_with_a_cookie() -> None:
    async def serve(stream: trio.abc.Stream) -> None:
        asked = await stream.receive_some()
        if b"Cookie: seen=yes" in asked:
            await stream.send_all(HEAD + b"Content-Length: 2\r\n\r\nok")
        else:
            await stream.send_all(
                b"HTTP/1.1 302 x\r\nSet-Cookie: seen=yes; Path=/\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"
            )

    async with serving(serve) as port:
        url = f"http://{NAME}:{port}/"
        _, first = (await walk(port, Fetch(url))).one(HttpFetch)
        assert first.location == url
        cookies = cookies_for(first, parse_target(url))
        _, second = (await walk(port, Fetch(url, cookies, 1))).one(HttpFetch)
    assert (second.status, second.hop) == (200, 1)


async def http2(stream: trio.abc.Stream) -> None:
    """An HTTP/2 server by hand: 300 kB at /big, a stream reset at /reset, GOAWAY at /away, else the path and cookie."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    await stream.send_all(connection.data_to_send())
    while data := await stream.receive_some():
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                assert event.headers is not None
                _answer(connection, event.stream_id, {str(k): str(v) for k, v in event.headers})
        await stream.send_all(connection.data_to_send())
        if connection.state_machine.state == h2.connection.ConnectionState.CLOSED:
            return


def _answer(connection: h2.connection.H2Connection, stream_id: int, asked: dict[str, str]) -> None:
    if asked[":path"] == "/reset":
        connection.reset_stream(stream_id, 2)
        return
    if asked[":path"] == "/away":
        connection.close_connection(11)
        return
    connection.send_headers(stream_id, [(":status", "200"), ("content-type", "text/plain"), ("x-case", "a")])
    body = f"{asked[':authority']} {asked[':path']} {asked.get('cookie', '-')}".encode()
    if asked[":path"] == "/big":
        body = b"x" * 300_000
    room = min(len(body), connection.local_flow_control_window(stream_id))
    for at in range(0, room, 16_384):
        connection.send_data(stream_id, body[at : min(at + 16_384, room)])
    connection.end_stream(stream_id)


async def secure(path: str, roots: tuple[bytes, ...] = (CA,), name: str = NAME) -> Facts:
    async with serving(http2, tls_context(name, ("h2", "http/1.1"))) as port:
        return await walk(port, Fetch(f"https://{NAME}:443{path}", (("a", "1"),)), NAME, roots)


async def test_http2_over_a_proven_chain() -> None:
    facts = await secure("/page?q=1")
    assert [draft.kind for draft in facts.drafts] == ["tcp.connect", "tls.handshake", "tls.verify", "http.fetch"]
    _, handshake = facts.one(TlsHandshake)
    assert handshake.alpn == "h2" and handshake.chain and (handshake.ja4 or "").startswith("t13d")
    draft, fetch = facts.one(HttpFetch)
    assert (draft.failure, fetch.protocol, fetch.status) == (None, "HTTP/2", 200)
    assert facts.blobs[fetch.body or ""].data == f"{NAME} /page?q=1 a=1".encode()
    assert fetch.info is None or fetch.info.rtt_us > 0


@pytest.mark.parametrize(
    "roots,name,word", [((), NAME, "ssl_unknown_authority"), ((CA,), "x.example", "ssl_invalid_hostname")]
)
async def test_http2_over_an_unproven_chain(roots: tuple[bytes, ...], name: str, word: str) -> None:
    facts = await secure("/page?q=1", roots, name)
    draft, _ = facts.one(TlsVerify)
    assert draft.failure == word
    _, fetch = facts.one(HttpFetch)
    assert fetch.url == f"https://{NAME}:443/"
    assert facts.blobs[fetch.body or ""].data == f"{NAME} / -".encode()


@pytest.mark.parametrize(
    "path,raw",
    [("/reset", "h2:StreamReset:INTERNAL_ERROR"), ("/away", "h2:ConnectionTerminated:ENHANCE_YOUR_CALM")],
)
async def test_http2_refusals(path: str, raw: str) -> None:
    draft, fetch = (await secure(path)).one(HttpFetch)
    assert (draft.failure, fetch.raw) == ("http_request_failed", raw)


async def test_http2_cap() -> None:
    draft, fetch = (await secure("/big")).one(HttpFetch)
    assert (draft.failure, fetch.truncated, fetch.wire_bytes) == (None, "cap", 262_144)


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b"\x00" * 200, b""])
async def test_said_http2_but_speaks_otherwise(data: bytes) -> None:
    async with serving(says(data), tls_context(NAME, ("h2",))) as port:
        draft, fetch = (await walk(port, Fetch(f"https://{NAME}/"), NAME)).one(HttpFetch)
    assert draft.failure == ("http_request_failed" if data else "eof_error")
    assert fetch.status == (400 if data.startswith(b"HTTP") else None)


async def test_reset_on_hello() -> None:
    async def serve(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        reset(stream)

    async with serving(serve) as port:
        draft, detail = (await walk(port, Fetch(f"https://{NAME}/"), NAME)).one(TlsHandshake)
    assert (draft.failure, detail.ended) == ("connection_reset", "rst")


async def test_block_page_in_the_clear_on_the_tls_port() -> None:
    async with serving(says(b"HTTP/1.1 403 Forbidden\r\n\r\n")) as port:
        draft, detail = (await walk(port, None, NAME)).one(TlsHandshake)
    assert draft.failure == "ssl_failed_handshake"
    assert bytes.fromhex(detail.first_bytes).startswith(b"HTTP/1.1 403")
