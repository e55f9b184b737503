"""The lab's web servers, and the box that stands in for them where a rule diverts a connection."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import trio

from probe.app.demo import pages
from probe.app.demo.censor import keep_silent, read_hello, send_reset, sni_of, strike
from probe.app.demo.origins import Rewound, serve_over_tls
from probe.app.demo.sites import Act
from probe.app.demo.webserver import Ends, Handler, Request, Response, serve_http1
from tests.lab.atlas import ABROAD, CONTROL, FAMILY, NOTICE_HOST, PORTAL, RESOLVERS, WARNING
from tests.lab.authority import LabResolver
from tests.lab.certs import BOTH, Notary
from tests.lab.http3 import announcing, over_tcp
from tests.lab.manners import MANNERS, page, redirect, short, takes_turns
from tests.lab.notices import PAGES
from tests.lab.packet import packed
from tests.lab.rules import Rule, ciphers_of, our_ciphers

_STRIKES: dict[str, Act] = {
    "reset_hello": "reset",
    "silent_hello": "silence",
    "alert_hello": "alert",
    "close_hello": "close",
}
# Manners that speak a protocol of their own instead of HTTP.
_RAW = ("slowloris", "reset_request", "no_length")
_LORIS_S = 2.0


class Origins:
    """Every web server and public resolver, told apart by the address that was dialled."""

    def __init__(self, rows: Sequence[dict[str, Any]], notary: Notary, resolver: LabResolver) -> None:
        self._notary, self._resolver = notary, resolver
        self._disliked = our_ciphers()
        self._by_name = {name: row for row in rows for name in _names(row)}
        self._by_address = {ip: row for row in rows for ip in (*row["v4"], *row["v6"])}

    async def serve_plain(self, stream: trio.SocketStream, ends: Ends) -> None:
        row = self._by_address.get(ends.local)
        if row and row["site"]["manner"] in _RAW:
            await _raw(stream, row["site"], stream)
        elif await serve_http1(stream, ends, self.answer):
            await send_reset(stream)

    async def serve_tls(self, stream: trio.SocketStream, ends: Ends) -> None:
        hello = await read_hello(stream)
        name = sni_of(hello)
        row = self._at(name or "", ends.local)
        there = self._by_address.get(ends.local)
        manner = there["site"]["manner"] if there else ""
        act = self._strike_for(manner, there, ends, hello)
        if act is not None:
            await strike(stream, act)
            return
        context, handler = self._context(row, ends.local), self._handler(ends.local)
        if there and manner in _RAW:
            tls = trio.SSLStream(Rewound(stream, hello), context, server_side=True, https_compatible=True)
            await tls.do_handshake()
            await _raw(tls, there["site"], stream)
            return
        await serve_over_tls(Rewound(stream, hello), context, ends, handler)

    def _strike_for(self, manner: str, there: dict[str, Any] | None, ends: Ends, hello: bytes) -> Act | None:
        """What the server does to this hello instead of answering it."""
        plain = manner.removesuffix("_there")
        if plain in _STRIKES:
            return _STRIKES[plain] if plain == manner or ends.peer in (*CONTROL, *ABROAD) else None
        if manner == "picky_hello":
            return "reset" if ciphers_of(hello) == self._disliked else None
        if manner == "own_names_only" and there:
            return None if sni_of(hello) in (None, *_names(there)) else "reset"
        if manner == "one_backend_hello" and there:
            return "reset" if takes_turns(there["site"]["name"]) else None
        return None

    def _at(self, name: str, local: str) -> dict[str, Any] | None:
        row, there = self._by_name.get(name), self._by_address.get(local)
        if row is None and there and there["site"]["manner"] == "any_name":
            return there
        return row if row is not None and local in (*row["v4"], *row["v6"]) and local not in row["stray"] else None

    def _context(self, row: dict[str, Any] | None, local: str) -> ssl.SSLContext:
        if local in RESOLVERS:
            return self._notary.context(RESOLVERS[local])
        if row is None or not row["site"]["alpn"]:
            return self._notary.context(("hosting.example",))
        site, cert = row["site"], row["site"]["cert"]
        if site["manner"] == "one_backend_expired" and takes_turns(site["name"]):
            cert = "expired"
        return self._notary.context(tuple(_names(row)), over_tcp(site["alpn"]), cert, site["tls"])

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
        return announcing(site, request, MANNERS.get(site["manner"], page)(site, request))


class Box:
    """The censor's own server, and whatever else leads a volunteer astray. `diverting` are the rules that send
    connections here; `to` of each says what they are to meet: self_signed or ca_signed (the page, through a forged
    handshake), proxy (which adds Via), altered (which also adds to the page), login, quota or another of
    `tests.lab.notices.PAGES`."""

    def __init__(self, diverting: Sequence[Rule], notary: Notary, origins: Origins) -> None:
        self._rules, self._notary, self._origins = tuple(diverting), notary, origins
        self._has_login = any(r.to == "login" for r in self._rules)

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
        """A rule that names the address comes first, then what the box says there anyway, then a rule for all."""
        address = packed(local)
        meant = next((r.to for r in self._rules if address in r.addresses), "")
        own = "login" if self._has_login and local in _OWN_PAGES else _OWN_PAGES.get(local, "")
        return meant or own or next((r.to for r in self._rules if not r.addresses), "notice")

    def _answer(self, request: Request) -> Response:
        mode = self._mode(request.local)
        if mode == "login" and request.local not in PORTAL:
            return redirect(f"http://{PORTAL[0]}/login", 302)
        if mode in PAGES:
            return Response(200, PAGES[mode])
        genuine = self._origins.answer(request)
        if mode not in ("proxy", "altered"):
            return genuine
        body = genuine.body.replace(b"</body>", _ADVERT + b"</body>") if mode == "altered" else genuine.body
        return replace(genuine, body=body, headers=(*genuine.headers, ("via", "1.1 cache.isp.example (squid)")))


# What the box says at its own addresses, whoever led the visitor there.
_OWN_PAGES = {PORTAL[0]: "notice", PORTAL[1]: "notice", WARNING: "unknown", FAMILY: "family"}
_ADVERT = (
    b"<div id='isp-bar'><iframe src='http://ads.isp.example/bar'></iframe><script src='http://ads.isp.example/t.js'>"
    b"</script><p>Recharge today and win. This page was brought to you by your operator.</p></div>"
)


async def _raw(stream: trio.abc.Stream, site: dict[str, Any], below: trio.SocketStream) -> None:
    """A server that is at odds with HTTP: headers by the drop for a minute, a reset for every request, or a page whose
    end is the end of the connection, without a word of goodbye."""
    await stream.receive_some(65536)
    if site["manner"] == "reset_request":
        await send_reset(below)
        return
    if site["manner"] == "no_length":
        body = pages.site_page(site["name"], site["name"]).encode()
        await stream.send_all(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + body)
        await below.send_eof()
        await keep_silent(below)
        return
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n")
    for n in range(60):
        await stream.send_all(f"X-{n}: still here\r\n".encode())
        await trio.sleep(_LORIS_S)


def _names(row: dict[str, Any]) -> tuple[str, ...]:
    name = row["site"]["name"]
    return (name, f"www.{name}") if row["site"]["www"] else (name,)
