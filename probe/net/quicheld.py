"""One QUIC connection and its UDP socket, driven by trio turn by turn, with everything counted that a fact may tell.

The socket is connected, so that ICMP errors are heard on every system. One of them may be forged to hide an answer;
two, to two datagrams, are taken for true.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import trio
from aioquic.quic.events import HandshakeCompleted, QuicEvent

from probe.model.failure import is_local
from probe.net.base import Clock, Failure, QuicPlan, QuicShaken
from probe.net.classify import DEADLINE, classify, errno_failure
from probe.net.errqueue import QueuedError, read_errors
from probe.net.quiccore import Closing, Core, close_failure
from probe.wire.quic import V1, alert_of, read_header, version_name

T = TypeVar("T")
UNSENDABLE = Failure("skipped", "unsendable_name")
INCOMPATIBLE = "quic_incompatible_version"
REFUSALS = 2
# How long a true answer may still come after refusals. Seconds.
LINGER_S = 0.15
# A handshake's flights are a few datagrams; what floods us is no handshake. Afterwards, so much may come without one
# piece of an answer: four times the window, for what is lost and sent again.
FLOOD_BYTES, FLOOD_LATER = 262_144, 1_048_576
AT_ONCE = 64
IDLE = Failure("generic_timeout_error", "idle")
# Windows reports an ICMP "port unreachable" for an earlier datagram as a reset of the socket.
_UDP_WORDS = {"WSAECONNRESET": "connection_refused"}


@dataclass(slots=True)
class HeldQuic:
    """One connection and its socket. Times are on trio's clock (seconds) but for those called `_us`. `vain` counts the
    bytes that came since anything useful did; whoever reads an answer sets it back."""

    clock: Clock
    sock: socket.socket
    peer: tuple[str, int]
    core: Core
    events: deque[QuicEvent] = field(default_factory=deque)
    errors: list[QueuedError] = field(default_factory=list)
    icmp_failure: Failure | None = None
    broken: Failure | None = None
    alpn: str | None = None
    shaken: bool = False
    retry: bool = False
    versions: tuple[int, ...] = ()
    hello: bytes = b""
    datagrams_out: int = 0
    datagrams_in: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    first_flight: int = 0
    first_us: int | None = None
    vain: int = 0
    _began_us: int = 0
    _heard_s: float = 0.0
    _refused_s: float = float("inf")

    async def shake(self, plan: QuicPlan) -> Failure | None:
        """Handshake until it is done, or a reason not to go on."""
        self._began_us, self._heard_s = self.clock.mono_us(), trio.current_time()
        end_s = self._heard_s + plan.timeout_s
        try:
            self.sock.connect(self.peer)
            self.core.connect(self.peer, self._heard_s)
        except OSError as exc:
            return errno_failure(exc.errno or 0)
        except ValueError:  # includes UnicodeError: a name that no hello can carry, so nothing was sent
            return UNSENDABLE
        self.hello = self.core.hello()
        self._send_all()
        self.first_flight = self.datagrams_out
        while not self.shaken:
            limit_s = min(end_s, self._heard_s + plan.quiet_s, self._refused_s)
            if failure := self.over():
                return failure
            if trio.current_time() >= limit_s:
                return self.icmp_failure or DEADLINE
            await self.turn(limit_s)
        self._send_all()  # our Finished, so that the peer's handshake ends as well
        return None

    async def turn(self, until_s: float = float("inf")) -> None:
        """Send what waits; then wait for a datagram, for one of the core's timers, or until a moment."""
        self._send_all()
        timer_s = self.core.get_timer()
        with trio.move_on_at(until_s if timer_s is None else min(until_s, timer_s)):
            await trio.lowlevel.wait_readable(self.sock)
        self._take_all()
        now = trio.current_time()
        if timer_s is not None and now >= timer_s and not self.broken:
            self._drive(partial(self.core.handle_timer, now))
        self._sort_events()

    def over(self) -> Failure | None:
        """Why this handshake cannot go on; None while it can."""
        if self.broken:
            return self.broken
        if self.versions and V1 not in self.versions and not self.keys_agreed():
            return Failure("quic_incompatible_version", ",".join(version_name(v) for v in self.versions))
        closing = self.core.closing()
        return close_failure(closing) if closing else IDLE if self.core.went_idle else None

    def keys_agreed(self) -> bool:
        """A server's hello was read."""
        return bool(self.core.cipher())

    def send_close(self, code: int) -> None:
        """Tell the peer that we are done, and close the socket. Twice is fine."""
        if self.sock.fileno() < 0:
            return
        self._drive(partial(self.core.close, code))
        self._send_all()
        self.sock.close()

    def _drive(self, call: Callable[[], T]) -> T | None:
        """Let the core work. Whatever a hostile peer makes it raise, at once or later, is evidence."""
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - aioquic states no closed set of what it raises
            self.broken = self.broken or classify(error)
            return None

    def _send_all(self) -> None:
        for data, _ in self._drive(partial(self.core.datagrams_to_send, trio.current_time())) or ():
            for _ in range(REFUSALS):
                # A pending ICMP error of an earlier datagram is reported by the send instead: then send again.
                try:
                    self.sock.send(data)
                except BlockingIOError:
                    break  # a full buffer loses a datagram, as any router may
                except OSError as exc:
                    self._note_error(exc)
                else:
                    self.datagrams_out += 1
                    self.bytes_out += len(data)
                    break

    def _take_all(self) -> None:
        for _ in range(AT_ONCE):
            if self.broken:
                return
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                self._read_queue()
                return
            except OSError as exc:
                if not self._note_error(exc):
                    return
            else:
                self._take(data)

    def _take(self, data: bytes) -> None:
        self._heard_s = trio.current_time()
        if self.first_us is None:
            self.first_us = self.clock.mono_us() - self._began_us
        self.datagrams_in += 1
        self.bytes_in += len(data)
        self.vain += len(data)
        if not self.shaken:
            self._look_at(data)
        self._drive(partial(self.core.receive_datagram, data, self.peer, self._heard_s))
        if self.core.is_scattered():
            self._break("scattered")
        elif self.vain > (FLOOD_LATER if self.shaken else FLOOD_BYTES):
            self._break("flood")

    def _break(self, raw: str) -> None:
        """The peer wastes our time."""
        self.broken = self.broken or Failure("http_request_failed" if self.shaken else "ssl_failed_handshake", raw)

    def _look_at(self, data: bytes) -> None:
        header = read_header(data)
        if header is not None and header.dcid == self.core.host_cid:
            self.retry = self.retry or header.kind == "retry"
            self.versions = self.versions or header.versions

    def _sort_events(self) -> None:
        while (event := self.core.next_event()) is not None:
            if isinstance(event, HandshakeCompleted):
                self.shaken, self.alpn = True, event.alpn_protocol
            else:
                self.events.append(event)

    def _note_error(self, exc: OSError) -> bool:
        """Take an error that a call reported; True when the queue explains it, so that it was ICMP."""
        failure = errno_failure(exc.errno or 0)
        explained = self._read_queue()
        if not explained and not self.shaken:
            failure = Failure(_UDP_WORDS.get(failure.raw, failure.word), failure.raw)
            if is_local(failure.word):
                self.broken = failure
            else:
                self._refused(failure, 1)
        return explained

    def _read_queue(self) -> bool:
        fresh = read_errors(self.sock)
        self.errors += fresh
        if fresh and not self.shaken:
            self._refused(fresh[-1].failure, len(fresh))
        return bool(fresh)

    def _refused(self, failure: Failure, count: int) -> None:
        before = self.icmp_failure is not None
        self.icmp_failure = failure
        if before or count >= REFUSALS:
            self._refused_s = min(self._refused_s, trio.current_time() + LINGER_S)

    def told(self, failure: Failure | None) -> QuicShaken:
        """Everything that is known of the handshake, without its times."""
        closing = self.core.closing()
        alert = alert_of(closing.code) if closing and not closing.application else None
        heard = self.keys_agreed()
        return QuicShaken(
            None, failure, 0, 0,
            chain=self.core.chain() if self.hello else (),
            version=self.core.version() if heard else None,
            cipher=self.core.cipher(),
            alpn=self.alpn,
            alert=alert if failure else None,
            ended=self._ended(failure, closing, alert),
            close_code=closing.code if closing else None,
            close_reason=(closing.reason or None) if closing else None,
            retry=self.retry,
            versions=tuple(version_name(v) for v in self.versions),
            datagrams_out=self.datagrams_out,
            datagrams_in=self.datagrams_in,
            bytes_out=self.bytes_out,
            bytes_in=self.bytes_in,
            first_flight=self.first_flight,
            first_us=self.first_us,
            icmp=next((error.icmp for error in reversed(self.errors) if error.icmp), None),
            hello=self.hello,
        )  # fmt: skip

    def _ended(self, failure: Failure | None, closing: Closing | None, alert: str | None) -> str | None:
        if failure is None or is_local(failure.word):
            return None
        if failure.word == "quic_incompatible_version":
            return "version"
        if closing is not None:
            return "garbage" if closing.by_us else "alert" if alert else "close"
        if failure is self.icmp_failure:
            return "icmp"
        return "garbage" if self.broken else "stall" if self.datagrams_in else "silence"
