"""The scripted world keeps the same promises as the real one."""

from __future__ import annotations

import trio
import trio.testing

from probe.net.base import Failure, Net, UdpPlan
from probe.net.classify import DEADLINE
from probe.net.fakenet import SILENCE, FakeNet, FakeStream, Hello, Part, Peer
from probe.net.trionet import TrioNet

REFUSED = Failure("connection_refused", "ECONNREFUSED")


def as_net(net: Net) -> Net:
    """For the type checker: both are nets."""
    return net


async def test_both_are_nets() -> None:
    assert as_net(FakeNet()).clock is not as_net(TrioNet()).clock


async def test_dial_shake_and_talk() -> None:
    def http(request: bytes) -> tuple[Part, ...]:
        return (b"you said ", request)

    net = FakeNet()
    net.peers["192.0.2.1", 443] = Peer(tls={"a.test": Hello(chain=(b"der",), says=http), "*": Hello(failure=REFUSED)})
    done = await net.dial("192.0.2.1", 443, 5.0)
    assert done.stream is not None
    assert (await net.shake(done.stream, "b.test", (), 5.0)).failure == REFUSED
    shake = await net.shake(done.stream, "a.test", (), 5.0)
    assert shake.stream is not None and shake.chain == (b"der",)
    await shake.stream.send(b"hi")
    assert [await shake.stream.receive() for _ in range(3)] == [b"you said ", b"hi", b""]
    assert net.asked[0] == ("dial", "192.0.2.1", 443)


async def test_what_is_not_scripted_is_silence_and_costs_its_time() -> None:
    net = FakeNet()
    done = await net.dial("192.0.2.1", 443, 5.0)
    assert (done.failure, done.took_us) == (DEADLINE, 5_000_000)
    assert net.clock.mono_us() == 5_000_000
    assert (await net.ask_udp("192.0.2.53", 53, b"x", UdpPlan(timeout_s=2))).failure == DEADLINE
    assert (await net.resolve("a.test", False, 1)).failure == DEADLINE


async def test_names_and_resolvers() -> None:
    net = FakeNet()
    net.names["a.test", False] = ("192.0.2.1",)
    net.resolvers["192.0.2.53", 53] = lambda question: (question + b"!", b"second")
    assert (await net.resolve("a.test", False, 1)).addresses == ("192.0.2.1",)
    echoes = await net.ask_udp("192.0.2.53", 53, b"q", UdpPlan())
    assert [d.data for d in echoes.datagrams] == [b"q!", b"second"]


async def test_parts_failures_and_limits_in_a_stream() -> None:
    stream = FakeStream((b"abc", REFUSED))
    assert [await stream.receive(2), await stream.receive(), await stream.receive()] == [b"ab", b"c", REFUSED]


async def test_silence_in_a_stream_needs_the_callers_deadline(autojump_clock: trio.testing.MockClock) -> None:
    with trio.move_on_after(30) as scope:
        await FakeStream((SILENCE,)).receive()
    assert scope.cancelled_caught
