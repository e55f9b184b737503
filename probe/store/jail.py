"""The child that reads a database from outside; started by `probe.store.foreign` and by nobody else.

The laws: limits first, then the file; the file's SQL is never run (a schema that is not ours to the letter is refused
before any table is read); every value is checked before it is used; what leaves is fact lines on stdout and one last
line with their count; what is wrong is one line on stderr and exit code 1. The parent trusts none of it.

The attacks behind the defences: endless view, huge generated column, forged shadow table, 20,000 tables, forged root
pages, flipped bytes. The settings are those that sqlite.org/security.html recommends, and stricter.
"""

from __future__ import annotations

import ctypes
import re
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from probe.model.errors import BundleError, ProbeError
from probe.model.measurement import Measurement
from probe.model.vantage import Run, Vantage
from probe.store.blobs import unpack_blob
from probe.store.ledger import LEDGERS, ledger_line
from probe.store.schema import BY_NAME, SCHEMA_VERSION, Table, sqlite_ddl
from probe.wire.facts import ObservationRow, check_row, fact_line, parse_fact

MEMORY = 1024 * 1024 * 1024
LENGTH = 6 * 1024 * 1024
CPU_S = 300
WAL_INDEX = 16 * 1024 * 1024
# sqlite-utils' list of applied migrations; never read.
_IGNORED = re.compile(r"(?:idx_)?_sqlite_migrations(?:_[a-z_]+)?|sqlite_autoindex__sqlite_migrations_\d")
_CLONE_NEWNET, _CLONE_NEWUSER, _PR_SET_NO_NEW_PRIVS = 0x40000000, 0x10000000, 38
_FACTS: tuple[tuple[str, type[Any]], ...] = (
    ("vantage", Vantage),
    ("run", Run),
    ("measurement", Measurement),
    ("observation", ObservationRow),
)


def main(path: str, with_ledger: str, seconds: str) -> int:
    """Read the database and write its facts to stdout. Returns the exit code."""
    try:
        # SQLite reads a -wal only with an index of it in a file beside (8 bytes a page); a copy's folder is ours.
        lock_up(int(seconds), writes=WAL_INDEX if _has_wal(path) else 0)
        count = 0
        for line in lines_of(path, int(seconds), with_ledger=with_ledger == "1"):
            sys.stdout.write(line + "\n")
            count += 1
        sys.stdout.write(f'{{"end":{count}}}\n')
        sys.stdout.flush()
    except ProbeError as error:
        return _fail(str(error))
    except sqlite3.Error as error:
        return _fail(f"SQLite says: {error}")
    except (MemoryError, OverflowError, UnicodeError, ValueError, RecursionError) as error:
        return _fail(f"holds a value that cannot be read ({type(error).__name__})")
    return 0


def _fail(text: str) -> int:
    sys.stderr.write(" ".join(text.split())[:200] + "\n")
    return 1


def lock_up(seconds: int, writes: int) -> None:
    """Give up what reading a file does not need: memory, time, files, children, network. Best effort per system.
    `writes` bounds the bytes of a file that may be written."""
    _leave_network()
    try:
        import resource
    except ImportError:  # Windows has no such limits; the parent's deadline and output bounds remain
        return
    wanted = [
        ("RLIMIT_AS", MEMORY), ("RLIMIT_CPU", min(CPU_S, seconds)), ("RLIMIT_FSIZE", writes), ("RLIMIT_NPROC", 0),
        ("RLIMIT_NOFILE", 16), ("RLIMIT_CORE", 0),
    ]  # fmt: skip
    for name, value in wanted:
        limit = getattr(resource, name, None)
        if limit is None:
            continue
        try:
            resource.setrlimit(limit, (value, value))
        except (ValueError, OSError):  # macOS refuses some of them
            continue


def _leave_network() -> None:
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWNET | _CLONE_NEWUSER)


# ---- the file ----


def lines_of(path: str, seconds: int, *, with_ledger: bool) -> Iterator[str]:
    """Every fact of the database as a line, checked. Raises BundleError, sqlite3.Error."""
    conn = open_hostile(path, seconds)
    version = check_schema(conn)
    if conn.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise BundleError("is damaged")
    conn.set_authorizer(_authorize)
    for name, cls in _FACTS:
        columns = [column.name for column in BY_NAME[name].columns]
        for values in _select(conn, BY_NAME[name]):
            row = cls(**dict(zip(columns, values, strict=True)))
            line = fact_line(row)
            # Reading back what is written applies every rule that a bundle's line would meet.
            check_row(parse_fact(line))
            yield line
    for sha256, media, size, data in _select(conn, BY_NAME["blob"]):
        blob = unpack_blob(sha256, media, size, data)
        if blob.size != size:
            raise BundleError("a blob is not the size it says")
        line = fact_line(blob)
        parse_fact(line)
        yield line
    for ledger in LEDGERS if with_ledger else ():
        if BY_NAME[ledger.table].since > version:
            continue
        for values in _select(conn, BY_NAME[ledger.table]):
            yield "#" + ledger_line(ledger(*values))


