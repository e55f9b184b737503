"""A small scripted internet for tests of the engine and of a sitting: some sites well, some not, and a helper."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import httpx

from probe.model.measurement import Measurement
from probe.model.vantage import Run, Vantage
from probe.net.base import Failure
from probe.net.fakenet import FakeNet, Hello, Peer
from probe.perform.world import World
from probe.wire.control import LINES_TYPE, HelperHead, SeenClient, end_line, head_line, parse_request
from probe.wire.facts import ObservationRow, Row, canonical, fact_line
from tests.unit.perform.kit import Verdict, world_of

RESET = Failure("connection_reset", "ECONNRESET")
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 26\r\n\r\n<title>hello</title><p>abc"
NOW = "2026-01-01T00:00:00.000000Z"
HELPER = "https://helper.example"
THERE, THERE_RUN = "7" * 32, "8" * 32


class Body(httpx.AsyncByteStream):
    """An answer that comes in one piece, and has not been read before."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.data


def answer_page(location: str | None = None) -> bytes:
    """A page, or a redirect."""
    if location is None:
        return PAGE
    return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


def add_site(
    net: FakeNet,
    host: str,
    ip: str,
    *,
    hello: Failure | None = None,
    connect: Failure | None = None,
    location: str = "",
) -> None:
    """A site over https, known to the system's resolver. With `hello` its own name fails, and any other passes: it
    is cut at the third hop of five."""
    net.names[host, False] = (ip,)
    net.names[host, True] = Failure("dns_no_answer", "EAI_NODATA")
    good = Hello(chain=(host.encode(), b"issuer"), says=(answer_page(location or None),), alpn="http/1.1")
    mine = replace(good, failure=hello, chain=(), ended="rst", hops=3) if hello else good
    net.peers[ip, 443] = Peer(connect=connect, tls={host: mine, "*": good}, hops=5)
    net.peers[ip, 80] = Peer()


def scripted_world(net: FakeNet, trust: Verdict | None = None) -> World:
    """A world without a helper."""
    return world_of(net, trust)


def with_helper(world: World, answer: Callable[[str, int], bytes]) -> World:
    """The same world with a helper: `answer` gives an answer's bytes to a URL and the count of asks so far."""
    asks = 0

    def handle(request: httpx.Request) -> httpx.Response:
        nonlocal asks
        asks += 1
        wanted = parse_request(request.content)
        return httpx.Response(200, stream=Body(answer(wanted.url, asks)), headers={"content-type": LINES_TYPE})

    return replace(world, helper_client=httpx.AsyncClient(transport=httpx.MockTransport(handle)))


def helper_answer(url: str, ip: str, host: str, number: int = 1) -> bytes:
    """What a helper says of a site that is well: one lookup, one handshake that verifies, one page."""
    name = f"{number:032x}"
    record = {"name": host, "type": "A", "ttl": 60, "data": ip}
    lookup: dict[str, object] = {"resolver": "udp://192.0.2.53", "qtype": "A", "rcode": "NOERROR", "answers": [record]}
    details: list[tuple[str, dict[str, object], int | None]] = [
        ("dns.lookup", lookup, None),
        ("tcp.connect", {}, None),
        ("tls.handshake", {"sni": host, "chain": ["c" * 64]}, 1),
        ("tls.verify", {"store": "0" * 64, "reason": "ok", "reasons": ["ok"]}, 2),
        ("http.fetch", {"url": url, "status": 200}, 2),
        ("measurement.end", {"ended": "fixpoint"}, None),
    ]
    facts: list[Row] = [
        Vantage(THERE, "control"),
        Run(THERE_RUN, THERE, NOW),
        Measurement(name, THERE_RUN, url, "web", NOW),
    ]
    for seq, (kind, detail, parent) in enumerate(details):
        row = ObservationRow(name, seq, kind, canonical(detail), parent=parent, host=host)
        facts.append(row if kind == "dns.lookup" else replace(row, ip=ip, port=443))
    told = [fact_line(row) for row in facts]
    head = head_line(HelperHead(1, "vantage-probe", "0", THERE, SeenClient("203.0.113.9")))
    return "".join(line + "\n" for line in (head, *told, end_line(len(told)))).encode()
