"""One way to serve an ASGI app over HTTP/1.1 and HTTP/2, with hard limits; knows nothing of what the app is about.

    await serve(app, parse_listen("127.0.0.1:0"))          until cancelled; `nursery.start` gives the `Bound`
    await serve_until_signal(app, listen, tell=...)        until SIGINT or SIGTERM, for a command

Hypercorn's trio worker speaks the protocols; the listening and the limits are ours, because the worker accepts any
number of connections, and waits for ever for a client that does not read (its sends are shielded from cancellation).
Nothing is logged of a request: no path, no client. A client's address lives in memory while its connection is open;
rates are kept under a salted hash, whose salt dies with the process.

An app gets no lifespan events: what it needs is opened around `serve`. hypercorn and starlette come with the
`collector` extra and are imported only when something is served.
"""

from __future__ import annotations

import signal
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from probe.model.errors import ProbeError, UsageError
from probe.serve.guard import LOG, App, Guard, answer_json, too_many
from probe.serve.limits import Meter, Places, ServeLimits
from probe.serve.stream import GuardedStream

__all__ = [
    "App", "Bound", "Listen", "Meter", "Places", "ServeLimits", "Tls",
    "answer_json", "parse_listen", "serve", "serve_until_signal", "too_many",
]  # fmt: skip

# What is in work when a server is asked to stop has this long to end. Seconds.
GRACE_S = 3.0
DEFAULT_LIMITS = ServeLimits()


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen: `host` is an address or a name of this machine; port 0 lets the system choose."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Bound:
    """Where it really listens."""

    host: str
    port: int
    url: str


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files of the certificate chain and of its key."""

    cert: Path
    key: Path


def parse_listen(text: str) -> Listen:
    """`HOST:PORT`, with an IPv6 host in brackets. Raises UsageError."""
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not colon or not bare or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"{text!r} is not HOST:PORT; write 127.0.0.1:8765 or [::1]:8765")
    if (":" in bare) != (host.startswith("[") and host.endswith("]")):
        raise UsageError(f"{text!r} is not HOST:PORT; an IPv6 address belongs in brackets")
    return Listen(bare, int(port))


async def serve(
    app: App,
    listen: Listen,
    limits: ServeLimits = DEFAULT_LIMITS,
    tls: Tls | None = None,
    *,
    stop: trio.Event | None = None,
    task_status: trio.TaskStatus[Bound] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled, or until `stop` is set: then what is in work has `GRACE_S` seconds to end. Raises
    ProbeError where it cannot listen or the extra is missing, UsageError for a certificate that cannot be used."""
    context = _tls_context(tls) if tls else None
    worker = _Worker(Guard(app, limits), limits, context)
    async with _listeners(listen) as listeners, trio.open_nursery() as connections:
        try:
            async with trio.open_nursery() as accepting:
                accepting.start_soon(_accept, worker, listeners, connections)
                task_status.started(_bound(listeners[0], "https" if tls else "http"))
                await (trio.Event() if stop is None else stop).wait()
                accepting.cancel_scope.cancel()
            _close(listeners)
            await worker.wait_ended()
        finally:
            worker.drop()
            connections.cancel_scope.cancel()


async def _accept(worker: _Worker, listeners: list[trio.SocketListener], connections: trio.Nursery) -> None:
    await trio.serve_listeners(worker.handle, listeners, handler_nursery=connections)


async def serve_until_signal(
    app: App,
    listen: Listen,
    limits: ServeLimits = DEFAULT_LIMITS,
    tls: Tls | None = None,
    *,
    tell: Callable[[Bound], None],
) -> None:
    """`serve` until SIGINT or SIGTERM (a second one does not wait for what is in work); `tell` learns where."""
    stop = trio.Event()
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as arriving:
        async with trio.open_nursery() as nursery:

            async def serve_to_the_end(*, task_status: trio.TaskStatus[Bound]) -> None:
                await serve(app, listen, limits, tls, stop=stop, task_status=task_status)
                nursery.cancel_scope.cancel()

            tell(await nursery.start(serve_to_the_end))
            async for _ in arriving:
                if stop.is_set():
                    nursery.cancel_scope.cancel()
                stop.set()


