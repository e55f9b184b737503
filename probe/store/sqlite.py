"""The store: one SQLite file, facts appended and never amended, opinions beside them.

Appends are gathered in memory and written by `flush` in one transaction; the engine calls it at least every
`FLUSH_S`, so kill -9 loses at most that much and the file opens clean (WAL, synchronous NORMAL).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlite_utils import Database

from probe.model.errors import StoreError
from probe.model.measurement import Measurement
from probe.model.observation import Blob
from probe.model.vantage import Run, Vantage
from probe.store.blobs import pack_blob, unpack_blob
from probe.store.migrations import migrate
from probe.store.schema import BY_NAME, SCHEMA_VERSION
from probe.wire.facts import ObservationRow, Row

FLUSH_S = 0.05

R = TypeVar("R", Vantage, Run, Measurement, ObservationRow)
_TABLE_OF: dict[type[Any], str] = {
    Vantage: "vantage",
    Run: "run",
    Measurement: "measurement",
    ObservationRow: "observation",
}


@contextmanager
def store_errors(path: Path | str) -> Iterator[None]:
    """SQLite's errors as one-line StoreErrors that name the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error


class Store:
    """An open database. Use `Store.open`; close it, or use it in a `with` block."""

    def __init__(self, db: Database, path: Path, *, writable: bool) -> None:
        self.db, self.path, self.writable = db, path, writable
        self._pending: list[tuple[str, tuple[Any, ...]]] = []

    @classmethod
    def open(cls, path: Path | str, *, create: bool = True, writable: bool = True) -> Store:
        """Open (and create or migrate) a database. Raises StoreError: missing, not ours, newer, unreadable."""
        path = Path(path)
        if not path.exists() and not create:
            raise StoreError(f"{path}: no such database")
        if path.is_dir():
            raise StoreError(f"{path}: is a directory, not a database")
        try:
            if create:
                path.parent.mkdir(parents=True, exist_ok=True)
                # Results can endanger whoever holds them: readable by the owner only, from the first byte on.
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}") from None
        with store_errors(path):
            store = cls(_connect(path, writable), path, writable=writable)
            store._check_and_migrate()
        return store

    def _check_and_migrate(self) -> None:
        version = self.db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            self.close()
            raise StoreError(
                f"{self.path}: written by a newer version (schema {version}; known here: {SCHEMA_VERSION}). "
                "Please upgrade"
            )
        names = set(self.db.table_names())
        if names and "observation" not in names:
            self.close()
            raise StoreError(f"{self.path}: an SQLite file, but not a database of this program")
        if self.writable:
            migrate(self.db)
        elif not names:
            self.close()
            raise StoreError(f"{self.path}: empty, holds no results yet")

    # ---- writing ----

    def append(self, row: Row) -> None:
        """Queue one fact; it is on disk after the next `flush`."""
        if isinstance(row, Blob):
            media, data = pack_blob(row)
            self._pending.append((_INSERT["blob"], (row.sha256, media, row.size, data)))
        else:
            self._pending.append((_INSERT[_TABLE_OF[type(row)]], values_of(row)))

    def flush(self) -> None:
        """Write what is queued in one transaction. On failure the queue is kept, and StoreError says why."""
        if not self._pending:
            return
        with store_errors(self.path), self.db.atomic():
            for sql, values in self._pending:
                self.db.conn.execute(sql, values)
        self._pending.clear()

    def write(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one of our own statements for many rows in one transaction (verdicts, ledger)."""
        with store_errors(self.path), self.db.atomic():
            self.db.conn.executemany(sql, rows)

    # ---- reading ----

    def query(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a SELECT of ours, pending facts included."""
        self.flush()
        with store_errors(self.path):
            return self.db.conn.execute(sql, tuple(params)).fetchall()

    def stream(self, sql: str, params: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Like `query`, row by row, for tables that need not fit in memory."""
        self.flush()
        with store_errors(self.path):
            yield from self.db.conn.execute(sql, tuple(params))

    def rows(self, cls: type[R], where: str = "1", params: Sequence[Any] = ()) -> Iterator[R]:
        """Facts of one table as values, in key order."""
        table = BY_NAME[_TABLE_OF[cls]]
        names = ", ".join(c.name for c in table.columns)
        sql = f"SELECT {names} FROM {table.name} WHERE {where} ORDER BY {', '.join(table.key)}"
        fields = [c.name for c in table.columns]
        for row in self.stream(sql, params):
            yield cls(**dict(zip(fields, row, strict=True)))

    def observations(self, measurement_id: str) -> list[ObservationRow]:
        """The observations of one measurement in order of `seq`."""
        return list(self.rows(ObservationRow, "measurement_id = ?", (measurement_id,)))

    def blob(self, sha256: str) -> Blob | None:
        """A blob by its digest, inflated; None when it is not here (a control may keep its bodies)."""
        found = self.query("SELECT media, size, data FROM blob WHERE sha256 = ?", (sha256,))
        return unpack_blob(sha256, *found[0]) if found else None

    def close(self) -> None:
        """Write what is queued and close the file."""
        try:
            if self.writable:
                self.flush()
        finally:
            self.db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _connect(path: Path, writable: bool) -> Database:
    mode = "rwc" if writable else "ro"
    # check_same_thread is off because trio may run a flush in a worker thread, one at a time.
    conn = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=10, check_same_thread=False, isolation_level=None
    )
    conn.execute("PRAGMA trusted_schema = OFF")
    if writable:
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("PRAGMA synchronous = NORMAL")
    return Database(conn)


def values_of(row: Vantage | Run | Measurement | ObservationRow) -> tuple[Any, ...]:
    """A row's values in the table's column order."""
    return tuple(getattr(row, c.name) for c in BY_NAME[_TABLE_OF[type(row)]].columns)


def _insert(table: str, ignore: bool = False) -> str:
    names = [c.name for c in BY_NAME[table].columns]
    verb = "INSERT OR IGNORE" if ignore else "INSERT"
    return f"{verb} INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


# A blob, a vantage point or a helper's run may be met again; anything else twice is a bug of ours and must fail.
_INSERT = {name: _insert(name, ignore=name in ("blob", "vantage", "run")) for name in (*_TABLE_OF.values(), "blob")}
insert_statement: Callable[..., str] = _insert
