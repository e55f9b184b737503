"""What a run learns about pages in the clear: a scripted internet whose path answers for some names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import trio

from probe.app.candidates import find_candidates
from probe.app.demo.pages import site_page
from probe.app.judge import rejudge
from probe.app.sitting import Item, Plan
from probe.engine import Stop
from probe.model.target import parse_target
from probe.model.vantage import Run, Vantage
from probe.model.verdict import Judgement
from probe.net.base import Failure
from probe.net.fakenet import FakeNet, Peer
from probe.perform.world import World
from probe.store.sqlite import Store
from probe.wire.codec import encode
from probe.wire.page import page_features
from tests.cases.build import REFERENCE
from tests.unit.app.test_sitting import Onlooker, sit
from tests.unit.scripted import HELPER, NOW, helper_answer, scripted_world, with_helper

VANTAGE, RUN = Vantage("a" * 32, "field", cc="FD", asn=64500), Run("b" * 32, "a" * 32, NOW)
CANARY = "dull.example"
SITES = {
    "bread.example": "192.0.2.1", "wine.example": "198.51.100.1", "salt.example": "203.0.113.1",
    "fine.example": "192.0.2.77",
}  # fmt: skip
LISTED = tuple(SITES)[:3]
NOTICE = "<title>Note</title><p>This page is kept from you by an office in Freedonia</p><p>It was {host}</p>"
Answer = Callable[[str], bytes]


def http(body: str, status: str = "200 OK", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body.encode()


def own_page(host: str) -> str:
    return site_page(host, f"Pages of {host}")


def honest(host: str) -> bytes:
    return http(own_page(host)) if host in SITES or host == CANARY else http("<p>no such site here", "404 Not Found")


def noticed(host: str) -> bytes:
    return http(NOTICE.format(host=host)) if host in LISTED else honest(host)


def led_away(host: str) -> bytes:
    return http("", "302 Found", f"Location: http://stop.example/?u={host}\r\n") if host in LISTED else honest(host)


def everybodys(host: str) -> bytes:
    return http(NOTICE.format(host=host))


def internet(answer: Answer) -> FakeNet:
    """Every site in the clear; `answer` is what comes back for a Host."""
    net = FakeNet()

    def says(sent: bytes) -> tuple[bytes]:
        host = sent.split(b"Host: ")[1].split(b"\r\n")[0].decode()
        return (answer(host),)

    for host, ip in (*SITES.items(), (CANARY, "198.51.100.250")):
        net.names[host, False] = (ip,)
        net.names[host, True] = Failure("dns_no_answer", "EAI_NODATA")
        net.peers[ip, 80] = Peer(says=says)
    return net


def helped(net: FakeNet) -> World:
    def answer(url: str, n: int) -> bytes:
        host = parse_target(url).host
        if host not in SITES:
            return helper_answer(url, "192.0.2.200", host, n)
        features = encode(page_features(own_page(host).encode(), "text/html"))
        page = {"url": url, "status": 200, "body": f"{n:064x}", "features": features}
        lines = helper_answer(url, SITES[host], host, n).decode().splitlines()
        return "\n".join(_in_the_clear(lines, page)).encode() + b"\n"

    return with_helper(scripted_world(net), answer)


def _in_the_clear(lines: Iterable[str], page: dict[str, Any]) -> Iterable[str]:
    """The helper's answer without its handshake, and with this page."""
    for line in lines:
        value = json.loads(line)
        kind = value.get("kind")
        if kind in ("tls.handshake", "tls.verify"):
            value |= {"kind": "kind.of_tomorrow", "detail": {}, "parent": None}
        elif kind == "http.fetch":
            value |= {"detail": page, "parent": 1, "port": 80}
        elif kind == "tcp.connect":
            value |= {"port": 80}
        yield json.dumps(value)


def plan(*hosts: str, **more: Any) -> Plan:
    items = tuple(Item(parse_target(f"http://{host}/"), (host,)) for host in hosts)
    given: dict[str, Any] = {"resolvers": ("system",), "helpers": (HELPER,), "vantage": VANTAGE, "run": RUN}
    given["canaries"] = (parse_target(f"http://{CANARY}/"),)
    return Plan(items, **(given | more))


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store.open(tmp_path / "run.db") as opened:
        yield opened


async def judged(store: Store, answer: Answer, planned: Plan, **more: Any) -> dict[str, Judgement]:
    seen: Onlooker = await sit(store, planned, world=helped(internet(answer)), **more)
    return {parse_target(url).host: judgement for url, judgement in seen.finished_items}


@pytest.mark.parametrize("concurrency", [1, 8])
async def test_one_page_for_several_sites_is_likely_a_block_page(
    concurrency: int, store: Store, autojump_clock: trio.testing.MockClock
) -> None:
    """Whoever is measured first knows as much as whoever is measured last."""
    said = await judged(store, noticed, plan(*SITES, concurrency=concurrency))
    assert {host: j.outcome for host, j in said.items()} == {
        **dict.fromkeys(LISTED, "likely_blocked"), "fine.example": "ok",
    }  # fmt: skip
    assert {j.techniques for j in said.values()} == {("http.blockpage",), ()}
    told = "SELECT measurement_id, layer, outcome, technique, matched, witness FROM verdict ORDER BY 1, 2"
    before = store.query(told)
    assert rejudge(store, REFERENCE).judged == len(SITES) and store.query(told) == before


async def test_redirects_to_one_host_likewise(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    said = await judged(store, led_away, plan(*SITES))
    assert {said[host].techniques for host in LISTED} == {("http.redirect",)}


async def test_two_sites_are_not_several(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    said = await judged(store, noticed, plan(*LISTED[:2], "fine.example"))
    assert {said[host].reason for host in LISTED[:2]} == {"unproven_path"}
    assert find_candidates(store, REFERENCE) == []


async def test_innocent_sites_too_is_a_portal(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    said = await judged(store, everybodys, plan(*SITES))
    assert {j.reason for j in said.values()} == {"captive_portal"}
    assert find_candidates(store, REFERENCE) == []


async def test_a_run_that_is_stopped_does_not_wait_for_the_others(
    store: Store, autojump_clock: trio.testing.MockClock
) -> None:
    stop, onlooker = Stop(), Onlooker()
    onlooker.when_noted = lambda o: stop.halt("interrupted") if o.attempt == 3 else None
    said = await judged(store, noticed, plan(*SITES, concurrency=1), stop=stop, watcher=onlooker)
    assert set(said) == set(SITES)
    assert {j.reason for j in said.values()} <= {"interrupted", "unproven_path"}


async def test_what_controls_were_given_before_is_compared_with_too(
    store: Store, autojump_clock: trio.testing.MockClock
) -> None:
    """The page as controls knew it is what comes here today, while today they are given another."""
    await judged(store, honest, plan("fine.example"))
    again = Run("c" * 32, VANTAGE.vantage_id, NOW)
    later = plan("fine.example", run=again)
    net = internet(honest)

    def changed(url: str, n: int) -> bytes:
        features = encode(page_features(b"<title>Today</title><p>quite another page", "text/html"))
        page = {"url": url, "status": 200, "body": f"{n + 50:064x}", "features": features}
        lines = helper_answer(url, SITES["fine.example"], "fine.example", n + 50).decode().splitlines()
        return "\n".join(_in_the_clear(lines, page)).encode() + b"\n"

    seen = await sit(store, later, world=with_helper(scripted_world(net), changed))
    assert [j.outcome for _, j in seen.finished_items] == ["ok"]
