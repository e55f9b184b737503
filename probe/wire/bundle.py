"""The bundle: facts on their way to a collector, as one gzip stream of JSON lines behind a signed manifest.

    line 1      manifest: counts, SHA-256 over everything after line 1, the signer's key and signature
    line 2..n   fact lines (probe.wire.facts): vantage, run, measurement, observation, blob, in this order

The laws: a bundle's name is the SHA-256 of its canonical manifest, so it names its content; the same facts and key
give the same bytes; a reader holds one line at a time, and stops at the first byte that breaks a bound. Pure: chunks
of bytes in, rows out. Ed25519 signatures (RFC 8032) are made without randomness.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe.model.errors import BundleError
from probe.wire.codec import encode
from probe.wire.facts import FACT_ORDER, Row, canonical, parse_fact
from probe.wire.signed import check_signature, closed, signed
from probe.wire.voucher import Voucher

BUNDLE_FORMAT = 1
RECEIPT_FORMAT = 1
MEDIA_TYPE = "application/vnd.vantage-probe.bundle"
_GZIP = 31  # zlib's wbits for a gzip wrapper; its header then carries no time and no name
_STEP = 65_536
_DIGEST = re.compile(r"[0-9a-f]{64}")


VoucherWord = Literal["", "accepted", "unknown", "invalid", "spent"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """Line 1. `counts` are rows per table, `digest` the SHA-256 of all bytes after line 1 (uncompressed), `key` the
    signer's Ed25519 public key, `signature` over the canonical manifest without it; hex all three. `created_at` is the
    time of the newest measurement inside (not of the cut), so that the same facts give the same bundle. `voucher` is
    there when somebody invited stands behind `key`."""

    bundle: int
    schema: int
    software: str
    version: str
    created_at: str
    counts: Mapping[str, int]
    digest: str
    key: str
    signature: str
    voucher: Voucher | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a collector signs: that the facts of `bundle` lie in its database. Rows are `taken` (new), `known` (there
    already) or `quarantined` (they contradict it). `voucher` tells what became of the bundle's, if it had one: it was
    `accepted`; it is of an `unknown` issuer; `invalid`; or `spent`, since its token vouches for another key already.
    `key` is the collector's, `signature` as in a manifest."""

    receipt: int
    bundle: str
    received_at: str
    taken: int
    known: int
    quarantined: int
    key: str
    signature: str
    voucher: VoucherWord = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a reader, in bytes and lines. `ratio` holds from `ratio_from` decompressed bytes on: honest facts
    shrink about 3-fold, repetitive bodies 100-fold, a bomb of zeros 1,000-fold."""

    packed: int = 64 * 1024 * 1024
    plain: int = 1024 * 1024 * 1024
    lines: int = 2_000_000
    line: int = 6 * 1024 * 1024
    ratio: int = 250
    ratio_from: int = 8 * 1024 * 1024


DEFAULT_LIMITS = Limits()


def name_of(manifest: Manifest) -> str:
    """A bundle's content address: SHA-256 of its canonical manifest, hex."""
    return hashlib.sha256(canonical(encode(manifest)).encode()).hexdigest()


# ---- writing ----


def seal(lines: Iterable[bytes], fields: Mapping[str, Any], digest: str, key: Ed25519PrivateKey) -> Iterator[bytes]:
    """The bundle's bytes. `lines` are fact lines without newlines whose SHA-256 (newlines included) is `digest`;
    `fields` are the manifest's schema, software, version, created_at and counts."""
    manifest = manifest_for(fields, digest, key)
    packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
    yield packer.compress(canonical(encode(manifest)).encode() + b"\n")
    for line in lines:
        yield packer.compress(line + b"\n")
    yield packer.flush()


def manifest_for(fields: Mapping[str, Any], digest: str, key: Ed25519PrivateKey) -> Manifest:
    """The signed manifest of facts with this digest."""
    return signed(Manifest, {"bundle": BUNDLE_FORMAT, **fields, "digest": digest}, key)


# ---- reading ----


def read_manifest(chunks: Iterable[bytes], limits: Limits = DEFAULT_LIMITS) -> Manifest:
    """Line 1 of a bundle, its signature checked. Raises BundleError."""
    return _manifest(_lines(chunks, limits))


