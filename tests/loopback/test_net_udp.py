"""One datagram question and all that comes back."""

from __future__ import annotations

import socket
import sys
from dataclasses import replace

import pytest
import trio

from probe.net.base import Datagram, Failure, UdpPlan
from probe.net.hops import NOT_SUPPORTED
from probe.net.trionet import TrioNet
from tests.loopback.net_peers import HOST, closed_port, udp_peer

QUESTION = b"\x12\x34\x01\x00question"
ANSWER = b"\x12\x34\x81\x80answer"
WRONG_ID = b"\x43\x21\x81\x80answer"
PLAN = UdpPlan(resend_s=(0.02,), timeout_s=0.06, linger_s=0.03)
linux = pytest.mark.skipif(sys.platform != "linux", reason="IP_RECVERR is Linux only")


async def test_two_answers_are_both_kept() -> None:
    async def answer(sock: trio.socket.SocketType, data: bytes, source: tuple[str, int]) -> None:
        await sock.sendto(ANSWER + b"1", source)
        await trio.sleep(0.01)
        await sock.sendto(ANSWER + b"2", source)

    async with udp_peer(answer) as port:
        echoes = await TrioNet().ask_udp(HOST, port, QUESTION, PLAN)
    assert [d.data[-1:] for d in echoes.datagrams] == [b"1", b"2"]
    assert (echoes.failure, echoes.sends, echoes.icmp) == (None, 1, None)
    assert 0 <= echoes.datagrams[0].after_us < echoes.datagrams[1].after_us
    assert {d.source for d in echoes.datagrams} == {(HOST, port)}


@linux
async def test_the_kernel_stamps_arrivals_so_that_our_lag_does_not_count() -> None:
    async def answer(sock: trio.socket.SocketType, data: bytes, source: tuple[str, int]) -> None:
        await sock.sendto(ANSWER, source)
        _stall(0.02)

    async with udp_peer(answer) as port:
        echoes = await TrioNet().ask_udp(HOST, port, QUESTION, PLAN)
    first = echoes.datagrams[0]
    assert first.kernel and first.after_us < 20_000 < echoes.took_us


def _stall(seconds: float) -> None:
    """Hold the event loop, as a busy program would."""
    end = trio.current_time() + seconds
    while trio.current_time() < end:
        pass


async def test_a_wrong_id_does_not_end_the_window() -> None:
    async def answer(sock: trio.socket.SocketType, data: bytes, source: tuple[str, int]) -> None:
        await sock.sendto(WRONG_ID, source)
        await trio.sleep(0.01)
        await sock.sendto(ANSWER, source)

    async with udp_peer(answer) as port:
        echoes = await TrioNet().ask_udp(HOST, port, QUESTION, PLAN)
    assert [d.data for d in echoes.datagrams] == [WRONG_ID, ANSWER]
    assert echoes.failure is None


async def test_only_junk_is_kept_and_still_a_timeout() -> None:
    async def answer(sock: trio.socket.SocketType, data: bytes, source: tuple[str, int]) -> None:
        await sock.sendto(data, source)

    async with udp_peer(answer) as port:
        echoes = await TrioNet().ask_udp(HOST, port, QUESTION, PLAN)
    assert echoes.datagrams[0].data == QUESTION
    assert echoes.failure == Failure("generic_timeout_error", "deadline")


async def test_an_answer_from_another_address_is_seen() -> None:
    async def answer(sock: trio.socket.SocketType, data: bytes, source: tuple[str, int]) -> None:
        with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            await other.sendto(ANSWER, source)

    async with udp_peer(answer) as port:
        echoes = await TrioNet().ask_udp(HOST, port, QUESTION, PLAN)
    assert echoes.failure is None
    assert echoes.datagrams[0].source[1] != port


async def test_silence_is_asked_again_and_times_out() -> None:
    async def answer(sock: trio.socket.SocketType, data: bytes, source: tuple[str, int]) -> None:
        return

    async with udp_peer(answer) as port:
        echoes = await TrioNet().ask_udp(HOST, port, QUESTION, PLAN)
    assert (echoes.datagrams, echoes.sends) == ((), 2)
    assert echoes.failure == Failure("generic_timeout_error", "deadline")
    assert echoes.took_us >= 55_000


