"""Forgetting: what goes is in no byte of the file, what stays is whole, and facts are guarded as before."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest

from probe.model.measurement import Measurement
from probe.model.observation import Blob
from probe.model.vantage import Run, Vantage
from probe.store.erase import Erased, erase, measurements_of_run
from probe.store.sqlite import Store, insert_statement
from probe.wire.facts import ObservationRow, canonical

NOW = "2026-01-01T00:00:00.000000Z"
SHARED = b"a page that both of them were given " * 30
# Kept as it is: zlib would hide the words from a search of the bytes.
SECRET = b"only-in-the-one-that-goes"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def measured(store: Store, run: str, name: str, url: str, control: str, *pages: bytes, asks: str = "") -> None:
    store.append(Measurement(name, run, url, "web", NOW))
    for n, page in enumerate(pages):
        store.append(Blob(sha(page), "text/html", page))
        store.append(ObservationRow(name, n, "http.fetch", canonical({"url": url, "body": sha(page)}), host=url[8:20]))
    store.append(Measurement(control, "c" * 32, url, "web", NOW, name))
    store.append(ObservationRow(control, 0, "tcp.connect", "{}", host=url[8:20]))
    if asks:
        detail = canonical({"helper": "db:x", "url": url, "measurement": asks})
        store.append(ObservationRow(name, 90, "control.ask", detail))
    store.flush()
    store.write(insert_statement("sent"), [(name, f"bundle-{run[0]}"), (name, "bundle-both")])
    verdict = (name, "headline", "1", "f" * 64, "blocked", None, "X", "X", "", None, None, canonical({"host": url}))
    store.write(insert_statement("verdict"), [verdict])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.open(tmp_path / "r.db")
    for name, role in (("1", "field"), ("2", "field"), ("3", "control"), ("4", "control")):
        store.append(Vantage(name * 32, role))  # type: ignore[arg-type]
    for run, vantage in (("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")):
        store.append(Run(run * 32, vantage * 32, NOW))
    # A control out of a database, named by both.
    store.append(Measurement("9" * 32, "d" * 32, "https://both.example/", "web", NOW))
    measured(store, "a" * 32, "5" * 32, "https://gone.example/", "6" * 32, SHARED, SECRET, asks="9" * 32)
    measured(store, "b" * 32, "7" * 32, "https://stays.example/", "8" * 32, SHARED, asks="9" * 32)
    receipts = [(bundle, "https://c.example", NOW, "{}") for bundle in ("bundle-a", "bundle-b", "bundle-both")]
    store.write(insert_statement("receipt"), receipts)
    store.write(insert_statement("quarantine"), [("q" * 64, "s", "b", canonical({"measurement_id": "5" * 32}))])
    return store


def bytes_of(path: Path) -> bytes:
    return b"".join(p.read_bytes() for p in path.parent.glob(path.name + "*"))


def test_a_run_goes_with_all_that_hangs_on_it(store: Store) -> None:
    assert SECRET in bytes_of(store.path) and b"gone.example" in bytes_of(store.path)
    erased = erase(store, measurements_of_run(store, "a" * 32), ("a" * 32,))
    assert erased == Erased(2, 4, 1, 1, 1, ("1" * 32,))
    assert SECRET not in bytes_of(store.path) and b"gone.example" not in bytes_of(store.path)
    assert ("5" * 32).encode() not in bytes_of(store.path) and ("1" * 32).encode() not in bytes_of(store.path)


def test_what_stays_is_whole(store: Store) -> None:
    erase(store, ["5" * 32])
    left = {row[0] for row in store.query("SELECT measurement_id FROM measurement")}
    assert left == {name * 32 for name in "789"}
    assert store.blob(sha(SHARED)) is not None
    assert {row[0] for row in store.query("SELECT bundle FROM receipt")} == {"bundle-b", "bundle-both"}
    assert store.query("PRAGMA integrity_check") == [("ok",)]
    erased = erase(store, ["7" * 32])
    # Now nobody names the control out of the database any more.
    assert erased.measurements == 3 and store.query("SELECT count(*) FROM vantage") == [(0,)]


@pytest.mark.parametrize("table", ["vantage", "run", "measurement", "observation", "blob"])
def test_facts_are_guarded_as_before(store: Store, table: str) -> None:
    before = store.query("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY 1")
    erase(store, ["5" * 32])
    assert store.query("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY 1") == before
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        store.db.conn.execute(f"DELETE FROM {table}")


def test_counting_changes_nothing(store: Store) -> None:
    before = store.query("SELECT * FROM observation"), store.query("SELECT * FROM sqlite_master ORDER BY name")
    assert erase(store, ["5" * 32], really=False).measurements == 2
    assert (
        store.query("SELECT * FROM observation"),
        store.query("SELECT * FROM sqlite_master ORDER BY name"),
    ) == before


def test_a_failure_in_the_middle_leaves_everything(store: Store) -> None:
    store.db.conn.execute("CREATE TRIGGER stubborn BEFORE DELETE ON receipt BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(Exception, match="no"):
        erase(store, ["5" * 32])
    assert store.query("SELECT count(*) FROM measurement") == [(5,)]
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        store.db.conn.execute("DELETE FROM observation")