def verify_bundle(chunks: Iterable[bytes], limits: Limits = DEFAULT_LIMITS) -> Manifest:
    """Check signature, digest and bounds of a whole bundle without reading its facts. Raises BundleError."""
    lines = _lines(chunks, limits)
    manifest = _manifest(lines)
    sha = hashlib.sha256()
    for line in lines:
        sha.update(line + b"\n")
    if sha.hexdigest() != manifest.digest:
        raise BundleError("the facts are not those that the manifest was signed for")
    return manifest


def read_rows(chunks: Iterable[bytes], limits: Limits = DEFAULT_LIMITS) -> Iterator[Row]:
    """The facts of a bundle, strictly typed, one at a time, in order and as many as stated. Raises BundleError."""
    lines = _lines(chunks, limits)
    manifest = _manifest(lines)
    counts = dict.fromkeys(FACT_ORDER.values(), 0)
    names = tuple(FACT_ORDER.values())
    at = 0
    for number, line in enumerate(lines, start=2):
        try:
            row = parse_fact(line)
        except BundleError as error:
            raise BundleError(f"line {number}: {error}") from None
        name = FACT_ORDER[type(row)]
        if names.index(name) < at:
            raise BundleError(f"line {number}: {name} out of order")
        at = names.index(name)
        counts[name] += 1
        yield row
    if {name: n for name, n in counts.items() if n} != {name: n for name, n in manifest.counts.items() if n}:
        raise BundleError("the counts are not those of the manifest")


def read_receipt(text: str | bytes) -> Receipt:
    """A receipt from JSON, its signature checked. Raises BundleError."""
    if len(text) > 10_000:
        raise BundleError("the receipt is too long")
    receipt = closed(Receipt, text)
    if receipt.receipt != RECEIPT_FORMAT:
        raise BundleError(f"receipt format {receipt.receipt} is not known here")
    if not _DIGEST.fullmatch(receipt.bundle):
        raise BundleError("the receipt is for no bundle")
    check_signature(receipt)
    return receipt


def _manifest(lines: Iterator[bytes]) -> Manifest:
    line = next(lines, b"")
    if len(line) > _STEP:
        raise BundleError("the manifest is too long")
    manifest = closed(Manifest, line)
    if manifest.bundle != BUNDLE_FORMAT:
        raise BundleError(f"bundle format {manifest.bundle} is not known here; a newer version may read it")
    known = set(FACT_ORDER.values())
    if not all(name in known and type(n) is int and n >= 0 for name, n in manifest.counts.items()):
        raise BundleError("the manifest's counts are malformed")
    check_signature(manifest)
    return manifest


def _lines(chunks: Iterable[bytes], limits: Limits) -> Iterator[bytes]:
    """Lines of the decompressed stream, without newlines. At most one line and one step are in memory."""
    held: list[bytes] = []
    size = count = 0
    for piece in _inflate(chunks, limits):
        *whole, rest = piece.split(b"\n")
        for end in whole:
            count += 1
            if size + len(end) > limits.line or count > limits.lines:
                raise BundleError("a line is too long, or there are too many")
            yield b"".join((*held, end))
            held, size = [], 0
        if rest:
            held.append(rest)
            size += len(rest)
        if size > limits.line:
            raise BundleError("a line is too long, or there are too many")
    if held:
        raise BundleError("the last line is cut")


def _inflate(chunks: Iterable[bytes], limits: Limits) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_GZIP)
    packed = plain = 0
    for chunk in chunks:
        packed += len(chunk)
        if packed > limits.packed:
            raise BundleError("the bundle is too big")
        rest = chunk
        while rest and not unpacker.eof:
            try:
                piece = unpacker.decompress(rest, _STEP)
            except zlib.error:
                raise BundleError("not a bundle, or damaged: the gzip stream is broken") from None
            rest = unpacker.unconsumed_tail
            plain += len(piece)
            if plain > limits.plain or (plain > limits.ratio_from and plain > packed * limits.ratio):
                raise BundleError("the bundle expands too far")
            yield piece
        if unpacker.eof and (unpacker.unused_data or rest):
            raise BundleError("bytes follow the end of the bundle")
    if not unpacker.eof:
        raise BundleError("the bundle is cut")
