"""The system resolver, with a scripted getaddrinfo."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence

import trio
import trio.testing

from probe.net.base import Failure
from probe.net.clock import RealClock
from probe.net.system import Row, SystemResolver


def row(address: str, canonical: str = "") -> Row:
    return (socket.AF_INET, socket.SOCK_STREAM, 6, canonical, (address, 0))


async def test_addresses_in_order_once_each() -> None:
    def lookup(host: str, family: int) -> Sequence[Row]:
        assert (host, family) == ("example.test", socket.AF_INET)
        return [row("192.0.2.2", "real.test"), row("192.0.2.1"), row("192.0.2.2")]

    done = await SystemResolver(RealClock(), lookup).resolve("example.test", False, 1.0)
    assert (done.addresses, done.failure) == (("192.0.2.2", "192.0.2.1"), None)
    assert done.canonical == "real.test" and done.at_us > 0


async def test_codes_become_words() -> None:
    def lookup(host: str, family: int) -> Sequence[Row]:
        assert family == socket.AF_INET6
        raise socket.gaierror(socket.EAI_NONAME, "x")

    done = await SystemResolver(RealClock(), lookup).resolve("example.test", True, 1.0)
    assert (done.addresses, done.failure) == ((), Failure("dns_nxdomain_error", "EAI_NONAME"))


async def test_an_empty_answer_is_no_success() -> None:
    done = await SystemResolver(RealClock(), lambda host, family: []).resolve("example.test", False, 1.0)
    assert done.failure == Failure("dns_no_answer", "EMPTY")


async def test_we_stop_waiting_at_the_deadline_though_the_thread_cannot() -> None:
    release = threading.Event()

    def lookup(host: str, family: int) -> Sequence[Row]:
        release.wait(10)
        return []

    done = await SystemResolver(RealClock(), lookup).resolve("example.test", False, 0.02)
    release.set()
    assert done.failure == Failure("generic_timeout_error", "deadline")
    assert 18_000 <= done.took_us < 5_000_000


async def test_waiting_for_a_thread_is_not_the_networks_time() -> None:
    first = threading.Event()

    def lookup(host: str, family: int) -> Sequence[Row]:
        if host == "slow.test":
            first.wait(10)
        return [row("192.0.2.1")]

    resolver = SystemResolver(RealClock(), lookup, threads=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(resolver.resolve, "slow.test", False, 10.0)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(_let_go_after, 0.03, first)
        done = await resolver.resolve("fast.test", False, 0.02)
    assert done.failure is None and done.took_us < 20_000


async def _let_go_after(seconds: float, event: threading.Event) -> None:
    await trio.sleep(seconds)
    event.set()


async def test_the_real_call_knows_literal_addresses() -> None:
    done = await SystemResolver(RealClock()).resolve("127.0.0.1", False, 5.0)
    assert done.addresses == ("127.0.0.1",)
