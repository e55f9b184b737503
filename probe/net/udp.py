"""One datagram question, and everything that comes back within its window.

The socket is not connected: an injected answer may come from another address, and is worth seeing. Answers are kept
whoever sent them and whatever they say; the window stays open for some round trips after the first acceptable one,
because the injected answer arrives first and the true one after it. Nobody has to wait for that: each answer is handed
on as it arrives. The kernel stamps arrival where it can, since the event loop's
idea of it is off by all the loop's lag.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from dataclasses import dataclass, field

import trio

from probe.model.kinds import Icmp
from probe.net.base import Clock, Datagram, Echoes, Failure, Heard, UdpPlan
from probe.net.classify import DEADLINE, errno_failure
from probe.net.dial import open_socket
from probe.net.errqueue import QueuedError, read_errors
from probe.net.hops import limit_hops

# Linux asm-generic/socket.h; the control message carries a `struct timespec` of Unix time.
SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")
# However slow the path is, listening on ends after this; however fast, a resolver needs some time of its own (seconds).
MOST_LINGER_S, LEAST_LINGER_S = 1.0, 0.05
# One ICMP error may be forged to hide an answer; two in a row are taken for true.
REFUSALS = 2
# A question that is to die on the way has died when a router says so; what it set off comes at about that time.
DEATHS = 1
# Windows reports an ICMP "port unreachable" for an earlier datagram as a reset of the socket.
_UDP_WORDS = {"WSAECONNRESET": "connection_refused"}


async def ask_udp(
    clock: Clock,
    ip: str,
    port: int,
    payload: bytes,
    plan: UdpPlan,
    source: str | None = None,
    heard: Heard | None = None,
    known_us: int | None = None,
) -> Echoes:
    """See `base.Net.ask_udp`. `failure` is None once an acceptable answer came, whatever else did; else it is the last
    error met, or the deadline, and datagrams that are no answer (wrong id, no response bit) are still listed.
    `known_us` is the round trip to that address as far as it is known otherwise."""
    at_us, began = clock.now_us(), clock.mono_us()
    await trio.lowlevel.checkpoint()
    try:
        sock = open_socket(ip, socket.SOCK_DGRAM, source)
    except OSError as exc:
        return Echoes((), errno_failure(exc.errno or 0), at_us, clock.mono_us() - began, 0)
    with sock:
        _want_stamps(sock)
        if plan.ttl and (unable := limit_hops(sock, plan.ttl)):
            return Echoes((), unable, at_us, clock.mono_us() - began, 0)
        question = _Question(clock, sock, (ip, port), payload, plan, heard, known_us)
        await question.ask()
    return Echoes(
        datagrams=tuple(question.datagrams),
        failure=None if question.answered else question.failure or DEADLINE,
        at_us=at_us,
        took_us=clock.mono_us() - began,
        sends=question.sends,
        icmp=question.last_icmp(),
        lag_us=clock.lag_us(began),
    )


@dataclass(slots=True)
class _Question:
    """The state of one question. Deadlines are on trio's clock (seconds), durations on ours (microseconds)."""

    clock: Clock
    sock: socket.socket
    to: tuple[str, int]
    payload: bytes
    plan: UdpPlan
    heard: Heard | None = None
    known_us: int | None = None
    datagrams: list[Datagram] = field(default_factory=list)
    errors: list[QueuedError] = field(default_factory=list)
    failure: Failure | None = None
    answered: bool = False
    sends: int = 0
    first_us: int = 0
    end_s: float = 0.0

    async def ask(self) -> None:
        start_s = trio.current_time()
        self.first_us = self.clock.mono_us()
        self.end_s = start_s + self.plan.timeout_s
        resends = [start_s + after for after in self.plan.resend_s]
        self._send()
        while trio.current_time() < self.end_s and self.sends + len(self.errors) > 0:
            if resends and trio.current_time() >= resends[0]:
                resends.pop(0)
                if not self.answered:
                    self._send()
            with trio.move_on_at(min([self.end_s, *resends[:1]])):
                await trio.lowlevel.wait_readable(self.sock)
                self._take_all()
        # A loop that ran late closes its window with answers still queued in the kernel: they came in time.
        self._take_all()

    def _send(self) -> None:
        """Send once. A pending ICMP error of an earlier datagram is reported by the send instead: then send again."""
        for _ in range(REFUSALS):
            try:
                self.sock.sendto(self.payload, self.to)
            except OSError as exc:
                self._note_error(exc)
            else:
                self.sends += 1
                return

    def _take_all(self) -> None:
        """All that is queued now, at most one window's worth."""
        while len(self.datagrams) < self.plan.max_datagrams:
            try:
                self._take(*_receive(self.sock, self.plan.max_bytes))
            except BlockingIOError:
                self._read_queue()
                return
            except OSError as exc:
                if not self._note_error(exc):
                    return
        self.end_s = trio.current_time()

    def _take(self, data: bytes, stamp_ns: int | None, source: tuple[str, int]) -> None:
        after_us, kernel = self._after_us(stamp_ns)
        datagram = Datagram(data, source, after_us, kernel, self.sends)
        self.datagrams.append(datagram)
        if not self.answered and is_answer(self.payload, data):
            self.answered = True
            self._close_in(linger_s(self.plan, after_us, self.known_us))
        if self.heard is not None:
            self.heard(datagram)

    def _after_us(self, stamp_ns: int | None) -> tuple[int, bool]:
        """Arrival, microseconds after the first send. The stamp is Unix time: taken as an age, and disbelieved when the
        clock was set meanwhile, so that the age is impossible."""
        elapsed_us = self.clock.mono_us() - self.first_us
        if stamp_ns is None:
            return elapsed_us, False
        age_us = (time.time_ns() - stamp_ns) // 1_000
        believable = 0 <= age_us <= elapsed_us
        return (elapsed_us - age_us, True) if believable else (elapsed_us, False)

    def _note_error(self, exc: OSError) -> bool:
        """Take an error that a call reported; True when the queue explains it, so that it was ICMP."""
        failure = errno_failure(exc.errno or 0)
        self.failure = Failure(_UDP_WORDS.get(failure.raw, failure.word), failure.raw)
        return self._read_queue()

    def _read_queue(self) -> bool:
        fresh = read_errors(self.sock)
        self.errors += fresh
        if fresh:
            self.failure = fresh[-1].failure
        if fresh and len(self.errors) >= (DEATHS if self.plan.ttl else REFUSALS):
            self._close_in(self.plan.linger_s)
        return bool(fresh)

    def _close_in(self, seconds: float) -> None:
        self.end_s = min(self.end_s, trio.current_time() + seconds)

    def last_icmp(self) -> Icmp | None:
        return next((error.icmp for error in reversed(self.errors) if error.icmp), None)


