"""The lab's sites over HTTP/3: how they announce it, and one server for all their addresses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import trio

from probe.app.demo.webserver import Request, Response
from tests.lab.certs import Notary
from tests.lab.spaces import inside
from tests.quic.server import Http3Server, Identity, udp_socket

H3 = "h3"
_ANNOUNCED = ("alt-svc", 'h3=":443"; ma=86400')
RECORD = '1 . alpn="h3,h2"'
Answer = Callable[[Request], Response]


def speaks_h3(site: dict[str, Any]) -> bool:
    """The site announces HTTP/3, whether or not it keeps its word."""
    return H3 in site["alpn"]


def over_tcp(alpn: Sequence[str]) -> tuple[str, ...]:
    """What a site offers in TLS over TCP."""
    return tuple(name for name in alpn if name != H3)


def announcing(site: dict[str, Any], request: Request, response: Response) -> Response:
    """The response as it goes out, with the header that announces HTTP/3 where that is the site's way."""
    if not request.secure or not speaks_h3(site):
        return response
    return replace(response, headers=(*response.headers, _ANNOUNCED))


def start_http3(
    nursery: trio.Nursery, namespace: str, rows: Sequence[dict[str, Any]], notary: Notary, answer: Answer
) -> None:
    """Serve all sites that speak HTTP/3; a lab without any has no such server."""
    if not any(speaks_h3(row["site"]) for row in rows):
        return
    by_address = {ip: row for row in rows for ip in (*row["v4"], *row["v6"])}

    @cache
    def identity(names: tuple[str, ...], cert: str) -> Identity:
        return Identity(notary.key_and_chain(names, cert))

    def choose(name: str | None, local: str) -> Identity:
        row = by_address.get(local)
        if row is None or not speaks_h3(row["site"]) or row["site"]["h3"] == "silent":
            return Identity(silent=True)
        if name != row["site"]["name"]:
            return identity(("hosting.example",), "ok")
        return identity((name,), row["site"]["h3"])

    for everywhere in ("0.0.0.0", "::"):
        with inside(namespace):
            sock = udp_socket(everywhere, 443)
        nursery.start_soon(Http3Server(sock, choose, answer).run)
