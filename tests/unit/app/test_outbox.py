"""The outbox waits longer each time, with a random part, and forgets nothing because sending failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.app.outbox import APART_S, FIRST_S, LONGEST_S, Outbox, Waiting

ONE, OTHER = "1" * 32, "2" * 32


class Clock:
    """A time that stands still, and chance that takes the longest."""

    def __init__(self) -> None:
        self.time = 1_000_000.0

    def now(self) -> float:
        return self.time

    def most(self, low: float, high: float) -> float:
        assert 0 < low <= high
        return high


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outbox(tmp_path: Path, clock: Clock) -> Outbox:
    return Outbox(tmp_path / "outbox", clock.now, clock.most)


def test_each_failure_doubles_the_wait_up_to_half_a_day(outbox: Outbox, clock: Clock) -> None:
    waits = [outbox.failed(ONE, "no").not_before - clock.time for _ in range(30)]
    assert waits[:3] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S] and waits[-1] == LONGEST_S == max(waits)
    assert outbox.waiting()[ONE].tries == 30
    assert not outbox.is_due(ONE) and outbox.is_due(OTHER)
    clock.time += LONGEST_S
    assert outbox.is_due(ONE)


def test_chance_moves_the_moment(tmp_path: Path) -> None:
    real = Outbox(tmp_path)
    assert len({real.failed(str(n), "no").not_before for n in range(20)}) > 10


def test_success_ends_the_waiting(outbox: Outbox) -> None:
    outbox.failed(ONE, "no")
    outbox.succeeded(ONE)
    outbox.succeeded(OTHER)
    assert outbox.waiting() == {} and outbox.is_due(ONE)


def test_others_are_put_off_but_never_brought_forward(outbox: Outbox, clock: Clock) -> None:
    for _ in range(8):
        late = outbox.failed(ONE, "no")
    outbox.put_off([ONE, OTHER])
    assert outbox.waiting()[ONE] == late
    assert outbox.waiting()[OTHER] == Waiting(0, int(clock.time + APART_S[1]))


@pytest.mark.parametrize("text", ["", "rubbish", "[]", '{"a": 1}', '{"a": {"tries": "x"}}', "\x00" * 50])
def test_a_damaged_queue_means_that_everything_is_due(text: str, outbox: Outbox) -> None:
    outbox.failed(ONE, "no")
    (outbox.folder / "queue.json").write_text(text)
    assert outbox.is_due(ONE)
    outbox.failed(ONE, "no")
    assert outbox.waiting()[ONE].tries == 1
