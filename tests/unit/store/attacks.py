"""Databases made to harm whoever reads them. Each function spoils a good database at `path`."""

from __future__ import annotations

import random
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.unit.store.facts import name

Attack = Callable[[Path], None]
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c)"


def sql(*statements: str, writable_schema: bool = False) -> Attack:
    """Run statements; with `writable_schema` the schema's text itself may be changed."""

    def attack(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as conn:
            conn.execute("PRAGMA journal_mode = DELETE")
            if writable_schema:
                conn.execute("PRAGMA writable_schema = ON")
            for statement in statements:
                conn.execute(statement)

    return attack


def replaced(table: str, create: str) -> Attack:
    """Something else under one of our names."""
    return sql("PRAGMA foreign_keys = OFF", f"DROP TABLE IF EXISTS {table}", create)


def column(table: str, before: str, after: str) -> Attack:
    """Our table, with its text changed behind SQLite's back."""
    text = f"UPDATE sqlite_master SET sql = replace(sql, '{before}', '{after}') WHERE name = '{table}'"
    return sql(text, writable_schema=True)


def insert(table: str, **values: str) -> Attack:
    """A row with the given SQL expressions; everything else is empty text."""

    def attack(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as conn:
            names = [row[1] for row in conn.execute(f"PRAGMA table_info({table})")]
            expressions = ", ".join(values.get(column, "''") for column in names)
            conn.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({expressions})")

    return attack


def observation(**values: str) -> Attack:
    """A sound observation, save for the given columns."""
    sound = {
        "measurement_id": f"'{name(1)}'", "seq": "77", "parent": "NULL", "kind": "'x'", "host": "NULL", "ip": "NULL",
        "port": "NULL", "attempt": "1", "why": "'plan'", "failure": "NULL", "at_us": "0", "took_us": "0",
        "detail": "'{}'",
    }  # fmt: skip
    return insert("observation", **{**sound, **values})


def blob(media: str, size: int, data: bytes) -> Attack:
    """A blob row that is not what it says."""
    return insert("blob", sha256=f"'{'a' * 64}'", media=f"'{media}'", size=str(size), data=f"X'{data.hex()}'")


def forged_root(table: str, other: str) -> Attack:
    """One table that reads another's pages."""
    root = f"(SELECT rootpage FROM sqlite_master WHERE name = '{other}')"
    return sql(f"UPDATE sqlite_master SET rootpage = {root} WHERE name = '{table}'", writable_schema=True)


def many_tables(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode = OFF")
        conn.execute("BEGIN")
        for number in range(20_000):
            conn.execute(f"CREATE TABLE t{number} (a)")
        conn.execute("COMMIT")


def patch(offset: int, data: bytes) -> Attack:
    """Bytes of the file changed."""

    def attack(path: Path) -> None:
        whole = bytearray(path.read_bytes())
        whole[offset : offset + len(data)] = data
        path.write_bytes(whole)

    return attack


def truncated(keep: float) -> Attack:
    def attack(path: Path) -> None:
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * keep)])

    return attack


def written(data: bytes) -> Attack:
    def attack(path: Path) -> None:
        path.write_bytes(data)

    return attack


