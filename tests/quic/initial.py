"""Reading a client's Initial packets as a middlebox does: their keys follow from the connection ID that stands in
them (RFC 9001 section 5.2), so the ClientHello lies open to whoever looks.

A reader of its own, and not aioquic's, so that a fault of the prober's side cannot hide behind itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from probe.wire.tls import parse_client_hello

_SALT = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
_V1 = b"\0\0\0\1"
_PADDING, _PING, _CRYPTO, _CLOSE = 0x00, 0x01, 0x06, 0x1C
_TAG = 16


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    name = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes((len(name),)) + name + b"\0"
    return HKDFExpand(hashes.SHA256(), size, info).derive(secret)


def initial_keys(dcid: bytes, label: bytes = b"client in") -> tuple[bytes, bytes, bytes]:
    """Key, IV and header protection key of the Initial packets of a connection whose client first sent to that
    connection ID: the client's, or with the label `server in` the server's."""
    secret = _expand(HKDF.extract(hashes.SHA256(), _SALT, dcid), label, 32)
    return _expand(secret, b"quic key", 16), _expand(secret, b"quic iv", 12), _expand(secret, b"quic hp", 16)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer and where it ends (RFC 9000 section 16)."""
    size = 1 << (data[at] >> 6)
    return int.from_bytes(data[at : at + size], "big") & ((1 << (8 * size - 2)) - 1), at + size


@dataclass(slots=True)
class Opened:
    """One Initial packet in the clear: its connection IDs and its frames' bytes."""

    dcid: bytes
    scid: bytes
    frames: bytes


def open_initial(datagram: bytes, keys_for: bytes | None = None) -> Opened | None:
    """The first packet of a datagram if it is a client's Initial (version 1); `keys_for` is the connection ID that the
    keys follow from, where that is not the packet's own (after the server chose one)."""
    try:
        return _open(datagram, keys_for)
    except (IndexError, InvalidTag, ValueError):
        return None


def _open(data: bytes, keys_for: bytes | None) -> Opened | None:
    if data[0] & 0xF0 != 0xC0 or data[1:5] != _V1:
        return None
    at = 6 + data[5]
    dcid = data[6:at]
    scid = data[at + 1 : at + 1 + data[at]]
    token, at = _number(data, at + 1 + data[at])
    length, at = _number(data, at + token)
    key, iv, protection = initial_keys(dcid if keys_for is None else keys_for)
    mask = Cipher(algorithms.AES(protection), modes.ECB()).encryptor().update(data[at + 4 : at + 20])
    first = data[0] ^ mask[0] & 0x0F
    size = (first & 3) + 1
    number = bytes(a ^ b for a, b in zip(data[at : at + size], mask[1:], strict=False))
    nonce = bytes(a ^ b for a, b in zip(iv, number.rjust(12, b"\0"), strict=True))
    header = bytes((first,)) + data[1:at] + number
    return Opened(dcid, scid, AESGCM(key).decrypt(nonce, data[at + size : at + length], header))


def crypto_parts(frames: bytes) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) of the CRYPTO frames, up to the first frame of a kind that is not looked for."""
    at = 0
    while at < len(frames):
        kind, at = frames[at], at + 1
        if kind in (_PADDING, _PING):
            continue
        if kind != _CRYPTO:
            return
        offset, at = _number(frames, at)
        size, at = _number(frames, at)
        yield offset, frames[at : at + size]
        at += size


@dataclass(slots=True)
class Reader:
    """What a reader makes of the first datagrams of one client: the server name, once the ClientHello is whole."""

    first_dcid: bytes | None = None
    parts: dict[int, bytes] = field(default_factory=dict)
    sni: str | None = None
    done: bool = False

    def feed(self, datagram: bytes) -> bool:
        """Take a datagram that the client sent; True when it completed the hello."""
        opened = None if self.done else open_initial(datagram, self.first_dcid)
        if opened is None:
            return False
        self.first_dcid = self.first_dcid or opened.dcid
        self.parts.update(crypto_parts(opened.frames))
        message = self._message()
        if len(message) < 4 or len(message) < 4 + int.from_bytes(message[1:4], "big"):
            return False
        hello = parse_client_hello(b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message)
        self.sni, self.done = hello.sni if hello else None, True
        return True

    def _message(self) -> bytes:
        whole = b""
        for offset, part in sorted(self.parts.items()):
            if offset > len(whole):
                break
            whole = whole[:offset] + part
        return whole


def forged_close(datagram: bytes, code: int = 0) -> bytes | None:
    """What an injector answers to a client's Initial: one from "the server" with a CONNECTION_CLOSE in it. None for
    what is no Initial."""
    return forged(datagram, bytes((_CLOSE, code, 0, 0)))


def forged(datagram: bytes, frames: bytes, number: int = 0) -> bytes | None:
    """An Initial from "the server" with any frames, as whoever saw the client's can make it; `number` below 256. None
    for what is no Initial."""
    seen = open_initial(datagram)
    if seen is None:
        return None
    key, iv, protection = initial_keys(seen.dcid, b"server in")
    frames = frames.ljust(64, b"\0")
    length = 1 + len(frames) + _TAG
    ids = bytes((len(seen.scid),)) + seen.scid + bytes((len(seen.dcid),)) + seen.dcid
    header = b"\xc0" + _V1 + ids + b"\0" + (0x4000 | length).to_bytes(2, "big") + bytes((number,))
    body = AESGCM(key).encrypt(iv[:-1] + bytes((iv[-1] ^ number,)), frames, header)
    mask = Cipher(algorithms.AES(protection), modes.ECB()).encryptor().update(body[3:19])
    first = bytes((header[0] ^ mask[0] & 0x0F,))
    return first + header[1:-1] + bytes((number ^ mask[1],)) + body