class _Worker:
    """Hypercorn's connection handler under our limits of connections."""

    def __init__(self, app: App, limits: ServeLimits, context: ssl.SSLContext | None) -> None:
        try:
            from hypercorn.config import Config
            from hypercorn.trio.tcp_server import TCPServer
            from hypercorn.trio.worker_context import WorkerContext
            from hypercorn.typing import ConnectionState
            from hypercorn.utils import wrap_app
        except ImportError:
            raise ProbeError("serving needs more packages: pip install 'vantage-probe[collector]'") from None
        config = Config()
        config.accesslog, config.errorlog, config.loglevel = None, LOG, "WARNING"
        config.include_server_header = False
        config.h11_max_incomplete_size = config.h2_max_header_list_size = limits.header
        # RFC 9113 section 6.5.2 recommends no fewer; clients assume so many before they have heard of our settings.
        config.h2_max_concurrent_streams = 100
        # The time to send a whole request head, too: it runs from the first byte of a connection.
        config.keep_alive_timeout = limits.idle_s
        config.ssl_handshake_timeout = limits.body_s
        self._wrapped, self._config, self._context = wrap_app(app, limits.body, "asgi"), config, WorkerContext(None)  # type: ignore[arg-type]
        self._make, self._state = TCPServer, ConnectionState
        self._limits, self._tls = limits, context
        self._places = Places(limits.connections_each, limits.connections)
        self._open: set[GuardedStream] = set()
        self._left = trio.Event()

    async def handle(self, accepted: trio.SocketStream) -> None:
        """One connection, to its end."""
        stream = GuardedStream(accepted, self._limits.send_s, self._limits.quiet_s)
        try:
            peer = str(accepted.socket.getpeername()[0])
        except OSError:  # it left before we looked
            peer = ""
        self._open.add(stream)
        try:
            with self._places.hold(peer) as free:
                if free:
                    await self._speak(stream)
        finally:
            self._open.discard(stream)
            self._left.set()
            accepted.socket.close()

    async def _speak(self, stream: GuardedStream) -> None:
        spoken: Any = stream
        if self._tls:
            spoken = trio.SSLStream(stream, self._tls, server_side=True, https_compatible=True)
        try:
            await self._make(self._wrapped, self._config, self._context, self._state({}), spoken).run()
        except Exception as error:  # noqa: BLE001 - one connection's trouble must not close the door to everybody else
            # Hypercorn raises for some HTTP/2 nonsense. An error's text may quote the peer, its class does not.
            LOG.warning("a connection ended in %s", type(error).__qualname__)

    async def wait_ended(self) -> None:
        """Close idle connections now; wait for the others, at most `GRACE_S`."""
        await self._context.terminated.set()
        with trio.move_on_after(GRACE_S):
            await self._all_gone()

    async def _all_gone(self) -> None:
        while self._open:
            self._left = trio.Event()
            await self._left.wait()

    def drop(self) -> None:
        """Close every connection at once: even a send that Hypercorn shields ends with its socket."""
        for stream in list(self._open):
            stream.socket.close()


@asynccontextmanager
async def _listeners(listen: Listen) -> AsyncIterator[list[trio.SocketListener]]:
    try:
        listeners = await trio.open_tcp_listeners(listen.port, host=listen.host)
    except OSError as error:
        raise ProbeError(f"cannot listen on {listen.host} port {listen.port}: {error.strerror or error}") from None
    try:
        # With port 0 every family would get a port of its own; one is enough then.
        yield listeners if listen.port else listeners[:1]
    finally:
        _close(listeners)


def _close(listeners: list[trio.SocketListener]) -> None:
    for listener in listeners:
        listener.socket.close()


def _bound(listener: trio.SocketListener, scheme: str) -> Bound:
    host, port = listener.socket.getsockname()[:2]
    return Bound(host, port, f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}")


def _tls_context(tls: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        context.load_cert_chain(tls.cert, tls.key)
    except OSError as error:  # SSLError is one
        raise UsageError(
            f"cannot use the certificate {tls.cert} with the key {tls.key}: {error.strerror or error}"
        ) from None
    return context