async def test_an_answer_to_the_second_sending_counts() -> None:
    asked = 0

    async def answer(sock: trio.socket.SocketType, data: bytes, source: tuple[str, int]) -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            await sock.sendto(ANSWER, source)

    async with udp_peer(answer) as port:
        echoes = await TrioNet().ask_udp(HOST, port, QUESTION, PLAN)
    assert (echoes.failure, echoes.sends, len(echoes.datagrams)) == (None, 2, 1)
    assert echoes.datagrams[0].after_us >= 18_000


async def test_an_answer_after_the_linger_is_not_waited_for() -> None:
    async def answer(sock: trio.socket.SocketType, data: bytes, source: tuple[str, int]) -> None:
        await sock.sendto(ANSWER + b"1", source)
        await trio.sleep(0.04)
        await sock.sendto(ANSWER + b"2", source)

    plan = UdpPlan(resend_s=(), timeout_s=1.0, linger_s=0.01)
    async with udp_peer(answer) as port:
        echoes = await TrioNet().ask_udp(HOST, port, QUESTION, plan)
    assert len(echoes.datagrams) == 1 and echoes.took_us < 500_000


async def test_a_flood_ends_at_the_limit() -> None:
    async def answer(sock: trio.socket.SocketType, data: bytes, source: tuple[str, int]) -> None:
        for _ in range(50):
            await sock.sendto(ANSWER, source)

    async with udp_peer(answer) as port:
        echoes = await TrioNet().ask_udp(HOST, port, QUESTION, PLAN)
    assert len(echoes.datagrams) == PLAN.max_datagrams


@linux
async def test_a_closed_port_is_believed_when_it_refuses_twice() -> None:
    plan = UdpPlan(resend_s=(0.02,), timeout_s=5.0, linger_s=0.01)
    echoes = await TrioNet().ask_udp(HOST, closed_port(socket.SOCK_DGRAM), QUESTION, plan)
    assert echoes.failure == Failure("connection_refused", "ECONNREFUSED")
    assert echoes.icmp is not None
    assert (echoes.icmp.type, echoes.icmp.code, echoes.icmp.source) == (3, 3, HOST)
    assert echoes.sends == 2 and echoes.took_us < 1_000_000


async def test_an_address_out_of_reach_ends_at_once() -> None:
    echoes = await TrioNet().ask_udp("255.255.255.255", 53, QUESTION, PLAN)  # broadcast needs a right we lack
    assert (echoes.sends, echoes.datagrams) == (0, ())
    assert echoes.failure is not None and echoes.failure.word in ("permission_denied", "network_unreachable")
    assert echoes.took_us < 55_000


async def test_answers_are_told_of_as_they_come() -> None:
    """The second one is sent only when the first has been told of."""
    told: list[bytes] = []
    heard = trio.Event()

    def take(datagram: Datagram) -> None:
        told.append(datagram.data)
        heard.set()

    async def answer(sock: trio.socket.SocketType, data: bytes, source: tuple[str, int]) -> None:
        await sock.sendto(ANSWER + b"1", source)
        await heard.wait()
        await sock.sendto(ANSWER + b"2", source)

    plan = UdpPlan(resend_s=(), timeout_s=5.0, linger_s=1.0, max_datagrams=2)
    async with udp_peer(answer) as port:
        echoes = await TrioNet().ask_udp(HOST, port, QUESTION, plan, take)
    assert told == [d.data for d in echoes.datagrams] and len(told) == 2


async def test_a_question_with_a_hop_limit_comes_as_far_as_that() -> None:
    async def answer(sock: trio.socket.SocketType, data: bytes, source: tuple[str, int]) -> None:
        await sock.sendto(ANSWER, source)

    async with udp_peer(answer) as port:
        echoes = await TrioNet().ask_udp(HOST, port, QUESTION, replace(PLAN, ttl=1))
    assert echoes.failure is None and len(echoes.datagrams) == 1


async def test_a_hop_limit_that_cannot_be_sends_nothing() -> None:
    echoes = await TrioNet().ask_udp(HOST, closed_port(socket.SOCK_DGRAM), QUESTION, replace(PLAN, ttl=256))
    assert (echoes.failure, echoes.sends) == (NOT_SUPPORTED, 0)
