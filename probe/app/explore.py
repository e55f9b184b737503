"""A database in Datasette, with questions ready to ask: for a person who would rather click than write SQL.

Datasette serves what it opens to whoever reaches its port; on a shared machine that is every user, and a web page can
reach it by rebinding a name to 127.0.0.1. So it is told to let nobody in but who holds the one-time link, and listens
on loopback alone. It opens the file for reading only.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from probe.model.errors import UsageError
from probe.store.schema import TABLES, VIEWS
from probe.store.sqlite import Store


@dataclass(frozen=True, slots=True)
class Query:
    """A question: its name in URLs, what it asks, its SQL. Plain SQLite, so that `sqlite3` answers it as well."""

    name: str
    asks: str
    sql: str


QUERIES: tuple[Query, ...] = (
    Query(
        "outcomes",
        "What was found, by outcome",
        "SELECT outcome, count(*) AS targets FROM verdict WHERE layer = 'headline' GROUP BY outcome ORDER BY 2 DESC;",
    ),
    Query(
        "suspects",
        "What looks blocked, how, and on what evidence",
        "SELECT m.started_at, m.url, v.outcome, v.technique, v.rule_id, v.witness\n"
        "FROM verdict v JOIN measurement m USING (measurement_id)\n"
        "WHERE v.layer = 'headline' AND v.outcome IN ('blocked', 'likely_blocked') ORDER BY m.started_at DESC;",
    ),
    Query(
        "history",
        "How one site fared over time (here any whose name holds dawn)",
        "SELECT m.started_at, m.url, v.outcome, v.technique, v.reason\n"
        "FROM measurement m JOIN verdict v ON v.measurement_id = m.measurement_id AND v.layer = 'headline'\n"
        "WHERE m.url LIKE '%dawn%' ORDER BY m.started_at;",
    ),
    Query(
        "answers",
        "What each resolver said of a name, where they disagree",
        "SELECT host, qtype, count(DISTINCT answers) AS versions, group_concat(DISTINCT resolver) AS resolvers\n"
        "FROM obs_dns WHERE failure IS NULL AND qtype = 'A' GROUP BY measurement_id, host HAVING versions > 1;",
    ),
    Query(
        "handshakes",
        "Failed TLS handshakes: where, how they ended, how long it took",
        "SELECT host, ip, sni, failure, ended, took_us / 1000 AS took_ms\n"
        "FROM obs_tls WHERE failure IS NOT NULL ORDER BY host, at_us;",
    ),
    Query(
        "slow",
        "The slowest steps of each sort",
        "SELECT kind, host, ip, failure, max(took_us) / 1000 AS took_ms\n"
        "FROM observation WHERE took_us > 0 GROUP BY kind, host ORDER BY took_ms DESC LIMIT 50;",
    ),
    Query(
        "runs",
        "Each run with how many targets it measured and how many of them look blocked",
        "SELECT r.started_at, r.run_id, count(*) AS targets,\n"
        "  sum(v.outcome IN ('blocked', 'likely_blocked')) AS suspects\n"
        "FROM run r JOIN measurement m USING (run_id)\n"
        "JOIN verdict v ON v.measurement_id = m.measurement_id AND v.layer = 'headline'\n"
        "GROUP BY r.run_id ORDER BY r.started_at DESC;",
    ),
)
# What is worth counting in a table's margin.
FACETS: dict[str, list[str]] = {
    "verdict": ["layer", "outcome", "technique", "reason"],
    "observation": ["kind", "failure", "why"],
    "measurement": ["checks", "run_id"],
    "obs_dns": ["resolver", "qtype", "failure"],
    "obs_tls": ["ended", "failure", "version"],
    "obs_http": ["status", "failure", "protocol"],
}


def metadata(db: Path) -> dict[str, Any]:
    """Datasette's metadata for a database: what tables and columns mean, facets, questions, and who may look."""
    tables: dict[str, Any] = {
        table.name: {
            "description": f"{table.shelf}: {table.meaning}",
            "columns": {column.name: column.meaning for column in table.columns},
            "facets": FACETS.get(table.name, []),
        }
        for table in TABLES
    }
    for name, kind, _ in VIEWS:
        tables[name] = {"description": f"{kind} facts with named columns", "facets": FACETS.get(name, [])}
    queries = {q.name: {"title": q.asks, "sql": q.sql.rstrip(";")} for q in QUERIES}
    return {
        "title": "Vantage Probe",
        "description": "Facts as they were met, and what the rules make of them. Nothing here leaves this machine.",
        "allow": {"id": "root"},
        "databases": {db.stem: {"tables": tables, "queries": queries}},
    }


def command(db: Path, described: Path, port: int, *, browser: bool) -> list[str]:
    """How Datasette is started."""
    words = [sys.executable, "-m", "datasette", "serve", str(db), "--metadata", str(described), "--root"]
    words += ["--host", "127.0.0.1", "--port", str(port), "--setting", "allow_download", "off"]
    return [*words, "--open"] if browser else words


def explore(db: Path, port: int = 0, *, browser: bool = True) -> int:
    """Serve until Ctrl-C; Datasette's exit code. Raises UsageError when it is not installed, StoreError when the file
    is no database of ours."""
    if importlib.util.find_spec("datasette") is None:
        raise UsageError("Datasette is not installed: pip install 'vantage-probe[explore]'")
    Store.open(db, create=False, writable=False).close()
    with tempfile.TemporaryDirectory(prefix="probe-explore-") as folder:
        described = Path(folder) / "metadata.json"
        described.write_text(json.dumps(metadata(db)), encoding="utf-8")
        process = subprocess.Popen(command(db, described, port, browser=browser))
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The terminal gave Datasette the same Ctrl-C.
            process.wait()
            return 0
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
