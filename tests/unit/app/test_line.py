"""What a run learns about its own line, fact by fact."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from probe.app.line import CANARY_PATIENCE_S, QUIC_SILENT_S, LineWatch
from probe.model.kinds import ControlAsk, DnsLookup, LineState, QuicHandshake, Record, TcpConnect, TlsVerify
from probe.model.observation import Observation
from tests.cases.build import REFERENCE

CANARY, ME, OTHER = "1" * 32, "2" * 32, "3" * 32


def watch() -> LineWatch:
    line = LineWatch(REFERENCE, lambda: 0, canaries={CANARY: "https://canary.example/"})
    line.all_heard.set()
    return line


def fact(name: str, detail: Any, failure: str | None = None, ip: str | None = None) -> Observation:
    return Observation(name, 0, None, detail.kind, "x.example", ip, 443, 1, "plan", failure, 0, 0, detail)


def connect(name: str, failure: str | None = None, ip: str = "192.0.2.1", lag_us: int = 0) -> Observation:
    return fact(name, TcpConnect(lag_us=lag_us), failure, ip)


def answer(name: str, ip: str) -> Observation:
    return fact(name, DnsLookup("network", "A", answers=(Record("x.example", "A", 60, ip),)))


async def state(*facts: Observation) -> LineState:
    line = watch()
    for o in facts:
        line.note(o)
    return await line.state(ME, failed=True)


LOST = "generic_timeout_error"


@pytest.mark.parametrize(
    "facts,field,value",
    [
        ((), "canaries_tried", 1),
        ((), "control_reached", None),
        ((), "ipv6_reached", None),
        ((connect(CANARY),), "canaries_reached", 1),
        ((connect(CANARY, LOST),), "canaries_reached", 0),
        ((connect(OTHER),), "others_reached", 1),
        ((connect(OTHER, LOST),), "others_tried", 1),
        ((connect(OTHER, LOST),), "others_reached", 0),
        ((connect(ME),), "others_tried", 0),
        ((connect(CANARY),), "others_tried", 0),
        ((connect(OTHER, ip="2001:db8::1"),), "ipv6_reached", True),
        ((connect(OTHER, LOST, ip="2001:db8::1"),), "ipv6_reached", False),
        ((connect(OTHER, ip="2001:db8::1"), connect(ME, LOST, ip="2001:db8::2")), "ipv6_reached", True),
        ((fact(CANARY, TlsVerify("0", "self_signed")),), "portal_suspects", 1),
        ((fact(CANARY, TlsVerify("0", "expired")),), "portal_suspects", 0),
        ((fact(OTHER, TlsVerify("0", "self_signed")),), "portal_suspects", 0),
        ((answer(CANARY, "10.0.0.1"),), "sinkholes", ("10.0.0.1",)),
        ((answer(CANARY, "192.0.2.7"),), "sinkholes", ()),
        ((answer(OTHER, "10.0.0.1"),), "sinkholes", ()),
        ((answer(CANARY, "10.0.0.1"), connect(CANARY, ip="10.0.0.1")), "sinkholes", ()),
        ((fact(ME, ControlAsk("h", "u")),), "control_reached", True),
        ((fact(ME, ControlAsk("h", "u"), LOST),), "control_reached", False),
        ((fact(ME, ControlAsk("h", "u")), fact(OTHER, ControlAsk("h", "u"), LOST)), "control_reached", True),
        ((connect(OTHER, lag_us=7), connect(OTHER, lag_us=3)), "lag_max_us", 7),
    ],
)
async def test_counts(facts: tuple[Observation, ...], field: str, value: object) -> None:
    assert getattr(await state(*facts), field) == value


@pytest.mark.parametrize("failed,waits", [(True, CANARY_PATIENCE_S), (False, 0)])
async def test_failures_wait_for_the_canaries(
    failed: bool, waits: float, autojump_clock: trio.testing.MockClock
) -> None:
    line = LineWatch(REFERENCE, lambda: 0, canaries={CANARY: "https://canary.example/"})
    before = trio.current_time()
    await line.state(ME, failed)
    assert trio.current_time() - before == waits


async def test_no_longer_than_until_they_are_heard(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    line = LineWatch(REFERENCE, lambda: 0, canaries={CANARY: "https://canary.example/"})

    async def hear() -> None:
        await trio.sleep(2)
        line.note(connect(CANARY))
        line.all_heard.set()

    nursery.start_soon(hear)
    found = await line.state(ME, failed=True)
    assert found.canaries_reached == 1 and trio.current_time() == pytest.approx(2, abs=0.01)


def over_quic(name: str, failure: str | None = LOST, ip: str = "192.0.2.1") -> Observation:
    return fact(name, QuicHandshake("x.example"), failure, ip)


STRANGERS = tuple(str(n) * 32 for n in range(3, 9))


@pytest.mark.parametrize(
    "facts,shut",
    [
        ((), False),
        ([over_quic(name) for name in (CANARY, *STRANGERS[:2])], True),
        ([over_quic(name) for name in STRANGERS[:3]], False),
        ([over_quic(name) for name in STRANGERS], True),
        ([over_quic(STRANGERS[0])] * 9, False),
        ([over_quic(name, "network_unreachable") for name in (CANARY, *STRANGERS)], False),
        ([over_quic(name, ip="2001:db8::1") for name in (CANARY, *STRANGERS)], False),
        ([*(over_quic(name) for name in (CANARY, *STRANGERS)), over_quic(STRANGERS[1], None)], False),
        ([over_quic(STRANGERS[0], None), *(over_quic(name) for name in (CANARY, *STRANGERS))], False),
    ],
)
def test_a_line_that_leaves_quic_unanswered(facts: list[Observation], shut: bool) -> None:
    line = watch()
    for o in facts:
        line.note(o)
    assert line.is_quic_shut("192.0.2.9") is shut


def test_after_a_while_it_is_tried_again() -> None:
    now = [0.0]
    line = LineWatch(REFERENCE, lambda: int(now[0] * 1e6), canaries={})
    for name in STRANGERS:
        line.note(over_quic(name))
    assert line.is_quic_shut("192.0.2.9")
    now[0] = QUIC_SILENT_S + 1
    assert not line.is_quic_shut("192.0.2.9")


def test_where_a_canary_answered_sites_in_a_row_are_no_sign_of_the_line() -> None:
    now = [0.0]
    line = LineWatch(REFERENCE, lambda: int(now[0] * 1e6), canaries={CANARY: "https://canary.example/"})
    line.note(over_quic(CANARY, None))
    now[0] = QUIC_SILENT_S + 1
    for name in STRANGERS:
        line.note(over_quic(name))
    assert not line.is_quic_shut("192.0.2.9")
