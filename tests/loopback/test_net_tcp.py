"""Dialling and TCP streams against scripted peers."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import trio
import trio.testing

from probe.net.base import Failure, Stream
from probe.net.trionet import TrioNet
from tests.loopback.net_peers import HOST, closed_port, reset, silent, tcp_peer

linux = pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO and the error queue are Linux only")


async def dialed(port: int) -> Stream:
    """A stream to a peer that is known to accept."""
    done = await TrioNet().dial(HOST, port, 2.0)
    assert done.stream is not None, done.failure
    return done.stream


@contextmanager
def deaf_port() -> Iterator[int]:
    """A port whose SYNs the kernel drops: a listener that never accepts, with its queue filled."""
    with ExitStack() as open_sockets:
        listener = open_sockets.enter_context(socket.socket())
        listener.bind((HOST, 0))
        listener.listen(0)
        for _ in range(4):
            filler = open_sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_a_connect_succeeds_and_tells_the_kernels_story() -> None:
    async with tcp_peer(silent) as port:
        done = await TrioNet().dial(HOST, port, 2.0)
        assert done.stream is not None and done.failure is None
        assert done.took_us > 0 and done.at_us > 1_600_000_000_000_000
        done.stream.close()
        done.stream.close()


async def test_a_closed_port_refuses() -> None:
    done = await TrioNet().dial(HOST, closed_port(socket.SOCK_STREAM), 2.0)
    assert (done.stream, done.failure) == (None, Failure("connection_refused", "ECONNREFUSED"))


@linux
async def test_silence_times_out_and_the_kernel_saw_nothing_come_back() -> None:
    with deaf_port() as port:
        done = await TrioNet().dial(HOST, port, 0.05)
    assert done.failure == Failure("generic_timeout_error", "deadline")
    assert done.info is not None
    assert (done.info.segs_in, done.info.segs_out, done.icmp) == (0, 1, None)
    assert 45_000 <= done.took_us < 1_000_000


@linux
async def test_a_cancelled_connect_closes_its_socket() -> None:
    with deaf_port() as port:
        with trio.move_on_after(0.01) as scope:
            await TrioNet().dial(HOST, port, 5.0)  # a leak would be a ResourceWarning
    assert scope.cancelled_caught


async def test_a_name_is_not_an_address() -> None:
    with pytest.raises(ValueError, match="example"):
        await TrioNet().dial("example.org", 80, 1.0)


async def test_ipv6_dials_too() -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
            done = await TrioNet().dial("::1", listener.getsockname()[1], 2.0)
    except OSError:
        pytest.skip("no IPv6 loopback here")
    assert done.failure is None and done.stream is not None
    done.stream.close()


async def test_bytes_go_both_ways_and_are_counted() -> None:
    async def echo(stream: trio.SocketStream) -> None:
        async for data in stream:
            await stream.send_all(data)

    async with tcp_peer(echo) as port:
        stream = await dialed(port)
        assert await stream.send(b"hello") is None
        assert await stream.receive(2) == b"he"
        assert await stream.receive() == b"llo"
        assert (stream.bytes_in, stream.bytes_out) == (5, 5)
        stream.close()
        assert sys.platform != "linux" or stream.info() is not None
        assert await stream.receive() == Failure("interrupted", "closed")
        assert await stream.send(b"x") == Failure("interrupted", "closed")


async def test_a_large_send_waits_for_room() -> None:
    got = 0

    async def swallow(stream: trio.SocketStream) -> None:
        nonlocal got
        async for data in stream:
            got += len(data)

    async with tcp_peer(swallow) as port:
        stream = await dialed(port)
        assert await stream.send(bytes(8_000_000)) is None
        assert stream.bytes_out == 8_000_000
        stream.close()


async def test_fin_is_an_orderly_close() -> None:
    async with tcp_peer(lambda stream: stream.send_all(b"bye")) as port:
        stream = await dialed(port)
        assert [await stream.receive(), await stream.receive()] == [b"bye", b""]
        stream.close()


async def test_a_reset_comes_after_what_was_queued_before_it() -> None:
    async def cut(stream: trio.SocketStream) -> None:
        await stream.send_all(b"half a bo")
        await stream.receive_some()
        reset(stream)

    async with tcp_peer(cut) as port:
        stream = await dialed(port)
        assert await stream.receive() == b"half a bo"
        await stream.send(b"go on")
        assert await stream.receive() == Failure("connection_reset", "ECONNRESET")
        stream.close()


async def test_reset_on_accept_is_a_reset_wherever_it_shows() -> None:
    async def slam(stream: trio.SocketStream) -> None:
        reset(stream)

    async with tcp_peer(slam) as port:
        done = await TrioNet().dial(HOST, port, 2.0)
        failure = done.failure or (await done.stream.receive() if done.stream else None)
        assert failure == Failure("connection_reset", "ECONNRESET")
        if done.stream:
            done.stream.close()


async def test_a_cancelled_receive_leaves_the_stream_open() -> None:
    go = trio.Event()

    async def later(stream: trio.SocketStream) -> None:
        await go.wait()
        await stream.send_all(b"late")

    async with tcp_peer(later) as port:
        stream = await dialed(port)
        with trio.move_on_after(0.01) as scope:
            await stream.receive()
        go.set()
        assert scope.cancelled_caught and await stream.receive() == b"late"
        stream.close()


async def test_closing_wakes_whoever_waits() -> None:
    async with tcp_peer(silent) as port:
        stream = await dialed(port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_expect_interrupted, stream)
            await trio.testing.wait_all_tasks_blocked()
            stream.close()


async def _expect_interrupted(stream: Stream) -> None:
    assert await stream.receive() == Failure("interrupted", "closed")


@linux
async def test_the_kernel_is_told_to_ask_and_to_hold_back() -> None:
    async with tcp_peer(silent) as port:
        stream = await dialed(port)
        stream.nudge()
        stream.narrow(65_536)
        sock = stream._sock  # type: ignore[attr-defined]
        asked = [sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)]
        asked += [sock.getsockopt(socket.IPPROTO_TCP, o) for o in (socket.TCP_KEEPIDLE, socket.TCP_WINDOW_CLAMP)]
        assert asked == [1, 1, 65_536]
        stream.close()
        stream.nudge()  # closed, and no matter
