"""A voucher is for one key, by a token that an issuer signed, and for nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jsonschema import Draft202012Validator

from probe.model.errors import BundleError
from probe.wire.blindrsa import blind, blind_sign, issuer_text, unblind
from probe.wire.codec import encode
from probe.wire.jsonschema import schemas
from probe.wire.signed import public_hex
from probe.wire.voucher import (
    Voucher,
    check_voucher,
    invitation_code,
    make_voucher,
    read_invitation,
    read_token_answer,
    read_token_request,
    token_message,
)

BEARER = public_hex(Ed25519PrivateKey.from_private_bytes(b"b" * 32))
OTHER = public_hex(Ed25519PrivateKey.from_private_bytes(b"o" * 32))
TOKEN = Ed25519PrivateKey.from_private_bytes(b"t" * 32)


@cache
def issuer_key() -> RSAPrivateKey:
    """A key for all tests; making one takes a while."""
    return rsa.generate_private_key(65_537, 2048)


def vouched(token: Ed25519PrivateKey = TOKEN, bearer: str = BEARER) -> Voucher:
    """A voucher with everything that the protocol does for it."""
    issuer, message = issuer_key().public_key(), token_message(public_hex(token))
    blinded = blind(issuer, message, b"s" * 48, 12_345)
    proof = unblind(issuer, message, blind_sign(issuer_key(), blinded, 77), 12_345)
    return make_voucher(issuer_text(issuer), proof, token, bearer)


def test_a_voucher_holds_and_keeps_to_its_schema() -> None:
    check_voucher(vouched())
    Draft202012Validator(schemas()["voucher.schema.json"]).validate(encode(vouched()))


STRANGER = Ed25519PrivateKey.from_private_bytes(b"x" * 32)
FORGERIES = {
    "for another key": lambda: replace(vouched(), bearer=OTHER),
    "by another token": lambda: replace(vouched(), key=public_hex(STRANGER)),
    "signed by whoever holds no token": lambda: replace(
        make_voucher(vouched().issuer, b"\1" * 256, STRANGER, BEARER), proof=vouched().proof
    ),
    "with a proof for another token": lambda: make_voucher(
        vouched().issuer, bytes(256), STRANGER, BEARER
    ),
    "of another issuer": lambda: replace(
        vouched(), issuer=issuer_text(rsa.generate_private_key(65_537, 2048).public_key())
    ),
    "without a proof": lambda: replace(vouched(), proof=""),
    "with an issuer that is none": lambda: replace(vouched(), issuer="AAAA"),
    "of tomorrow": lambda: replace(vouched(), voucher=2),
    "for no key": lambda: replace(vouched(), bearer="*"),
}  # fmt: skip


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_voucher_is_none(forgery: str) -> None:
    with pytest.raises(BundleError):
        check_voucher(FORGERIES[forgery]())


def test_an_invitation_can_be_read_out_and_typed() -> None:
    codes = {invitation_code(bytes([n]) * 16) for n in range(256)}
    assert len(codes) == 256
    assert all(read_invitation(f"  {code.upper()}\n") == code for code in codes)
    for wrong in ("", "invite1-", "invite1-" + "a" * 25, "invite1-" + "0" * 26, "invite2-" + "a" * 26):
        with pytest.raises(BundleError):
            read_invitation(wrong)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"code": 1, "blinded": "aa"}', b'{"code": "x", "blinded": "a"}', b"x" * 5000,
     json.dumps({"code": "x", "blinded": "aa" * 1025}).encode(),
     b'{"code": "x", "blinded": "aa", "number": "0"}'],
)  # fmt: skip
def test_requests_and_answers_that_are_none(text: bytes) -> None:
    with pytest.raises(BundleError):
        read_token_request(text)
    with pytest.raises(BundleError):
        read_token_answer(text)
