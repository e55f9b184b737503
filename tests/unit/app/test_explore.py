"""Questions that plain SQLite answers, and a database that Datasette shows to nobody else."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from probe.app.explore import FACETS, QUERIES, Query, command, metadata
from probe.cli import root
from probe.model.measurement import Measurement
from probe.model.vantage import Run, Vantage
from probe.store.schema import BY_NAME, VIEWS
from probe.store.sqlite import Store, insert_statement
from probe.wire.facts import ObservationRow, canonical

NOW = "2026-01-01T00:00:00.000000Z"
NAME = "a" * 32


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "results.db"
    with Store.open(path) as store:
        store.append(Vantage("v" * 32, "field"))
        store.append(Run("b" * 32, "v" * 32, NOW))
        store.append(Measurement(NAME, "b" * 32, "https://www.dawn.com/", "web", NOW))
        for n, ip in enumerate(("192.0.2.1", "10.10.34.35")):
            answers = [{"name": "www.dawn.com", "type": "A", "ttl": 60, "data": ip}]
            detail = canonical({"resolver": f"udp://192.0.2.{n}", "qtype": "A", "answers": answers})
            store.append(ObservationRow(NAME, n, "dns.lookup", detail, host="www.dawn.com", took_us=20_000))
        detail = canonical({"sni": "www.dawn.com", "ended": "rst"})
        failed = ObservationRow(NAME, 2, "tls.handshake", detail, host="www.dawn.com", ip="192.0.2.1", port=443,
                                failure="connection_reset", took_us=40_000)  # fmt: skip
        store.append(failed)
        store.flush()
        row = (NAME, "headline", "1", "f" * 64, "blocked", "tls.reset", "T", "T", "", None, "path", "{}")
        store.write(insert_statement("verdict"), [row])
    return path


@pytest.mark.parametrize("query", QUERIES, ids=lambda q: q.name)
def test_plain_sqlite_answers_every_question(db: Path, query: Query) -> None:
    with sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True) as conn:
        rows = conn.execute(query.sql).fetchall()
    assert rows, query.sql
    wanted = {"outcomes": ("blocked", 1), "handshakes": ("www.dawn.com",), "answers": ("www.dawn.com", "A", 2)}
    expected = wanted.get(query.name, ())
    assert rows[0][: len(expected)] == expected


def test_there_are_at_least_five_and_the_page_has_them() -> None:
    page = (Path(__file__).parents[3] / "docs" / "database.md").read_text(encoding="utf-8")
    assert len(QUERIES) >= 5 and all(query.sql.splitlines()[0] in page for query in QUERIES)


def test_facets_are_columns_that_are_there() -> None:
    views = {name: set(fields) | {"failure"} for name, _, fields in VIEWS}
    for table, names in FACETS.items():
        known = views.get(table) or {column.name for column in BY_NAME[table].columns}
        assert set(names) <= known, table


def test_the_metadata_explains_every_column_and_lets_nobody_else_in(db: Path) -> None:
    said = CliRunner().invoke(root, ["explore", "--db", str(db), "--metadata"])
    value = json.loads(said.stdout)
    assert value == metadata(db) and value["allow"] == {"id": "root"}
    assert value["databases"]["results"]["tables"]["verdict"]["columns"]["outcome"]


def test_without_datasette_it_says_what_to_install(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = CliRunner().invoke(root, ["explore", "--db", str(db)])
    assert said.exit_code != 0 and "vantage-probe[explore]" in str(said.exception)


def test_what_is_no_database_of_ours_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"not one" * 100)
    assert CliRunner().invoke(root, ["explore", "--db", str(tmp_path / "x.db"), "--no-browser"]).exit_code != 0


@pytest.mark.parametrize(("locked", "status"), [(True, 1), (False, 0)])
def test_datasette_answers_nobody_without_the_link(db: Path, tmp_path: Path, locked: bool, status: int) -> None:
    pytest.importorskip("datasette")
    value = metadata(db)
    # Without the lock, to see that it is the lock that keeps others out and not a slip in the question.
    described = value if locked else {name: part for name, part in value.items() if name != "allow"}
    (tmp_path / "m.json").write_text(json.dumps(described))
    words = command(db, tmp_path / "m.json", 0, browser=False)
    assert words[:3] == [sys.executable, "-m", "datasette"] and "--root" in words and "127.0.0.1" in words
    # Datasette's own way of asking itself one question, without a server.
    asked = [*(w for w in words if w != "--root"), "--get", "/results/outcomes.json?_shape=array"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stderr
    if not locked:
        assert json.loads(done.stdout) == [{"outcome": "blocked", "targets": 1}]
