"""httpcore through a SOCKS5 proxy, names and all (RFC 1928, RFC 1929): no name is looked up on this machine but the
proxy's own, and nothing ever goes round the proxy.

httpcore has a SOCKS client, too. It waits for the proxy without a deadline and takes an answer that comes in two pieces
for a bug of its own, which a Tor that is still building its circuits shows every day; so here is one that does not.
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

import httpcore
import httpx
import trio

# Tor gives a circuit two minutes before it says no.
ANSWER_S = 120.0
_NO_AUTH, _PASSWORD = 0x00, 0x02
_IPV4, _NAME, _IPV6 = 1, 3, 4
_SIZES = {_IPV4: 4, _IPV6: 16}
_REPLIES = {
    1: "general failure", 2: "not allowed by its rules", 3: "network unreachable", 4: "host unreachable",
    5: "connection refused", 6: "took too long on the way", 7: "command not supported", 8: "address not supported",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Socks:
    """A proxy. `name` and `word` are what it wants to know of us, empty for nothing."""

    host: str
    port: int
    name: str = ""
    word: str = ""

    def isolated(self) -> Socks:
        """The same, under a name of its own: Tor gives another circuit to each (IsolateSOCKSAuth, on by default)."""
        return Socks(self.host, self.port, secrets.token_hex(8), secrets.token_hex(8))


class SocksTransport(httpx.AsyncHTTPTransport):
    """httpx over one SOCKS proxy."""

    def __init__(self, proxy: Socks, context: ssl.SSLContext) -> None:
        super().__init__(verify=context, trust_env=False)
        # httpx takes no network backend from outside; the pool is what it would have made, with ours.
        self._pool = httpcore.AsyncConnectionPool(ssl_context=context, network_backend=SocksBackend(proxy))


class SocksBackend(httpcore.AsyncNetworkBackend):
    """Where httpcore gets its connections from."""

    def __init__(self, proxy: Socks) -> None:
        self._proxy, self._inner = proxy, httpcore.TrioBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's interface)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A stream to host:port that the proxy dialled. Raises httpcore's ProxyError and connection errors."""
        stream = await self._inner.connect_tcp(
            self._proxy.host, self._proxy.port, timeout, local_address, socket_options
        )
        try:
            with trio.fail_after(ANSWER_S):
                await _greet(stream, self._proxy)
                await _ask(stream, host, port)
        except trio.TooSlowError:
            await stream.aclose()
            raise httpcore.ProxyError("the proxy does not answer") from None
        except BaseException:
            with trio.CancelScope(shield=True):
                await stream.aclose()
            raise
        return stream


async def _greet(stream: httpcore.AsyncNetworkStream, proxy: Socks) -> None:
    wanted = _PASSWORD if proxy.name else _NO_AUTH
    await stream.write(bytes([5, 1, wanted]))
    version, method = await _read(stream, 2)
    if version != 5 or method != wanted:
        raise httpcore.ProxyError("the proxy wants another way to log in, or is no SOCKS5 proxy")
    if proxy.name:
        name, word = proxy.name.encode()[:255], proxy.word.encode()[:255]
        await stream.write(bytes([1, len(name)]) + name + bytes([len(word)]) + word)
        if (await _read(stream, 2))[1] != 0:
            raise httpcore.ProxyError("the proxy does not take this name and password")


async def _ask(stream: httpcore.AsyncNetworkStream, host: str, port: int) -> None:
    await stream.write(b"\x05\x01\x00" + _address(host) + port.to_bytes(2, "big"))
    _, reply, _, kind = await _read(stream, 4)
    if reply != 0:
        raise httpcore.ProxyError(f"the proxy cannot reach {host}: {_REPLIES.get(reply, f'reply {reply}')}")
    # Where the proxy dials from is told, too, and is nothing to us: an address or a name, and a port.
    size = (await _read(stream, 1))[0] if kind == _NAME else _SIZES.get(kind, 0)
    await _read(stream, size + 2)


def _address(host: str) -> bytes:
    try:
        packed = ip_address(host).packed
    except ValueError:
        name = host.encode("ascii")
        return bytes([_NAME, len(name)]) + name
    return bytes([_IPV4 if len(packed) == 4 else _IPV6]) + packed


async def _read(stream: httpcore.AsyncNetworkStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = await stream.read(size - len(data))
        if not piece:
            raise httpcore.ProxyError("the proxy hung up")
        data += piece
    return data
