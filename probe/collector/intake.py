"""From a finished upload, or a file on this machine, to rows in the collector's database and a signed receipt.

The laws: facts and their receipt are one transaction, on the disk before the receipt leaves; the same upload again
gives the same receipt; what contradicts is quarantined; what breaks a rule takes nothing with it into the database.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe.collector.invitations import Invitations
from probe.model.errors import BundleError
from probe.store.bundle import SUFFIX, chunks_of, file_digest, open_bundle
from probe.store.envelope import decrypt, is_envelope, recipient_of
from probe.store.foreign import DEFAULT_FOREIGN, ForeignLimits, is_database, read_foreign
from probe.store.ledger import Vouched, values_of_ledger
from probe.store.schema import FACT_VERSION
from probe.store.sqlite import Store, insert_statement
from probe.store.union import add_rows
from probe.wire.bundle import (
    DEFAULT_LIMITS,
    RECEIPT_FORMAT,
    Limits,
    Manifest,
    Receipt,
    VoucherWord,
    read_receipt,
    read_rows,
)
from probe.wire.codec import encode
from probe.wire.facts import Row, canonical
from probe.wire.signed import public_hex, signed
from probe.wire.voucher import check_voucher


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """Bounds of what is read, and bytes that the database may grow to (0: no bound)."""

    bundle: Limits = DEFAULT_LIMITS
    foreign: ForeignLimits = DEFAULT_FOREIGN
    database: int = 0


DEFAULT_INTAKE = IntakeLimits()


def utc_now() -> str:
    """The time as RFC 3339 UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Intake:
    """The collector's database, and who writes into it: one at a time. Close it, or use it in a `with` block."""

    def __init__(
        self,
        db: Path,
        key: Ed25519PrivateKey,
        *,
        kept: Path | None = None,
        identity: Path | None = None,
        invitations: Invitations | None = None,
        limits: IntakeLimits = DEFAULT_INTAKE,
        now: Callable[[], str] = utc_now,
    ) -> None:
        """`kept` is a folder for the bundles taken, as they were sealed: whoever doubts a row can read who signed it.
        `identity` is the file of the secret key that opens envelopes, made when it is missing; without it none is
        taken. Without `invitations` no issuer is known here."""
        self.key, self.kept, self.limits, self._now = key, kept, limits, now
        self.recipient = recipient_of(identity) if identity is not None else ""
        self.invitations, self._identity, self._db = invitations, identity, db
        self._store = Store.open(db)
        # A receipt promises that the facts stay; NORMAL may lose the last transactions in a power cut.
        self._store.db.execute("PRAGMA synchronous = FULL")
        if limits.database:
            size = self._store.query("PRAGMA page_size")[0][0]
            self._store.db.execute(f"PRAGMA max_page_count = {max(1, limits.database // size)}")
        # Another connection, so that a look-up need not wait for an intake that is under way in a thread.
        self._reader = Store.open(db, create=False, writable=False)
        if kept is not None:
            kept.mkdir(parents=True, exist_ok=True, mode=0o700)

    def receipt(self, name: str) -> Receipt | None:
        """The receipt given for an upload of this name, if any."""
        found = self._reader.query("SELECT receipt FROM receipt WHERE bundle = ?", (name,))
        return read_receipt(found[0][0]) if found else None

    def take(self, path: Path) -> Receipt:
        """Take a file in, bundle, envelope or database, whatever it turns out to be. Raises BundleError, StoreError."""
        if is_envelope(path):
            return self.take_envelope(path)
        return self.take_database(path) if is_database(path) else self.take_bundle(path)

    def take_bundle(self, path: Path, expected: str | None = None) -> Receipt:
        """Take a bundle in, all or nothing. `expected` is the name under which it was sent."""
        name, manifest = open_bundle(path, self.limits.bundle)
        if expected not in (None, name):
            raise BundleError("the bundle is not the one that its name says")
        if manifest.schema > FACT_VERSION:
            raise BundleError(f"schema {manifest.schema} is newer than this collector knows ({FACT_VERSION})")
        rows = read_rows(chunks_of(path), self.limits.bundle)
        receipt = self._receipt_of(name) or self._add(name, rows, manifest)
        if self.kept is not None and path.parent != self.kept:
            _keep(path, self.kept / f"{name}{SUFFIX}")
        return receipt

    def take_envelope(self, path: Path, expected: str | None = None) -> Receipt:
        """Open an envelope and take its bundle in. The envelope's name is the SHA-256 of the file; the receipt names
        the bundle, and is found again under either name."""
        name = file_digest(path)
        if expected not in (None, name):
            raise BundleError("the file is not the one that its digest says")
        if self._identity is None:
            raise BundleError("this collector opens no envelopes")
        # Beside the database, where there is room and what is readable is readable already.
        with TemporaryDirectory(prefix=".open-", dir=self._db.parent) as folder:
            opened = Path(folder, "bundle")
            decrypt(path, self._identity, opened, self.limits.bundle.packed)
            receipt = self.take_bundle(opened)
        self._store.write(insert_statement("receipt", ignore=True), [self._receipt_row(name, receipt)])
        return receipt

    def take_database(self, path: Path, expected: str | None = None) -> Receipt:
        """Take the facts of a result database in, read by a jailed child; its name is the SHA-256 of the file."""
        name = file_digest(path)
        if expected not in (None, name):
            raise BundleError("the file is not the one that its digest says")
        rows = cast(Iterator[Row], read_foreign(path, self.limits.foreign))
        return self._receipt_of(name) or self._add(name, rows)

    def _receipt_of(self, name: str) -> Receipt | None:
        found = self._store.query("SELECT receipt FROM receipt WHERE bundle = ?", (name,))
        return read_receipt(found[0][0]) if found else None

    @property
    def issuer(self) -> str:
        """The public key that invitations are signed with here, empty for none."""
        return self.invitations.issuer if self.invitations is not None else ""

    def _add(self, name: str, rows: Iterable[Row], manifest: Manifest | None = None) -> Receipt:
        with self._store.db.atomic():
            added = add_rows(self._store, rows, name, manifest.key if manifest else "")
            fields = {
                "receipt": RECEIPT_FORMAT, "bundle": name, "received_at": self._now(),
                "taken": added.taken, "known": added.known, "quarantined": added.quarantined,
                "voucher": self._vouch(manifest) if manifest else "",
            }  # fmt: skip
            receipt = signed(Receipt, fields, self.key)
            self._store.write(insert_statement("receipt"), [self._receipt_row(name, receipt)])
        return receipt

    def _vouch(self, manifest: Manifest) -> VoucherWord:
        """Keep a bundle's voucher if it holds. One that does not costs the facts nothing: they are kept as what they
        are, somebody's word that nobody vouches for."""
        voucher = manifest.voucher
        if voucher is None:
            return ""
        if voucher.issuer != self.issuer:
            return "unknown"
        try:
            check_voucher(voucher)
        except BundleError:
            return "invalid"
        if voucher.bearer != manifest.key:
            return "invalid"
        row = Vouched.of(voucher)
        if self._store.query("SELECT 1 FROM voucher WHERE token = ? AND signer != ?", (row.token, row.signer)):
            return "spent"
        self._store.write(insert_statement("voucher", ignore=True), [values_of_ledger(row)])
        return "accepted"

    def _receipt_row(self, name: str, receipt: Receipt) -> tuple[str, str, str, str]:
        return name, public_hex(self.key), receipt.received_at, canonical(encode(receipt))

    def close(self) -> None:
        """Close the database."""
        self._reader.close()
        self._store.close()

    def __enter__(self) -> Intake:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _keep(path: Path, target: Path) -> None:
    """A copy by hard link where that works; the facts are safe in the database already, so a failure is no failure."""
    try:
        if not target.exists():
            os.link(path, target)
    except OSError:
        return
