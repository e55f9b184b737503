"""Forgetting: the one exception to "facts are never deleted", since they are the volunteer's own.

Facts refuse DELETE by trigger. Here the triggers are taken down, rows deleted and the triggers put up again in one
transaction, so that a cut in the middle leaves everything as it was. Then the file is rebuilt and the log beside it
emptied: what was deleted is in no page of the database. What a disk, a snapshot or a backup keeps is beyond that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from probe.model.kinds import ControlAsk
from probe.store.schema import FACT_TABLES, delete_guard
from probe.store.sqlite import Store, store_errors

_DIGEST = re.compile(r"[0-9a-f]{64}")
_DOOMED = "SELECT measurement_id FROM temp.doomed"
# Controls that came from a database are named by the facts of what they answer for.
_NAMED = f"SELECT json_extract(detail, '$.measurement') AS named FROM observation WHERE kind = '{ControlAsk.kind}'"
_OF_CONTROLS = "SELECT run_id FROM run JOIN vantage USING (vantage_id) WHERE role = 'control'"


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows of each sort went, or would go. `vantages` are the ids of those that nothing refers to any more:
    their keys can go too."""

    measurements: int
    observations: int
    runs: int
    blobs: int
    receipts: int
    vantages: tuple[str, ...]


def measurements_of_run(store: Store, run_id: str) -> list[str]:
    """All that a run measured, canaries included."""
    return [str(row[0]) for row in store.query("SELECT measurement_id FROM measurement WHERE run_id = ?", (run_id,))]


def erase(store: Store, measurements: Iterable[str], runs: Iterable[str] = (), *, really: bool = True) -> Erased:
    """Delete measurements with all that hangs on them: their controls, facts, verdicts, bookkeeping; runs and vantage
    points that are left empty (of `runs` in any case); bodies and certificates that no other fact names. Without
    `really` all is counted and taken back. Raises StoreError; then nothing was deleted."""
    store.flush()
    run = store.db.conn.execute
    with store_errors(store.path):
        run("PRAGMA secure_delete = ON")
        run("CREATE TEMP TABLE IF NOT EXISTS doomed (measurement_id TEXT PRIMARY KEY)")
        run("DELETE FROM temp.doomed")
        store.db.conn.executemany("INSERT OR IGNORE INTO temp.doomed VALUES (?)", ((name,) for name in measurements))
        run("BEGIN IMMEDIATE")
        try:
            erased = _erase(store, tuple(runs))
            run("COMMIT" if really else "ROLLBACK")
        except BaseException:
            run("ROLLBACK")
            raise
        run("DELETE FROM temp.doomed")
        if really:
            rebuild(store)
    return erased


def rebuild(store: Store) -> None:
    """Write the file anew without its free pages, and empty the log."""
    run = store.db.conn.execute
    run("VACUUM")
    run("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _erase(store: Store, runs: tuple[str, ...]) -> Erased:
    run = store.db.conn.execute
    for table in FACT_TABLES:
        run(f"DROP TRIGGER {table.name}_no_delete")
    _doom_controls(store)
    touched = {str(row[0]) for row in run(f"SELECT run_id FROM measurement WHERE measurement_id IN ({_DOOMED})")}
    bundles = {str(row[0]) for row in run(f"SELECT bundle FROM sent WHERE measurement_id IN ({_DOOMED})")}
    for (name,) in run(_DOOMED).fetchall():
        # Quarantined rows are kept as text; an id is random, so it stands in those of this measurement alone.
        run("DELETE FROM quarantine WHERE instr(fact, ?)", (name,))
    counts = {
        table: run(f"DELETE FROM {table} WHERE measurement_id IN ({_DOOMED})").rowcount
        for table in ("observation", "verdict", "sent", "origin", "measurement")
    }
    receipts = sum(_delete_receipt(store, bundle) for bundle in bundles)
    gone = sum(_delete_run(store, name) for name in sorted(touched | set(runs)))
    vantages = tuple(
        str(row[0])
        for row in run("SELECT vantage_id FROM vantage WHERE vantage_id NOT IN (SELECT vantage_id FROM run)")
    )
    run("DELETE FROM vantage WHERE vantage_id NOT IN (SELECT vantage_id FROM run)")
    blobs = _delete_blobs(store)
    for table in FACT_TABLES:
        run(delete_guard(table.name))
    return Erased(counts["measurement"], counts["observation"], gone, blobs, receipts, vantages)


def _doom_controls(store: Store) -> None:
    """Controls that answer for what goes, and those taken from a database that nothing else names."""
    here, elsewhere = (f"{_NAMED} AND measurement_id {side} ({_DOOMED})" for side in ("IN", "NOT IN"))
    store.db.conn.execute(
        f"INSERT OR IGNORE INTO temp.doomed SELECT measurement_id FROM measurement WHERE answers IN ({_DOOMED}) "
        f"OR (measurement_id IN ({here}) AND run_id IN ({_OF_CONTROLS}) "
        f"AND NOT EXISTS (SELECT 1 FROM ({elsewhere}) WHERE named = measurement.measurement_id))"
    )


def _delete_receipt(store: Store, bundle: str) -> int:
    sql = "DELETE FROM receipt WHERE bundle = ? AND bundle NOT IN (SELECT bundle FROM sent)"
    return store.db.conn.execute(sql, (bundle,)).rowcount


def _delete_run(store: Store, run_id: str) -> int:
    sql = "DELETE FROM run WHERE run_id = ? AND run_id NOT IN (SELECT run_id FROM measurement)"
    return store.db.conn.execute(sql, (run_id,)).rowcount


def _delete_blobs(store: Store) -> int:
    """A blob stays when its digest stands anywhere in a fact that stays: kinds that this version does not know may name
    blobs in fields of their own."""
    run = store.db.conn.execute
    run("CREATE TEMP TABLE IF NOT EXISTS named (sha256 TEXT PRIMARY KEY)")
    run("DELETE FROM temp.named")
    for (detail,) in run("SELECT detail FROM observation"):
        store.db.conn.executemany(
            "INSERT OR IGNORE INTO temp.named VALUES (?)", ((name,) for name in _DIGEST.findall(detail))
        )
    return run("DELETE FROM blob WHERE sha256 NOT IN (SELECT sha256 FROM temp.named)").rowcount
