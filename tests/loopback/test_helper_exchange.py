"""Field and helper, both with the real engine, in the demo's world: the control sees what the censor hides."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio

from probe.app.demo.doors import missing_addresses
from probe.app.demo.world import World as Demo
from probe.app.demo.world import open_world
from probe.checks import Question
from probe.engine import measure
from probe.helper.app import Helper, helper_app
from probe.model.kinds import ControlAsk, DnsLookup, HttpFetch
from probe.model.measurement import Measurement
from probe.model.target import parse_target
from probe.model.vantage import Run, Vantage
from probe.net.trionet import TrioNet
from probe.net.trust import load_trust
from probe.perform.world import Limits, Policy, World
from probe.serve import Bound, Listen, Tls, serve
from probe.store.sqlite import Store
from probe.verdict.case import Case
from tests.loopback.net_peers import authority

pytestmark = pytest.mark.skipif(bool(missing_addresses()), reason="this system has only part of 127.0.0.0/8")
QUICK = Limits(connect_s=1, handshake_s=1, stall_s=1, fetch_s=3)
NOW = "2026-01-01T00:00:00.000000Z"


@pytest.fixture
async def demo() -> AsyncIterator[Demo]:
    async with open_world() as opened:
        yield opened


@asynccontextmanager
async def standing_helper(demo: Demo, folder: Path) -> AsyncIterator[Bound]:
    """A helper that sees the truth, over TLS."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    leaf = authority().issue_cert("127.0.0.1")
    leaf.cert_chain_pems[0].write_to_path(str(cert))
    leaf.private_key_pem.write_to_path(str(key))
    async with trio.open_nursery() as nursery:
        net = await TrioNet.start(nursery, source=demo.control_source)
        ids = iter(range(1, 1000))
        helper = Helper(
            world_of(demo, net),
            Vantage("f" * 32, "control"),
            demo.control_resolvers,
            new_id=lambda: f"{next(ids):032x}",
            now_text=lambda: NOW,
        )
        bound: Bound = await nursery.start(
            partial(serve, helper_app(helper), Listen("127.0.0.1", 0), tls=Tls(cert, key))
        )
        yield bound
        nursery.cancel_scope.cancel()


def world_of(demo: Demo, net: TrioNet) -> World:
    nets = tuple(ipaddress.ip_network(text) for text in demo.allow_nets)
    return World(net, load_trust([demo.ca_file]), Policy((), nets, frozenset(demo.allow_ports)), QUICK)


async def field_measures(demo: Demo, name: str, folder: Path) -> tuple[Case, list[str], Path]:
    """Measure one site of the demo with the helper; gives the case, the addresses learned, and the database."""
    learned: list[str] = []
    trust = ssl.create_default_context()
    authority().configure_trust(trust)
    path = folder / "field.db"
    async with (
        standing_helper(demo, folder) as bound,
        httpx.AsyncClient(http2=True, verify=trust, trust_env=False) as client,
        trio.open_nursery() as nursery,
    ):
        net = await TrioNet.start(nursery)
        world = replace(world_of(demo, net), helper_client=client, learn_address=learned.append)
        target = parse_target(demo.place(name).url)
        question = Question(target, resolvers=demo.resolvers, helpers=(bound.url,), attempts=1)
        measurement = Measurement("e" * 32, "d" * 32, target.url, "web", NOW)
        with Store.open(path) as store:
            for row in (Vantage("c" * 32, "field"), Run("d" * 32, "c" * 32, NOW), measurement):
                store.append(row)
            case = await measure(question, measurement, world, store.append)
        nursery.cancel_scope.cancel()
    return case, learned, path


async def test_control_facts_come_home_and_are_stored(demo: Demo, tmp_path: Path) -> None:
    blocked = next(place for place in demo.places if place.site.deed and place.site.deed.where == "hello")
    case, learned, path = await field_measures(demo, blocked.site.name, tmp_path)
    asks = [o for o in case.observations if isinstance(o.detail, ControlAsk)]
    assert [o.failure for o in asks] == [None] * len(asks) and asks
    assert case.control_source == "helper" and learned
    # A helper of the house has an address that is nobody's business.
    assert {o.ip for o in asks} == {None}
    # The page is hidden from the field, and the control has it.
    assert not any(isinstance(o.detail, HttpFetch) and o.detail.status == 200 for o in case.observations)
    theirs = [o for c in case.controls for o in c.observations]
    assert any(isinstance(o.detail, HttpFetch) and o.detail.status == 200 for o in theirs)
    assert any(isinstance(o.detail, DnsLookup) and o.detail.answers for o in theirs)
    with Store.open(path, writable=False) as store:
        stored = [m for m in store.rows(Measurement) if m.answers == case.measurement.measurement_id]
        assert {m.measurement_id for m in stored} == {c.measurement.measurement_id for c in case.controls}
        roles = {v.role for v in store.rows(Vantage)}
        seen = [o for m in stored for o in store.observations(m.measurement_id)]
    assert roles == {"field", "control"} and len(seen) == len(theirs)


async def test_an_address_that_only_the_field_found_is_sent_on(demo: Demo, tmp_path: Path) -> None:
    lied = next(place for place in demo.places if place.site.deed and place.site.deed.act == "inject")
    assert lied.site.deed
    case, _, _ = await field_measures(demo, lied.site.name, tmp_path)
    asks = [o.detail for o in case.observations if isinstance(o.detail, ControlAsk)]
    sent = {ip for ask in asks for _, ip, _ in ask.endpoints}
    extra = [o for c in case.controls if c.is_extra for o in c.observations]
    assert lied.site.deed.to in sent
    assert {o.ip for o in extra if o.kind == "tcp.connect"} == sent
