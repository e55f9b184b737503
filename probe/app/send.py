"""What `probe send` does: bring bundles, envelopes or a database to a collector, and keep its receipt.

A measurement counts as sent when a collector's signed receipt for it is in the database, and not a moment earlier.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from probe.app import upload
from probe.app.outbox import Outbox
from probe.app.pack import seal
from probe.app.upload import Kind, Uploader
from probe.app.way import SendError, UnreachedError, Way
from probe.model.collector import Collector
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
)
from probe.store.envelope import is_envelope
from probe.store.sqlite import Store, store_errors
from probe.wire.bundle import Receipt, read_receipt

# Of several addresses each is tried so often in a round, and so many rounds are made.
TRIES, ROUNDS = 2, 3


@dataclass(frozen=True, slots=True)
class Delivered:
    """One upload that a collector acknowledged. `measurements` is None where only the collector can see inside."""

    receipt: Receipt
    collector: str
    measurements: int | None
    size: int


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is to be brought: a file, what it is, and its name (docs/bundle.md). `bundle` is the name that its receipt
    must give, empty where we cannot know it. `sealed` is there for a bundle, which can be put into an envelope."""

    path: Path
    kind: Kind
    name: str
    bundle: str
    sealed: Sealed | None = None

    @classmethod
    def of(cls, sealed: Sealed) -> Parcel:
        """A bundle."""
        return cls(sealed.path, "bundle", sealed.name, sealed.name, sealed)


@dataclass(frozen=True)
class Sender:
    """Brings things to the first of several collectors that takes them. To a collector whose `recipient` is known go
    envelopes only. Where its key is not known the first receipt's key of each address is expected again."""

    way: Way
    collectors: tuple[Collector, ...]
    outbox: Outbox
    tell: Callable[[str], None] = lambda line: None

    async def send_database(self, path: Path, *, queue: bool = False) -> AsyncGenerator[Delivered]:
        """Bundle what a database has not sent yet and send it, bundle by bundle. With `queue` only what is due, and of
        several vantage points only one. Raises ProbeError when no collector takes one; those before it stay
        acknowledged."""
        with Store.open(path, create=False) as store:
            by_owner = {owner: list(group) for owner, group in groupby(cuts(store), lambda cut: cut.vantage_id)}
            for owner in self._due(list(by_owner)) if queue else by_owner:
                # Connections, and with Tor circuits, are not shared: they would tie the vantage points together.
                async with self.way.open() as client:
                    async for one in self._send_cuts(client, store, owner, by_owner[owner]):
                        yield one

    def _due(self, owners: Sequence[str]) -> list[str]:
        due = [owner for owner in owners if self.outbox.is_due(owner)]
        self.outbox.put_off(due[1:])
        return due[:1]

    async def _send_cuts(
        self, client: httpx.AsyncClient, store: Store, owner: str, found: Iterable[Cut]
    ) -> AsyncGenerator[Delivered]:
        for cut in found:
            with TemporaryDirectory(prefix="probe-") as folder:
                sealed = seal(store, cut, Path(folder, f"out{SUFFIX}"))
                try:
                    receipt, url = await self._deliver(client, Parcel.of(sealed), store)
                except ProbeError as error:
                    again = self.outbox.failed(owner, str(error)).when
                    self.tell(f"Nothing is lost: it all stays here until a collector signs for it; due again {again}.")
                    raise
            acknowledge(store, receipt, url, sealed.measurements)
            self.outbox.acknowledged(sealed.name)
            yield Delivered(receipt, url, len(sealed.measurements), sealed.size)
        self.outbox.succeeded(owner)

    async def send_file(self, path: Path, db: Path | None) -> Delivered:
        """Send a bundle or an envelope. Its receipt goes into `db`, if given, with the measurements that it knows."""
        if is_envelope(path):
            parcel, inside = Parcel(path, "envelope", file_digest(path), ""), None
        else:
            (name, manifest), inside = open_bundle(path), measurements_in(path)
            parcel = Parcel.of(Sealed(path, name, manifest, inside, file_size(path)))
        with ExitStack() as stack:
            store = stack.enter_context(Store.open(db, create=False)) if db is not None else None
            async with self.way.open() as client:
                receipt, url = await self._deliver(client, parcel, store)
            if store is not None:
                keep_receipt(store, receipt, url, self.outbox.inside(receipt.bundle) if inside is None else inside)
        self.outbox.acknowledged(receipt.bundle)
        return Delivered(receipt, url, None if inside is None else len(inside), file_size(path))

    async def send_raw(self, path: Path) -> Delivered:
        """Send a database as it is: whole, not scrubbed again. What it holds at this moment counts as sent."""
        with Store.open(path, create=False) as store, TemporaryDirectory(prefix="probe-") as folder:
            copy, held = Path(folder, "copy.db"), [m.measurement_id for m in store.rows(Measurement)]
            # A copy by SQLite itself: the file alone may lack what still lies in its -wal.
            with store_errors(path), closing(sqlite3.connect(copy)) as target:
                store.db.conn.backup(target)
            name = file_digest(copy)
            async with self.way.open() as client:
                receipt, url = await self._deliver(client, Parcel(copy, "database", name, name), store)
            acknowledge(store, receipt, url, held)
            return Delivered(receipt, url, len(held), file_size(copy))

    async def _deliver(self, client: httpx.AsyncClient, parcel: Parcel, store: Store | None) -> tuple[Receipt, str]:
        """To the first collector that takes it. Raises the last one's problem when none does."""
        doors = [(collector, url) for collector in self.collectors for url in collector.urls]
        problem: ProbeError = UsageError("name a collector with --to URL")
        tries, rounds = (upload.ATTEMPTS, 1) if len(doors) == 1 else (TRIES, ROUNDS)
        for _ in range(rounds):
            for door in list(doors):
                try:
                    return await self._bring(client, parcel, store, *door, tries), door[1]
                except UnreachedError as error:
                    problem = error
                except (SendError, RefusedError, BundleError) as error:
                    # This one answered, and will answer the same again.
                    doors.remove(door)
                    problem = error
                self.tell(str(problem))
        raise problem

    async def _bring(
        self, client: httpx.AsyncClient, parcel: Parcel, store: Store | None, to: Collector, url: str, tries: int
    ) -> Receipt:
        uploader = Uploader(client, url, key=to.key or known_key(store, url), tell=self.tell, attempts=tries)
        if parcel.sealed is None or not to.recipient:
            return await uploader.send(parcel.path, parcel.kind, parcel.name, parcel.bundle)
        path = self.outbox.envelope(parcel.sealed, to.recipient)
        return await uploader.send(path, "envelope", file_digest(path), parcel.bundle)


