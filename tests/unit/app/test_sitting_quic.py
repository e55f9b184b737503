"""A sitting over a scripted internet with HTTP/3: what is asked over QUIC, of whom, and what is said of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import dns.message
import dns.rrset
import httpx
import pytest
import trio

from probe.app.sitting import Plan
from probe.model.kinds import HttpFetch, LineState, QuicHandshake, Skipped
from probe.model.measurement import Measurement
from probe.model.observation import Observation
from probe.model.target import parse_target
from probe.model.vantage import Run, Vantage
from probe.net.base import Failure, ResponseHead
from probe.net.classify import DEADLINE
from probe.net.fakenet import FakeNet, Hello, Peer
from probe.net.fakequic import QuicHello
from probe.perform.world import World
from probe.store.sqlite import Store
from probe.verdict.read import of_kind
from probe.wire.control import LINES_TYPE, HelperHead, HelperRequest, SeenClient, end_line, head_line, parse_request
from probe.wire.facts import ObservationRow, canonical, fact_line, observation_of
from tests.unit.app.test_sitting import Onlooker, outcomes, plan, sit
from tests.unit.scripted import NOW, THERE, THERE_RUN, Body, answer_page, helper_answer, scripted_world

IPS = {"one.example": "192.0.2.1", "two.example": "192.0.2.2", "dull.example": "192.0.2.3", "old.example": "192.0.2.4"}
ONE, TWO, DULL, OLD = (f"https://{host}/" for host in IPS)
RESOLVER = "udp://192.0.2.53"
SILENT = QuicHello(DEADLINE, ended="silence")
GOOD = QuicHello(chain=(b"leaf",), says=(ResponseHead(200, ()), b"hello"))
ALT_SVC = b'Alt-Svc: h3=":443"; ma=86400\r\n'


@dataclass
class Country:
    """Sites on a scripted net. `quic` says how a host answers over QUIC to its own name and to any other; hosts not in
    it announce nothing. `there` is how the helper finds it over QUIC; None: the helper knows no QUIC."""

    quic: dict[str, tuple[QuicHello, QuicHello]]
    there: Failure | None | str = None
    net: FakeNet = field(default_factory=FakeNet)
    requests: list[HelperRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.net.resolvers["192.0.2.53", 53] = self._resolve
        for host, ip in IPS.items():
            self.net.names[host, False] = (ip,)
            self.net.names[host, True] = Failure("dns_no_answer", "EAI_NODATA")
            page = answer_page()
            if host in self.quic:
                page = page.replace(b"Content-Type", ALT_SVC + b"Content-Type")
                own, other = self.quic[host]
                self.net.quic[ip, 443] = {host: own, "*": other}
            good = Hello(chain=(host.encode(), b"issuer"), says=(page,), alpn="http/1.1")
            self.net.peers[ip, 443] = Peer(tls={"*": good})
            self.net.peers[ip, 80] = Peer()

    def _resolve(self, question: bytes) -> tuple[bytes, ...]:
        query = dns.message.from_wire(question)
        name = query.question[0].name.to_text(omit_final_dot=True)
        answer = dns.message.make_response(query)
        wanted = query.question[0].rdtype.name
        data = {"A": IPS.get(name), "HTTPS": '1 . alpn="h3"' if name in self.quic else None}.get(wanted)
        if data:
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", wanted, data))
        return (answer.to_wire(),)

    def world(self) -> World:
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._help))
        return replace(scripted_world(self.net), helper_client=client)

    def _help(self, request: httpx.Request) -> httpx.Response:
        wanted = parse_request(request.content)
        self.requests.append(wanted)
        number, host = len(self.requests), parse_target(wanted.url).host
        if wanted.endpoints:
            said = self._endpoints(wanted, f"{number:032x}")
        else:
            said = helper_answer(wanted.url, IPS[host], host, number)
        return httpx.Response(200, stream=Body(said), headers={"content-type": LINES_TYPE})

    def _endpoints(self, wanted: HelperRequest, name: str) -> bytes:
        facts: list[Any] = [
            Vantage(THERE, "control"), Run(THERE_RUN, THERE, NOW),
            Measurement(name, THERE_RUN, wanted.url, "endpoints", NOW),
        ]  # fmt: skip
        for seq, (host, ip, port) in enumerate(wanted.endpoints):
            at: dict[str, Any] = {"host": host, "ip": ip, "port": port}
            facts.append(ObservationRow(name, 2 * seq, "tcp.connect", canonical({}), **at))
            if self.there != "older" and wanted.quic:
                failure = self.there.word if isinstance(self.there, Failure) else None
                row = ObservationRow(name, 2 * seq + 1, "quic.handshake", canonical({"sni": host}), **at)
                facts.append(replace(row, failure=failure))
        told = [fact_line(row) for row in facts]
        head = head_line(HelperHead(1, "vantage-probe", "0", THERE, SeenClient("203.0.113.9")))
        return "".join(line + "\n" for line in (head, *told, end_line(len(told)))).encode()


def planned(*urls: str, **more: Any) -> Plan:
    return plan(*urls, **({"resolvers": ("system", RESOLVER), "attempts": 8} | more))


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store.open(tmp_path / "run.db") as opened:
        yield opened


async def measured(store: Store, country: Country, *urls: str, **more: Any) -> Onlooker:
    return await sit(store, planned(*urls, **more), world=country.world())


def over_quic(facts: list[Observation]) -> Counter[str]:
    return Counter(f"{o.host} as {d.sni}" for o, d in of_kind(facts, QuicHandshake))


def layers(seen: Onlooker, url: str) -> dict[str, tuple[str, str | None]]:
    (judgement,) = (j for target, j in seen.finished_items if target == url)
    return {str(v.layer): (v.outcome, v.reason) for v in judgement.layers}


async def test_what_announces_nothing_costs_nothing(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    country = Country({})
    seen = await measured(store, country, ONE, OLD)
    assert outcomes(seen) == {ONE: "ok", OLD: "ok"} and "quic" not in layers(seen, ONE)
    assert not over_quic(seen.facts) and not [a for a in country.net.asked if a[0] == "shake_quic"]
    assert [r.quic for r in country.requests] == [False, False]


async def test_where_it_works_one_handshake_and_one_page(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    country = Country({"one.example": (GOOD, GOOD), "dull.example": (GOOD, GOOD)})
    seen = await measured(store, country, ONE, OLD)
    assert outcomes(seen) == {ONE: "ok", OLD: "ok"}
    assert layers(seen, ONE)["quic"] == ("ok", None) and "quic" not in layers(seen, OLD)
    assert over_quic(seen.facts) == {"one.example as one.example": 1}
    assert [d.protocol for _, d in of_kind(seen.facts, HttpFetch)].count("HTTP/3") == 1
    assert not [r for r in country.requests if r.endpoints]


async def test_a_name_that_is_dropped_is_blocked(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    country = Country({"one.example": (SILENT, GOOD)})
    seen = await measured(store, country, ONE)
    ((_, said),) = seen.finished_items
    assert (said.outcome, said.layer, said.techniques) == ("blocked", "quic", ("quic.timeout.sni",))
    assert said.scope.ports == (443,) and said.explanation.endswith("Over TCP the site was reached.")
    assert over_quic(seen.facts)["one.example as www.example.org"] == 2
    assert [r.endpoints for r in country.requests if r.quic] == [(("one.example", "192.0.2.1", 443),)]


async def test_an_address_that_is_dropped_is_likely_blocked_once_others_answer(
    store: Store, autojump_clock: trio.testing.MockClock
) -> None:
    country = Country({"one.example": (SILENT, SILENT), "dull.example": (GOOD, GOOD)})
    seen = await measured(store, country, ONE)
    ((_, said),) = seen.finished_items
    assert (said.outcome, said.techniques) == ("likely_blocked", ("quic.timeout",))
    # The canary was asked over QUIC for that, and once only.
    assert over_quic(canary_facts(store))["dull.example as dull.example"] == 1


def canary_facts(store: Store) -> list[Observation]:
    names = {m.measurement_id for m in store.rows(Measurement, "checks = 'line'")}
    return [observation_of(row) for row in store.rows(ObservationRow) if row.measurement_id in names]


async def test_a_line_that_carries_no_quic_accuses_nobody(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    shut = (SILENT, SILENT)
    country = Country({host: shut for host in ("one.example", "two.example", "dull.example")})
    seen = await measured(store, country, ONE, TWO, concurrency=1)
    assert outcomes(seen) == {ONE: "ok", TWO: "ok"}
    assert layers(seen, ONE)["quic"] == layers(seen, TWO)["quic"] == ("insufficient", "no_network")
    state = [d for _, d in of_kind(seen.facts, LineState)][-1]
    assert state.quic == (("canaries", 4, 1, 0), ("others", 4, 1, 0))
    # Nobody waited for more than one handshake with the site and one with the canary.
    asked = over_quic(seen.facts)
    assert asked["one.example as one.example"] == asked["two.example as two.example"] == 1


async def test_on_a_line_that_carries_no_quic_sites_are_soon_left_alone(
    store: Store, autojump_clock: trio.testing.MockClock
) -> None:
    country = Country(dict.fromkeys(("one.example", "two.example", "old.example", "dull.example"), (SILENT, SILENT)))
    seen = await measured(store, country, ONE, TWO, OLD, concurrency=1)
    assert outcomes(seen) == {ONE: "ok", TWO: "ok", OLD: "ok"}
    assert "quic" not in layers(seen, OLD) and not over_quic(seen.facts)["old.example as old.example"]
    assert [d.because for _, d in of_kind(seen.facts, Skipped) if d.step == "quic"] == ["unanswered"]


async def test_nobody_else_to_ask(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    seen = await measured(store, Country({"one.example": (SILENT, SILENT)}), ONE)
    assert outcomes(seen) == {ONE: "ok"} and layers(seen, ONE)["quic"] == ("insufficient", "unproven_path")


async def test_served_to_nobody(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    country = Country({"one.example": (SILENT, SILENT)}, there=Failure("generic_timeout_error", "deadline"))
    seen = await measured(store, country, ONE)
    assert outcomes(seen) == {ONE: "ok"} and layers(seen, ONE)["quic"] == ("down", None)
    assert over_quic(seen.facts) == {"one.example as one.example": 1}


async def test_a_helper_that_knows_no_quic(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    seen = await measured(store, Country({"one.example": (SILENT, GOOD)}, there="older"), ONE)
    assert outcomes(seen) == {ONE: "ok"} and layers(seen, ONE)["quic"] == ("insufficient", "no_control")
    assert over_quic(seen.facts) == {"one.example as one.example": 1}


async def test_without_the_extra_it_is_skipped(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    country = Country({"one.example": (SILENT, SILENT)})
    country.net.speaks_quic = False
    seen = await measured(store, country, ONE)
    assert outcomes(seen) == {ONE: "ok"} and "quic" not in layers(seen, ONE)
    assert [d.because for _, d in of_kind(seen.facts, Skipped) if d.step == "quic"] == ["not_supported"]


async def test_without_a_control_nothing_is_repeated(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    seen = await measured(store, Country({"one.example": (SILENT, GOOD)}), ONE, helpers=())
    assert outcomes(seen) == {ONE: "ok"} and layers(seen, ONE)["quic"] == ("insufficient", "no_control")
    assert over_quic(seen.facts) == {"one.example as one.example": 1}
