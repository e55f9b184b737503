"""The width follows the line: simulated bottlenecks, deep and shallow, and what must not be mistaken for one."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from probe.model.kinds import DnsLookup, HttpFetch, TcpConnect, TcpInfo
from probe.model.observation import Observation
from probe.net.pace import LAG_HOLD_US, LAG_US, MOST, START, Pace


@dataclass
class Line:
    """A bottleneck that bears `knee` targets at once. Beyond, each further one adds `queue_us` of delay for everybody
    until `buffer_us` is full; then the rest is lost. `base_us` spreads over servers, `noise_us` over single trips."""

    knee: int
    queue_us: int = 30_000
    buffer_us: int = 1_000_000
    noise_us: int = 8_000
    foreign_us: int = 0
    dice: random.Random = field(default_factory=lambda: random.Random(7))

    def epoch(self, pace: Pace, exchanges: int = 40, lag_us: int = 0) -> int:
        over = max(0, pace.width - self.knee)
        delay_us = min(self.buffer_us, over * self.queue_us) + self.foreign_us
        drop = 0.0 if over * self.queue_us <= self.buffer_us else 1 - self.knee / pace.width
        for n in range(exchanges):
            whom = n % 12
            slow_server = self.dice.random() < 0.3
            took = 20_000 + whom * 15_000 + delay_us + self.dice.randrange(self.noise_us) + slow_server * 300_000
            pace.answered(whom, took, self.dice.random() < drop)
        return pace.decide(lag_us, full=True)


def widths(line: Line, epochs: int = 120, pace: Pace | None = None) -> list[int]:
    pace = pace or Pace()
    return [line.epoch(pace) for _ in range(epochs)]


@pytest.mark.parametrize("knee", [2, 4, 10, 20])
def test_it_settles_around_what_the_line_bears(knee: int) -> None:
    late = widths(Line(knee))[60:]
    assert knee * 0.6 <= sum(late) / len(late) <= knee + 2
    # One step too far shows in the delay of the next epoch and is taken back.
    assert max(late) <= knee + 4


def test_a_shallow_buffer_shows_as_loss_and_is_heeded() -> None:
    late = widths(Line(8, buffer_us=0))[60:]
    assert 4 <= sum(late) / len(late) <= 10


def test_a_fast_line_is_used_to_the_full() -> None:
    found = widths(Line(1000), 60)
    assert found[0] == START + 1 and found[-1] == MOST and found == sorted(found)


def test_it_backs_off_faster_than_it_grew() -> None:
    pace = Pace(width=30)
    line = Line(1000)
    line.epoch(pace)
    line.knee = 6
    found = widths(line, 30, pace)
    assert min(found[:12]) <= 8


def test_places_that_nobody_wants_are_not_added() -> None:
    pace = Pace()
    for n in range(60):
        pace.answered(n % 3, 20_000, False)
    assert pace.decide(0, full=False) == START


def test_censorship_is_no_sign_of_a_full_line() -> None:
    pace, line = Pace(), Line(1000)
    for _ in range(20):
        for n in range(30):
            pace.note(fact(TcpConnect(raw="ETIMEDOUT"), "generic_timeout_error", f"192.0.2.{n}", 10_000_000))
            pace.note(fact(DnsLookup("udp://192.0.2.53", "A", sends=3), "generic_timeout_error", None, 4_000_000))
        line.epoch(pace)
    assert pace.width == START + 20


def test_a_busy_machine_is_a_reason_too() -> None:
    pace, line = Pace(), Line(1000)
    line.epoch(pace)
    assert line.epoch(pace, lag_us=LAG_US) < START + 1 and pace.why == "busy machine"


def test_a_machine_that_is_a_little_late_gets_no_more() -> None:
    pace, line = Pace(), Line(1000)
    assert line.epoch(pace, lag_us=LAG_HOLD_US) == START and pace.why == "steady"


def test_a_slow_board_is_accepted_in_the_end() -> None:
    """Its own judging makes it late, whatever the width."""
    pace, line = Pace(), Line(1000)
    low = [line.epoch(pace, lag_us=300_000) for _ in range(30)]
    assert min(low) == 1 and low[-1] > 4
    assert line.epoch(pace, lag_us=3_000_000) < low[-1]


def test_delay_that_is_not_ours_is_accepted_in_the_end() -> None:
    """Somebody else fills the line: first we make room, then we take the line as it is."""
    pace, line = Pace(), Line(1000)
    widths(line, 10, pace)
    line.foreign_us = 200_000
    low = widths(line, 20, pace)
    assert min(low) == 1 and pace.width > 1
    assert widths(line, 40, pace)[-1] == MOST


def test_too_few_exchanges_decide_nothing() -> None:
    pace = Pace()
    for n in range(5):
        pace.answered("one", 20_000 if n == 0 else 900_000, False)
    assert pace.decide(0, full=True) == START


def test_the_kernels_own_account_of_a_connection_counts() -> None:
    pace = Pace()
    for n in range(12):
        info = TcpInfo(1, 420_000, 20_000, 0, 9, 9, 1, 1, 0)
        pace.note(fact(HttpFetch("https://a.example/", info=info), None, f"192.0.2.{n}", 1))
    assert pace.decide(0, full=True) < START and pace.why == "delay"


def test_a_second_copy_of_an_answer_is_no_second_exchange() -> None:
    pace = Pace()
    for n in range(30):
        pace.note(fact(DnsLookup("udp://192.0.2.53", "A", nth=n, sends=2), None, None, 50_000))
    assert pace.decide(0, full=True) == START


def fact(detail: DnsLookup | HttpFetch | TcpConnect, failure: str | None, ip: str | None, took_us: int) -> Observation:
    return Observation("a" * 32, 0, None, detail.kind, "a.example", ip, 443, 1, "plan", failure, 1, took_us, detail)