# ---- receipts ----


def known_key(store: Store | None, url: str) -> str | None:
    """The key that signed the first receipt from this collector: another one later is somebody else."""
    if store is None:
        return None
    found = store.query("SELECT receipt FROM receipt WHERE collector = ? ORDER BY received_at LIMIT 1", (url,))
    try:
        return read_receipt(found[0][0]).key if found else None
    except BundleError as error:
        raise StoreError(f"{store.path}: a stored receipt is damaged: {error}") from None


def keep_receipt(store: Store, receipt: Receipt, collector: str, inside: Iterable[str]) -> int:
    """Keep a receipt and mark those of a bundle's measurements as sent that are in this database; returns how many."""
    known = [name for name in inside if next(store.rows(Measurement, "measurement_id = ?", (name,)), None)]
    acknowledge(store, receipt, collector, known)
    return len(known)


def hand_in(db: Path, file: Path, pin: str, outbox: Outbox) -> int:
    """Keep a receipt that came as a file, for a bundle that was carried by hand; returns how many measurements it
    acknowledges. Without `pin` it must be signed with the key of an earlier receipt. Raises BundleError, UsageError."""
    receipt = read_receipt(file.read_bytes()[:20_000])
    with Store.open(db, create=False) as store:
        keys = {pin} if pin else {read_receipt(text).key for (text,) in store.query("SELECT receipt FROM receipt")}
        if not keys:
            raise UsageError("say with --key whose receipts to believe: the collector's public key")
        if receipt.key not in keys:
            raise BundleError(f"{file.name}: signed with a key that is not the collector's")
        marked = keep_receipt(store, receipt, f"key:{receipt.key}", outbox.inside(receipt.bundle))
    outbox.acknowledged(receipt.bundle)
    return marked


def pending(db: Path, outbox: Outbox) -> list[dict[str, Any]]:
    """What waits to be sent, as JSON objects, one a vantage point."""
    with Store.open(db, create=False, writable=False) as store:
        counts: Counter[str] = Counter()
        for cut in cuts(store):
            counts[cut.vantage_id] += len(cut.measurements)
    queue = outbox.waiting()
    found = []
    for owner, count in counts.items():
        waiting = queue.get(owner)
        found.append({
            "vantage_id": owner, "measurements": count, "tries": waiting.tries if waiting else 0,
            "not_before": waiting.when if waiting else None, "problem": waiting.problem if waiting else "",
        })  # fmt: skip
    return found
