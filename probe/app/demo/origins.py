"""The web servers of the demo: hosting addresses, the sites behind them, the block portal, the censor at the door.

A TLS connection for a name that its address does not host still gets a handshake, with the hosting company's own
certificate, as shared hosting does: so a probe may ask a blocked site's address for an innocent name and learn.
"""

from __future__ import annotations

import gzip
import ssl
from collections.abc import Sequence

import trio

from probe.app.demo import pages
from probe.app.demo.censor import Censor, read_hello, send_reset, sni_of, strike
from probe.app.demo.certs import Authority
from probe.app.demo.sites import BLOCK_PORTAL, IPV6, PORTAL_NAME, Site
from probe.app.demo.webserver import Ends, Handler, Request, Response, serve_http1, serve_http2

_BOTH = ("h2", "http/1.1")
# Slow enough to be noticed, quick enough for any deadline a probe may sanely have.
_SLOW_PAUSE_S, _SLOW_DRIP_S = 1.2, 0.25
_CUT_AFTER = 6000
_COOKIE = "visit=welcome"


class Rewound(trio.abc.Stream):
    """A stream of which some bytes were already read: they are read again first."""

    def __init__(self, stream: trio.SocketStream, head: bytes) -> None:
        self._stream, self._head = stream, head

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if not self._head:
            return bytes(await self._stream.receive_some(max_bytes))
        await trio.lowlevel.checkpoint()
        size = len(self._head) if max_bytes is None else max_bytes
        head, self._head = self._head[:size], self._head[size:]
        return head

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


class Origins:
    """Every web server of the world. `http` and `https` are the ports in use; the authority signs for the honest, the
    rival for the interceptor."""

    def __init__(
        self, sites: Sequence[Site], censor: Censor, authority: Authority, rival: Authority, http: int, https: int
    ) -> None:
        self._sites = {name: site for site in sites for name in site.names}
        self._censor, self._rival = censor, rival
        self._http, self._https = http, https
        self._contexts = _contexts(sites, authority)
        self._houses = {
            address: authority.context((f"hosting-{i}.test",), _BOTH)
            for i, address in enumerate([IPV6, *sorted(web_addresses(sites))])
        }
        # The portal cannot have a certificate for the names it stands in for, and nobody trusts the one it has.
        self._houses[BLOCK_PORTAL] = rival.context((PORTAL_NAME,), _BOTH)
        self._forged: dict[str, ssl.SSLContext] = {}

    async def serve_plain(self, stream: trio.SocketStream) -> None:
        """One connection to the HTTP port."""
        if await serve_http1(stream, _ends(stream, secure=False), self._answer_plain):
            await send_reset(stream)

    async def serve_tls(self, stream: trio.SocketStream) -> None:
        """One connection to the HTTPS port: the censor reads the first message, then the server does."""
        ends = _ends(stream, secure=True)
        hello = await read_hello(stream)
        sni = sni_of(hello)
        act = self._censor.at_hello(sni, ends.peer)
        if act is None:
            await serve_over_tls(Rewound(stream, hello), self._context(sni, ends.local), ends, self._answer)
        elif act == "intercept":
            await serve_over_tls(Rewound(stream, hello), self._forge(sni or ""), ends, self._answer)
        else:
            await strike(stream, act)

    def _context(self, sni: str | None, local: str) -> ssl.SSLContext:
        """The named site's certificate if it lives at this address, else the house's."""
        site = self._hosted(sni or "", local)
        return self._contexts[site.name] if site and site.alpn else self._houses[local]

    def _hosted(self, name: str, local: str) -> Site | None:
        """The site of that name, if it lives at this address."""
        site = self._sites.get(name)
        return site if site and local in (site.address, site.abroad, IPV6 if site.ipv6 else "") else None

    def _forge(self, name: str) -> ssl.SSLContext:
        if name not in self._forged:
            self._forged[name] = self._rival.context((name,), _BOTH)
        return self._forged[name]

    def _answer_plain(self, request: Request) -> Response:
        """What a visitor of the HTTP port gets: the censor's answer if it has one, else the site's."""
        act = self._censor.at_host(request.host, request.peer)
        if act == "reset":
            return Response(0, reset=True)
        if act == "blockpage":
            return Response(200, pages.NOTICE.encode())
        if act == "redirect":
            return _redirect(f"http://{PORTAL_NAME}:{self._http}/", 302)
        answer = self._answer(request)
        if act == "truncate":
            return Response(answer.status, answer.body, answer.headers, cut_after=_CUT_AFTER)
        return answer

    def _answer(self, request: Request) -> Response:
        """What the server itself says."""
        if request.local == BLOCK_PORTAL:
            return Response(200, pages.NOTICE.encode())
        if request.method not in ("GET", "HEAD"):
            return _short(405, "Method not allowed", "This page can only be read.")
        site = self._hosted(request.host, request.local)
        if site is None:
            return _short(404, "No such site here", "This server hosts other names.")
        return self._manner(site, request)

    def _manner(self, site: Site, request: Request) -> Response:
        """The site's own way of answering, by its manner."""
        if site.manner == "to_https":
            return self._shop(site, request)
        if site.alpn and not request.secure:
            return _redirect(f"https://{request.host}:{self._https}{request.path}", 301)
        if site.manner == "geo_refusal" and self._censor.is_field(request.peer):
            return _short(403, "Not available in your country", "We do not serve visitors from where you are.")
        if site.manner == "legal":
            refusal = _short(451, "Unavailable for legal reasons", "A court has ordered us to withhold this page.")
            return Response(451, refusal.body, (("link", '<https://court.test/>; rel="blocked-by"'),))
        page = _page(site, request)
        if site.manner == "slow":
            return Response(200, page.body, page.headers, pause_s=_SLOW_PAUSE_S, drip_s=_SLOW_DRIP_S)
        return page

    def _shop(self, site: Site, request: Request) -> Response:
        """HTTP to HTTPS, then to www with a cookie; www without the cookie sends its visitor back."""
        bare = f"https://{site.name}:{self._https}/"
        if not request.secure:
            return _redirect(bare, 301)
        if request.host == site.name:
            cookie = ("set-cookie", f"{_COOKIE}; Domain={site.name}; Path=/; Secure; HttpOnly")
            return _redirect(f"https://{site.alias}:{self._https}/", 302, cookie)
        return _page(site, request) if _COOKIE in request.cookie else _redirect(bare, 302)


