"""One HTTP/3 request over a QUIC connection that is held (RFC 9114).

The framing is aioquic's. Ours are the bounds: no dynamic header table (a few kilobytes of references to one big entry
would expand to hundreds of megabytes), no pushes, and no more than so many bytes that bring nothing new.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import pylsqpack
import trio
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.events import QuicEvent, StreamDataReceived, StreamReset

from probe.net.base import Failure, ResponseHead
from probe.net.classify import classify
from probe.net.quicheld import IDLE, HeldQuic
from probe.wire.quic import H3_NO_ERROR, close_name

CLOSED = Failure("interrupted", "closed")
TOO_LARGE = Failure("http_body_too_large", "header or framing")
# Beside a head: the peer's settings, its own header table's stream, frames of other kinds.
BESIDE_HEAD = 131_072
# What a header counts besides its bytes (RFC 9114 section 4.2.2): one byte on the wire may stand for a whole header.
ENTRY = 32
PIECE = 16_384


class _Framing(H3Connection):
    """aioquic's framing without dynamic header tables and pushes."""

    def _init_connection(self) -> None:
        self._max_table_capacity = self._blocked_streams = 0
        self._decoder = pylsqpack.Decoder(0, 0)
        self._max_push_id = None
        super()._init_connection()


def _in_pieces(event: QuicEvent) -> Iterator[QuicEvent]:
    """What came at once, in small pieces: behind a lost packet a whole window may have waited, and the bounds are for
    what brings nothing new."""
    if not isinstance(event, StreamDataReceived) or len(event.data) <= PIECE:
        yield event
        return
    for start in range(0, len(event.data), PIECE):
        last = start + PIECE >= len(event.data)
        piece = event.data[start : start + PIECE]
        yield StreamDataReceived(data=piece, end_stream=event.end_stream and last, stream_id=event.stream_id)


class HeldHttp3:
    """A request's stream as `base.Http3`."""

    def __init__(self, held: HeldQuic) -> None:
        self._held = held
        self._framing: _Framing | None = None
        self._stream = -1
        self._parts: deque[ResponseHead | bytes] = deque()
        self._failure: Failure | None = None
        self._cap = self._room = self._most = 0
        self._head = False
        self.ended: str | None = None

    async def ask(self, headers: tuple[tuple[bytes, bytes], ...], header_cap: int) -> Failure | None:
        """See `base.Http3`."""
        await trio.lowlevel.checkpoint()
        self._cap = header_cap
        self._room = self._most = header_cap + BESIDE_HEAD
        try:
            self._framing = _Framing(self._held.core)
            self._stream = self._held.core.get_next_available_stream_id()
            self._framing.send_headers(self._stream, list(headers), end_stream=True)
        except Exception as error:  # noqa: BLE001 - a header that the peer's settings make impossible is its doing
            self._failure = classify(error)
        return self._failure

    async def receive(self) -> ResponseHead | bytes | Failure:
        """See `base.Http3`."""
        await trio.lowlevel.checkpoint()
        while True:
            self._sort()
            if self._parts:
                return self._parts.popleft()
            if self._failure is not None or self.ended is not None:
                return self._failure or b""
            self._failure = self._closed()
            if self._failure is None:
                await self._held.turn()

    @property
    def moved(self) -> tuple[int, int]:
        """See `base.Http3`."""
        held = self._held
        return held.datagrams_in + held.datagrams_out, held.bytes_in + held.bytes_out

    def close(self) -> None:
        """See `base.Http3`."""
        self._held.send_close(H3_NO_ERROR)

    def _sort(self) -> None:
        """Take in what the connection has brought since."""
        while self._held.events and self._failure is None:
            for event in _in_pieces(self._held.events.popleft()):
                self._note(event)
                if self._failure is not None:
                    break
                try:
                    for told in self._framing.handle_event(event) if self._framing else ():
                        self._take(told)
                except Exception as error:  # noqa: BLE001 - what a hostile answer makes the framing raise is evidence
                    self._failure = classify(error)

    def _note(self, event: QuicEvent) -> None:
        if isinstance(event, StreamDataReceived):
            self._room -= len(event.data)
            if self._room < 0:
                self._failure = TOO_LARGE
        elif isinstance(event, StreamReset) and event.stream_id == self._stream:
            self.ended = "reset"
            self._failure = Failure("http_request_failed", f"h3:StreamReset:{close_name(event.error_code, True)}")

    def _take(self, told: H3Event) -> None:
        if not isinstance(told, HeadersReceived | DataReceived) or told.stream_id != self._stream:
            return
        if isinstance(told, DataReceived):
            if told.data:
                self._keep(told.data)
        elif not self._head:
            self._take_head(told)
        if told.stream_ended and self._head:
            self.ended = "fin"

    def _keep(self, part: ResponseHead | bytes) -> None:
        """A piece of the answer. Only these set the bounds back."""
        self._parts.append(part)
        self._room, self._held.vain = self._most, 0

    def _take_head(self, told: HeadersReceived) -> None:
        if sum(len(name) + len(value) + ENTRY for name, value in told.headers) > self._cap:
            self._failure = TOO_LARGE
            return
        status = next((value for name, value in told.headers if name == b":status"), b"")
        number = int(status) if status.isdigit() else 0
        if number >= 200 or told.stream_ended:
            # An interim head (1xx) only says that another one comes.
            self._head = True
            shown = tuple((name, value) for name, value in told.headers if not name.startswith(b":"))
            self._keep(ResponseHead(number, shown))

    def _closed(self) -> Failure | None:
        """Why nothing more can come; None while it can."""
        if self._held.sock.fileno() < 0:
            return CLOSED
        closing = self._held.core.closing()
        if closing is None:
            self.ended = "silence" if self._held.core.went_idle else self.ended
            return IDLE if self._held.core.went_idle else self._held.broken
        self.ended = "close"
        if closing.by_us:
            return Failure("http_request_failed", f"h3:{closing.name}")
        quiet = closing.code == (H3_NO_ERROR if closing.application else 0)
        return Failure("eof_error" if quiet else "connection_reset", closing.name)
