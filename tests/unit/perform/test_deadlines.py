"""Deadlines go by progress: whatever still moves is slow, and only silence is silence. Time is trio's, and jumps."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import trio

from probe.model.kinds import HttpFetch, TcpInfo
from probe.model.step import Fetch, Walk
from probe.net.base import Dialed, Failure, Shaken, Stream
from probe.net.fakenet import FakeClock, FakeNet
from probe.net.tls import LONGEST, shake
from probe.perform import perform_walk
from probe.perform.world import Limits
from tests.unit.perform.kit import Facts, world_of

LIMITS = Limits(stall_s=10, fetch_s=60)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n"
STEP = Walk("example.org", "192.0.2.1", 80, None, Fetch("http://example.org/"))


@dataclass
class Trickle:
    """A stream whose bytes come at given pauses (seconds), for ever silent afterwards. With `wrap` so many arrivals
    make one piece of data, as TLS records do: until then only `wire_in` grows."""

    parts: list[tuple[float, bytes]]
    wrap: int = 1
    nudged: list[float] = field(default_factory=list)
    window: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    wire_in: int = 0
    _held: list[bytes] = field(default_factory=list)
    _due_s: float | None = None

    async def send(self, data: bytes) -> Failure | None:
        await trio.lowlevel.checkpoint()
        return None

    async def receive(self, limit: int = 65536) -> bytes | Failure:
        while self.parts:
            # A cancelled wait goes on where it was: the bytes travel whether or not somebody waits.
            self._due_s = self._due_s or trio.current_time() + self.parts[0][0]
            await trio.sleep_until(self._due_s)
            self._due_s = None
            data = self.parts.pop(0)[1]
            self.wire_in += len(data)
            self._held.append(data)
            if len(self._held) == self.wrap or not self.parts:
                whole, self._held = b"".join(self._held), []
                self.bytes_in += len(whole)
                return whole
        await trio.sleep_forever()
        raise AssertionError

    def nudge(self) -> None:
        self.nudged.append(trio.current_time())

    def narrow(self, window: int) -> None:
        self.window = window

    def info(self) -> TcpInfo | None:
        return None

    def close(self) -> None:
        """Nothing to close."""


class OneStream(FakeNet):
    """A net on which every dial gives one stream."""

    def __init__(self, stream: Trickle) -> None:
        super().__init__()
        self.stream = stream

    async def dial(self, ip: str, port: int, timeout_s: float) -> Dialed:
        await trio.lowlevel.checkpoint()
        return Dialed(self.stream, None, 0, 0)


async def fetch(stream: Trickle, step: Walk = STEP) -> tuple[str | None, HttpFetch, float]:
    """(failure, fact, seconds that it took)."""
    facts, began = Facts(), trio.current_time()
    await perform_walk(step, world_of(OneStream(stream), limits=LIMITS), facts)
    draft, detail = facts.one(HttpFetch)
    return draft.failure, detail, trio.current_time() - began


async def test_a_slow_page_is_read_to_its_end(autojump_clock: object) -> None:
    parts = [(0.1, HEAD), *[(5.0, b"x" * 10_000)] * 10]
    failure, detail, took_s = await fetch(Trickle(parts))
    assert (failure, detail.truncated, detail.wire_bytes) == (None, None, 100_000)
    assert took_s == pytest.approx(50.1)


async def test_what_still_comes_when_time_is_up_is_no_failure(autojump_clock: object) -> None:
    failure, detail, took_s = await fetch(Trickle([(0.1, HEAD), *[(2.0, b"x" * 1000)] * 100]))
    assert (failure, detail.truncated, detail.status) == (None, "time", 200)
    assert took_s == pytest.approx(60) and detail.wire_bytes == 29_000


async def test_a_record_may_take_longer_than_silence(autojump_clock: object) -> None:
    failure, detail, _ = await fetch(Trickle([(0.1, HEAD), *[(4.0, b"x" * 25_000)] * 4], wrap=5))
    assert (failure, detail.wire_bytes) == (None, 100_000)


async def test_silence_ends_it_and_the_far_end_was_asked_before(autojump_clock: object) -> None:
    stream = Trickle([(0.1, HEAD), (0.1, b"x" * 1000)])
    failure, detail, took_s = await fetch(stream)
    assert (failure, detail.truncated) == ("generic_timeout_error", "stall")
    assert took_s == pytest.approx(10.2, abs=0.01)
    assert stream.nudged and min(stream.nudged) - (trio.current_time() - took_s) > 5


async def test_nobody_is_nudged_who_answers(autojump_clock: object) -> None:
    stream = Trickle([(3.0, HEAD), *[(3.0, b"x" * 10_000)] * 10])
    await fetch(stream)
    assert not stream.nudged


async def test_headers_without_end_are_a_failure_though_they_move(autojump_clock: object) -> None:
    failure, detail, took_s = await fetch(Trickle([(0.1, b"HTTP/1.1 200 OK\r\n"), *[(1.0, b"X: y\r\n")] * 100]))
    assert (failure, detail.status) == ("generic_timeout_error", 200) and took_s == pytest.approx(60)


async def test_a_part_of_a_page_is_all_that_is_let_come(autojump_clock: object) -> None:
    stream = Trickle([(0.1, HEAD), *[(0.1, b"x" * 10_000)] * 10])
    part = Walk("example.org", "192.0.2.1", 80, None, Fetch("http://example.org/", most=25_000))
    failure, detail, _ = await fetch(stream, part)
    assert (failure, detail.truncated, detail.wire_bytes) == (None, "cap", 25_000)
    assert 0 < stream.window < 262_144


async def handshake(stream: Stream, timeout_s: float) -> tuple[Shaken, float]:
    began = trio.current_time()
    shaken = await shake(FakeClock(), stream, "example.org", ("http/1.1",), timeout_s, None)
    return shaken, trio.current_time() - began


async def test_a_handshake_that_moves_has_more_time_but_not_for_ever(autojump_clock: object) -> None:
    record = b"\x16\x03\x03\x3f\xff"
    shaken, took_s = await handshake(Trickle([(1.0, record), *[(1.0, b"\0")] * 1000]), 2.0)
    assert shaken.failure == Failure("generic_timeout_error", "deadline")
    assert took_s == pytest.approx(2.0 * LONGEST)


async def test_a_handshake_without_a_byte_ends_in_time(autojump_clock: object) -> None:
    shaken, took_s = await handshake(Trickle([]), 2.0)
    assert shaken.ended == "silence" and took_s == pytest.approx(2.0)
