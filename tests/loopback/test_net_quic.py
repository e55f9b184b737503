"""QUIC handshakes and HTTP/3 requests against a real server: every way of failing stays apart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
import trio

pytest.importorskip("aioquic")
from aioquic.quic.events import StreamDataReceived
from aioquic.quic.packet import (
    encode_quic_retry,
    encode_quic_version_negotiation,
)

from probe.app.demo.certs import Authority
from probe.app.demo.webserver import Handler, Request, Response
from probe.net.base import Failure, Http3, QuicPlan, QuicShaken, ResponseHead
from probe.net.http3 import HeldHttp3
from probe.net.trionet import TrioNet
from probe.wire.certificates import summarize
from probe.wire.quic import read_header
from probe.wire.tls import ja4, parse_client_hello
from tests.quic.initial import Reader, forged_close
from tests.quic.server import Http3Server, Identity, udp_socket

HOST, NAME = "127.0.0.1", "site.example"
PLAN = QuicPlan(timeout_s=2.0, quiet_s=0.5)
REQUEST = ((b":method", b"GET"), (b":scheme", b"https"), (b":authority", NAME.encode()), (b":path", b"/"))


@cache
def pem() -> bytes:
    return Authority("QUIC", Path(mkdtemp())).issue((NAME,))


def hello_page(request: Request) -> Response:
    return Response(200, f"hello {request.host} {request.path}".encode())


@asynccontextmanager
async def serving(
    identity: Identity | None = None, handler: Handler = hello_page, kind: type[Http3Server] = Http3Server
) -> AsyncIterator[int]:
    """The port of an HTTP/3 server that gives every name the same identity."""
    with udp_socket(HOST, 0) as sock:
        server = kind(sock, lambda name, local: identity or Identity(pem()), handler)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.run)
            yield sock.getsockname()[1]
            nursery.cancel_scope.cancel()


Answer = Callable[[bytes], list[bytes]]


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[int]:
    """The port of a peer that answers each datagram with those of a function."""

    async def run(sock: trio.socket.SocketType) -> None:
        while True:
            data, source = await sock.recvfrom(65536)
            for reply in answer(data):
                await sock.sendto(reply, source)

    sock = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
    await sock.bind((HOST, 0))
    with sock:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, sock)
            yield sock.getsockname()[1]
            nursery.cancel_scope.cancel()


async def shaken(port: int, sni: str | None = NAME, plan: QuicPlan = PLAN) -> QuicShaken:
    return await TrioNet().shake_quic(HOST, port, sni, ("h3",), plan)


async def test_a_handshake_is_told_in_full() -> None:
    async with serving() as port:
        done = await shaken(port)
        assert done.http3 is not None and done.failure is None and done.ended is None
        done.http3.close()
    assert (done.version, done.alpn, done.first_flight) == ("v1", "h3", 1)
    assert done.cipher is not None and done.cipher.startswith("TLS_")
    assert summarize(done.chain[0]).names == (NAME,) and len(done.chain) == 2
    assert done.datagrams_in >= 1 and done.bytes_in > 1000 and done.bytes_out >= 2400 and done.first_us is not None
    hello = parse_client_hello(done.hello)
    assert hello is not None and (hello.sni, hello.alpn) == (NAME, ("h3",))
    assert (ja4(done.hello, "q") or "").startswith("q13d")


async def test_without_a_name_none_is_sent() -> None:
    async with serving() as port:
        done = await shaken(port, None)
        assert done.http3 is not None
        done.http3.close()
    hello = parse_client_hello(done.hello)
    assert hello is not None and hello.sni is None


@pytest.mark.parametrize(
    "identity,failure,ended,alert",
    [
        (Identity(silent=True), Failure("generic_timeout_error", "deadline"), "silence", None),
        (Identity(refuse=0x02), Failure("connection_refused", "CONNECTION_REFUSED"), "close", None),
        (Identity(refuse=0x01), Failure("connection_reset", "INTERNAL_ERROR"), "close", None),
        (Identity(refuse=0x128), Failure("ssl_failed_handshake", "handshake_failure"), "alert", "handshake_failure"),
    ],
    ids=lambda value: str(getattr(value, "refuse", "")) or None,
)
async def test_ways_of_failing(identity: Identity, failure: Failure, ended: str, alert: str | None) -> None:
    made = identity if identity.silent else Identity(pem(), identity.refuse)
    async with serving(made) as port:
        done = await shaken(port)
    assert (done.http3, done.failure, done.ended, done.alert) == (None, failure, ended, alert)
    assert done.close_code == identity.refuse
    assert bool(done.datagrams_in) is not identity.silent


async def test_a_closed_port_is_told_by_icmp() -> None:
    with udp_socket(HOST, 0) as sock:
        port = sock.getsockname()[1]
    done = await shaken(port)
    assert (done.failure, done.ended) == (Failure("connection_refused", "ECONNREFUSED"), "icmp")
    assert done.icmp is None or (done.icmp.type, done.icmp.code) == (3, 3)


async def test_a_name_that_no_hello_can_carry_is_not_sent() -> None:
    async with serving() as port:
        done = await shaken(port, "ü.example")
    assert (done.failure, done.datagrams_out) == (Failure("skipped", "unsendable_name"), 0)


def negotiate(*versions: int) -> Answer:
    def answer(data: bytes) -> list[bytes]:
        header = read_header(data)
        assert header is not None
        return [encode_quic_version_negotiation(header.dcid, header.scid, list(versions))]

    return answer


async def test_versions_that_we_do_not_speak() -> None:
    async with answering(negotiate(0xFF00001D, 0x0A0A0A0A)) as port:
        done = await shaken(port)
    assert done.failure == Failure("quic_incompatible_version", "0xff00001d,0x0a0a0a0a")
    assert (done.ended, done.versions, done.version) == ("version", ("0xff00001d", "0x0a0a0a0a"), None)


async def test_a_forged_negotiation_that_offers_our_version_changes_nothing() -> None:
    async with answering(negotiate(1)) as port:
        done = await shaken(port)
    assert (done.failure, done.ended) == (Failure("generic_timeout_error", "deadline"), "stall")


async def test_a_retry_is_noted_and_followed() -> None:
    tokens = []

    def answer(data: bytes) -> list[bytes]:
        header = read_header(data)
        if header is None or b"token" in data:
            tokens.append(data)
            return []
        return [encode_quic_retry(1, b"S" * 8, header.scid, header.dcid, b"token")]

    async with answering(answer) as port:
        done = await shaken(port)
    assert done.retry and tokens and done.ended == "stall"


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 403 Forbidden\r\n\r\n", b"\xc0\0\0\0\1\x08" + b"x" * 60])
async def test_nonsense_is_no_answer(reply: bytes) -> None:
    async with answering(lambda data: [reply]) as port:
        done = await shaken(port)
    assert (done.failure, done.ended) == (Failure("generic_timeout_error", "deadline"), "stall")


async def test_a_forged_close_is_a_reset() -> None:
    async with answering(lambda data: [forged] if (forged := forged_close(data)) else []) as port:
        done = await shaken(port)
    assert (done.failure, done.ended, done.close_code) == (Failure("connection_reset", "NO_ERROR"), "close", 0)


async def test_a_flood_ends_the_handshake() -> None:
    async with answering(lambda data: [b"x" * 8000] * 40) as port:
        done = await shaken(port)
    assert (done.failure, done.ended) == (Failure("ssl_failed_handshake", "flood"), "garbage")


async def test_the_first_datagram_can_be_read_on_the_way() -> None:
    seen: list[str | None] = []

    def answer(data: bytes) -> list[bytes]:
        reader = Reader()
        reader.feed(data)
        seen.append(reader.sni)
        return []

    async with answering(answer) as port:
        await shaken(port)
    assert set(seen) == {NAME}


async def everything(http3: Http3 | None, cap: int = 65_536) -> tuple[ResponseHead | None, bytes, Failure | None]:
    """One request and all that comes of it; the connection is closed after it."""
    assert http3 is not None
    head, body, failure = None, b"", None
    assert await http3.ask(REQUEST, cap) is None
    while part := await http3.receive():
        if isinstance(part, ResponseHead):
            head = part
        elif isinstance(part, Failure):
            failure = part
            break
        else:
            body += part
    http3.close()
    return head, body, failure


async def test_a_page_is_fetched() -> None:
    async with serving() as port:
        done = await shaken(port)
        head, body, failure = await everything(done.http3)
        assert done.http3 is not None and done.http3.ended == "fin"
        done.http3.close()  # once more does no harm
    assert head is not None and head.status == 200 and (b"server", b"demo-httpd") in head.headers
    assert (body, failure) == (b"hello site.example /", None)


async def test_a_page_bigger_than_the_window_comes_whole() -> None:
    page = bytes(range(256)) * 4096
    async with serving(handler=lambda request: Response(200, page)) as port:
        done = await shaken(port)
        _, body, failure = await everything(done.http3)
    assert failure is None and body == page


async def test_a_page_that_waited_behind_a_lost_packet_comes_whole() -> None:
    page = bytes(range(256)) * 2048
    async with serving(handler=lambda request: Response(200, page)) as port:
        done = await shaken(port)
        http3 = done.http3
        assert isinstance(http3, HeldHttp3) and await http3.ask(REQUEST, 65_536) is None
        held = http3._held
        with trio.fail_after(5):
            while not any(isinstance(e, StreamDataReceived) and e.end_stream for e in held.events):
                await held.turn()
        # As the core tells of it when the first packet was lost: all at once.
        came = [e for e in held.events if isinstance(e, StreamDataReceived) and e.stream_id == http3._stream]
        rest = [e for e in held.events if e not in came]
        at_once = StreamDataReceived(b"".join(e.data for e in came), end_stream=True, stream_id=http3._stream)
        held.events.clear()
        held.events.extend([*rest, at_once])
        head, body = await http3.receive(), b""
        while isinstance(part := await http3.receive(), bytes) and part:
            body += part
        http3.close()
    assert isinstance(head, ResponseHead) and head.status == 200
    assert part == b"" and body == page


async def test_a_stream_that_is_reset() -> None:
    async with serving(handler=lambda request: Response(200, reset=True)) as port:
        done = await shaken(port)
        head, body, failure = await everything(done.http3)
    assert (head, body) == (None, b"")
    assert failure == Failure("http_request_failed", "h3:StreamReset:H3_REQUEST_REJECTED")


async def test_a_connection_closed_in_the_middle() -> None:
    async with serving(handler=lambda request: Response(200, b"x" * 900, cut_after=300)) as port:
        done = await shaken(port)
        head, _, failure = await everything(done.http3)
        assert done.http3 is not None and done.http3.ended == "close"
    assert failure == Failure("connection_reset", "H3_INTERNAL_ERROR")


async def test_a_head_without_end_is_cut() -> None:
    headers = tuple((f"x-{n}", "y" * 4000) for n in range(60))
    async with serving(handler=lambda request: Response(200, b"", headers)) as port:
        done = await shaken(port)
        _, _, failure = await everything(done.http3, cap=1000)
    assert failure == Failure("http_body_too_large", "header or framing")


async def test_no_header_table_that_could_expand() -> None:
    """A peer may not refer to big entries over and over, nor push."""
    async with serving() as port:
        done = await shaken(port)
        await everything(done.http3)
        framing = getattr(done.http3, "_framing", None)
        assert framing is not None and framing.sent_settings[0x1] == 0 and framing.sent_settings[0x7] == 0
        assert framing._max_push_id is None


async def test_a_cancelled_handshake_leaves_nothing_open() -> None:
    async with serving(Identity(silent=True)) as port:
        with trio.move_on_after(0.05) as scope:
            await shaken(port)
    assert scope.cancelled_caught
