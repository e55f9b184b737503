"""The bytes of a dossier that are signed and named, and its author's signature (Ed25519, RFC 8032).

Signed is the canonical JSON of the whole table but for `signature`, behind a line of its own, so that no signature made
for anything else of ours can stand here. Layout and comments of the TOML file are not signed; every value is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from probe.wire.facts import canonical
from probe.wire.signed import public_hex

_CONTEXT = b"vantage-probe campaign 1\n"
Table = Mapping[str, Any]


def signed_bytes(table: Table) -> bytes:
    """What the author signs. `table` is a dossier as TOML or JSON read it: texts, whole numbers, lists and tables."""
    return _CONTEXT + canonical({name: value for name, value in table.items() if name != "signature"}).encode()


def digest_of(table: Table) -> str:
    """The dossier's name: SHA-256 of what is signed, hex. Another value anywhere, or another key, is another name."""
    return hashlib.sha256(signed_bytes(table)).hexdigest()


def sign(table: Table, key: Ed25519PrivateKey) -> tuple[str, str]:
    """The author's public key and signature, hex, that make `table` a signed one."""
    public = public_hex(key)
    return public, key.sign(signed_bytes({**table, "key": public})).hex()


def is_signed(table: Table) -> bool:
    """True for a good signature by the key inside, False for no signature. Raises ValueError for a bad one."""
    key, signature = str(table.get("key", "")), str(table.get("signature", ""))
    if not key and not signature:
        return False
    if not key or not signature:
        raise ValueError("the key or the signature is missing")
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        public.verify(bytes.fromhex(signature), signed_bytes(table))
    except (InvalidSignature, ValueError):
        raise ValueError("the signature does not fit: something was changed after it was signed") from None
    return True
