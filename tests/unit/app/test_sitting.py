"""A sitting over a scripted internet: each target finished once, facts and verdicts stored, whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import trio

from probe.app.judge import HEADLINE, field_measurements, rejudge
from probe.app.sitting import Item, Plan, Pulse, Sitting
from probe.checks import FIELD_CHECKS
from probe.checks.question import Door
from probe.engine import Stop
from probe.inputs.deny import DenyList
from probe.model.errors import StoreError
from probe.model.kinds import Skipped
from probe.model.measurement import Measurement
from probe.model.observation import Observation
from probe.model.step import Step
from probe.model.target import parse_target
from probe.model.vantage import Run, Vantage
from probe.model.verdict import Judgement
from probe.net.fakenet import FakeNet, Hello, Peer
from probe.net.load import Governor
from probe.net.meter import Meter
from probe.net.pace import START
from probe.perform.world import World
from probe.store.sqlite import Store
from probe.wire.facts import ObservationRow, Row
from tests.cases.build import REFERENCE
from tests.unit.scripted import HELPER, NOW, RESET, add_site, helper_answer, scripted_world, with_helper

VANTAGE, RUN = Vantage("a" * 32, "field", cc="FD"), Run("b" * 32, "a" * 32, NOW)
IPS = {"fine.example": "192.0.2.1", "cut.example": "192.0.2.2", "dull.example": "192.0.2.3"}
DOOR = Door("198.51.100.5", 443, 8765)
DULL_NET = "192.0.2.3/32"
FINE, CUT, DULL = (f"https://{host}/" for host in IPS)


@dataclass
class Onlooker:
    """A watcher that remembers. `when_begun` is called with each item."""

    finished_items: list[tuple[str, Judgement]] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    steps: int = 0
    facts: list[Observation] = field(default_factory=list)
    pulses: list[Pulse] = field(default_factory=list)
    when_noted: Callable[[Observation], None] = lambda o: None

    def began(self, item: Item) -> None:
        self.begun.append(item.target.url)

    def stepped(self, item: Item, step: Step) -> None:
        self.steps += 1

    def noted(self, observation: Observation) -> None:
        self.facts.append(observation)
        self.when_noted(observation)

    def finished(self, item: Item, judgement: Judgement, measurement: Measurement, took_ms: int) -> None:
        assert measurement.measurement_id == judgement.measurement_id and took_ms >= 0
        self.finished_items.append((item.target.url, judgement))

    def pulsed(self, pulse: Pulse) -> None:
        self.pulses.append(pulse)

    def stopping(self, grace_s: float) -> None:
        raise AssertionError("only a signal says so")


def internet() -> FakeNet:
    net = FakeNet()
    for host, ip in IPS.items():
        add_site(net, host, ip, hello=RESET if host.startswith("cut") else None)
    return net


def helped(net: FakeNet) -> World:
    def answer(url: str, n: int) -> bytes:
        host = parse_target(url).host
        return helper_answer(url, IPS[host], host, n)

    return with_helper(scripted_world(net), answer)


def plan(*urls: str, **more: Any) -> Plan:
    items = tuple(Item(parse_target(url), (url,)) for url in urls)
    given: dict[str, Any] = {"resolvers": ("system",), "helpers": (HELPER,), "vantage": VANTAGE, "run": RUN}
    given["canaries"] = (parse_target(DULL),)
    return Plan(items, **(given | more))


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store.open(tmp_path / "run.db") as opened:
        yield opened


async def sit(store: Store, planned: Plan, net: FakeNet | None = None, **more: Any) -> Onlooker:
    onlooker = more.pop("watcher", None) or Onlooker()
    await sitting_of(store, planned, net, watcher=onlooker, **more).run()
    return onlooker


def sitting_of(store: Store, planned: Plan, net: FakeNet | None = None, **more: Any) -> Sitting:
    governor = Governor(cpu_s=lambda: 0.0, wall_s=lambda: 0.0)
    world = more.pop("world", None) or helped(net or internet())
    return Sitting(planned, store, world, REFERENCE, more.pop("watcher"), governor, **more)


def outcomes(onlooker: Onlooker) -> dict[str, str]:
    return {url: judgement.outcome for url, judgement in onlooker.finished_items}


async def test_each_target_is_finished_once_and_canaries_never(
    store: Store, autojump_clock: trio.testing.MockClock
) -> None:
    seen = await sit(store, plan(FINE, CUT))
    assert sorted(url for url, _ in seen.finished_items) == sorted(seen.begun) == sorted((FINE, CUT))
    assert outcomes(seen) == {FINE: "ok", CUT: "blocked"} and seen.steps > 0
    ((_, cut),) = [pair for pair in seen.finished_items if pair[0] == CUT]
    assert cut.techniques == ("tls.reset.sni",) and cut.control == "helper" and cut.attempts == 3


@pytest.mark.parametrize("control", ["answers", "talks nonsense"])
async def test_the_name_stopped_at_the_helpers_door_needs_no_control(
    control: str, store: Store, autojump_clock: trio.testing.MockClock
) -> None:
    net = internet()
    stopped = Hello(failure=RESET, version=None, cipher=None, ended="rst")
    net.peers[DOOR.ip, DOOR.port] = Peer(tls={"cut.example": stopped, "*": Hello(chain=(b"door",))})
    world = helped(net) if control == "answers" else with_helper(scripted_world(net), lambda url, n: b"")
    seen = await sit(store, plan(CUT, doors=(DOOR,)), world=world)
    ((_, cut),) = seen.finished_items
    assert (cut.outcome, cut.techniques, cut.scope.addresses) == ("blocked", ("tls.reset.sni",), "1/1")
    assert "TLS-022" in cut.rules and "TCP-090" in cut.rules
    # What was met at the helper's address is nothing that the site met.
    assert {ip for host, ip in ((o.host, o.ip) for o in seen.facts) if host == "cut.example" and ip} == {
        IPS["cut.example"], DOOR.ip,
    }  # fmt: skip
    assert cut.siblings == () or all(DOOR.ip not in said for said in cut.siblings)


async def test_the_name_that_passes_at_the_helpers_door_is_not_the_trigger_there(
    store: Store, autojump_clock: trio.testing.MockClock
) -> None:
    net = internet()
    net.peers[DOOR.ip, DOOR.port] = Peer(tls={"*": Hello(chain=(b"door",))})
    world = with_helper(scripted_world(net), lambda url, n: b"")
    seen = await sit(store, plan(CUT, doors=(DOOR,)), world=world)
    ((_, cut),) = seen.finished_items
    assert (cut.outcome, cut.reason) == ("insufficient", "no_control")


async def test_verdict_rows_are_stored(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    seen = await sit(store, plan(FINE, CUT))
    rows = store.query("SELECT measurement_id, outcome FROM verdict WHERE layer = ?", (HEADLINE,))
    assert dict(rows) == {j.measurement_id: j.outcome for _, j in seen.finished_items}
    assert store.query("SELECT count(*) FROM verdict WHERE layer = 'tls'") == [(2,)]


async def test_judging_again_changes_nothing(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    await sit(store, plan(FINE, CUT))
    before = store.query("SELECT * FROM verdict ORDER BY 1, 2")
    again = rejudge(store, REFERENCE)
    assert (again.judged, again.new, again.changed, again.unreadable) == (2, 0, 0, ())
    assert store.query("SELECT * FROM verdict ORDER BY 1, 2") == before


async def test_canaries_are_facts_but_no_field_measurements(
    store: Store, autojump_clock: trio.testing.MockClock
) -> None:
    seen = await sit(store, plan(FINE))
    checks = dict(store.query("SELECT checks, count(*) FROM measurement WHERE run_id = ? GROUP BY 1", (RUN.run_id,)))
    assert checks == {"line": 1, ",".join(FIELD_CHECKS): 1}
    assert [m.url for m in field_measurements(store)] == [FINE]
    assert {o.host for o in seen.facts} >= {"dull.example", "fine.example"}


async def test_control_facts_are_kept_with_answers_set(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    seen = await sit(store, plan(FINE))
    ((_, judgement),) = seen.finished_items
    rows = store.query("SELECT answers, url FROM measurement WHERE answers IS NOT NULL")
    assert rows == [(judgement.measurement_id, FINE)]


@pytest.mark.parametrize("reason", ["interrupted", "budget"])
async def test_halted_before_it_began_everything_is_finished_still(
    reason: str, store: Store, autojump_clock: trio.testing.MockClock
) -> None:
    stop, net = Stop(), internet()
    stop.halt(reason)
    seen = await sit(store, plan(FINE, CUT), net, stop=stop)
    assert {(url, j.outcome, j.reason) for url, j in seen.finished_items} == {
        (FINE, "insufficient", reason), (CUT, "insufficient", reason),
    }  # fmt: skip
    assert net.asked == [] and len(seen.finished_items) == 2


async def test_halted_in_the_middle_the_rest_is_finished_too(
    store: Store, autojump_clock: trio.testing.MockClock
) -> None:
    stop, urls = Stop(), [FINE, CUT, f"{FINE}second", f"{FINE}third"]
    onlooker = Onlooker()
    onlooker.when_noted = lambda o: stop.halt("interrupted") if o.kind == "http.fetch" else None
    await sit(store, plan(*urls, concurrency=1), stop=stop, watcher=onlooker)
    assert sorted(url for url, _ in onlooker.finished_items) == sorted(urls)
    assert [j.reason for _, j in onlooker.finished_items][1:] == ["interrupted"] * 3


async def test_the_time_granted_ends_it(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    seen = await sit(store, plan(CUT, FINE, concurrency=1, max_time_s=1), world=scripted_world(internet()))
    assert len(seen.finished_items) == 2 and trio.current_time() < 30
    assert [j.reason for _, j in seen.finished_items if j.outcome == "insufficient"].count("budget") >= 1


async def test_the_data_granted_ends_it(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    seen = await sit(store, plan(FINE, CUT, concurrency=1), meter=Meter(budget=1))
    assert {j.reason for _, j in seen.finished_items} == {"budget"}


async def test_no_network_is_said_so(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    seen = await sit(store, plan(FINE, helpers=()), world=scripted_world(FakeNet()))
    ((_, judgement),) = seen.finished_items
    assert (judgement.outcome, judgement.reason) == ("insufficient", "no_network")


async def test_a_store_that_fails_ends_the_sitting(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    def broken(row: Row) -> Row:
        raise StoreError("no room")

    with pytest.RaisesGroup(StoreError, StoreError, flatten_subgroups=True):
        await sit(store, plan(FINE), scrub=broken)


async def test_rows_are_scrubbed_before_they_are_kept(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    def scrub(row: Row) -> Row:
        return replace(row, ip=None) if isinstance(row, ObservationRow) else row

    await sit(store, plan(FINE), scrub=scrub)
    assert store.query("SELECT count(*) FROM observation WHERE ip IS NOT NULL") == [(0,)]


async def test_winding_down_finishes_what_is_under_way_and_begins_nothing(
    store: Store, autojump_clock: trio.testing.MockClock
) -> None:
    onlooker, urls = Onlooker(), [FINE, CUT, DULL]
    sitting = sitting_of(store, plan(*urls, concurrency=1), watcher=onlooker)
    onlooker.when_noted = lambda o: (
        sitting.wind_down() if o.kind == "tcp.connect" and o.host == "fine.example" else None
    )
    await sitting.run()
    assert {url: (j.outcome, j.reason) for url, j in onlooker.finished_items} == {
        FINE: ("ok", None), CUT: ("insufficient", "interrupted"), DULL: ("insufficient", "interrupted"),
    }  # fmt: skip
    assert sitting.ended == "interrupted" and sitting.stop.reason is None


@pytest.mark.parametrize("denied", [DenyList(frozenset({"dull.example"})), DenyList(nets=(ip_network(DULL_NET),))])
async def test_a_redirect_to_what_is_denied_is_not_followed(
    denied: DenyList, store: Store, autojump_clock: trio.testing.MockClock
) -> None:
    net = internet()
    add_site(net, "fine.example", IPS["fine.example"], location=DULL)
    world = helped(net)
    world = replace(world, policy=replace(world.policy, denied=denied))
    seen = await sit(store, plan(FINE, canaries=()), world=world)
    assert {o.detail.because for o in seen.facts if isinstance(o.detail, Skipped)} >= {"denied"}
    assert not [asked for asked in net.asked if asked[0] == "dial" and asked[1] == IPS["dull.example"]]
    if denied.hosts:
        assert not [asked for asked in net.asked if "dull.example" in asked]
    assert not set(outcomes(seen).values()) & {"blocked", "likely_blocked"}


async def test_pulses_tell_bytes_and_width(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    seen = await sit(store, plan(CUT, concurrency=3))
    assert seen.pulses[-1].bytes_used > 0 and {p.width for p in seen.pulses} == {3}


async def test_auto_begins_low_and_grows_while_nothing_suffers(
    store: Store, autojump_clock: trio.testing.MockClock
) -> None:
    net = internet()
    urls = [f"https://cut{n}.example/" for n in range(40)]
    for n in range(40):
        add_site(net, f"cut{n}.example", f"192.0.2.{100 + n}", hello=RESET)
    seen = await sit(store, plan(*urls, concurrency=0, helpers=()), world=scripted_world(net))
    found = [p.width for p in seen.pulses]
    assert found[0] == START and found[-1] > START and len(seen.finished_items) == 40
