"""The lag sampler: the worst since a moment, and a stall that is still going on."""

from __future__ import annotations

import time

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from probe.net.clock import LagSampler, RealClock, mono_us
from probe.net.trionet import TrioNet


@given(st.lists(st.integers(0, 1000), max_size=40), st.integers(0, 45))
def test_the_worst_since_a_moment(lags: list[int], since: int) -> None:
    sampler = LagSampler()
    for at, lag in enumerate(lags):
        sampler.note(at, lag)
    assert sampler.lag_us(since) == max(lags[since:], default=0)


def test_memory_is_bounded() -> None:
    sampler = LagSampler(limit=10)
    for at in range(1000):
        sampler.note(at, 1000 - at)
    assert sampler.lag_us(0) == 10
    sampler.note(10**12, 0)
    assert sampler.lag_us(0) == 0


async def test_a_stalled_loop_is_noticed_before_the_sampler_can_wake() -> None:
    async with trio.open_nursery() as nursery:
        net = await TrioNet.start(nursery)
        await trio.testing.wait_all_tasks_blocked()
        began = net.clock.mono_us()
        _stall(0.045)
        assert net.clock.lag_us(began) >= 15_000
        await trio.sleep(0.001)
        assert net.clock.lag_us(began) >= 15_000
        assert net.clock.lag_us(net.clock.mono_us()) < 15_000
        nursery.cancel_scope.cancel()


def _stall(seconds: float) -> None:
    """Hold the event loop, as a busy program would."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_without_a_sampler_there_is_no_lag() -> None:
    clock = RealClock()
    assert clock.lag_us(0) == 0
    assert abs(clock.now_us() - time.time_ns() // 1000) < 1_000_000
    assert abs(clock.mono_us() - mono_us()) < 1_000_000
