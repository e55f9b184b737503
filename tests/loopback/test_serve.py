"""The server set-up on loopback: what it speaks, where it draws lines, and that one bad peer harms nobody else."""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from probe.model.errors import ProbeError, UsageError
from probe.serve import App, Bound, Listen, ServeLimits, Tls, answer_json, parse_listen, serve
from tests.loopback.net_peers import authority

LOOPBACK = Listen("127.0.0.1", 0)
TIGHT = ServeLimits(body=1000, body_s=0.3, request_s=0.6, header=2048, send_s=0.3, idle_s=0.4)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Reads the whole body; answers with its size and the protocol."""
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await answer_json(send, 200, {"size": size, "protocol": scope["http_version"]})


async def slow(scope: Any, receive: Any, send: Any) -> None:
    await trio.sleep_forever()


async def broken(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError(f"a bug while serving {scope['client']}")


async def flood(scope: Any, receive: Any, send: Any) -> None:
    """An answer far larger than any socket buffer."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(400):
        await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def serving(app: App = echo, limits: ServeLimits = TIGHT, tls: Tls | None = None) -> AsyncIterator[Bound]:
    async with trio.open_nursery() as nursery:
        bound: Bound = await nursery.start(partial(serve, app, LOOPBACK, limits, tls))
        yield bound
        nursery.cancel_scope.cancel()


def client(bound: Bound, **more: Any) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    return httpx.AsyncClient(base_url=bound.url, trust_env=False, timeout=5, **more)


async def test_port_zero_gives_the_real_port_and_answers_are_plain() -> None:
    async with serving() as bound, client(bound) as http:
        answer = await http.post("/", content=b"abc")
    assert bound.port > 0
    assert answer.json() == {"size": 3, "protocol": "1.1"}
    assert "server" not in answer.headers


