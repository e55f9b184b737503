"""RSA blind signatures, RSABSSA-SHA384-PSS-Deterministic of RFC 9474: a signer signs what it cannot see.

    client   blind(issuer, message, salt, r)        the message times r^e: any number at all, to whoever lacks r
    signer   blind_sign(key, blinded, s)            an RSA operation on it
    client   unblind(issuer, message, answer, r)    an ordinary RSA-PSS signature of the message, checked
    anybody  check(issuer, message, signature)

The signature tells the signer nothing of when or for whom it was made, whoever it shares its records with. The
deterministic variant is for messages that the signer cannot guess; ours is a fresh public key (wire.voucher).

Why here and not from a library: none for Python is kept up and has wheels for what volunteers run (the choice is told
in docs/sending.md). So only the blinding, a dozen lines of arithmetic, is ours; keys, hashes and verification are
`cryptography`'s. Pure: randomness is given.
"""

from __future__ import annotations

import hashlib
import math
from base64 import b64decode, b64encode
from binascii import Error as Base64Error

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from probe.model.errors import BundleError

SALT = 48
EXPONENT = 65_537
# Below is unsafe; above it only costs whoever verifies.
BITS_LEAST, BITS_MOST = 2048, 4096
_ISSUER_MAX = 1000


def issuer_text(key: RSAPublicKey) -> str:
    """An issuer's public key as it is written: base64 of its DER."""
    return b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def issuer_id(issuer: str) -> str:
    """A short name of an issuer: SHA-256 of its text, hex."""
    return hashlib.sha256(issuer.encode()).hexdigest()


def read_issuer(text: str) -> RSAPublicKey:
    """The key that `issuer_text` wrote. Raises BundleError for anything else: a key has one spelling, and bounds."""
    try:
        key = load_der_public_key(b64decode(text, validate=True)) if len(text) <= _ISSUER_MAX else None
    except (ValueError, UnsupportedAlgorithm, Base64Error):
        key = None
    if not isinstance(key, RSAPublicKey) or issuer_text(key) != text:
        raise BundleError("the issuer's key is malformed")
    if not BITS_LEAST <= key.key_size <= BITS_MOST or key.public_numbers().e != EXPONENT:
        raise BundleError("the issuer's key is not of a kind that is taken")
    return key


def blind(issuer: RSAPublicKey, message: bytes, salt: bytes, r: int) -> bytes:
    """What the signer gets. `salt` is SALT random bytes, `r` a random number between 1 and the modulus. Raises
    ValueError for the one number in 2^2000 that will not do."""
    n = issuer.public_numbers().n
    encoded = int.from_bytes(_encode(message, salt, n.bit_length() - 1), "big")
    if math.gcd(encoded, n) != 1 or math.gcd(r, n) != 1:
        raise ValueError("draw again")
    return _bytes(encoded * pow(r, EXPONENT, n) % n, n)


def blind_sign(key: RSAPrivateKey, blinded: bytes, s: int) -> bytes:
    """The signer's answer. `s` is a random number that hides from a watch what the arithmetic works on. Raises
    BundleError for what is no blinded message."""
    numbers = key.private_numbers()
    n = numbers.public_numbers.n
    value = int.from_bytes(blinded, "big")
    if len(blinded) != _size(n) or not 1 < value < n or math.gcd(s, n) != 1:
        raise BundleError("not a blinded message for this issuer")
    hidden = value * pow(s, EXPONENT, n) % n
    low = pow(hidden, numbers.dmq1, numbers.q)
    high = (pow(hidden, numbers.dmp1, numbers.p) - low) * numbers.iqmp % numbers.p
    signature = (low + high * numbers.q) * pow(s, -1, n) % n
    if pow(signature, EXPONENT, n) != value:
        # A fault in the arithmetic would give the key away (RFC 9474, section 4.3).
        raise BundleError("the signature came out wrong")
    return _bytes(signature, n)


def unblind(issuer: RSAPublicKey, message: bytes, answer: bytes, r: int) -> bytes:
    """The signature in the signer's answer. Raises BundleError when it is none."""
    n = issuer.public_numbers().n
    signature = _bytes(int.from_bytes(answer, "big") * pow(r, -1, n) % n, n)
    check(issuer, message, signature)
    return signature


def check(issuer: RSAPublicKey, message: bytes, signature: bytes) -> None:
    """Raises BundleError unless the issuer signed the message."""
    try:
        issuer.verify(signature, message, PSS(MGF1(SHA384()), SALT), SHA384())
    except InvalidSignature:
        raise BundleError("the issuer did not sign this") from None


def _encode(message: bytes, salt: bytes, bits: int) -> bytes:
    """EMSA-PSS-ENCODE of RFC 8017, section 9.1.1, with SHA-384 and a salt of its size."""
    size = (bits + 7) // 8
    digest = hashlib.sha384(bytes(8) + hashlib.sha384(message).digest() + salt).digest()
    plain = bytes(size - len(salt) - len(digest) - 2) + b"\x01" + salt
    masked = bytearray(a ^ b for a, b in zip(plain, _mask(digest, len(plain)), strict=True))
    masked[0] &= 0xFF >> (8 * size - bits)
    return bytes(masked) + digest + b"\xbc"


def _mask(seed: bytes, size: int) -> bytes:
    """MGF1 of RFC 8017, appendix B.2.1."""
    count = -(-size // SALT)
    return b"".join(hashlib.sha384(seed + n.to_bytes(4, "big")).digest() for n in range(count))[:size]


def _size(n: int) -> int:
    return (n.bit_length() + 7) // 8


def _bytes(value: int, n: int) -> bytes:
    return value.to_bytes(_size(n), "big")