def linger_s(plan: UdpPlan, after_us: int, known_us: int | None) -> float:
    """Seconds to listen on after a first answer that came after `after_us`, on a path whose round trip is known to be
    `known_us`."""
    if known_us is None:
        return max(plan.linger_s, min(plan.linger_rtts * after_us / 1e6, MOST_LINGER_S))
    return max(LEAST_LINGER_S, min(plan.linger_rtts * max(after_us, known_us) / 1e6, MOST_LINGER_S))


def is_answer(question: bytes, data: bytes) -> bool:
    """Whether a datagram has the question's DNS id and the response bit; it may still be a lie."""
    return len(data) > 2 and data[:2] == question[:2] and bool(data[2] & 0x80)


def _want_stamps(sock: socket.socket) -> None:
    if sys.platform == "linux":
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def _receive(sock: socket.socket, limit: int) -> tuple[bytes, int | None, tuple[str, int]]:
    """A datagram, the kernel's stamp of it (Unix nanoseconds) and its source. Raises OSError."""
    if sys.platform == "win32":
        data, source = sock.recvfrom(limit)
        return data, None, (source[0], source[1])
    else:
        data, ancillary, _, source = sock.recvmsg(limit, 256)
        return data, _stamp_ns(ancillary), (source[0], source[1])


def _stamp_ns(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return None
