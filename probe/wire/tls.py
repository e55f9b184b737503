"""TLS bytes as values: records, plaintext alerts, and the ClientHello with its JA4 fingerprint.

Nothing here raises for what a peer sent: bytes that do not parse give None or end the list. Sources: RFC 8446
(records, alerts, ClientHello), RFC 6066 (server name), RFC 7301 (ALPN), RFC 8701 (GREASE); JA4 after FoxIO's
published description of the TLS client fingerprint.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
_CLIENT_HELLO = 1
_SERVER_NAME, _GROUPS, _SIGNATURES, _ALPN, _VERSIONS = 0, 10, 13, 16, 43

WARNING, FATAL = 1, 2
# IANA TLS Alerts registry.
ALERTS: dict[int, str] = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    52: "too_many_cids_requested",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    114: "bad_certificate_hash_value",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
    121: "ech_required",
}


@dataclass(frozen=True, slots=True)
class TlsRecord:
    """One record: content type, legacy version, and its body, which is cut short if the bytes end within it."""

    type: int
    version: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Alert:
    """A plaintext alert: level (1 warning, 2 fatal), number, and its name (`alert_199` for unassigned numbers)."""

    level: int
    number: int

    @property
    def name(self) -> str:
        return ALERTS.get(self.number, f"alert_{self.number}")


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client offers, in its order, GREASE included. `sni` and `alpn` are read as Latin-1: any byte fits."""

    legacy_version: int
    session_id: bytes
    ciphers: tuple[int, ...]
    extensions: tuple[int, ...]
    sni: str | None = None
    alpn: tuple[str, ...] = ()
    versions: tuple[int, ...] = ()
    signatures: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()


class _Short(Exception):
    """The bytes ended early, or a length points outside."""


class _Reader:
    """Takes big-endian numbers and length-prefixed parts off the front of some bytes."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def take(self, size: int) -> bytes:
        if size > len(self.rest):
            raise _Short
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def part(self, prefix: int) -> bytes:
        return self.take(self.number(prefix))


def looks_like_tls(data: bytes) -> bool:
    """Whether bytes begin as a TLS record does: a known content type and major version 3."""
    return len(data) >= 3 and CHANGE_CIPHER_SPEC <= data[0] <= APPLICATION_DATA and data[1] == 3 and data[2] <= 4


def records(data: bytes) -> Iterator[TlsRecord]:
    """The records at the front of some bytes, up to the first that is none."""
    at = 0
    while looks_like_tls(data[at : at + 3]) and len(data) >= at + 5:
        size = int.from_bytes(data[at + 3 : at + 5], "big")
        yield TlsRecord(data[at], int.from_bytes(data[at + 1 : at + 3], "big"), data[at + 5 : at + 5 + size])
        at += 5 + size


def plaintext_alert(data: bytes) -> Alert | None:
    """The first alert of a peer's flight that is readable: before anything encrypted, and exactly two bytes."""
    for record in records(data):
        if record.type in (CHANGE_CIPHER_SPEC, APPLICATION_DATA):
            return None
        if record.type == ALERT and len(record.body) == 2 and record.body[0] in (WARNING, FATAL):
            return Alert(record.body[0], record.body[1])
    return None


def parse_client_hello(data: bytes) -> ClientHello | None:
    """The ClientHello that some sent bytes begin with, also when it is spread over several records; None if there is
    none or it is malformed."""
    message = _Reader(b"".join(record.body for record in records(data) if record.type == HANDSHAKE))
    try:
        if message.number(1) != _CLIENT_HELLO:
            return None
        return _hello(_Reader(message.part(3)))
    except _Short:
        return None


def _hello(body: _Reader) -> ClientHello:
    version = body.number(2)
    body.take(32)
    session_id = body.part(1)
    ciphers = _numbers(body.part(2))
    body.part(1)  # compression methods
    extensions = dict(_extensions(_Reader(body.part(2) if body.rest else b"")))
    return ClientHello(
        legacy_version=version,
        session_id=session_id,
        ciphers=ciphers,
        extensions=tuple(extensions),
        sni=_server_name(extensions.get(_SERVER_NAME)),
        alpn=tuple(_names(extensions.get(_ALPN))),
        versions=_listed(extensions.get(_VERSIONS), 1),
        signatures=_listed(extensions.get(_SIGNATURES), 2),
        groups=_listed(extensions.get(_GROUPS), 2),
    )


def _extensions(reader: _Reader) -> Iterator[tuple[int, bytes]]:
    while reader.rest:
        yield reader.number(2), reader.part(2)


def _numbers(data: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data) - 1, 2))


def _listed(data: bytes | None, prefix: int) -> tuple[int, ...]:
    return _numbers(_Reader(data).part(prefix)) if data else ()


def _server_name(data: bytes | None) -> str | None:
    entries = _Reader(_Reader(data).part(2) if data else b"")
    while entries.rest:
        kind, name = entries.number(1), entries.part(2)
        if kind == 0:
            return name.decode("latin-1")
    return None


def _names(data: bytes | None) -> Iterator[str]:
    entries = _Reader(_Reader(data).part(2) if data else b"")
    while entries.rest:
        yield entries.part(1).decode("latin-1")


_JA4_VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}
_JA4_NOTHING = "0" * 12


def ja4(data: bytes, transport: str = "t") -> str | None:
    """The JA4 fingerprint of a ClientHello as sent; `transport` is t for TCP, q for QUIC. None if it is no hello."""
    hello = parse_client_hello(data)
    return ja4_of(hello, transport) if hello else None


def ja4_of(hello: ClientHello, transport: str = "t") -> str:
    """JA4 of a parsed hello: counts with GREASE left out, then digests of the sorted ciphers and of the sorted
    extensions (without server name and ALPN, which are already told) with the signature algorithms in their order."""
    ciphers, extensions = _without_grease(hello.ciphers), _without_grease(hello.extensions)
    versions = _without_grease(hello.versions) or [hello.legacy_version]
    head = (
        f"{transport}{_JA4_VERSIONS.get(max(versions), '00')}{'d' if _SERVER_NAME in extensions else 'i'}"
        f"{min(len(ciphers), 99):02d}{min(len(extensions), 99):02d}{_ja4_alpn(hello.alpn)}"
    )
    told = [number for number in extensions if number not in (_SERVER_NAME, _ALPN)]
    signatures = _hexes(_without_grease(hello.signatures))
    tail = _hexes(sorted(told)) + (f"_{signatures}" if signatures else "")
    return f"{head}_{_ja4_digest(_hexes(sorted(ciphers)))}_{_ja4_digest(tail)}"


def _without_grease(numbers: Iterable[int]) -> list[int]:
    return [n for n in numbers if not (n & 0x0F0F == 0x0A0A and n >> 8 == n & 0xFF)]


def _hexes(numbers: Iterable[int]) -> str:
    return ",".join(f"{number:04x}" for number in numbers)


def _ja4_digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12] if text else _JA4_NOTHING


def _ja4_alpn(alpn: tuple[str, ...]) -> str:
    if not alpn or not alpn[0]:
        return "00"
    first, last = alpn[0][0], alpn[0][-1]
    if all(char.isascii() and char.isalnum() for char in (first, last)):
        return first + last
    return f"{ord(first):02x}"[0] + f"{ord(last):02x}"[1]
