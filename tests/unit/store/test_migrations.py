"""A file of an older version is read as it is, and becomes one of ours to the letter when it is written to."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from probe.model.errors import BundleError, StoreError
from probe.store.foreign import read_foreign
from probe.store.schema import SCHEMA_VERSION, TABLES, VOUCHED, sqlite_ddl, table_ddl
from probe.store.sqlite import Store
from tests.unit.store.facts import contents, fill, sitting

FACTS = sitting([1, 2])


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A database as schema 1 had it, with facts in it."""
    path, newer = tmp_path / "old.db", {VOUCHED}
    for table in TABLES:
        newer |= set(table_ddl(table)) if table.since > 1 else set()
    with closing(sqlite3.connect(path)) as conn:
        for statement in sqlite_ddl():
            if statement not in newer:
                conn.execute(statement)
        conn.execute("INSERT INTO about VALUES ('schema', 'Vantage Probe database, schema version 1')")
        conn.execute("CREATE TABLE _sqlite_migrations (id INTEGER PRIMARY KEY, migration_set, name, applied_at)")
        conn.execute("INSERT INTO _sqlite_migrations VALUES (1, 'probe', 'm001_first_schema', '2026-11-24')")
        conn.execute("PRAGMA user_version = 1")
        conn.commit()
    # Filling it through a store would bring it up to date; the rows go in by the side.
    fill(tmp_path / "new.db", FACTS)
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("ATTACH ? AS new", (str(tmp_path / "new.db"),))
        for name in ("vantage", "run", "measurement", "observation", "blob"):
            conn.execute(f"INSERT INTO {name} SELECT * FROM new.{name}")
        conn.execute("INSERT INTO origin VALUES (?, 'a', '', '')", ("0" * 32,))
        conn.commit()
    return path


def schema(path: Path) -> set[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as conn:
        return set(conn.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%sqlite%'"))


def test_an_old_file_is_read_without_being_changed(old: Path, tmp_path: Path) -> None:
    before = old.read_bytes()
    with Store.open(old, create=False, writable=False) as store:
        assert store.query("SELECT count(*) FROM measurement") == [(4,)]
    assert contents(old) == contents(tmp_path / "new.db")
    assert old.read_bytes() == before


def test_an_old_file_becomes_ours_to_the_letter(old: Path, tmp_path: Path) -> None:
    with Store.open(old) as store:
        assert store.query("PRAGMA user_version") == [(SCHEMA_VERSION,)]
        assert store.query("SELECT meaning FROM about WHERE name = 'schema'")[0][0].endswith(f"{SCHEMA_VERSION}")
        assert store.query("SELECT * FROM vouched") == []
    assert schema(old) == schema(tmp_path / "new.db")
    assert contents(old) == contents(tmp_path / "new.db")
    assert len(list(read_foreign(old, with_ledger=True))) == len(FACTS) + 1
    with Store.open(old) as again:
        assert again.query("PRAGMA user_version") == [(SCHEMA_VERSION,)]


def test_the_jail_takes_old_files_and_no_half_ones(old: Path) -> None:
    assert len(list(read_foreign(old))) == len(FACTS)
    assert len(list(read_foreign(old, with_ledger=True))) == len(FACTS) + 1
    with closing(sqlite3.connect(old)) as conn:
        conn.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    with pytest.raises(BundleError, match="lacks the table voucher"):
        list(read_foreign(old))


def test_a_newer_file_is_refused(old: Path) -> None:
    with closing(sqlite3.connect(old)) as conn:
        conn.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StoreError, match="upgrade"):
        Store.open(old)
    with pytest.raises(BundleError, match="newer"):
        list(read_foreign(old))


def test_there_is_a_migration_for_every_version(tmp_path: Path) -> None:
    with Store.open(tmp_path / "fresh.db") as store:
        assert store.query("SELECT count(*) FROM _sqlite_migrations") == [(SCHEMA_VERSION,)]
