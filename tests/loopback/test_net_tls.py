"""Handshakes: every way of failing stays apart, and the chain is kept whether or not it would verify."""

from __future__ import annotations

import datetime as dt
import ssl
from typing import Any

import pytest
import trio
import trustme

from probe.net.base import Failure, Shaken, Stream
from probe.net.trionet import TrioNet
from probe.wire.certificates import summarize
from probe.wire.tls import parse_client_hello
from tests.loopback.net_peers import HOST, Handler, authority, reset, server_context, silent, tcp_peer, tls_peer

NAME = "example.test"
FATAL_HANDSHAKE_FAILURE = bytes.fromhex("15030300020228")
WARNING_UNRECOGNIZED_NAME = bytes.fromhex("15030300020170")
BLOCK_PAGE = b"HTTP/1.1 403 Forbidden\r\n\r\nblocked"


async def shaken(
    port: int, sni: str | None = NAME, alpn: tuple[str, ...] = ("h2", "http/1.1"), timeout_s: float = 2.0, **how: Any
) -> Shaken:
    net = TrioNet()
    done = await net.dial(HOST, port, 2.0)
    assert done.stream is not None
    shake = await net.shake(done.stream, sni, alpn, timeout_s, **how)
    if shake.stream is None:
        done.stream.close()
    return shake


