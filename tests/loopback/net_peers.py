"""Scripted peers on 127.0.0.1 for the tests of `probe.net`: a handler per connection, or per datagram."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache

import trio
import trustme

HOST = "127.0.0.1"
Handler = Callable[[trio.SocketStream], Awaitable[None]]


@cache
def authority() -> trustme.CA:
    """One certificate authority for all tests; making keys is slow."""
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


def server_context(cert: trustme.LeafCert, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert.configure_cert(context)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def reset(stream: trio.SocketStream) -> None:
    """Close with a RST instead of a FIN."""
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


async def silent(stream: trio.SocketStream) -> None:
    """Accept, and never say anything."""
    await trio.sleep_forever()


@asynccontextmanager
async def tcp_peer(handler: Handler) -> AsyncIterator[int]:
    """A TCP server; gives its port. Connections are closed when their handler is done."""

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            try:
                await handler(stream)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # the client was done before the script was

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(_serve, serve)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def tls_peer(
    context: ssl.SSLContext, handler: Callable[[trio.SSLStream[trio.SocketStream]], Awaitable[None]]
) -> AsyncIterator[int]:
    """A TLS server over `tcp_peer`."""

    async def serve(stream: trio.SocketStream) -> None:
        tls = trio.SSLStream(stream, context, server_side=True)
        await tls.do_handshake()
        await handler(tls)

    async with tcp_peer(serve) as port:
        yield port


@asynccontextmanager
async def udp_peer(
    answer: Callable[[trio.socket.SocketType, bytes, tuple[str, int]], Awaitable[None]],
) -> AsyncIterator[int]:
    """A UDP server; `answer` gets its socket, each datagram and where that came from."""
    with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        await sock.bind((HOST, 0))

        async def serve() -> None:
            while True:
                data, source = await sock.recvfrom(65535)
                await answer(sock, data, source)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            yield sock.getsockname()[1]
            nursery.cancel_scope.cancel()


def closed_port(kind: socket.SocketKind) -> int:
    """A port nobody listens on."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


async def _serve(handler: Handler, task_status: trio.TaskStatus[list[trio.SocketListener]]) -> None:
    await trio.serve_tcp(handler, 0, host=HOST, task_status=task_status)
