"""Proxies on 127.0.0.1 for the tests of sending: SOCKS5 and HTTP CONNECT. They alone know where a name leads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import trio

from probe.serve import Bound

Serve = Callable[[trio.SocketStream], Awaitable[None]]


@dataclass
class Proxy:
    """`names` says where host names lead. Connections are cut after `cut_after` bytes from the client. `asked` and
    `users` are what clients said, in order."""

    names: Mapping[str, Bound]
    cut_after: int | None = None
    wants_user: bool = False
    reply: int = 0
    asked: list[str] = field(default_factory=list)
    users: list[bytes] = field(default_factory=list)
    url: str = ""

    async def socks(self, client: trio.SocketStream) -> None:
        """One SOCKS5 client. Every answer goes out byte by byte: a client must wait for all of it."""
        methods = await _exactly(client, (await _exactly(client, 2))[1])
        if (2 if self.wants_user else 0) not in methods:
            await client.send_all(b"\x05\xff")
            return
        await _dribble(client, bytes([5, methods[0]]))
        if methods[0] == 2:
            user = await _exactly(client, (await _exactly(client, 2))[1])
            await _exactly(client, (await _exactly(client, 1))[0])
            self.users.append(user)
            await _dribble(client, b"\x01\x00")
        kind = (await _exactly(client, 4))[3]
        assert kind == 3, "names are looked up by the proxy, so a name must come here"
        name = (await _exactly(client, (await _exactly(client, 1))[0])).decode()
        await _exactly(client, 2)
        self.asked.append(name)
        await _dribble(client, bytes([5, self.reply, 0, 3, 4]) + b"here" + b"\0\1")
        if self.reply == 0:
            await self._relay(client, name)

    async def http(self, client: trio.SocketStream) -> None:
        """One client of an HTTP proxy that knows CONNECT."""
        head = b""
        while b"\r\n\r\n" not in head:
            head += await client.receive_some()
        method, authority, _ = head.split(b" ", 2)
        assert method == b"CONNECT"
        name = authority.decode().rpartition(":")[0]
        self.asked.append(name)
        await client.send_all(b"HTTP/1.1 200 here you are\r\n\r\n")
        await self._relay(client, name)

    async def _relay(self, client: trio.SocketStream, name: str) -> None:
        to = self.names[name]
        async with await trio.open_tcp_stream(to.host, to.port) as server, trio.open_nursery() as nursery:
            nursery.start_soon(_pump, server, client, None)
            await _pump(client, server, self.cut_after)
            client.socket.close()
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def proxying(proxy: Proxy, scheme: str = "socks5h") -> AsyncIterator[Proxy]:
    """The proxy, serving; its `url` is filled in."""

    async def handle(client: trio.SocketStream) -> None:
        try:
            await (proxy.http if scheme == "http" else proxy.socks)(client)
        except (trio.BrokenResourceError, trio.ClosedResourceError, EOFError):
            pass
        finally:
            client.socket.close()

    async with trio.open_nursery() as nursery:
        listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
        nursery.start_soon(partial(trio.serve_listeners, handle, [listener]))
        proxy.url = f"{scheme}://127.0.0.1:{listener.socket.getsockname()[1]}"
        yield proxy
        nursery.cancel_scope.cancel()


async def _pump(source: trio.SocketStream, sink: trio.SocketStream, most: int | None) -> None:
    try:
        async for data in source:
            piece = data if most is None else data[:most]
            await sink.send_all(piece)
            if most is not None and (most := most - len(piece)) <= 0:
                return
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return


async def _exactly(stream: trio.SocketStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = await stream.receive_some(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


async def _dribble(stream: trio.SocketStream, data: bytes) -> None:
    for byte in data:
        await stream.send_all(bytes([byte]))
        await trio.lowlevel.checkpoint()
