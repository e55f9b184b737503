"""What `probe bundle` and `probe send` do: cut, scrub once more, seal, preview, bring to a collector, keep the receipt.

A measurement counts as sent when a collector's signed receipt for it is in the database, and not a moment earlier.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from probe.app.home import home_dir
from probe.app.own import local_scrubber
from probe.app.upload import Kind, SendError, Uploader
from probe.model.errors import BundleError, ProbeError, RefusedError, StoreError, UsageError
from probe.model.measurement import Measurement
from probe.store.bundle import (
    SUFFIX,
    Cut,
    Sealed,
    acknowledge,
    cuts,
    file_digest,
    file_size,
    measurements_in,
    open_bundle,
    seal_cut,
)
from probe.store.keys import signing_key
from probe.store.sqlite import Store, store_errors
from probe.wire.bundle import Receipt, read_receipt

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Delivered:
    """One upload that a collector acknowledged."""

    receipt: Receipt
    collector: str
    measurements: int
    size: int


def key_of_vantage(vantage_id: str) -> Path:
    """Where the signing key of a vantage point lies."""
    return home_dir() / "keys" / f"{vantage_id}.pem"


def seal_all(store: Store, out: Path | None, *, everything: bool = False) -> list[Sealed]:
    """Cut and seal all there is to send: into `out`, or beside it with a number where it takes several bundles; without
    `out` into the current folder under the bundle's name. Empty when there is nothing."""
    found = cuts(store, everything=everything)
    sealed = []
    for number, cut in enumerate(found, start=1):
        target = out or Path(f"{cut.vantage_id[:8]}-{number}{SUFFIX}")
        if out is not None and len(found) > 1:
            target = out.with_name(f"{out.stem}-{number}{out.suffix or SUFFIX}")
        made = seal(store, cut, target)
        if out is None:
            made = _renamed(made, target.with_name(f"{made.name[:16]}{SUFFIX}"))
        sealed.append(made)
    return sealed


def _renamed(sealed: Sealed, path: Path) -> Sealed:
    sealed.path.replace(path)
    return Sealed(path, sealed.name, sealed.manifest, sealed.measurements, sealed.size)


def seal(store: Store, cut: Cut, path: Path) -> Sealed:
    """One bundle file of a cut, signed with its vantage point's key."""
    return seal_cut(store, cut, signing_key(key_of_vantage(cut.vantage_id)), local_scrubber(), path)


# ---- sending ----


@dataclass(frozen=True)
class Sender:
    """Brings things to the first of several collectors that takes them. `pin` is the public key that receipts must be
    signed with; without it the first receipt's key of each collector is expected again."""

    client: httpx.AsyncClient
    collectors: tuple[str, ...]
    pin: str | None = None
    tell: Tell = lambda line: None

    async def send_database(self, path: Path) -> AsyncIterator[Delivered]:
        """Bundle what a database has not sent yet and send it, bundle by bundle. Raises ProbeError when no collector
        takes one; those before it stay acknowledged."""
        with Store.open(path, create=False) as store, TemporaryDirectory(prefix="probe-") as folder:
            for cut in cuts(store):
                sealed = seal(store, cut, Path(folder, f"out{SUFFIX}"))
                receipt, url = await self._deliver(sealed.path, "bundle", sealed.name, store)
                acknowledge(store, receipt, url, sealed.measurements)
                yield Delivered(receipt, url, len(sealed.measurements), sealed.size)

    async def send_bundle(self, path: Path, db: Path | None) -> Delivered:
        """Send a bundle file. Its receipt goes into `db`, if given, where the bundle's measurements are known."""
        name, _ = open_bundle(path)
        inside = measurements_in(path)
        with ExitStack() as stack:
            store = stack.enter_context(Store.open(db, create=False)) if db is not None else None
            receipt, url = await self._deliver(path, "bundle", name, store)
            if store is not None:
                known = [m for m in inside if next(store.rows(Measurement, "measurement_id = ?", (m,)), None)]
                acknowledge(store, receipt, url, known)
        return Delivered(receipt, url, len(inside), file_size(path))

    async def send_raw(self, path: Path) -> Delivered:
        """Send a database as it is: whole, not scrubbed again. What it holds at this moment counts as sent."""
        with Store.open(path, create=False) as store, TemporaryDirectory(prefix="probe-") as folder:
            copy, held = Path(folder, "copy.db"), [m.measurement_id for m in store.rows(Measurement)]
            # A copy by SQLite itself: the file alone may lack what still lies in its -wal.
            with store_errors(path), closing(sqlite3.connect(copy)) as target:
                store.db.conn.backup(target)
            receipt, url = await self._deliver(copy, "database", file_digest(copy), store)
            acknowledge(store, receipt, url, held)
            return Delivered(receipt, url, len(held), file_size(copy))

    async def _deliver(self, path: Path, kind: Kind, name: str, store: Store | None) -> tuple[Receipt, str]:
        """To the first collector that takes it. Raises the last one's problem when none does."""
        problem: ProbeError = UsageError("name a collector with --to URL")
        for url in self.collectors:
            uploader = Uploader(self.client, url, key=self.pin or known_key(store, url), tell=self.tell)
            try:
                return await uploader.send(path, kind, name), url
            except (SendError, RefusedError, BundleError) as error:
                problem = error
                self.tell(str(error))
        raise problem


def known_key(store: Store | None, url: str) -> str | None:
    """The key that signed the first receipt from this collector: another one later is somebody else."""
    if store is None:
        return None
    found = store.query("SELECT receipt FROM receipt WHERE collector = ? ORDER BY received_at LIMIT 1", (url,))
    try:
        return read_receipt(found[0][0]).key if found else None
    except BundleError as error:
        raise StoreError(f"{store.path}: a stored receipt is damaged: {error}") from None