def after_hello(*parts: bytes, then_reset: bool = False) -> Handler:
    """A peer that reads the hello whole, says something, and ends with FIN or RST."""

    async def handle(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        for part in parts:
            await stream.send_all(part)
        if then_reset:
            reset(stream)

    return handle


CASES: list[tuple[str, Handler, Failure, str, str | None]] = [
    ("fin", after_hello(), Failure("eof_error", "EOF"), "fin", None),
    ("rst", after_hello(then_reset=True), Failure("connection_reset", "ECONNRESET"), "rst", None),
    (
        "alert",
        after_hello(FATAL_HANDSHAKE_FAILURE),
        Failure("ssl_failed_handshake", "SSLV3_ALERT_HANDSHAKE_FAILURE"),
        "alert",
        "handshake_failure",
    ),
    (
        "alert_then_rst",
        after_hello(FATAL_HANDSHAKE_FAILURE, then_reset=True),
        Failure("ssl_failed_handshake", "SSLV3_ALERT_HANDSHAKE_FAILURE"),
        "alert",
        "handshake_failure",
    ),
    (
        "warning_then_fin",
        after_hello(WARNING_UNRECOGNIZED_NAME),
        Failure("eof_error", "EOF"),
        "fin",
        "unrecognized_name",
    ),
    (
        "plaintext",
        after_hello(BLOCK_PAGE),
        Failure("ssl_failed_handshake", "WRONG_VERSION_NUMBER"),
        "garbage",
        None,
    ),
]


@pytest.mark.parametrize(("handler", "failure", "ended", "alert"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
async def test_each_way_to_fail_is_told_apart(
    handler: Handler, failure: Failure, ended: str, alert: str | None
) -> None:
    async with tcp_peer(handler) as port:
        shake = await shaken(port)
    assert (shake.failure, shake.ended, shake.alert) == (failure, ended, alert)
    assert shake.stream is None and shake.chain == ()


async def test_the_first_bytes_of_a_block_page_are_kept() -> None:
    async with tcp_peer(after_hello(BLOCK_PAGE + b"." * 200)) as port:
        shake = await shaken(port)
    assert shake.first_bytes == (BLOCK_PAGE + b"." * 200)[:64]
    assert shake.bytes_in >= 64


async def test_silence() -> None:
    async with tcp_peer(silent) as port:
        shake = await shaken(port, timeout_s=0.05)
    assert (shake.failure, shake.ended) == (Failure("generic_timeout_error", "deadline"), "silence")
    assert shake.bytes_in == 0 and shake.bytes_out == len(shake.hello)


async def test_an_alert_is_heard_although_we_could_no_longer_send() -> None:
    """The peer's alert lies in the socket, and its reset too, before the hello is even sent."""
    ready = trio.Event()

    async def slam(stream: trio.SocketStream) -> None:
        await stream.send_all(FATAL_HANDSHAKE_FAILURE)
        await stream.receive_some()
        ready.set()
        reset(stream)

    net = TrioNet()
    async with tcp_peer(slam) as port:
        done = await net.dial(HOST, port, 2.0)
        assert done.stream is not None
        await done.stream.send(b"x")
        await ready.wait()
        await trio.sleep(0.01)
        shake = await net.shake(done.stream, NAME, (), 1.0)
        done.stream.close()
    assert (shake.alert, shake.ended) == ("handshake_failure", "alert")


async def test_the_hello_sent_is_kept_and_can_be_read() -> None:
    async with tcp_peer(after_hello()) as port:
        shake = await shaken(port)
    hello = parse_client_hello(shake.hello)
    assert hello is not None
    assert (hello.sni, hello.alpn) == (NAME, ("h2", "http/1.1"))


async def test_no_name_is_sent_when_none_is_wanted() -> None:
    async with tcp_peer(after_hello()) as port:
        shake = await shaken(port, sni=None)
    hello = parse_client_hello(shake.hello)
    assert hello is not None and hello.sni is None


async def test_an_unsendable_name_sends_nothing() -> None:
    async with tcp_peer(after_hello()) as port:
        shake = await shaken(port, sni="." + NAME)
    assert shake.failure == Failure("skipped", "unsendable_name") and shake.bytes_out == 0


async def echo(stream: trio.SSLStream[trio.SocketStream]) -> None:
    async for data in stream:
        await stream.send_all(data)


@pytest.mark.parametrize("version", ["TLSv1.3", "TLSv1.2"])
async def test_a_handshake_and_data_both_ways(version: str) -> None:
    cert = authority().issue_cert(NAME)
    async with tls_peer(server_context(cert, ("h2",)), echo) as port:
        shake = await shaken(port, max_version=version)
        assert (shake.failure, shake.ended, shake.alert) == (None, None, None)
        assert (shake.version, shake.alpn) == (version, "h2")
        assert shake.cipher and shake.first_bytes.startswith(b"\x16\x03")
        assert [summarize(der).names for der in shake.chain[:1]] == [(NAME,)]
        stream = shake.stream
        assert stream is not None
        await exchange(stream, bytes(range(256)) * 400)
        stream.close()


async def exchange(stream: Stream, data: bytes) -> None:
    """Send data that fills several records, and have it back."""
    got = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.send, data)
        while len(got) < len(data):
            part = await stream.receive()
            assert isinstance(part, bytes) and part
            got += part
    assert got == data
    assert (stream.bytes_in, stream.bytes_out) == (len(data), len(data))


async def test_old_tls_still_completes() -> None:
    context = server_context(authority().issue_cert(NAME))
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
    async with tls_peer(context, echo) as port:
        shake = await shaken(port)
        assert (shake.failure, shake.version) == (None, "TLSv1")
        assert shake.stream is not None
        shake.stream.close()


async def test_nothing_in_common_is_not_the_paths_doing() -> None:
    """The peer answers in SSL 3.0, which we do not speak: neither an alert nor nonsense."""
    server_hello = bytes.fromhex("0300") + bytes(32) + bytes.fromhex("00002f00")
    message = b"\x02" + len(server_hello).to_bytes(3, "big") + server_hello
    async with tcp_peer(after_hello(bytes.fromhex("160300") + len(message).to_bytes(2, "big") + message)) as port:
        shake = await shaken(port)
    assert (shake.failure, shake.ended) == (Failure("ssl_failed_handshake", "UNSUPPORTED_PROTOCOL"), None)


def _expired(ca: trustme.CA) -> trustme.LeafCert:
    return ca.issue_cert(NAME, not_before=dt.datetime(2019, 1, 1), not_after=dt.datetime(2020, 1, 1))


@pytest.mark.parametrize(
    "cert",
    [authority().issue_cert("other.test"), _expired(authority()), trustme.CA().issue_cert(NAME)],
    ids=["wrong name", "expired", "unknown authority"],
)
async def test_the_chain_is_kept_though_it_would_not_verify(cert: trustme.LeafCert) -> None:
    async with tls_peer(server_context(cert), echo) as port:
        shake = await shaken(port)
        assert shake.failure is None
        assert shake.chain[0] == ssl.PEM_cert_to_DER_cert(cert.cert_chain_pems[0].bytes().decode())
        assert shake.stream is not None
        shake.stream.close()


async def test_a_body_cut_by_reset() -> None:
    async def cut(stream: trio.SSLStream[trio.SocketStream]) -> None:
        await stream.send_all(b"half")
        await stream.receive_some()
        reset(stream.transport_stream)

    async with tls_peer(server_context(authority().issue_cert(NAME)), cut) as port:
        stream = (await shaken(port)).stream
        assert stream is not None
        assert await stream.receive() == b"half"
        await stream.send(b"?")
        assert await stream.receive() == Failure("connection_reset", "ECONNRESET")
        stream.close()


@pytest.mark.parametrize("polite", [True, False])
async def test_a_close_and_a_cut_are_both_an_end_but_told_apart(polite: bool) -> None:
    async def end(stream: trio.SSLStream[trio.SocketStream]) -> None:
        await stream.send_all(b"all?")
        if polite:
            await stream.aclose()

    async with tls_peer(server_context(authority().issue_cert(NAME)), end) as port:
        stream = (await shaken(port)).stream
        assert stream is not None
        assert [await stream.receive(), await stream.receive(), await stream.receive()] == [b"all?", b"", b""]
        assert getattr(stream, "ended", None) == ("close_notify" if polite else "fin")
        stream.close()


async def test_a_cancelled_receive_loses_nothing() -> None:
    go = trio.Event()

    async def later(stream: trio.SSLStream[trio.SocketStream]) -> None:
        await go.wait()
        await stream.send_all(b"late")

    async with tls_peer(server_context(authority().issue_cert(NAME)), later) as port:
        stream = (await shaken(port)).stream
        assert stream is not None
        with trio.move_on_after(0.01) as scope:
            await stream.receive()
        go.set()
        assert scope.cancelled_caught and await stream.receive() == b"late"
        stream.close()


async def test_tls_within_tls() -> None:
    """As an HTTPS proxy would need: the pump runs over any stream."""
    cert = authority().issue_cert(NAME)

    async def inner(stream: trio.SSLStream[trio.SocketStream]) -> None:
        second = trio.SSLStream(stream, server_context(cert), server_side=True)
        await second.do_handshake()
        await second.send_all(b"deep")
        await second.receive_some()

    async with tls_peer(server_context(cert), inner) as port:
        outer = (await shaken(port)).stream
        assert outer is not None
        shake = await TrioNet().shake(outer, NAME, (), 2.0)
        assert shake.stream is not None and await shake.stream.receive() == b"deep"
        shake.stream.close()
