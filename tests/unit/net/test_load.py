"""The governor: turns are given while there is credit, and credit is what time earns and work spends."""

from __future__ import annotations

import pytest
import trio

from probe.net.load import CEILING, Governor


class Clocks:
    """CPU and wall seconds that a test sets; wall time follows trio's clock when `ticking`."""

    def __init__(self) -> None:
        self.cpu, self.wall, self.ticking = 0.0, 0.0, False

    def cpu_s(self) -> float:
        return self.cpu

    def wall_s(self) -> float:
        return trio.current_time() if self.ticking else self.wall


def governed(clocks: Clocks) -> Governor:
    return Governor(cpu_s=clocks.cpu_s, wall_s=clocks.wall_s)


@pytest.mark.parametrize("wall,cpu,credit", [(0, 0, 0.25), (1, 0, 0.5), (1, 0.5, 0.25), (0, 1, -0.75), (100, 1, 0.5)])
def test_the_account(wall: float, cpu: float, credit: float) -> None:
    clocks = Clocks()
    governor = governed(clocks)
    clocks.wall, clocks.cpu = wall, cpu
    assert governor.share() == pytest.approx(credit)
    assert governor.share() == pytest.approx(credit)


async def test_an_idle_machine_does_not_wait(autojump_clock: trio.testing.MockClock) -> None:
    before = trio.current_time()
    await governed(Clocks()).wait_turn()
    assert trio.current_time() == before


async def test_a_burst_is_paid_for_with_time(autojump_clock: trio.testing.MockClock) -> None:
    clocks = Clocks()
    clocks.ticking = True
    governor = governed(clocks)
    clocks.cpu = 1.25
    before = trio.current_time()
    await governor.wait_turn()
    assert trio.current_time() - before == pytest.approx(1.0 / CEILING)


async def test_a_quiet_spell_buys_no_burst(autojump_clock: trio.testing.MockClock) -> None:
    clocks = Clocks()
    governor = governed(clocks)
    clocks.wall = 3600
    governor.share()
    clocks.cpu = 0.75
    assert governor.share() < 0


async def test_waiting_for_a_turn_can_be_cancelled(autojump_clock: trio.testing.MockClock) -> None:
    clocks = Clocks()
    governor = governed(clocks)
    clocks.cpu = 1000
    with trio.move_on_after(5) as scope:
        await governor.wait_turn()
    assert scope.cancelled_caught
