"""The RFC's own numbers, and what must not pass. The numbers are those of RFC 9474, appendix A.3."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.model.errors import BundleError
from probe.wire.blindrsa import blind, blind_sign, check, issuer_id, issuer_text, read_issuer, unblind

RFC = json.loads(Path(__file__).with_name("rfc9474.json").read_text())


def number(name: str) -> int:
    return int(RFC[name], 16)


def data(name: str) -> bytes:
    return bytes.fromhex(RFC[name])


@cache
def key() -> RSAPrivateKey:
    """The RFC's key."""
    p, q, d = number("p"), number("q"), number("d")
    public = rsa.RSAPublicNumbers(number("e"), number("n"))
    crt = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, *crt, public).private_key()


ISSUER = key().public_key()
R = pow(number("inv"), -1, number("n"))


def test_the_numbers_of_the_rfc() -> None:
    assert blind(ISSUER, data("msg"), data("salt"), R) == data("blinded_msg")
    assert blind_sign(key(), data("blinded_msg"), 12345) == data("blind_sig")
    assert unblind(ISSUER, data("msg"), data("blind_sig"), R) == data("sig")
    check(ISSUER, data("msg"), data("sig"))


@settings(max_examples=10, deadline=None)
@given(st.binary(max_size=200), st.binary(min_size=48, max_size=48), st.integers(2, 2**2048), st.integers(2, 2**2048))
def test_what_is_signed_blindly_is_signed(message: bytes, salt: bytes, r: int, s: int) -> None:
    blinded = blind(ISSUER, message, salt, r)
    signature = unblind(ISSUER, message, blind_sign(key(), blinded, s), r)
    check(ISSUER, message, signature)
    with pytest.raises(BundleError):
        check(ISSUER, message + b"x", signature)


def test_the_signer_sees_the_same_numbers_whatever_is_signed() -> None:
    # For any two messages there is an r under which the second gives what the first gave: the numbers tell nothing.
    n, d = number("n"), number("d")
    seen = int.from_bytes(blind(ISSUER, b"one", bytes(48), R), "big")
    plain = int.from_bytes(blind(ISSUER, b"other", bytes(48), 1), "big")
    r = pow(seen * pow(plain, -1, n), d, n)
    assert int.from_bytes(blind(ISSUER, b"other", bytes(48), r), "big") == seen


@pytest.mark.parametrize("wrong", [b"", b"\0" * 512, b"\0" * 511 + b"\1", b"\xff" * 512, b"\1" * 511, b"\1" * 513])
def test_what_is_no_blinded_message(wrong: bytes) -> None:
    with pytest.raises(BundleError):
        blind_sign(key(), wrong, 7)


def test_a_wrong_answer_is_noticed() -> None:
    for answer in (b"", b"\0" * 512, data("sig"), data("blinded_msg"), b"\x55" * 512):
        with pytest.raises(BundleError):
            unblind(ISSUER, data("msg"), answer, R)


def test_an_issuer_has_one_spelling_and_fair_bounds() -> None:
    text = issuer_text(ISSUER)
    assert read_issuer(text).public_numbers() == ISSUER.public_numbers() and len(issuer_id(text)) == 64
    small = rsa.generate_private_key(65537, 1024).public_key()
    odd = rsa.generate_private_key(3, 2048).public_key()
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    der = curve.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for wrong in (
        "",
        "x",
        text[:-8],
        text + "\n",
        " " + text,
        "A" * 5000,
        issuer_text(small),
        issuer_text(odd),
        der.hex(),
    ):
        with pytest.raises(BundleError):
            read_issuer(wrong)