async def test_http2_over_tls(tmp_path: Path) -> None:
    leaf = authority().issue_cert("127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    leaf.cert_chain_pems[0].write_to_path(str(cert))
    leaf.private_key_pem.write_to_path(str(key))
    trust = ssl.create_default_context()
    authority().configure_trust(trust)
    async with serving(tls=Tls(cert, key)) as bound, client(bound, http2=True, verify=trust) as http:
        first, second = await http.post("/", content=b"ab"), await http.get("/")
    assert (first.json(), second.http_version) == ({"size": 2, "protocol": "2"}, "HTTP/2")


async def test_a_declared_size_above_the_limit_is_refused_before_the_body() -> None:
    async with serving() as bound, client(bound) as http:
        answer = await http.post("/", content=b"x" * 200_000)
    assert (answer.status_code, answer.json()) == (413, {"error": "larger than 1000 bytes"})


async def test_a_chunked_body_is_cut_off_at_the_limit() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 500
            yield b"x" * 500
            await trio.sleep(0.005)

    async with serving(limits=replace(TIGHT, body_s=5, request_s=5)) as bound, client(bound) as http:
        with _anything():
            answer = await http.post("/", content=endless())
            assert answer.status_code == 413
    assert sent < 2_000_000


class _anything:
    """A peer that goes on sending may see the answer or only the end of the connection; both are refusals."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        return isinstance(error, httpx.TransportError)


async def test_an_answer_that_takes_too_long_is_ended() -> None:
    async with serving(slow) as bound, client(bound) as http:
        answer = await http.post("/", content=b"a")
    assert answer.status_code in (408, 504)


@pytest.mark.parametrize(
    "first",
    [b"", b"GET / HT", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc"],
    ids=["mute", "head", "body"],
)
async def test_a_slow_client_is_let_go(first: bytes) -> None:
    async with serving() as bound:
        stream = await trio.open_tcp_stream("127.0.0.1", bound.port)
        async with stream:
            if first:
                await stream.send_all(first)
            with trio.fail_after(5):
                got = await _read_all(stream)
    assert got == b"" or got.startswith(b"HTTP/1.1 408 ")


async def test_a_client_that_does_not_read_is_let_go() -> None:
    async with serving(flood, replace(TIGHT, request_s=3)) as bound:
        async with await trio.open_tcp_stream("127.0.0.1", bound.port) as stream:
            await stream.send_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            await trio.sleep(0.6)
            with trio.fail_after(5):
                got = await _read_all(stream)
    assert len(got) < 400 * 65_536


async def test_a_huge_header_is_refused() -> None:
    async with serving() as bound, client(bound) as http:
        with _anything():
            answer = await http.get("/", headers={"x": "y" * 100_000})
            assert answer.status_code == 431


async def test_rate_is_per_client_and_says_when_to_come_back() -> None:
    async with serving(limits=replace(TIGHT, rate_per_min=60, burst=3)) as bound, client(bound) as http:
        answers = [await http.get("/") for _ in range(5)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].headers["retry-after"] == "1"


async def test_connections_of_one_client_are_bounded() -> None:
    async with serving(limits=replace(TIGHT, connections_each=2, idle_s=5)) as bound:
        streams = [await trio.open_tcp_stream("127.0.0.1", bound.port) for _ in range(3)]
        with trio.fail_after(3):
            assert await streams[2].receive_some(10) == b""
        with trio.move_on_after(0.1) as waited:
            await streams[0].receive_some(10)
        assert waited.cancelled_caught
        for stream in streams:
            await stream.aclose()


async def test_requests_at_once_are_bounded() -> None:
    async with serving(slow, replace(TIGHT, requests=1)) as bound, client(bound) as http:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(http.get, "/")
            await trio.sleep(0.1)
            assert (await http.get("/")).status_code == 503


async def test_a_bug_in_the_app_is_one_answer_and_names_no_client(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(broken) as bound, client(bound) as http:
        with caplog.at_level(logging.DEBUG):
            assert (await http.get("/")).status_code == 500
            assert (await http.get("/")).status_code == 500
    assert any("RuntimeError" in r.getMessage() for r in caplog.records)
    assert "127.0.0.1" not in "".join(
        r.getMessage() + str(r.exc_text) for r in caplog.records if not r.name.startswith("http")
    )


async def test_garbage_is_not_an_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as bound:
        for junk in (b"\x16\x03\x01\x02\x00\x01", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 90, b"\x00" * 5000):
            stream = await trio.open_tcp_stream("127.0.0.1", bound.port)
            await stream.send_all(junk)
            with trio.fail_after(3), _gone():
                await _read_all(stream)
            await stream.aclose()
        async with client(bound) as http:
            assert (await http.get("/")).status_code == 200


class _gone:
    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        return isinstance(error, trio.BrokenResourceError)


async def test_websockets_are_refused() -> None:
    async with serving() as bound, client(bound) as http:
        answer = await http.get(
            "/",
            headers={
                "connection": "upgrade",
                "upgrade": "websocket",
                "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
                "sec-websocket-version": "13",
            },
        )
    assert answer.status_code == 403


async def test_stop_lets_work_end_and_closes_the_door() -> None:
    stop = trio.Event()
    entered = trio.Event()

    async def half_a_second(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        entered.set()
        await trio.sleep(0.3)
        await answer_json(send, 200, {})

    async with trio.open_nursery() as nursery:
        bound: Bound = await nursery.start(partial(serve, half_a_second, LOOPBACK, TIGHT, stop=stop))
        async with client(bound) as http:
            async with trio.open_nursery() as asking:
                answers: list[httpx.Response] = []

                async def ask() -> None:
                    answers.append(await http.get("/"))

                asking.start_soon(ask)
                await entered.wait()
                stop.set()
            assert answers[0].status_code == 200
            with trio.fail_after(5), pytest.raises(httpx.TransportError):
                await http.get("/")


async def test_where_it_cannot_listen_it_says_so() -> None:
    async with serving() as bound:
        with pytest.raises(ProbeError, match=f"cannot listen on 127.0.0.1 port {bound.port}"):
            await serve(echo, Listen("127.0.0.1", bound.port))


async def test_a_bad_certificate_is_wrong_usage(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    with pytest.raises(UsageError, match="cannot use the certificate"):
        await serve(echo, LOOPBACK, tls=Tls(bad, bad))


@pytest.mark.parametrize(
    "text", ["", "8765", ":8765", "host:", "host:x", "host:70000", "::1:80", "[host]:1", "host:-1"]
)
def test_parse_listen_refuses(text: str) -> None:
    with pytest.raises(UsageError):
        parse_listen(text)


def test_parse_listen() -> None:
    assert parse_listen("[::1]:0") == Listen("::1", 0)
    assert parse_listen("localhost:80") == Listen("localhost", 80)


async def _read_all(stream: trio.SocketStream) -> bytes:
    got = b""
    while chunk := await stream.receive_some(65_536):
        got += chunk
    return got
