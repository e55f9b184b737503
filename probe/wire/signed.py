"""What is signed field by field: a frozen dataclass with a `key` and a `signature`, as closed canonical JSON.

The signature (Ed25519, RFC 8032) is over the canonical JSON without it: keys sorted, no spaces, UTF-8, fields that hold
their default left out. Unknown fields are refused, since the signature would not be seen to cover them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from probe.model.errors import BundleError
from probe.wire.codec import CodecError, decode, encode
from probe.wire.facts import canonical, load_object

_HEX64 = re.compile(r"[0-9a-f]{64}")
_HEX128 = re.compile(r"[0-9a-f]{128}")


class Signable(Protocol):
    """A frozen dataclass of this kind; both fields are hex and have no default."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @property
    def key(self) -> str: ...

    @property
    def signature(self) -> str: ...


Signed = TypeVar("Signed", bound=Signable)


def public_hex(key: Ed25519PrivateKey) -> str:
    """The public half of a key, 64 hex digits."""
    return key.public_key().public_bytes_raw().hex()


def signed(cls: type[Signed], fields: Mapping[str, Any], key: Ed25519PrivateKey) -> Signed:
    """A value of `cls` with its key and signature filled in."""
    make: Callable[..., Signed] = cls
    value = make(**fields, key=public_hex(key), signature="")
    return make(**fields, key=value.key, signature=key.sign(_body(value)).hex())


def check_signature(value: Signable) -> None:
    """Raises BundleError unless the key in `value` signed the rest of it."""
    check_bytes(value.key, value.signature, _body(value))


def check_bytes(key: str, signature: str, data: bytes) -> None:
    """Raises BundleError unless `key` signed `data`; both are hex."""
    if not _HEX64.fullmatch(key) or not _HEX128.fullmatch(signature):
        raise BundleError("key or signature is malformed")
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), data)
    except (InvalidSignature, ValueError):
        raise BundleError("the signature does not fit") from None


def _body(value: Signable) -> bytes:
    return canonical({name: item for name, item in encode(value).items() if name != "signature"}).encode()


def closed(cls: type[Signed], text: str | bytes) -> Signed:
    """A value of `cls` from JSON that has no other fields; its signature is not checked. Raises BundleError."""
    value = load_object(text)
    extra = set(value) - set(cls.__dataclass_fields__)
    if extra:
        raise BundleError(f"unknown fields: {', '.join(sorted(extra))[:80]}")
    try:
        return decode(cls, value)
    except CodecError as error:
        raise BundleError(str(error)) from None
