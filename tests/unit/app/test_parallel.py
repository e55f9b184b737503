"""A verdict does not depend on how many others are measured beside it: the same sites alone and among a hundred."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio.testing

from probe.model.target import parse_target
from probe.model.verdict import Judgement
from probe.net.base import Failure
from probe.net.fakenet import FakeNet
from probe.perform.world import World
from probe.store.sqlite import Store
from tests.unit.app.test_sitting import Onlooker, plan, sit
from tests.unit.scripted import RESET, add_site, helper_answer, scripted_world, with_helper

SILENT = Failure("generic_timeout_error", "ETIMEDOUT")
CLOSED = Failure("connection_refused", "ECONNREFUSED")
OTHERS = 100
# What each site does to the field; the helper finds all of them well.
SITES: dict[str, dict[str, Any]] = {
    "fine.example": {},
    "moved.example": {"location": "https://fine.example/"},
    "reset.example": {"hello": RESET},
    "silent.example": {"hello": SILENT},
    "dropped.example": {"connect": SILENT},
    "closed.example": {"connect": CLOSED},
}


def internet() -> tuple[FakeNet, dict[str, str]]:
    net, ips = FakeNet(), {}
    for n, host in enumerate((*SITES, *(f"n{n}.example" for n in range(OTHERS)), "dull.example"), 1):
        ips[host] = f"192.0.2.{n}"
        add_site(net, host, ips[host], **SITES.get(host, {}))
    return net, ips


def helped(net: FakeNet, ips: dict[str, str]) -> World:
    def answer(url: str, n: int) -> bytes:
        host = parse_target(url).host
        return helper_answer(url, ips[host], host, n)

    return with_helper(scripted_world(net), answer)


@pytest.fixture
def open_store(tmp_path: Path) -> Callable[[str], Store]:
    return lambda name: Store.open(tmp_path / f"{name}.db")


def said(onlooker: Onlooker) -> dict[str, tuple[object, ...]]:
    return {parse_target(url).host: words(judgement) for url, judgement in onlooker.finished_items}


def words(j: Judgement) -> tuple[object, ...]:
    return j.outcome, j.reason, j.layer, j.techniques, j.locus, j.scope, j.host, j.rules


async def test_alone_and_among_a_hundred(
    open_store: Callable[[str], Store], autojump_clock: trio.testing.MockClock
) -> None:
    alone: dict[str, tuple[object, ...]] = {}
    for host in SITES:
        net, ips = internet()
        with open_store(host) as store:
            alone |= said(await sit(store, plan(f"https://{host}/", concurrency=1), world=helped(net, ips)))
    net, ips = internet()
    urls = [f"https://{host}/" for host in ips if host != "dull.example"]
    with open_store("all") as store:
        together = said(await sit(store, plan(*urls, concurrency=64), world=helped(net, ips)))
    assert {host: together[host] for host in SITES} == alone
    assert {row[0] for host, row in together.items() if host not in SITES} == {"ok"}
    assert {alone[h][0] for h in SITES} >= {"ok", "blocked", "likely_blocked"}