def scrambled(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    chance = random.Random(5)
    for at in range(4096, len(whole)):
        whole[at] = chance.randrange(256)
    path.write_bytes(whole)


def schema_text(expression: str) -> Attack:
    """The text of a table of ours, changed behind SQLite's back."""
    return sql(f"UPDATE sqlite_master SET sql = {expression} WHERE name = 'run'", writable_schema=True)


def another_program(path: Path) -> None:
    path.unlink()
    sql("CREATE TABLE a (b)")(path)


DEEP = '{"a":' * 20_000 + "1" + "}" * 20_000
BOMB = zlib.compress(b"0" * 30_000_000, 9)
WIDE = ", ".join(f"c{n}" for n in range(1900))
ATTACKS: dict[str, Attack] = {
    # what is no database
    "empty file": written(b""),
    "text": written(b"hello"),
    "magic only": written(b"SQLite format 3\x00"),
    "magic and noise": written(b"SQLite format 3\x00" + random.Random(4).randbytes(20_000)),
    "cut in the header": truncated(0.0005),
    "cut in half": truncated(0.5),
    "last page missing": truncated(0.97),
    "all pages scrambled": scrambled,
    "page size of 1": patch(16, b"\x00\x03"),
    "schema format of tomorrow": patch(44, b"\x00\x00\x00\x09"),
    "another program's database": another_program,
    "newer schema": sql("PRAGMA user_version = 99"),
    # schema
    "endless view under our name": replaced("run", f"CREATE VIEW run AS {ENDLESS} SELECT x AS run_id FROM c"),
    "endless view beside": sql(f"CREATE VIEW v AS {ENDLESS} SELECT x FROM c"),
    "view with a 900 MB blob": replaced("blob", "CREATE VIEW blob AS SELECT zeroblob(900000000) AS data"),
    "changed view of ours": sql("DROP VIEW obs_dns", f"CREATE VIEW obs_dns AS {ENDLESS} SELECT x FROM c"),
    "generated column": replaced(
        "run",
        "CREATE TABLE run (run_id TEXT, vantage_id TEXT, started_at TEXT, list_digest TEXT,"
        " config TEXT AS (hex(zeroblob(100000000))))",
    ),
    "generated column beside": sql("CREATE TABLE g (a, b AS (hex(zeroblob(100000000))))", "INSERT INTO g VALUES (1)"),
    "trigger": sql("CREATE TRIGGER t AFTER INSERT ON run BEGIN SELECT load_extension('x'); END"),
    "expression index": sql("CREATE INDEX i ON run (hex(run_id))"),
    "partial index": sql("CREATE INDEX i ON run (run_id) WHERE length(config) > 3"),
    "check with a function": sql(
        "CREATE TABLE k (a CHECK (length(hex(zeroblob(100000000))) > a))", "INSERT INTO k VALUES (1)"
    ),
    "default with a function": sql("CREATE TABLE d (a DEFAULT (hex(zeroblob(100000000))))"),
    "full-text table under our name": replaced("run", "CREATE VIRTUAL TABLE run USING fts5(run_id, vantage_id)"),
    "full-text table beside": sql("CREATE VIRTUAL TABLE f USING fts5(a)"),
    "r-tree": sql("CREATE VIRTUAL TABLE r USING rtree(id, a, b)"),
    "forged shadow table": sql("CREATE TABLE run_data (id INTEGER PRIMARY KEY, block BLOB)"),
    "migration list with a generated column": replaced(
        "_sqlite_migrations", "CREATE TABLE _sqlite_migrations (a, b AS (hex(zeroblob(100000000))))"
    ),
    "migration list as a view": replaced(
        "_sqlite_migrations", f"CREATE VIEW _sqlite_migrations AS {ENDLESS} SELECT x FROM c"
    ),
    "20,000 tables": many_tables,
    "1,900 columns": sql(f"CREATE TABLE w ({WIDE})"),
    "missing table": sql("DROP TABLE observation"),
    "missing column": replaced("run", "CREATE TABLE run (run_id TEXT PRIMARY KEY) WITHOUT ROWID"),
    "other collation": column("run", "run_id TEXT", "run_id TEXT COLLATE NOCASE"),
    "schema text that is no SQL": schema_text("'rubbish'"),
    "schema text cut": schema_text("substr(sql, 1, 30)"),
    "root page of another table": forged_root("observation", "blob"),
    "root page of the schema": sql("UPDATE sqlite_master SET rootpage = 1 WHERE name = 'run'", writable_schema=True),
    "root page far away": sql("UPDATE sqlite_master SET rootpage = 999999 WHERE name = 'run'", writable_schema=True),
    "two tables share pages": forged_root("run", "vantage"),
    "attached name in a view": sql("CREATE VIEW s AS SELECT * FROM sqlite_master"),
    # values
    "blob for text": observation(kind="X'00FF'"),
    "text for a number": observation(port="'http'"),
    "infinity for a number": observation(took_us="9e999"),
    "float for a number": observation(took_us="1.5"),
    "number for text": observation(why="X'31'"),
    "5 MB of text": observation(why="hex(zeroblob(2500000))"),
    "9 MB of text": observation(why="hex(zeroblob(4500000))"),
    "not UTF-8": observation(why="CAST(X'FFFE80' AS TEXT)"),
    "NUL in an id": observation(measurement_id=f"'{name(1)}' || char(0)"),
    "detail that is no JSON": observation(detail="'{'"),
    "detail that is a list": observation(detail="'[]'"),
    "detail with infinity": observation(detail="'{\"x\":1e999}'"),
    "detail of a known kind, misshapen": observation(kind="'tcp.connect'", detail="'{\"info\":3}'"),
    "very deep detail": observation(detail=f"'{DEEP}'"),
    "negative seq": observation(seq="-5"),
    "port beyond all": observation(port="70000"),
    "measurement with a strange id": insert("measurement", measurement_id="'../../x'"),
    "vantage of an unknown role": insert("vantage", vantage_id=f"'{name(5)}'", role="'judge'"),
    "blob with another digest": blob("text/html", 3, b"abc"),
    "blob that is a bomb": blob("text/html;z=zlib", 30_000_000, BOMB),
    "blob that lies about its size": blob("text/html;z=zlib", 10, BOMB),
    "blob that is no zlib": blob("text/html;z=zlib", 10, b"zzzz"),
    "blob of negative size": blob("text/html;z=zlib", -10, BOMB),
}  # fmt: skip
