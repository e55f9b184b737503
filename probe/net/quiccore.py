"""aioquic's QUIC connection, which does no I/O, and what it keeps to itself: who closed, and what it holds inside.

This and its users need the extra `quic` and are loaded at their first use (see `probe.net.trionet`).
"""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass

from aioquic import tls
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated
from cryptography.hazmat.primitives.serialization import Encoding

from probe.net.base import Failure
from probe.wire.quic import CONNECTION_REFUSED, V1, alert_of, close_name, version_name

WINDOW = 262_144
MAX_REASON = 200
# Pieces of a stream that may wait for what comes before them. The window holds about two hundred datagrams, of which no
# honest path loses every other one; the core walks through all pieces for each new one, so that a peer with thousands
# of single bytes could stop everything else.
MAX_PIECES = 256
# Its complaints about peers are facts of ours, and not for the volunteer's terminal.
logging.getLogger("quic").setLevel(logging.CRITICAL + 1)
logging.getLogger("http3").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class Closing:
    """A CONNECTION_CLOSE: whose, its code, whether of the application, and its text."""

    by_us: bool
    code: int
    application: bool
    reason: str

    @property
    def name(self) -> str:
        return close_name(self.code, self.application)


class Core(QuicConnection):
    """aioquic's connection, with what it tells nobody: that we were the one who closed, that nothing came for longer
    than both agreed on (which it tells as a close), and what it holds inside."""

    own_close: Closing | None = None
    went_idle: bool = False

    def close(self, error_code: int = 0, frame_type: int | None = None, reason_phrase: str = "") -> None:
        """Called by the core itself where the peer broke the rules."""
        self.own_close = self.own_close or Closing(True, int(error_code), frame_type is None, reason_phrase)
        super().close(error_code, frame_type, reason_phrase)

    def handle_timer(self, now: float) -> None:
        """Without an end before, an end by timer is that of patience."""
        ended = self._close_event is not None
        super().handle_timer(now)
        self.went_idle = self.went_idle or (not ended and self._close_event is not None and self.own_close is None)

    def closing(self) -> Closing | None:
        """The CONNECTION_CLOSE that was received or sent, known before the time of draining is over."""
        told: ConnectionTerminated | None = self._close_event
        if self.own_close is not None or told is None or self.went_idle:
            return self.own_close
        return Closing(False, int(told.error_code), told.frame_type is None, told.reason_phrase[:MAX_REASON])

    def hello(self) -> bytes:
        """The ClientHello about to be sent, behind a record header as TCP would carry it."""
        message = bytes(self._crypto_streams[tls.Epoch.INITIAL].sender._buffer)
        return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message

    def is_scattered(self) -> bool:
        """Some stream came in more loose pieces than any honest peer sends."""
        streams = (*self._crypto_streams.values(), *self._streams.values())
        return any(len(stream.receiver._ranges) > MAX_PIECES for stream in streams)

    def chain(self) -> tuple[bytes, ...]:
        """The peer's certificates (DER, leaf first); empty where none came."""
        leaf = self.tls._peer_certificate
        certificates = [leaf, *self.tls._peer_certificate_chain] if leaf else []
        return tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)

    def cipher(self) -> str | None:
        """The cipher suite, once there is one."""
        schedule = self.tls.key_schedule
        return f"TLS_{schedule.cipher_suite.name}" if schedule else None

    def version(self) -> str | None:
        return version_name(self._version) if self._version else None


def new_core(sni: str | None, alpn: tuple[str, ...]) -> Core:
    """A client that verifies nothing: the chain is kept, and judged elsewhere."""
    settings = QuicConfiguration(
        alpn_protocols=list(alpn),
        server_name=sni,
        verify_mode=ssl.CERT_NONE,
        # What browsers speak; offering more would be a fingerprint of its own.
        supported_versions=[V1],
        max_data=WINDOW,
        max_stream_data=WINDOW,
    )
    return Core(configuration=settings)


def close_failure(closing: Closing) -> Failure:
    """The failure that a CONNECTION_CLOSE before the end of the handshake stands for."""
    alert = None if closing.application else alert_of(closing.code)
    if closing.by_us:
        return Failure("ssl_failed_handshake", f"own:{closing.name}")
    if alert:
        return Failure("ssl_failed_handshake", alert)
    refused = closing.code == CONNECTION_REFUSED and not closing.application
    return Failure("connection_refused" if refused else "connection_reset", closing.name)
