"""QUIC as far as it can be read without keys, and the names of its numbers. Pure; bytes in, values out.

Versions: RFC 9000 (v1), RFC 9369 (v2). Long headers: RFC 8999 section 5.1 and RFC 9000 section 17.2. Error codes:
RFC 9000 section 20, RFC 9114 section 8.1 (HTTP/3), RFC 9204 section 6 (QPACK).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from probe.wire.tls import ALERTS

V1, V2 = 0x00000001, 0x6B3343CF
Kind = Literal["negotiation", "initial", "0rtt", "handshake", "retry", "other"]
# What the two type bits of a long header mean, by version (RFC 9000 section 17.2, RFC 9369 section 3.2).
_KINDS: dict[int, tuple[Kind, Kind, Kind, Kind]] = {
    V1: ("initial", "0rtt", "handshake", "retry"),
    V2: ("retry", "initial", "0rtt", "handshake"),
}
_LONG, _MAX_CID, MAX_VERSIONS = 0x80, 20, 16
# TLS alerts travel as codes from here on (RFC 9001 section 4.8).
CRYPTO_ERROR = 0x100
CONNECTION_REFUSED = 0x02
_TRANSPORT = (
    "NO_ERROR", "INTERNAL_ERROR", "CONNECTION_REFUSED", "FLOW_CONTROL_ERROR", "STREAM_LIMIT_ERROR",
    "STREAM_STATE_ERROR", "FINAL_SIZE_ERROR", "FRAME_ENCODING_ERROR", "TRANSPORT_PARAMETER_ERROR",
    "CONNECTION_ID_LIMIT_ERROR", "PROTOCOL_VIOLATION", "INVALID_TOKEN", "APPLICATION_ERROR",
    "CRYPTO_BUFFER_EXCEEDED", "KEY_UPDATE_ERROR", "AEAD_LIMIT_REACHED", "NO_VIABLE_PATH", "VERSION_NEGOTIATION_ERROR",
)  # fmt: skip
H3_NO_ERROR = 0x100
_H3 = (
    "H3_NO_ERROR", "H3_GENERAL_PROTOCOL_ERROR", "H3_INTERNAL_ERROR", "H3_STREAM_CREATION_ERROR",
    "H3_CLOSED_CRITICAL_STREAM", "H3_FRAME_UNEXPECTED", "H3_FRAME_ERROR", "H3_EXCESSIVE_LOAD", "H3_ID_ERROR",
    "H3_SETTINGS_ERROR", "H3_MISSING_SETTINGS", "H3_REQUEST_REJECTED", "H3_REQUEST_CANCELLED",
    "H3_REQUEST_INCOMPLETE", "H3_MESSAGE_ERROR", "H3_CONNECT_ERROR", "H3_VERSION_FALLBACK",
)  # fmt: skip
_QPACK = ("QPACK_DECOMPRESSION_FAILED", "QPACK_ENCODER_STREAM_ERROR", "QPACK_DECODER_STREAM_ERROR")
_QPACK_FROM = 0x200


@dataclass(frozen=True, slots=True)
class LongHeader:
    """The readable part of a datagram's first packet. `versions` are those that a version negotiation packet offers."""

    kind: Kind
    version: int
    dcid: bytes
    scid: bytes
    versions: tuple[int, ...] = ()


def read_header(datagram: bytes) -> LongHeader | None:
    """The long header that a datagram begins with; None for a short one and for what is no QUIC."""
    if len(datagram) < 7 or not datagram[0] & _LONG:
        return None
    version = int.from_bytes(datagram[1:5], "big")
    at, ids = 5, []
    for _ in range(2):
        size = datagram[at] if at < len(datagram) else 255
        if size > _MAX_CID or at + 1 + size > len(datagram):
            return None
        ids.append(datagram[at + 1 : at + 1 + size])
        at += 1 + size
    if version == 0:
        rest = datagram[at : at + 4 * MAX_VERSIONS]
        offered = tuple(int.from_bytes(rest[n : n + 4], "big") for n in range(0, len(rest) - 3, 4))
        return LongHeader("negotiation", 0, ids[0], ids[1], offered)
    kinds = _KINDS.get(version)
    return LongHeader(kinds[datagram[0] >> 4 & 3] if kinds else "other", version, ids[0], ids[1])


def version_name(version: int) -> str:
    """`v1`, `v2`, or the number in hex as it stands on the wire."""
    return {V1: "v1", V2: "v2"}.get(version, f"0x{version:08x}")


def alert_of(code: int) -> str | None:
    """The name of the TLS alert in a transport error code; None when there is none in it."""
    if not CRYPTO_ERROR <= code <= CRYPTO_ERROR + 0xFF:
        return None
    return ALERTS.get(code - CRYPTO_ERROR, f"alert_{code - CRYPTO_ERROR}")


def close_name(code: int, application: bool) -> str:
    """The name of a CONNECTION_CLOSE's code: of HTTP/3 where the application closed, else of the transport."""
    if not application:
        alert = alert_of(code)
        return alert or (_TRANSPORT[code] if code < len(_TRANSPORT) else f"0x{code:x}")
    if H3_NO_ERROR <= code < H3_NO_ERROR + len(_H3):
        return _H3[code - H3_NO_ERROR]
    if _QPACK_FROM <= code < _QPACK_FROM + len(_QPACK):
        return _QPACK[code - _QPACK_FROM]
    return f"0x{code:x}"
