"""Adding facts to facts. Equal rows are one row; rows that contradict each other are never overwritten.

Two ways, for two needs:
- `add_rows` appends to a database that lives (a collector's): what is there stays, contradictions go to `quarantine`.
  Nothing can be replaced, since facts are append-only, so here the first to come stays.
- `merge` builds a new file out of others: of contradicting rows the one with the smallest digest is kept and the others
  go to quarantine. Digests know no order, so the same inputs give the same facts, however they are named or repeated.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from probe.model.errors import BundleError, StoreError
from probe.model.measurement import Measurement
from probe.model.observation import Blob
from probe.model.vantage import Run, Vantage
from probe.store.blobs import pack_blob
from probe.store.ledger import Ledger, Origin, Quarantined, Vouched, values_of_ledger
from probe.store.schema import BY_NAME
from probe.store.sqlite import Store, insert_statement, store_errors, values_of
from probe.wire.facts import FACT_ORDER, ObservationRow, Row, fact_line, parse_fact


@dataclass(frozen=True, slots=True)
class Added:
    """Rows of facts (blobs included): new here, known already, quarantined."""

    taken: int
    known: int
    quarantined: int


def table_of(row: Row) -> str:
    """The table a fact belongs to."""
    return FACT_ORDER[type(row)]


def key_of(row: Row) -> tuple[str | int, ...]:
    """The row's primary key."""
    return tuple(getattr(row, column) for column in BY_NAME[table_of(row)].key)


def digest_of(row: Row) -> str:
    """SHA-256 of the row's canonical JSON line, hex."""
    return hashlib.sha256(fact_line(row).encode()).hexdigest()


def stored_values(row: Row) -> tuple[Any, ...]:
    """A row's values as its table holds them."""
    if isinstance(row, Blob):
        media, data = pack_blob(row)
        return row.sha256, media, row.size, data
    return values_of(row)


def every_fact(store: Store, *, blobs: bool = True) -> Iterator[Row]:
    """All facts of a database of ours, in bundle order."""
    yield from store.rows(Vantage)
    yield from store.rows(Run)
    yield from store.rows(Measurement)
    yield from store.rows(ObservationRow)
    for (name,) in store.query("SELECT sha256 FROM blob ORDER BY sha256") if blobs else ():
        found = store.blob(name)
        if found is not None:
            yield found


# ---- appending to a living database ----


def add_rows(
    store: Store, rows: Iterable[Row], source: str, signer: str = "", network: str = "", *, trusted: bool = False
) -> Added:
    """Add facts in one transaction that the caller holds open or that is opened here. Raises BundleError for rows that
    refer to nothing, whatever `rows` raises, and StoreError; then nothing of them stays.

    Unless `trusted`, only the key that brought a measurement may add observations to it: measurement ids are public
    in reports, and nobody else shall write into them.
    """
    store.flush()
    with store_errors(store.path), store.db.atomic():
        return _Adding(store, source, signer, network, trusted).add(rows)


class _Adding:
    def __init__(self, store: Store, source: str, signer: str, network: str, trusted: bool) -> None:
        self.run, self.source, self.signer, self.network = store.db.conn.execute, source, signer, network
        self.trusted = trusted
        self._may: dict[str, bool] = {}
        self.taken = self.known = self.quarantined = 0

    def add(self, rows: Iterable[Row]) -> Added:
        for row in rows:
            self._require_reference(row)
            self._add(row)
        return Added(self.taken, self.known, self.quarantined)

    def _add(self, row: Row) -> None:
        table = BY_NAME[table_of(row)]
        where = " AND ".join(f"{column} = ?" for column in table.key)
        names = "1" if isinstance(row, Blob) else ", ".join(column.name for column in table.columns)
        there = self.run(f"SELECT {names} FROM {table.name} WHERE {where}", key_of(row)).fetchone()
        if isinstance(row, Measurement):
            self._meet(row, there is None)
        if there is not None:
            # A blob is its digest, whatever media type it was given.
            if isinstance(row, Blob) or tuple(there) == values_of(row):
                self.known += 1
            else:
                self._quarantine(row, f"another row with this key is in {table.name}")
        elif isinstance(row, ObservationRow) and not self._may_add_to(row.measurement_id):
            self._quarantine(row, "adds to a measurement that another key brought")
        else:
            self.run(insert_statement(table.name), stored_values(row))
            self.taken += 1

    def _meet(self, row: Measurement, is_new: bool) -> None:
        may = is_new or self._may_add_to(row.measurement_id)
        self._may[row.measurement_id] = may
        # Who only repeats a measurement gets no origin row: it would be the right to add to it next time.
        if may:
            origin = (row.measurement_id, self.source, self.signer, self.network)
            self.run(insert_statement("origin", ignore=True), origin)

    def _may_add_to(self, measurement_id: str) -> bool:
        if self.trusted:
            return True
        if measurement_id not in self._may:
            sql = "SELECT 1 FROM origin WHERE measurement_id = ? AND signer = ?"
            found = self.signer and self.run(sql, (measurement_id, self.signer)).fetchone()
            self._may[measurement_id] = bool(found)
        return self._may[measurement_id]

    def _quarantine(self, row: Row, because: str) -> None:
        line = fact_line(row)
        digest = hashlib.sha256(line.encode()).hexdigest()
        self.run(insert_statement("quarantine", ignore=True), (digest, self.source, because, line))
        self.quarantined += 1

    def _require_reference(self, row: Row) -> None:
        match row:
            case Run():
                table, name = "vantage", row.vantage_id
            case Measurement():
                table, name = "run", row.run_id
            case ObservationRow():
                table, name = "measurement", row.measurement_id
            case _:
                return
        if self.run(f"SELECT 1 FROM {table} WHERE {table}_id = ?", (name,)).fetchone() is None:
            raise BundleError(f"a {table_of(row)} refers to {table} {name[:12]}, which is neither here nor came before")