def web_addresses(sites: Sequence[Site]) -> set[str]:
    """The IPv4 addresses at which something listens for the sites; the portal's is not among them."""
    return {address for site in sites if site.up for address in (site.address, site.abroad) if address}


def _contexts(sites: Sequence[Site], authority: Authority) -> dict[str, ssl.SSLContext]:
    return {
        site.name: authority.context(site.names, site.alpn, expired=site.expired)
        for site in sites
        if site.alpn and site.up
    }


def _ends(stream: trio.SocketStream, *, secure: bool) -> Ends:
    return Ends(stream.socket.getpeername()[0], stream.socket.getsockname()[0], secure)


async def serve_over_tls(stream: trio.abc.Stream, context: ssl.SSLContext, ends: Ends, handler: Handler) -> None:
    """Handshake as a server, then speak the HTTP that was agreed on."""
    tls = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
    await tls.do_handshake()
    if tls.selected_alpn_protocol() == "h2":
        await serve_http2(tls, ends, handler)
    else:
        await serve_http1(tls, ends, handler)
    await tls.aclose()


def _page(site: Site, request: Request) -> Response:
    body = pages.site_page(site.name, site.title).encode()
    if site.gzip and "gzip" in request.accept_encoding:
        # mtime 0: the same bytes every time.
        packed = gzip.compress(body, mtime=0)
        return Response(200, packed, (("content-encoding", "gzip"), ("vary", "accept-encoding")), chunked=True)
    return Response(200, body, (("cache-control", "max-age=60"),))


def _short(status: int, title: str, text: str) -> Response:
    return Response(status, pages.plain_page(title, text).encode())


def _redirect(where: str, status: int, *more: tuple[str, str]) -> Response:
    body = pages.plain_page("Moved", f"The page is at {where}").encode()
    return Response(status, body, (("location", where), *more))
