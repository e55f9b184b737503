"""Servers of a few lines for loopback tests: a coroutine per connection, in the clear or behind a throw-away CA."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio
import trustme
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

Serve = Callable[[trio.abc.Stream], Awaitable[None]]

_AUTHORITY = trustme.CA()
CA = load_pem_x509_certificate(_AUTHORITY.cert_pem.bytes()).public_bytes(Encoding.DER)


def tls_context(name: str, alpn: tuple[str, ...] = ("http/1.1",)) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate for `name`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _AUTHORITY.issue_cert(name).configure_cert(context)
    context.set_alpn_protocols(list(alpn))
    return context


@asynccontextmanager
async def serving(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port where `serve` is given each connection; afterwards it is closed in an orderly way."""

    async def handle(stream: trio.SocketStream) -> None:
        served: trio.abc.Stream = stream
        if tls is not None:
            served = trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
        try:
            await serve(served)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the prober hung up first: its right
        finally:
            with trio.move_on_after(0.5):
                await served.aclose()

    async def listen(task_status: trio.TaskStatus[list[trio.SocketListener]]) -> None:
        await trio.serve_tcp(handle, 0, host="127.0.0.1", task_status=task_status)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(listen)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


def reset(stream: trio.abc.Stream) -> None:
    """Make closing this plain stream send RST."""
    assert isinstance(stream, trio.SocketStream)
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
