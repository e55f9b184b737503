"""One DNS question over a stream: TCP (RFC 7766), TLS (RFC 7858) and HTTPS (RFC 8484), to a resolver's address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import trio

from probe.model.kinds import Icmp
from probe.model.target import address_of
from probe.net.base import Failure, Shaken, Stream
from probe.net.classify import DEADLINE
from probe.perform.held import EOF, Exchange, HeldStream
from probe.perform.world import World
from probe.wire.dns import frame

PORTS = {"udp": 53, "tcp": 53, "tls": 853, "https": 443}
MESSAGE = "application/dns-message"
MAX_MESSAGE = 65_535
HTTPS_ALPN = ("h2", "http/1.1")
VERIFIED = "verified"


@dataclass(frozen=True, slots=True)
class Resolver:
    """A resolver's URL taken apart. `name` is the certificate's; `target` path and query of a DoH request."""

    scheme: str
    ip: str
    port: int
    name: str = ""
    target: str = ""

    @property
    def authority(self) -> str:
        """What the Host header says: the name if there is one, else the address."""
        host = self.name or (f"[{self.ip}]" if ":" in self.ip else self.ip)
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What came back: a message, or a failure. `note` is `verified` or `unverified:<reason>` once there was a chain to
    judge; where it failed before that, `connect` or `handshake`. `rtt_us` is the kernel's least round trip of the
    stream, None where it has none."""

    message: bytes | None
    failure: Failure | None
    note: str | None = None
    icmp: Icmp | None = None
    rtt_us: int | None = None


def parse_resolver(url: str) -> Resolver:
    """A resolver from its URL, dialled by address. Raises ValueError with the reason."""
    parts = urlsplit(url)
    ip = address_of(parts.hostname or "")
    if parts.scheme not in PORTS:
        raise ValueError(f"resolver scheme {parts.scheme!r} is not udp, tcp, tls or https")
    if ip is None:
        raise ValueError("a resolver's host must be an IP address")
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    name = next((value for key, value in pairs if key == "name"), "")
    query = urlencode([(key, value) for key, value in pairs if key != "name"])
    target = (parts.path or "/dns-query") + (f"?{query}" if query else "")
    return Resolver(parts.scheme, ip, parts.port or PORTS[parts.scheme], name, target)


async def ask_stream(resolver: Resolver, query: bytes, world: World) -> Asked:
    """Ask over the resolver's kind of stream, each stage under its own deadline. Never raises for the network."""
    dialed = await world.net.dial(resolver.ip, resolver.port, world.limits.connect_s)
    if dialed.stream is None:
        return Asked(None, dialed.failure, "connect", dialed.icmp)
    try:
        asked = await _ASKERS[resolver.scheme](resolver, query, dialed.stream, world)
        info = dialed.stream.info()
        return replace(asked, rtt_us=(info.min_rtt_us or None) if info else None)
    finally:
        dialed.stream.close()


async def _ask_tcp(resolver: Resolver, query: bytes, stream: Stream, world: World) -> Asked:
    return await _framed(query, stream, world, None)


async def _ask_tls(resolver: Resolver, query: bytes, stream: Stream, world: World) -> Asked:
    shaken = await world.net.shake(stream, resolver.name or None, (), world.limits.handshake_s)
    if shaken.stream is None:
        return Asked(None, shaken.failure, "handshake")
    return await _framed(query, shaken.stream, world, _proof(resolver, shaken, world))


async def _ask_https(resolver: Resolver, query: bytes, stream: Stream, world: World) -> Asked:
    shaken = await world.net.shake(stream, resolver.name or None, HTTPS_ALPN, world.limits.handshake_s)
    if shaken.stream is None:
        return Asked(None, shaken.failure, "handshake")
    limits, clock, timeout_s = world.limits, world.net.clock, world.limits.dns.timeout_s
    http2 = shaken.alpn == "h2"
    held = HeldStream(shaken.stream, clock, timeout_s, timeout_s, limits.header_cap)
    exchange = Exchange(held, clock, http2, limits)
    await exchange.run(_post(resolver, query))
    return _from_http(exchange, _proof(resolver, shaken, world))


_Asker = Callable[[Resolver, bytes, Stream, World], Awaitable[Asked]]
_ASKERS: dict[str, _Asker] = {"tcp": _ask_tcp, "tls": _ask_tls, "https": _ask_https}


async def _framed(query: bytes, stream: Stream, world: World, note: str | None) -> Asked:
    """Send the question behind its length, read one answer behind its own."""
    answer: bytes | Failure = DEADLINE
    with trio.move_on_after(world.limits.dns.timeout_s):
        answer = await stream.send(frame(query)) or await _one_message(stream)
    return Asked(None, answer, note) if isinstance(answer, Failure) else Asked(answer, None, note)


async def _one_message(stream: Stream) -> bytes | Failure:
    held = b""
    while len(held) < 2 or len(held) < 2 + int.from_bytes(held[:2], "big"):
        data = await stream.receive()
        if isinstance(data, Failure):
            return data
        if not data:
            return EOF
        held += data
    return held[2 : 2 + int.from_bytes(held[:2], "big")]


def _proof(resolver: Resolver, shaken: Shaken, world: World) -> str:
    said = world.trust.verify(shaken.chain, resolver.name or resolver.ip, world.now_s())
    return VERIFIED if said.reason == "ok" else f"unverified:{said.reason}"


def _post(resolver: Resolver, query: bytes) -> httpx.Request:
    headers = [
        ("Host", resolver.authority),
        ("Accept", MESSAGE),
        ("Content-Type", MESSAGE),
        ("Content-Length", str(len(query))),
    ]
    url = f"https://{resolver.authority}{resolver.target}"
    return httpx.Request("POST", url, headers=headers, content=query, extensions={"target": resolver.target.encode()})


def _from_http(exchange: Exchange, note: str) -> Asked:
    response = exchange.response
    if exchange.ended is not None or response is None:
        return Asked(None, exchange.ended, note)
    if response.status_code != 200:
        return Asked(None, Failure("http_request_failed", f"HTTP {response.status_code}"), note)
    if response.headers.get("content-type", "").split(";")[0].strip().lower() != MESSAGE:
        return Asked(None, Failure("dns_server_misbehaving", "not a DNS message"), note)
    return Asked(bytes(exchange.body[:MAX_MESSAGE]), None, note)
