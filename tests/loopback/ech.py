"""Encrypted ClientHello (RFC 9849) as a site holds it: a key, its published configuration, and reading the inner name.

No library of ours serves it, so the tests open the hello themselves: HPKE (RFC 9180) with X25519, HKDF-SHA256 and
AES-128-GCM.
"""

from __future__ import annotations

import base64
import struct

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

OUTER = "public.example"
ECH = 0xFE0D
# HPKE's numbers for X25519-HKDF-SHA256, HKDF-SHA256 and AES-128-GCM (RFC 9180 section 7).
KEM, KDF, AEAD = 0x20, 1, 1


class EchKey:
    """A site's key pair for encrypted names."""

    def __init__(self) -> None:
        self.private = X25519PrivateKey.generate()
        self.public = self.private.public_key().public_bytes_raw()

    def contents(self) -> bytes:
        """The ECHConfig (RFC 9849 section 4): id 7, one suite, names up to 64 bytes."""
        name = OUTER.encode()
        body = bytes([7]) + struct.pack("!HH", KEM, 32) + self.public + struct.pack("!HHH", 4, KDF, AEAD)
        body += bytes([64, len(name)]) + name + b"\0\0"
        return struct.pack("!HH", ECH, len(body)) + body

    def config(self) -> str:
        """The list with this one configuration, as an HTTPS record carries it."""
        contents = self.contents()
        return base64.b64encode(struct.pack("!H", len(contents)) + contents).decode()


def inner_name(record: bytes, key: EchKey) -> str:
    """The server name in the encrypted part of a hello. Raises where the key does not open it."""
    hello = record[9:]  # behind the record's and the message's headers
    at = _extension(hello, _extensions_at(hello), ECH)
    kind, kdf, aead, _, size = struct.unpack_from("!BHHBH", hello, at)
    assert (kind, kdf, aead) == (0, KDF, AEAD)
    public = hello[at + 8 : at + 8 + size]
    begin = at + 8 + size
    length = int.from_bytes(hello[begin : begin + 2], "big")
    sealed = hello[begin + 2 : begin + 2 + length]
    outer = hello[: begin + 2] + bytes(length) + hello[begin + 2 + length :]
    inner = _open(key, public, sealed, outer)
    name = _extension(inner, _extensions_at(inner), 0)
    return inner[name + 5 : name + 5 + int.from_bytes(inner[name + 3 : name + 5], "big")].decode()


def _extensions_at(hello: bytes) -> int:
    """Where the list of extensions begins, in a hello without headers."""
    at = 34 + 1 + hello[34]
    at += 2 + int.from_bytes(hello[at : at + 2], "big")
    return at + 1 + hello[at]


def _extension(hello: bytes, at: int, wanted: int) -> int:
    """Where the data of one extension begins."""
    end = at + 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 2
    while at < end:
        number, size = struct.unpack_from("!HH", hello, at)
        if number == wanted:
            return at + 4
        at += 4 + size
    raise LookupError(f"no extension {wanted}")


def _open(key: EchKey, public: bytes, sealed: bytes, outer: bytes) -> bytes:
    """HPKE's single-shot opening in base mode (RFC 9180 sections 4.1 and 5.1)."""
    dh = key.private.exchange(X25519PublicKey.from_public_bytes(public))
    kem = b"KEM" + struct.pack("!H", KEM)
    prk = _extract(b"", b"eae_prk", dh, kem)
    secret = _expand(prk, b"shared_secret", public + key.public, 32, kem)
    suite = b"HPKE" + struct.pack("!HHH", KEM, KDF, AEAD)
    info = b"tls ech\0" + key.contents()
    context = b"\0" + _extract(b"", b"psk_id_hash", b"", suite) + _extract(b"", b"info_hash", info, suite)
    prk = _extract(secret, b"secret", b"", suite)
    nonce = _expand(prk, b"base_nonce", context, 12, suite)
    return AESGCM(_expand(prk, b"key", context, 16, suite)).decrypt(nonce, sealed, outer)


def _extract(salt: bytes, label: bytes, material: bytes, suite: bytes) -> bytes:
    mac = hmac.HMAC(salt or bytes(32), hashes.SHA256())
    mac.update(b"HPKE-v1" + suite + label + material)
    return mac.finalize()


def _expand(prk: bytes, label: bytes, info: bytes, size: int, suite: bytes) -> bytes:
    labelled = struct.pack("!H", size) + b"HPKE-v1" + suite + label + info
    return HKDFExpand(hashes.SHA256(), size, labelled).derive(prk)
