"""A TLS handshake over any stream we hold, pumped by hand through OpenSSL's memory buffers.

By hand because a ready-made TLS stream says only that the connection broke. Here every way of failing stays apart: a
reset, a FIN, an alert, silence, nonsense. Two rules make that so. An alert may be followed by a reset, or arrive after
our own sending failed, so reading goes on until the stream itself has ended. And the first bytes received are kept raw,
since OpenSSL tells nothing of a warning alert or of a block page sent in the clear.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

import trio

from probe.model.kinds import TcpInfo
from probe.net.base import Clock, Failure, Shaken, Stream
from probe.net.classify import DEADLINE, classify
from probe.net.hellos import Connection, connect, ech_answer
from probe.net.tlscontext import ALERT_REASONS, INCOMPATIBLE, peer_chain
from probe.wire.tls import FATAL, plaintext_alert

EOF = Failure("eof_error", "EOF")
UNSENDABLE = Failure("skipped", "unsendable_name")
UNUSABLE_ECH = Failure("skipped", "unusable_ech")
# The server spoke TLS well, as whoever the outer name is: nothing that the path did.
ECH_REJECTED = Failure("ssl_failed_handshake", "ECH_REJECTED")
# As much of what came back as a fact keeps, and as much as is searched for a plaintext alert.
FIRST_BYTES, SEARCHED_BYTES = 64, 4_096
# A handshake in which bytes go on coming may take this many times its time for silence.
LONGEST = 4
# How a failed handshake ended, by the word of its failure.
ENDINGS = {
    "connection_reset": "rst",
    "connection_aborted": "rst",
    "eof_error": "fin",
    "generic_timeout_error": "silence",
    "ssl_failed_handshake": "garbage",
}


async def shake(
    clock: Clock,
    stream: Stream,
    sni: str | None,
    alpn: tuple[str, ...],
    timeout_s: float,
    max_version: str | None,
    profile: str = "",
    ech: bytes = b"",
) -> Shaken:
    """See `base.Net.shake`. The stream below is left open, whatever happened: closing it is its owner's business."""
    at_us, began = clock.now_us(), clock.mono_us()
    sent, received = stream.bytes_out, stream.bytes_in
    pump = _Pump(stream, clock)
    try:
        pump.connection = connect(profile, pump.inward, pump.outward, sni or None, alpn, max_version, ech)
    except ValueError:  # includes UnicodeError: a name that no hello can carry, so nothing was sent
        return Shaken(None, UNSENDABLE, at_us, clock.mono_us() - began)
    except ssl.SSLError:  # a configuration for encrypted names that the engine makes nothing of; nothing sent either
        return Shaken(None, UNUSABLE_ECH, at_us, clock.mono_us() - began)
    failure: Failure | None = DEADLINE
    with trio.move_on_after(timeout_s) as pump.patience:
        pump.timeout_s, pump.latest_s = timeout_s, trio.current_time() + LONGEST * timeout_s
        failure = await pump.shake()
    pump.patience = None
    took_us = clock.mono_us() - began
    connection, alert = pump.connection, pump.alert()
    if failure and alert and alert.fatal:
        failure = Failure("ssl_failed_handshake", alert.raw)
    chain = peer_chain(connection)
    hidden = ech_answer(profile, connection, failure is None, chain)
    if failure and hidden == "rejected":
        failure = ECH_REJECTED
    version, cipher = connection.version(), connection.cipher()
    return Shaken(
        stream=None if failure else TlsStream(pump),
        failure=failure,
        at_us=at_us,
        took_us=took_us,
        chain=chain,
        version=version if cipher else None,
        cipher=cipher[0] if cipher and version else None,
        alpn=connection.selected_alpn_protocol(),
        alert=alert.name if failure and alert else None,
        ended=_ended(failure, alert),
        bytes_out=stream.bytes_out - sent,
        bytes_in=stream.bytes_in - received,
        hello=pump.hello,
        first_bytes=bytes(pump.seen[:FIRST_BYTES]),
        info=stream.info(),
        lag_us=clock.lag_us(began),
        answer_us=pump.heard_us - pump.asked_us if pump.heard_us else None,
        ech=hidden,
    )


@dataclass(frozen=True, slots=True)
class _Heard:
    """An alert of the peer: its name, whether it is fatal, and OpenSSL's reason for it (its name if it gave none)."""

    name: str
    fatal: bool
    raw: str


def _ended(failure: Failure | None, alert: _Heard | None) -> str | None:
    """How it ended. A warning alert ends nothing: what came after it did."""
    if failure is None or failure is ECH_REJECTED or failure.raw in INCOMPATIBLE:
        return None
    if alert and alert.fatal:
        return "alert"
    return ENDINGS.get(failure.word)