def open_hostile(path: str, seconds: int) -> sqlite3.Connection:
    """A connection that can do as little as SQLite allows to be said."""
    # With a -wal beside it (a copy, made by the parent) the file cannot be called immutable: its newest rows are there.
    flags = "mode=ro" if _has_wal(path) else "mode=ro&immutable=1"
    conn = sqlite3.connect(f"{Path(path).absolute().as_uri()}?{flags}", uri=True, isolation_level=None)
    for limit, value in (
        (sqlite3.SQLITE_LIMIT_LENGTH, LENGTH), (sqlite3.SQLITE_LIMIT_SQL_LENGTH, 20_000),
        (sqlite3.SQLITE_LIMIT_COLUMN, 64), (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 20),
        (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 2), (sqlite3.SQLITE_LIMIT_VDBE_OP, 25_000),
        (sqlite3.SQLITE_LIMIT_FUNCTION_ARG, 8), (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
        (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50), (sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 8),
        (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 1), (sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0),
    ):  # fmt: skip
        conn.setlimit(limit, value)
    if sys.version_info >= (3, 12):
        conn.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
        conn.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_VIEW, False)
        conn.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)
        conn.setconfig(sqlite3.SQLITE_DBCONFIG_TRUSTED_SCHEMA, False)
    deadline = time.monotonic() + seconds
    conn.set_progress_handler(lambda: int(time.monotonic() > deadline), 100_000)
    for pragma in (
        "trusted_schema = OFF",
        "cell_size_check = ON",
        "mmap_size = 0",
        "query_only = ON",
        "temp_store = 2",
    ):
        conn.execute(f"PRAGMA {pragma}")
    return conn


def _has_wal(path: str) -> bool:
    return Path(path + "-wal").exists()


def check_schema(conn: sqlite3.Connection) -> int:
    """Refuse a file whose version, tables, indexes, triggers or views are not ours to the letter. Returns the
    version."""
    version: int = max(1, conn.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise BundleError(f"has schema {version}, newer than this version knows ({SCHEMA_VERSION})")
    ours = _our_schema()
    seen = set()
    for row in conn.execute("SELECT type, name, tbl_name, sql FROM sqlite_master LIMIT 200"):
        if row in ours:
            seen.add(row)
        elif not _is_ignored(row):
            raise BundleError(f"holds a {_shown(row[0])} {_shown(row[1])} that is not of this program")
    expected = [table for table in BY_NAME.values() if table.since <= version]
    there = {name for kind, name, _, _ in seen if kind == "table"}
    missing = sorted({"about", *(table.name for table in expected)} - there)
    if missing:
        raise BundleError(f"lacks the table {missing[0]}; it is no database of this program")
    for table in expected:
        found = [(r[1], r[2], r[6]) for r in conn.execute(f"PRAGMA table_xinfo({table.name})")]
        if found != [(c.name, _TYPES[c.type], 0) for c in table.columns]:
            raise BundleError(f"the table {table.name} has other columns than ours")
    return version


_TYPES = {"text": "TEXT", "int": "INTEGER", "blob": "BLOB"}
_PYTHON = {"text": str, "int": int, "blob": bytes}


def _our_schema() -> set[tuple[str, str, str, str | None]]:
    memory = sqlite3.connect(":memory:")
    for statement in sqlite_ddl():
        memory.execute(statement)
    rows = set(memory.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))
    memory.close()
    return rows


def _is_ignored(row: tuple[Any, ...]) -> bool:
    kind, name, _, sql = row
    if kind not in ("table", "index") or not isinstance(name, str) or not _IGNORED.fullmatch(name):
        return False
    return sql is None or (isinstance(sql, str) and len(sql) < 1000 and _PLAIN_TABLE.match(sql) is not None)


# No virtual table, no generated column, no CHECK: quick_check would run what they say.
_PLAIN_TABLE = re.compile(
    r"CREATE (?:TABLE|UNIQUE INDEX|INDEX)\b(?!.*\b(?:AS|CHECK|GENERATED|VIRTUAL|WHERE)\b)", re.S | re.I
)


def _shown(value: object) -> str:
    return re.sub(r"[^\w.-]", "?", str(value)[:40])


def _select(conn: sqlite3.Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    """Rows of one of our tables, every value of its column's type."""
    names = ", ".join(column.name for column in table.columns)
    types = [(_PYTHON[column.type], column.null) for column in table.columns]
    for row in conn.execute(f"SELECT {names} FROM {table.name}"):
        for value, (kind, null) in zip(row, types, strict=True):
            if type(value) is not kind and not (null and value is None):
                raise BundleError(f"the table {table.name} holds a value of a wrong type")
        yield row


def _authorize(action: int, first: str | None, second: str | None, *rest: str | None) -> int:
    """Reading known columns is all that is allowed from now on."""
    if action == sqlite3.SQLITE_SELECT:
        return sqlite3.SQLITE_OK
    table = BY_NAME.get(first or "")
    is_ours = table is not None and (not second or any(column.name == second for column in table.columns))
    return sqlite3.SQLITE_OK if action == sqlite3.SQLITE_READ and is_ours else sqlite3.SQLITE_DENY
