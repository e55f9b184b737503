"""Databases from outside: an honest one is read in full, a hostile one is refused fast, in one line."""

from __future__ import annotations

import random
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from probe.model.errors import BundleError
from probe.store.foreign import ForeignLimits, read_foreign
from probe.store.ledger import Origin, Quarantined, Vouched
from probe.store.sqlite import Store, insert_statement
from probe.store.union import add_rows, every_fact
from probe.wire.facts import check_row
from tests.unit.store.attacks import ATTACKS
from tests.unit.store.facts import contents, fill, measured, name, sitting

LIMITS = ForeignLimits(seconds=20)
QUICK_S = 15


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An honest database as bytes, so that each test may spoil its own copy."""
    return fill(tmp_path_factory.mktemp("good") / "a.db", sitting(range(1, 9))).read_bytes()


def test_an_honest_database_is_read_in_full(tmp_path: Path) -> None:
    path = fill(tmp_path / "a.db", sitting([1, 2, 3]))
    with Store.open(path, writable=False) as store:
        assert sorted(map(repr, read_foreign(path))) == sorted(map(repr, every_fact(store)))


def test_a_database_in_use_is_read_with_its_newest_rows(tmp_path: Path) -> None:
    path = fill(tmp_path / "a.db", sitting([1]))
    with Store.open(path) as store:
        for row in measured(2):
            store.append(row)
        store.flush()
        assert (tmp_path / "a.db-wal").stat().st_size > 0
        assert sorted(map(repr, read_foreign(path))) == sorted(map(repr, every_fact(store)))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.db"]


@pytest.mark.parametrize("page", [512, 65536])
def test_odd_but_honest_page_sizes(tmp_path: Path, good: bytes, page: int) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(good)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode = DELETE")
        conn.execute(f"PRAGMA page_size = {page}")
        conn.execute("VACUUM")
    assert len(list(read_foreign(path))) == 4 + 8 * 2 * 6


@pytest.mark.parametrize("what", ATTACKS)
def test_an_attack_is_refused(what: str, tmp_path: Path, good: bytes) -> None:
    path = tmp_path / "bad.db"
    path.write_bytes(good)
    ATTACKS[what](path)
    before = path.read_bytes()
    began = time.monotonic()
    with pytest.raises(BundleError) as caught:
        list(read_foreign(path, LIMITS))
    assert time.monotonic() - began < QUICK_S
    assert "\n" not in str(caught.value) and "Traceback" not in str(caught.value)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["bad.db"], "nothing is written beside it"


@pytest.mark.parametrize("seed", range(25))
def test_flipped_bits_are_refused_or_give_sound_rows(seed: int, tmp_path: Path, good: bytes) -> None:
    """SQLite has no checksums: some damage reads like other values. Whatever comes out keeps every rule."""
    chance = random.Random(seed)
    spoiled = bytearray(good)
    for _ in range(chance.choice((1, 5, 40))):
        at = chance.randrange(100, len(spoiled))
        spoiled[at] ^= 1 << chance.randrange(8)
    path = tmp_path / "bad.db"
    path.write_bytes(spoiled)
    try:
        for row in read_foreign(path, LIMITS):
            assert not isinstance(row, Origin | Quarantined | Vouched)
            check_row(row)
    except BundleError as error:
        assert "\n" not in str(error)


def test_bounds_on_what_the_child_may_say(tmp_path: Path, good: bytes) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(good)
    for limits in (ForeignLimits(file=1000), ForeignLimits(lines=5), ForeignLimits(out=2000), ForeignLimits(line=50)):
        with pytest.raises(BundleError):
            list(read_foreign(path, limits))


def test_a_slow_child_is_ended(tmp_path: Path, good: bytes) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(good)
    with pytest.raises(BundleError):
        list(read_foreign(path, ForeignLimits(seconds=0)))


def test_the_ledger_comes_along_only_when_asked(tmp_path: Path) -> None:
    path = fill(tmp_path / "a.db", sitting([1]))
    with Store.open(path) as store:
        store.write(insert_statement("origin"), [(name(1), "a.vpb", "b" * 64, "")])
        store.write(insert_statement("quarantine"), [("c" * 64, "a.vpb", "another row", "{}")])
    rows = list(read_foreign(path, with_ledger=True))
    assert rows[-2:] == [Origin(name(1), "a.vpb", "b" * 64, ""), Quarantined("c" * 64, "a.vpb", "another row", "{}")]
    assert not any(isinstance(row, Origin | Quarantined | Vouched) for row in read_foreign(path))


@pytest.mark.skipif(sys.platform != "linux", reason="the limits that Linux has")
def test_the_child_can_neither_write_nor_connect(tmp_path: Path) -> None:
    code = f"""
import resource, socket, sys
from probe.store.jail import lock_up
lock_up(10, 0)
problems = []
try:
    with open({str(tmp_path / "x")!r}, "wb", buffering=0) as file:
        file.write(b"x")
    problems.append("wrote")
except OSError:
    pass
with socket.socket() as sock:
    sock.settimeout(3)
    try:
        sock.connect(("127.0.0.1", int(sys.argv[1])))
        problems.append("connected")
    except OSError:
        pass
assert resource.getrlimit(resource.RLIMIT_AS)[1] == 1024 ** 3
print(",".join(problems))
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = subprocess.run(
            [sys.executable, "-c", code, str(server.getsockname()[1])], capture_output=True, text=True, timeout=30
        )
    assert done.returncode == 0, done.stderr
    assert "wrote" not in done.stdout
    if "connected" in done.stdout:
        pytest.skip("this system does not let an ordinary process leave the network")


def test_a_failing_child_gives_nothing_to_a_transaction(tmp_path: Path, good: bytes) -> None:
    path = tmp_path / "bad.db"
    path.write_bytes(good)
    ATTACKS["blob with another digest"](path)
    with Store.open(tmp_path / "c.db") as store, pytest.raises(BundleError):
        add_rows(store, read_foreign(path), "bad.db")  # type: ignore[arg-type]
    assert not any(contents(tmp_path / "c.db").values())