# ---- building a new database ----

Source = tuple[str, Callable[[], Iterator[Row | Ledger]]]
"""A name for the `origin` table, and what gives its rows."""


def merge(sources: Iterable[Source], out: Path) -> Added:
    """The union of sources as a new database at `out`. Raises StoreError when `out` exists, and whatever a source
    raises; then there is no `out`. `known` counts rows met more than once."""
    if out.exists():
        raise StoreError(f"{out}: exists already; a merge makes a new file")
    made, staged = out.with_name(out.name + ".part"), out.with_name(out.name + ".stage")
    remove_database(made)
    remove_database(staged)
    try:
        with store_errors(out):
            added = _merge(sources, made, staged)
        os.replace(made, out)
    except OSError as error:
        raise StoreError(f"{out}: {error.strerror or error}") from None
    finally:
        remove_database(made)
        remove_database(staged)
    return added


def remove_database(path: Path) -> None:
    """Remove a database and the files SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _merge(sources: Iterable[Source], made: Path, staged: Path) -> Added:
    os.close(os.open(staged, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    stage = sqlite3.connect(staged, isolation_level=None)
    try:
        stage.execute("PRAGMA synchronous = OFF")
        stage.execute("BEGIN")
        for statement in _STAGE:
            stage.execute(statement)
        with Store.open(made) as store:
            seen = _stage(stage, sources, store)
            return _settle(stage, store, seen)
    finally:
        stage.close()


_STAGE = (
    "CREATE TABLE stage (rank INTEGER, key TEXT, digest TEXT, line TEXT, source TEXT,"
    " PRIMARY KEY (rank, key, digest)) WITHOUT ROWID",
    "CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, media TEXT, data BLOB)",
)
_RANKS = {name: rank for rank, name in enumerate(FACT_ORDER.values())}


def _stage(stage: sqlite3.Connection, sources: Iterable[Source], store: Store) -> int:
    """Gather all distinct rows; returns how many facts came in all."""
    seen = 0
    with store.db.atomic():
        for source, rows in sources:
            for row in rows():
                if isinstance(row, Origin | Quarantined | Vouched):
                    store.db.conn.execute(insert_statement(row.table, ignore=True), values_of_ledger(row))
                    continue
                seen += 1
                _stage_one(stage, row, source)
                if isinstance(row, Measurement):
                    origin = (row.measurement_id, source, "", "")
                    store.db.conn.execute(insert_statement("origin", ignore=True), origin)
    return seen


def _stage_one(stage: sqlite3.Connection, row: Row, source: str) -> None:
    if isinstance(row, Blob):
        # A blob is its digest, so two cannot contradict each other; of two media types the lesser is kept.
        sql = "INSERT INTO blobs VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET media = min(media, excluded.media)"
        stage.execute(sql, (row.sha256, row.media, row.data))
        return
    line, key = fact_line(row), "\0".join(map(str, key_of(row)))
    digest = hashlib.sha256(line.encode()).hexdigest()
    sql = "INSERT INTO stage VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET source = min(source, excluded.source)"
    stage.execute(sql, (_RANKS[table_of(row)], key, digest, line, source))


def _settle(stage: sqlite3.Connection, store: Store, seen: int) -> Added:
    """Write winners (the smallest digest of a key) as facts, the others to quarantine."""
    run = store.db.conn.execute
    taken = quarantined = 0
    last: tuple[int, str] | None = None
    with store.db.atomic():
        for rank, key, digest, line, source in stage.execute("SELECT * FROM stage ORDER BY rank, key, digest"):
            row = parse_fact(line)
            if (rank, key) == last:
                because = f"another row with this key is in {table_of(row)}"
                run(insert_statement("quarantine", ignore=True), (digest, source, because, line))
                quarantined += 1
            else:
                run(insert_statement(table_of(row)), stored_values(row))
                taken += 1
            last = (rank, key)
        for sha256, media, data in stage.execute("SELECT * FROM blobs ORDER BY sha256"):
            run(insert_statement("blob"), stored_values(Blob(sha256, media, data)))
            taken += 1
    return Added(taken, seen - taken - quarantined, quarantined)