@dataclass(slots=True)
class _Pump:
    """OpenSSL on one side, a stream on the other, and what was seen pass."""

    stream: Stream
    clock: Clock
    inward: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    outward: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    hello: bytes = b""
    seen: bytearray = field(default_factory=bytearray)
    reason: str = ""
    pending: bytearray = field(default_factory=bytearray)
    turn: trio.Lock = field(default_factory=trio.Lock)
    # When the hello was on its way, and when the first thing came back; monotonic, 0 for not yet.
    asked_us: int = 0
    heard_us: int = 0
    connection: Connection = field(init=False)
    patience: trio.CancelScope | None = None
    timeout_s: float = 0.0
    latest_s: float = 0.0

    async def shake(self) -> Failure | None:
        """Handshake until it is done or the stream ended. A failure to send is reported only once nothing more can
        be read: what the peer said before it hung up says more."""
        unsent: Failure | None = None
        while True:
            fault = self._advance()
            self.hello = self.hello or bytes(self.pending)
            self.asked_us = self.asked_us or self.clock.mono_us()
            unsent = unsent or await self.flush()
            if fault is not _WANTS_MORE:
                return fault
            came = await self.pull()
            self.heard_us = self.heard_us or self.clock.mono_us()
            if came is not None:
                return unsent or came

    def _advance(self) -> Failure | None:
        """One turn of OpenSSL: None when the handshake is done, `_WANTS_MORE`, or how it failed."""
        try:
            self.connection.do_handshake()
            return None
        except ssl.SSLWantReadError:
            return _WANTS_MORE
        except ssl.SSLError as exc:
            # Only OpenSSL's own errors carry one.
            self.reason = getattr(exc, "reason", None) or ""
            return classify(exc)
        finally:
            self.pending += self.outward.read()

    async def pull(self) -> Failure | None:
        """Bring bytes from the stream to OpenSSL; a failure when there are no more."""
        data = await self.stream.receive()
        if isinstance(data, Failure):
            return data
        if not data:
            self.inward.write_eof()
            return EOF
        self.seen += data[: SEARCHED_BYTES - len(self.seen)]
        if self.patience is not None:
            # Slow is not silent: every byte that comes buys more time.
            self.patience.deadline = min(trio.current_time() + self.timeout_s, self.latest_s)
        self.inward.write(data)
        return None

    async def flush(self) -> Failure | None:
        """Bring what OpenSSL wrote to the stream, one task at a time. What a cancelled send had left stays pending."""
        self.pending += self.outward.read()
        if not self.pending:
            return None
        async with self.turn:
            before = self.stream.bytes_out
            try:
                return await self.stream.send(bytes(self.pending))
            finally:
                del self.pending[: self.stream.bytes_out - before]

    def alert(self) -> _Heard | None:
        """What the peer warned of: as OpenSSL read it, else as it stands in the first bytes."""
        if self.reason in ALERT_REASONS:
            return _Heard(ALERT_REASONS[self.reason], True, self.reason)
        found = plaintext_alert(bytes(self.seen))
        return _Heard(found.name, found.level == FATAL, found.name) if found else None


# Compared by identity, and never leaves this file.
_WANTS_MORE = Failure("", "WANT_READ")


class TlsStream:
    """Application data as `base.Stream`; its byte counts are of that data. `ended` tells which end of stream a b""
    was: `close_notify`, or `fin`, without it, so that the data may have been cut short on the way."""

    def __init__(self, pump: _Pump) -> None:
        self._pump = pump
        self._bytes_in = 0
        self._bytes_out = 0
        self.ended: str | None = None

    async def send(self, data: bytes) -> Failure | None:
        """Encrypt and send all of it. A cancelled send is completed by the next one, so that records stay whole."""
        await trio.lowlevel.checkpoint()
        rest = memoryview(data)
        while rest:
            try:
                written = self._pump.connection.write(rest)  # one record at a time
            except ssl.SSLError as exc:
                return classify(exc)
            self._bytes_out += written
            rest = rest[written:]
            if failure := await self._pump.flush():
                return failure
        return await self._pump.flush()

    async def receive(self, limit: int = 65536) -> bytes | Failure:
        """Data as soon as there is any; b"" at an orderly close or a bare FIN; a failure on a reset or an alert."""
        await trio.lowlevel.checkpoint()
        while True:
            try:
                data = self._pump.connection.read(limit)
            except ssl.SSLWantReadError:
                failure = await self._pump.flush() or await self._pump.pull()
                if failure is EOF:
                    self.ended = self.ended or "fin"
                    return b""
                if failure:
                    return failure
                continue
            except ssl.SSLZeroReturnError:
                data = b""
            except ssl.SSLError as exc:
                return b"" if self.ended else classify(exc)
            self._bytes_in += len(data)
            if not data:
                self.ended = self.ended or "close_notify"
            return data

    def info(self) -> TcpInfo | None:
        """The kernel's account of the connection below."""
        return self._pump.stream.info()

    @property
    def wire_in(self) -> int:
        return self._pump.stream.wire_in

    def nudge(self) -> None:
        self._pump.stream.nudge()

    def narrow(self, window: int) -> None:
        self._pump.stream.narrow(window)

    @property
    def bytes_in(self) -> int:
        return self._bytes_in

    @property
    def bytes_out(self) -> int:
        return self._bytes_out

    def close(self) -> None:
        """Close the connection below, without a close_notify: nobody waits for it."""
        self._pump.stream.close()
