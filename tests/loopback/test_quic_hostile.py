"""Peers that mean harm: whatever comes over QUIC ends in one word, in bounded time and memory."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import trio

pytest.importorskip("aioquic")
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.packet import encode_quic_retry
from aioquic.quic.rangeset import RangeSet

from probe.net.base import Failure, QuicPlan
from probe.net.quiccore import MAX_PIECES, new_core
from probe.wire.quic import read_header
from tests.loopback.test_net_quic import HOST, answering, everything, pem, serving, shaken
from tests.quic.initial import forged
from tests.quic.server import Http3Server, Identity

QUICK = QuicPlan(timeout_s=1.0, quiet_s=0.1)
CRYPTO, HEADERS = b"\x06", b"\x01"


def scattered(first: int, count: int) -> bytes:
    """CRYPTO frames of one byte each, none of which meets another."""
    return b"".join(CRYPTO + (0x80000000 | first + 2 * n).to_bytes(4, "big") + b"\x01x" for n in range(count))


def replies(*frames: bytes) -> Callable[[bytes], list[bytes]]:
    """The same frames to every Initial, as any onlooker may forge them."""
    return lambda data: [made for n, each in enumerate(frames) if (made := forged(data, each, n)) is not None]


async def test_a_handshake_in_loose_bytes_ends_at_once() -> None:
    """Each costs a walk through all before it: 260 kB of them held everything up for twenty seconds."""
    async with answering(replies(*(scattered(2 + 400 * n, 200) for n in range(30)))) as port:
        done = await shaken(port)
    assert (done.failure, done.ended) == (Failure("ssl_failed_handshake", "scattered"), "garbage")


def test_a_few_loose_pieces_are_what_lines_do() -> None:
    core = new_core("site.example", ("h3",))
    core.connect((HOST, 443), 0.0)
    (first, _), *_ = core.datagrams_to_send(0.0)
    for n in range(5):
        core.receive_datagram(forged(first, scattered(2 + 400 * n, 40), n) or b"", (HOST, 443), 0.0)
    assert not core.is_scattered() and core.closing() is None and 5 * 40 < MAX_PIECES


@pytest.mark.parametrize("size", [1100, 1200, 20_000])
async def test_a_retry_whose_token_fills_every_datagram(size: int) -> None:
    def answer(data: bytes) -> list[bytes]:
        header = read_header(data)
        return [encode_quic_retry(1, b"S" * 8, header.scid, header.dcid, b"t" * size)] if header else []

    async with answering(answer) as port:
        done = await shaken(port, plan=QUICK)
    assert (done.failure, done.ended, done.retry) == (Failure("generic_timeout_error", "deadline"), "stall", True)


@pytest.mark.parametrize("seed", range(24))
async def test_any_frames_end_in_a_word(seed: int) -> None:
    """Random frames under the right keys, so that the core reads them."""
    dice = random.Random(seed)
    frames = [bytes((dice.randrange(32),)) + dice.randbytes(dice.randrange(1100)) for _ in range(4)]
    async with answering(replies(*frames)) as port:
        done = await shaken(port, plan=QUICK)
    assert done.failure is not None and done.http3 is None
    assert done.failure.word in ("ssl_failed_handshake", "generic_timeout_error", "connection_reset", "unknown_failure")
    assert done.ended in ("garbage", "stall", "close", "alert")


class Saying(Http3Server):
    """Instead of an answer, something else."""

    def _answer(self, peer: Any, http: H3Connection | None, told: HeadersReceived) -> None:
        self.say(peer, told.stream_id)

    def say(self, peer: Any, stream: int) -> None:
        """Nothing."""


async def test_a_connection_that_goes_idle_is_silence_and_no_close() -> None:
    async with serving(Identity(pem(), idle_s=0.2), kind=Saying) as port:
        done = await shaken(port)
        _, _, failure = await everything(done.http3)
        assert done.http3 is not None and done.http3.ended == "silence"
    assert failure == Failure("generic_timeout_error", "idle")


class Expanding(Saying):
    """A head of which each byte stands for a header of the static table (RFC 9204 appendix A)."""

    def say(self, peer: Any, stream: int) -> None:
        section = b"\0\0" + bytes((0xC0 | 25,)) + bytes((0xC0 | 46,)) * 4000
        peer.core.send_stream_data(stream, HEADERS + (0x4000 | len(section)).to_bytes(2, "big") + section)


async def test_a_head_that_expands_is_cut() -> None:
    async with serving(kind=Expanding) as port:
        done = await shaken(port)
        head, _, failure = await everything(done.http3)
    assert (head, failure) == (None, Failure("http_body_too_large", "header or framing"))


class Interim(Saying):
    """Heads that say that another one comes, without end."""

    def say(self, peer: Any, stream: int) -> None:
        for _ in range(20_000):
            peer.http.send_headers(stream, [(b":status", b"103"), (b"link", b"x" * 40)])
            peer.http._stream[stream].headers_send_state = peer.http._stream[stream].headers_send_state.__class__(0)


async def test_interim_heads_have_an_end() -> None:
    async with serving(kind=Interim) as port:
        done = await shaken(port)
        head, _, failure = await everything(done.http3)
    assert (head, failure) == (None, Failure("http_body_too_large", "header or framing"))


class Scattering(Saying):
    """Every other byte of an answer."""

    def say(self, peer: Any, stream: int) -> None:
        for number in range(3, 3 + 4 * 100, 4):
            peer.core.send_stream_data(number, b"x" * 2000)
            peer.core._streams[number].sender._pending = RangeSet(range(n, n + 1) for n in range(2, 2000, 2))


async def test_an_answer_in_loose_bytes_ends_at_once() -> None:
    async with serving(kind=Scattering) as port:
        done = await shaken(port)
        _, _, failure = await everything(done.http3)
    assert failure == Failure("http_request_failed", "scattered")


class Flooding(Saying):
    """Large datagrams that say nothing, each time that the server has a turn."""

    flooded: Any = None

    def say(self, peer: Any, stream: int) -> None:
        self.flooded = peer

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(super().run)
            while True:
                await trio.sleep(0.001)
                for _ in range(10 if self.flooded else 0):
                    self.sock.sendmsg([b"\x40" + b"x" * 8000], [], 0, self.flooded.address)


async def test_a_flood_instead_of_an_answer_has_an_end() -> None:
    async with serving(kind=Flooding) as port:
        done = await shaken(port)
        _, _, failure = await everything(done.http3)
    assert failure == Failure("http_request_failed", "flood")
