"""The account of a run: every byte counted, bounds kept at the door and never within a transfer."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
import trio
import trio.testing

from probe.model.step import AskBytes
from probe.net.base import Datagram, Failure, QuicPlan, QuicShaken, ResponseHead, UdpPlan
from probe.net.fakenet import FakeNet, FakeStream, Peer
from probe.net.fakequic import QuicHello
from probe.net.meter import (
    BODY,
    DEPOSIT,
    OPENING,
    OPENING_QUIC,
    Meter,
    MeteredNet,
    MeteredStream,
    on_the_wire,
)
from probe.net.meterhttp import MeteredTransport
from probe.perform.bytes import perform_bytes
from tests.unit.perform.kit import Facts, world_of
from tests.unit.scripted import Body

IP = "192.0.2.1"


def net_of(meter: Meter, *says: bytes) -> MeteredNet:
    net = FakeNet()
    net.peers[IP, 80] = Peer(says=says)
    net.resolvers[IP, 53] = lambda question: (Datagram(b"a" * 100, (IP, 53), 1, False),) * 2
    net.names["a.example", False] = (IP,)
    return MeteredNet(net, meter)


async def read_all(net: MeteredNet) -> int:
    """Fetch what the peer says, in the way of a performer; returns its bytes."""
    dialed = await net.dial(IP, 80, 5)
    assert dialed.stream is not None
    try:
        await dialed.stream.send(b"GET / HTTP/1.1\r\n\r\n")
        while (part := await dialed.stream.receive()) and isinstance(part, bytes):
            pass
        return dialed.stream.bytes_in
    finally:
        dialed.stream.close()
        dialed.stream.close()


@pytest.mark.parametrize(("payload", "wire"), [(0, 0), (1, 53), (1448, 1500), (1449, 1553)])
def test_segments_have_headers(payload: int, wire: int) -> None:
    assert on_the_wire(payload) == wire


async def test_a_stream_is_charged_both_ways() -> None:
    meter = Meter()
    assert await read_all(net_of(meter, b"x" * 4000)) == 4000
    assert meter.used == OPENING + on_the_wire(18) + on_the_wire(4000)


async def test_what_is_never_opened_is_charged_and_given_back() -> None:
    meter = Meter(budget=BODY)
    net = net_of(meter)
    for _ in range(3):
        assert (await net.dial("192.0.2.9", 80, 1)).stream is None
    assert meter.used == 3 * OPENING


async def test_datagrams_and_system_lookups_are_charged() -> None:
    meter = Meter()
    net = net_of(meter)
    await net.ask_udp(IP, 53, b"q" * 40, UdpPlan())
    assert meter.used == 40 + 28 + 2 * (100 + 28)
    await net.resolve("a.example", False, 5)
    assert meter.used > 400


async def test_a_request_over_quic_is_charged_and_given_back() -> None:
    meter = Meter(budget=BODY)
    inner = FakeNet()
    inner.quic[IP, 443] = {"*": QuicHello(says=(ResponseHead(200, ()), b"x" * 4000))}
    net = MeteredNet(inner, meter)
    assert net.speaks_quic
    for _ in range(2):
        used = meter.used
        shaken = await net.shake_quic(IP, 443, "a.example", ("h3",), QuicPlan())
        assert shaken.http3 is not None
        await shaken.http3.ask(((b":path", b"/"),), 1000)
        while await shaken.http3.receive():
            pass
        shaken.http3.close()
        shaken.http3.close()
        datagrams, size = shaken.http3.moved
        assert meter.used - used == size + 28 * datagrams and size > 4000


class Endless(FakeNet):
    """Handshakes over QUIC that never end."""

    async def shake_quic(
        self, ip: str, port: int, sni: str | None, alpn: tuple[str, ...], plan: QuicPlan
    ) -> QuicShaken:
        await trio.sleep_forever()
        raise AssertionError


async def test_a_handshake_over_quic_that_is_broken_off_is_charged_and_given_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    meter = Meter(budget=BODY)
    net = MeteredNet(Endless(), meter)
    for count in (1, 2):
        with trio.move_on_after(1):
            await net.shake_quic(IP, 443, "a.example", ("h3",), QuicPlan())
        assert meter.used == count * OPENING_QUIC


async def test_the_end_of_the_budget_is_told_once() -> None:
    told: list[int] = []
    meter = Meter(budget=1000, when_spent=lambda: told.append(1))
    for _ in range(4):
        meter.charge(400)
    assert told == [1]


async def test_a_budget_is_never_passed_by_more_than_one_body(autojump_clock: trio.testing.MockClock) -> None:
    """Every body is as large as can be; eight tasks want one after another."""
    budget = 5 * BODY
    stop = trio.CancelScope()
    meter = Meter(budget=budget, when_spent=stop.cancel)
    net = net_of(meter, b"x" * (BODY - 20_000))

    async def one() -> None:
        for _ in range(10):
            await read_all(net)

    with stop:
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(one)
    assert budget <= meter.used <= budget + BODY


async def test_a_rate_is_kept_on_average_and_nothing_waits_within(autojump_clock: trio.testing.MockClock) -> None:
    rate, size = 100_000, 50_000
    meter = Meter(rate=rate, now_s=trio.current_time)
    net = net_of(meter, b"x" * size)
    within: list[float] = []

    async def one() -> None:
        for _ in range(3):
            dialed = await net.dial(IP, 80, 5)
            began = trio.current_time()
            assert dialed.stream is not None
            while (part := await dialed.stream.receive()) and isinstance(part, bytes):
                pass
            dialed.stream.close()
            within.append(trio.current_time() - began)

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(one)
    assert within == [0.0] * 12
    # The last one is paid for afterwards.
    assert meter.used / rate - (size + DEPOSIT) / rate <= trio.current_time() <= meter.used / rate + 12 * DEPOSIT / rate


async def test_cancelled_at_the_door_it_leaves_no_trace(autojump_clock: trio.testing.MockClock) -> None:
    meter = Meter(rate=1000)
    net = net_of(meter, b"x" * 50_000)
    await read_all(net)
    with trio.move_on_after(1) as scope:
        await net.dial(IP, 80, 5)
    used = meter.used
    assert scope.cancelled_caught
    await read_all(net)
    assert meter.used > used


async def test_a_failure_of_a_stream_passes_through() -> None:
    failure = Failure("connection_reset", "ECONNRESET")
    net = FakeNet()
    net.peers[IP, 80] = Peer(says=(failure,))
    dialed = await MeteredNet(net, Meter()).dial(IP, 80, 5)
    assert dialed.stream is not None and await dialed.stream.receive() == failure


class Knobs(FakeStream):
    """A stream that writes down what was turned on it."""

    def __init__(self) -> None:
        super().__init__()
        self.turned: list[object] = []

    @property
    def wire_in(self) -> int:
        return 77

    def nudge(self) -> None:
        self.turned.append("nudge")

    def narrow(self, window: int) -> None:
        self.turned.append(window)


async def test_what_is_asked_of_a_stream_is_asked_of_the_one_inside() -> None:
    inner = Knobs()
    stream = MeteredStream(inner, Meter())
    stream.nudge()
    stream.narrow(4096)
    assert inner.turned == ["nudge", 4096] and stream.wire_in == 77


async def test_a_hop_limit_reaches_the_stream_inside() -> None:
    net = FakeNet()
    net.peers[IP, 80] = Peer()
    metered = MeteredNet(net, Meter())
    dialed = await metered.dial(IP, 80, 5)
    assert dialed.stream is not None and metered.limit(dialed.stream, 3) is None
    assert net.streams[0].ttl == 3


async def test_each_datagram_is_told_of_as_without_a_meter() -> None:
    heard: list[Datagram] = []
    echoes = await net_of(Meter()).ask_udp(IP, 53, b"q" * 40, UdpPlan(), heard.append)
    assert tuple(heard) == echoes.datagrams and len(heard) == 2


async def test_bytes_taken_from_a_helper_are_counted() -> None:
    meter, size = Meter(), 100_000
    inner = httpx.MockTransport(lambda request: httpx.Response(200, stream=Body(b"y" * size)))
    facts = Facts()
    async with httpx.AsyncClient(transport=MeteredTransport(inner, meter)) as client:
        world = replace(world_of(FakeNet()), helper_client=client)
        await perform_bytes(AskBytes("https://helper.example", size), world, facts)
    (draft,) = facts.drafts
    assert (draft.kind, draft.failure) == ("helper.transfer", None)
    assert meter.used == on_the_wire(size) + MeteredTransport.AROUND


async def test_what_a_helper_says_is_counted() -> None:
    meter = Meter()
    inner = httpx.MockTransport(lambda request: httpx.Response(200, stream=Body(b"y" * 3000)))
    async with httpx.AsyncClient(transport=MeteredTransport(inner, meter)) as client:
        answer = await client.post("https://helper.example/", content=b"z" * 500)
    assert answer.content == b"y" * 3000
    assert meter.used == on_the_wire(500) + on_the_wire(3000) + MeteredTransport.AROUND
