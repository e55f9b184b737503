"""The lab's web servers, and the box that stands in for them where a rule diverts a connection."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import trio

from probe.app.demo import pages
from probe.app.demo.censor import read_hello, send_reset, sni_of, strike
from probe.app.demo.origins import Rewound, serve_over_tls
from probe.app.demo.sites import Act
from probe.app.demo.webserver import Ends, Handler, Request, Response, serve_http1
from tests.lab.atlas import NOTICE_HOST, PORTAL, RESOLVERS
from tests.lab.authority import LabResolver
from tests.lab.certs import BOTH, Notary
from tests.lab.manners import MANNERS, redirect, short
from tests.lab.rules import Rule

_STRIKES: dict[str, Act] = {
    "reset_hello": "reset",
    "silent_hello": "silence",
    "alert_hello": "alert",
    "close_hello": "close",
}
_LORIS_S = 2.0


class Origins:
    """Every web server and public resolver, told apart by the address that was dialled."""

    def __init__(self, rows: Sequence[dict[str, Any]], notary: Notary, resolver: LabResolver) -> None:
        self._notary, self._resolver = notary, resolver
        self._by_name = {name: row for row in rows for name in _names(row)}
        self._by_address = {ip: row for row in rows for ip in (*row["v4"], *row["v6"])}

    async def serve_plain(self, stream: trio.SocketStream, ends: Ends) -> None:
        row = self._by_address.get(ends.local)
        if row and row["site"]["manner"] in ("slowloris", "reset_request"):
            await _raw(stream, row["site"]["manner"], stream)
        elif await serve_http1(stream, ends, self.answer):
            await send_reset(stream)

    async def serve_tls(self, stream: trio.SocketStream, ends: Ends) -> None:
        hello = await read_hello(stream)
        name = sni_of(hello)
        row = self._at(name or "", ends.local)
        there = self._by_address.get(ends.local)
        manner = there["site"]["manner"] if there else ""
        if manner in _STRIKES:
            await strike(stream, _STRIKES[manner])
            return
        context, handler = self._context(row, ends.local), self._handler(ends.local)
        if manner in ("slowloris", "reset_request"):
            tls = trio.SSLStream(Rewound(stream, hello), context, server_side=True, https_compatible=True)
            await tls.do_handshake()
            await _raw(tls, manner, stream)
            return
        await serve_over_tls(Rewound(stream, hello), context, ends, handler)

    def _at(self, name: str, local: str) -> dict[str, Any] | None:
        row, there = self._by_name.get(name), self._by_address.get(local)
        if row is None and there and there["site"]["manner"] == "any_name":
            return there
        return row if row is not None and local in (*row["v4"], *row["v6"]) else None

    def _context(self, row: dict[str, Any] | None, local: str) -> ssl.SSLContext:
        if local in RESOLVERS:
            return self._notary.context(RESOLVERS[local])
        if row is None or not row["site"]["alpn"]:
            return self._notary.context(("hosting.example",))
        site = row["site"]
        return self._notary.context(tuple(_names(row)), tuple(site["alpn"]), site["cert"])

    def _handler(self, local: str) -> Handler:
        return self._resolver.doh if local in RESOLVERS else self.answer

    def answer(self, request: Request) -> Response:
        """What the server itself says."""
        row = self._at(request.host, request.local)
        if row is None:
            return short(404, "No such site here", "This server hosts other names.")
        site = row["site"]
        if site["plain"] == "to_https" and site["alpn"] and not request.secure:
            return redirect(f"https://{request.host}{request.path}", 301)
        return MANNERS[site["manner"]](site, request)


class Box:
    """The censor's own server. `diverting` are the rules that send connections here; `to` of each says what they are
    to meet: self_signed, ca_signed, notice, proxy, login (a captive portal)."""

    def __init__(self, diverting: Sequence[Rule], notary: Notary, origins: Origins) -> None:
        self._rules, self._notary, self._origins = tuple(diverting), notary, origins

    async def serve_plain(self, stream: trio.SocketStream, ends: Ends) -> None:
        await serve_http1(stream, ends, self._answer)

    async def serve_tls(self, stream: trio.SocketStream, ends: Ends) -> None:
        hello = await read_hello(stream)
        mode = self._mode(ends.local)
        if mode == "login":
            context = self._notary.context(("login.hotel.example",), BOTH, "unknown_ca")
        else:
            cert = "self_signed" if mode == "self_signed" else "unknown_ca"
            context = self._notary.context((sni_of(hello) or NOTICE_HOST,), BOTH, cert)
        await serve_over_tls(Rewound(stream, hello), context, ends, self._answer)

    def _mode(self, local: str) -> str:
        address = trio.socket.inet_pton(trio.socket.AF_INET6 if ":" in local else trio.socket.AF_INET, local)
        if local in PORTAL and not any(r.to == "login" for r in self._rules):
            return "notice"
        return next((r.to for r in self._rules if not r.addresses or address in r.addresses), "notice")

    def _answer(self, request: Request) -> Response:
        mode = self._mode(request.local)
        if mode == "login":
            return _hotel() if request.local in PORTAL else redirect(f"http://{PORTAL[0]}/login", 302)
        if mode == "notice":
            return Response(200, pages.NOTICE.encode())
        genuine = self._origins.answer(request)
        if mode == "proxy":
            return replace(genuine, headers=(*genuine.headers, ("via", "1.1 cache.isp.example (squid)")))
        return genuine


def _hotel() -> Response:
    body = (
        "<html><head><title>Hotel Wi-Fi login</title></head><body><h1>Please log in to use the Internet.</h1>"
        "<form action='/login' method='post'><input name='room'><input type='password' name='code'></form>"
        "</body></html>"
    )
    return Response(200, body.encode())


async def _raw(stream: trio.abc.Stream, manner: str, below: trio.SocketStream) -> None:
    """A server that is at odds with HTTP: headers by the drop for a minute, or a reset for every request."""
    await stream.receive_some(65536)
    if manner == "reset_request":
        await send_reset(below)
        return
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n")
    for n in range(60):
        await stream.send_all(f"X-{n}: still here\r\n".encode())
        await trio.sleep(_LORIS_S)


def _names(row: dict[str, Any]) -> tuple[str, ...]:
    name = row["site"]["name"]
    return (name, f"www.{name}") if row["site"]["www"] else (name,)
