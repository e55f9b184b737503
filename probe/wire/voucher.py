"""The voucher: somebody whom an organiser invited stands behind this signing key. It does not say who.

    1  the organiser hands out invitations, one a person          (a bearer code, `invitation_code`)
    2  the volunteer makes a token, a fresh Ed25519 key, and has its public half signed blindly for the invitation
    3  the token signs the public key of a vantage point: that is the voucher, and travels in the bundle's manifest

The signer of step 2 sees an invitation and a blinded number, the collector of step 3 a token and a vantage point. They
share no bit, so nobody can join the two, not even if both are one person with a good memory. A voucher that is copied
out of a bundle is worth nothing: it names the one key that it vouches for, and only the token can name another. A token
that names two vouches for neither.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe.model.errors import BundleError
from probe.wire import blindrsa
from probe.wire.codec import CodecError, decode
from probe.wire.facts import load_object
from probe.wire.signed import check_signature, signed

VOUCHER_FORMAT = 1
# Different for each use of a key, so that a signature for one thing is never one for another.
_CONTEXT = b"vantage-probe token 1\0"
_HEX64 = re.compile(r"[0-9a-f]{64}")
_CODE = re.compile(r"invite1-[a-z2-7]{26}")
# The letters of base32 hold 5 bits each: 26 of them 128 bits and a bit of nothing.
_CODE_BYTES = 16
_REQUEST_MAX = 4096
_HEX = re.compile(r"(?:[0-9a-f]{2}){1,1024}")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Voucher:
    """`issuer` is the RSA public key (base64 of DER) whose `proof` (base64 of an RSA-PSS signature, RFC 9474) is over
    the token's public key `key`; the token signs that it vouches for `bearer`, the public key of a vantage point; hex
    both, and `signature`."""

    voucher: int
    issuer: str
    proof: str
    bearer: str
    key: str
    signature: str


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a volunteer asks an issuer: to sign `blinded` (hex) for the invitation `code`; `number` counts the tokens of
    one invitation from 0."""

    code: str
    blinded: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """What the issuer answers: its signature on `blinded`, as long as that; hex."""

    signature: str


def read_token_request(text: bytes) -> TokenRequest:
    """A request from JSON. Raises BundleError."""
    if len(text) > _REQUEST_MAX:
        raise BundleError("the request is too long")
    request = _object(TokenRequest, text)
    if not _HEX.fullmatch(request.blinded):
        raise BundleError("the request is malformed")
    return request


def read_token_answer(text: bytes) -> bytes:
    """The issuer's signature, from JSON. Raises BundleError."""
    answer = _object(TokenAnswer, text[: _REQUEST_MAX + 1]).signature
    if not _HEX.fullmatch(answer):
        raise BundleError("the answer is malformed")
    return bytes.fromhex(answer)


def _object(cls: type[T], text: bytes) -> T:
    try:
        return decode(cls, load_object(text))
    except CodecError as error:
        raise BundleError(str(error)) from None


def token_message(token: str) -> bytes:
    """What an issuer signs for a token's public key (hex)."""
    return _CONTEXT + bytes.fromhex(token)


def make_voucher(issuer: str, proof: bytes, token: Ed25519PrivateKey, bearer: str) -> Voucher:
    """The voucher of a token for a vantage point's public key."""
    fields = {"voucher": VOUCHER_FORMAT, "issuer": issuer, "proof": b64encode(proof).decode(), "bearer": bearer}
    return signed(Voucher, fields, token)


def check_voucher(voucher: Voucher) -> None:
    """Raises BundleError unless its issuer signed the token, and the token this voucher. Whether the issuer is anybody
    worth believing is for the reader to know."""
    if voucher.voucher != VOUCHER_FORMAT:
        raise BundleError(f"voucher format {voucher.voucher} is not known here")
    if not _HEX64.fullmatch(voucher.bearer):
        raise BundleError("the voucher names no key")
    check_signature(voucher)
    try:
        proof = b64decode(voucher.proof, validate=True)
    except (ValueError, Base64Error):
        raise BundleError("the voucher's proof is malformed") from None
    blindrsa.check(blindrsa.read_issuer(voucher.issuer), token_message(voucher.key), proof)


def invitation_code(secret: bytes) -> str:
    """An invitation as people pass it on, from 16 random bytes."""
    number = int.from_bytes(secret[:_CODE_BYTES], "big")
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    return "invite1-" + "".join(letters[number >> 5 * n & 31] for n in reversed(range(26)))


def read_invitation(text: str) -> str:
    """The code in a text that a person pasted. Raises BundleError when it is none."""
    code = text.strip().lower()
    if not _CODE.fullmatch(code):
        raise BundleError("that is no invitation; one looks like invite1- and 26 letters and digits")
    return code


def code_digest(code: str) -> str:
    """How an invitation is remembered: SHA-256, hex. 128 random bits cannot be guessed from it."""
    return hashlib.sha256(code.encode()).hexdigest()
