"""HTTP/3 end to end on loopback: a site that announces it over TLS, its HTTP/3 server, and a helper with the real
engine that is asked about what fails here."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

pytest.importorskip("aioquic")
from probe.app.demo.certs import Authority
from probe.app.demo.webserver import Ends, Request, Response, serve_http1
from probe.checks import RULESET, Question
from probe.engine import measure
from probe.helper.app import Helper, helper_app
from probe.model.kinds import ControlAsk, HttpFetch, QuicHandshake
from probe.model.measurement import Measurement
from probe.model.target import parse_target
from probe.model.vantage import Vantage
from probe.net.base import QuicPlan
from probe.net.clock import RealClock
from probe.net.system import SystemResolver
from probe.net.trionet import TrioNet
from probe.net.trust import TrustStore, pem_certificates
from probe.perform.world import Limits, Policy, World
from probe.serve import Listen, serve
from probe.verdict.case import Case
from probe.verdict.judge import judge
from probe.verdict.read import of_kind
from tests.cases.build import REFERENCE
from tests.quic.server import Http3Server, Identity, udp_socket

HOST, NAME = "127.0.0.1", "site.example"
LIMITS = Limits(connect_s=1, handshake_s=1, stall_s=1, fetch_s=3, quic=QuicPlan(2.0, 0.4))
NOW = "2026-01-01T00:00:00.000000Z"
PAGE = b"<title>Home</title><p>one page over every protocol"


def lookup(host: str, family: int) -> Sequence[Any]:
    """The system resolver of these tests."""
    if family != socket.AF_INET:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")
    return [(family, socket.SOCK_STREAM, 6, "", (HOST, 0))]


@dataclass
class Site:
    """A site on one port of 127.0.0.1, over TLS and over QUIC."""

    port: int
    authority: Authority
    asked: list[str]

    def world(self, **more: Any) -> World:
        net = TrioNet(resolver=SystemResolver(RealClock(), lookup))
        trust = TrustStore(pem_certificates(self.authority.root_pem))
        policy = Policy((), (ipaddress.ip_network("127.0.0.0/8"),), frozenset({self.port}))
        return World(net, trust, policy, LIMITS, **more)


@asynccontextmanager
async def standing(folder: Path, choose: dict[str | None, Identity]) -> AsyncIterator[Site]:
    authority = Authority("Loopback", folder)
    asked: list[str] = []

    def page(request: Request) -> Response:
        asked.append(request.path)
        return Response(200, PAGE, (("alt-svc", f'h3=":{site.port}"; ma=60'),))

    async def secure(context: ssl.SSLContext, stream: trio.SocketStream) -> None:
        tls = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        try:
            await serve_http1(tls, Ends(HOST, HOST, True), page)
        except (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError):
            return

    context = authority.context((NAME,), ("http/1.1",))
    good = Identity(authority.issue((NAME,)))
    (listener,) = await trio.open_tcp_listeners(0, host=HOST)
    site = Site(listener.socket.getsockname()[1], authority, asked)
    with udp_socket(HOST, site.port) as sock:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, partial(secure, context), [listener])
            nursery.start_soon(Http3Server(sock, lambda name, local: choose.get(name, good), page).run)
            yield site
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def helping(site: Site) -> AsyncIterator[str]:
    ids = iter(range(1, 1000))
    helper = Helper(site.world(), Vantage("f" * 32, "control"), ("system",), lambda: f"{next(ids):032x}", lambda: NOW)
    async with trio.open_nursery() as nursery:
        bound = await nursery.start(partial(serve, helper_app(helper), Listen(HOST, 0)))
        yield bound.url
        nursery.cancel_scope.cancel()


async def measured(site: Site, helper: str = "") -> Case:
    target = parse_target(f"https://{NAME}:{site.port}/")
    helpers = (helper,) if helper else ()
    question = Question(target, resolvers=("system",), helpers=helpers, attempts=3, gaps_s=(0.05,))
    measurement = Measurement("e" * 32, "d" * 32, target.url, "web,quic", NOW)
    async with httpx.AsyncClient(trust_env=False) as client:
        return await measure(question, measurement, site.world(helper_client=client), lambda row: None)


def shakes(case: Case) -> list[tuple[str | None, str | None]]:
    return [(d.sni, o.failure) for o, d in of_kind(case.observations, QuicHandshake)]


async def test_http3_is_met_where_it_is_announced(tmp_path: Path) -> None:
    async with standing(tmp_path, {}) as site:
        case = await measured(site)
    assert shakes(case) == [(NAME, None)]
    old, new = (d for _, d in of_kind(case.observations, HttpFetch))
    assert (old.protocol, new.protocol) == ("HTTP/1.1", "HTTP/3") and old.body == new.body
    said = judge(case, REFERENCE, RULESET)
    assert said.outcome == "ok" and {v.layer: v.outcome for v in said.layers}["quic"] == "ok"
    assert site.asked == ["/", "/"]


async def test_the_control_is_asked_about_what_fails_here(tmp_path: Path) -> None:
    """The name is dropped for everybody, so that the helper meets the same."""
    async with standing(tmp_path, {NAME: Identity(silent=True)}) as site, helping(site) as helper:
        case = await measured(site, helper)
    asks = [d for _, d in of_kind(case.observations, ControlAsk)]
    assert [(bool(d.endpoints), d.quic) for d in asks] == [(False, False), (True, True)]
    (extra,) = (c for c in case.controls if c.is_extra)
    assert [o.failure for o, _ in of_kind(extra.observations, QuicHandshake)] == ["generic_timeout_error"]
    assert shakes(case) == [(NAME, "generic_timeout_error")]
    said = judge(case, REFERENCE, RULESET)
    assert said.outcome == "ok" and {v.layer: v.outcome for v in said.layers}["quic"] == "down"


async def test_a_certificate_that_is_bad_for_all(tmp_path: Path) -> None:
    bad = Identity(Authority("Somebody", tmp_path).issue((NAME,)))
    async with standing(tmp_path, {NAME: bad}) as site, helping(site) as helper:
        case = await measured(site, helper)
    said = judge(case, REFERENCE, RULESET)
    assert said.outcome == "ok" and {v.layer: v.outcome for v in said.layers}["quic"] == "down"
    assert shakes(case) == [(NAME, None)]
