"""Schema migrations, in order, each applied once (sqlite-utils keeps the list in the file).

Facts are never rewritten: a migration may add tables, columns that can be empty, indexes and views.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

from probe.store.schema import BY_NAME, SCHEMA_VERSION, VOUCHED, about_rows, sqlite_ddl, table_ddl

migrations = Migrations("probe")


@migrations()
def m001_first_schema(db: Database) -> None:
    """Tables, append-only triggers, views and the `about` table."""
    for statement in sqlite_ddl():
        db.execute(statement)
    db.conn.executemany("INSERT INTO about (name, meaning) VALUES (?, ?)", about_rows())


@migrations()
def m002_vouchers(db: Database) -> None:
    """The ledger of vouchers and the view over it; files made by this version have both already."""
    if "voucher" in db.table_names():
        return
    for statement in (*table_ddl(BY_NAME["voucher"]), VOUCHED):
        db.execute(statement)
    db.conn.executemany("INSERT OR REPLACE INTO about (name, meaning) VALUES (?, ?)", about_rows())


def migrate(db: Database) -> None:
    """Bring the file to SCHEMA_VERSION, all or nothing; does nothing when it is there already."""
    if _version(db) == SCHEMA_VERSION:
        return
    with db.atomic():
        # Taking the write lock first makes a second process wait here instead of creating the same tables.
        db.execute("PRAGMA user_version = 0")
        migrations.apply(db)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _version(db: Database) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version
