"""Looking at a database: its runs, what each found, one measurement with its facts, controls and verdicts.

A database may come from a stranger, so every row is decoded strictly before anything is made of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from probe.app.home import default_db
from probe.checks import RULESET
from probe.inputs.reference import load_reference
from probe.model.errors import BundleError, StoreError, UsageError
from probe.model.measurement import Measurement
from probe.model.observation import Observation
from probe.model.vantage import Run, Vantage
from probe.store.schema import BY_NAME
from probe.store.sqlite import Store
from probe.wire.codec import CodecError, decode
from probe.wire.facts import ObservationRow, load_object, observation_of

HEADLINE = "headline"
SHORTEST = 4
_HEX = re.compile(r"[0-9a-f]{1,32}")
T = TypeVar("T")
_TABLE: dict[type[Any], str] = {
    Vantage: "vantage",
    Run: "run",
    Measurement: "measurement",
    ObservationRow: "observation",
}


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """A row of the verdict table."""

    measurement_id: str
    layer: str
    ruleset: str
    reference: str
    outcome: str
    technique: str | None
    rule_id: str
    matched: str
    witness: str
    reason: str | None
    locus: str | None
    detail: str

    @property
    def explanation(self) -> str:
        """The sentence of a headline; empty on other layers."""
        try:
            said = load_object(self.detail).get("explanation", "")
        except BundleError:
            return ""
        return said if isinstance(said, str) else ""


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run: its vantage point (None when its row is missing), how many targets, how many of each outcome."""

    run: Run
    vantage: Vantage | None
    targets: int
    outcomes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """One measurement and its headline, if it was judged."""

    measurement: Measurement
    headline: VerdictRow | None


@dataclass(frozen=True, slots=True)
class Shown:
    """One measurement in full. `controls` are those that answer for it, each with its facts; `verdicts` by one ruleset
    and reference, `others` the (ruleset, reference) pairs of the verdicts not shown."""

    measurement: Measurement
    vantage: Vantage | None
    facts: tuple[Observation, ...]
    controls: tuple[tuple[Measurement, tuple[Observation, ...]], ...]
    verdicts: tuple[VerdictRow, ...]
    others: tuple[tuple[str, str], ...] = ()


@contextmanager
def looking(db: Path | None) -> Iterator[Store]:
    """A database open for reading, ours by default. Raises StoreError, also for rows of wrong types."""
    path = db or default_db()
    if db is None and not path.exists():
        raise StoreError(f"nothing measured yet ({path}): run `probe demo` or `probe run`, or name a file with --db")
    with Store.open(path, create=False, writable=False) as store:
        try:
            yield store
        except (CodecError, BundleError) as error:
            raise StoreError(f"{path}: holds malformed rows: {error}") from None


def runs(store: Store) -> list[RunLine]:
    """Every run of a field vantage point, the newest first."""
    vantages = {v.vantage_id: v for v in typed_rows(store, Vantage)}
    found = [r for r in typed_rows(store, Run) if getattr(vantages.get(r.vantage_id), "role", "field") == "field"]
    return [_run_line(store, r, vantages.get(r.vantage_id)) for r in sorted(found, key=_newest, reverse=True)]


def _newest(run: Run) -> tuple[str, str]:
    return run.started_at, run.run_id


def _run_line(store: Store, run: Run, vantage: Vantage | None) -> RunLine:
    found = found_in(store, run.run_id)
    words = [one.headline.outcome if one.headline else "not judged" for one in found]
    counts = {word: words.count(word) for word in dict.fromkeys(sorted(words))}
    return RunLine(run, vantage, len(found), tuple(counts.items()))


def found_in(store: Store, run_id: str) -> list[Found]:
    """The measurements of targets in a run (canaries left out), in order of time, with headlines."""
    where = "run_id = ? AND checks != 'line'"
    measurements = sorted(
        typed_rows(store, Measurement, where, (run_id,)), key=lambda m: (m.started_at, m.measurement_id)
    )
    within = "layer = 'headline' AND measurement_id IN (SELECT measurement_id FROM measurement WHERE run_id = ?)"
    by_id: dict[str, list[VerdictRow]] = {}
    for row in _verdicts(store, within, (run_id,)):
        by_id.setdefault(row.measurement_id, []).append(row)
    return [Found(m, next(iter(chosen(by_id.get(m.measurement_id, []))), None)) for m in measurements]


def whole_id(store: Store, table: str, text: str) -> str:
    """The full id that an abbreviation of at least 4 hex digits means. Raises UsageError: unknown, ambiguous."""
    short = text.strip().lower()
    column = f"{table}_id"
    if not _HEX.fullmatch(short) or len(short) < SHORTEST:
        raise UsageError(f"{text[:40]!r} is no id: at least {SHORTEST} of its hex digits are needed")
    sql = f"SELECT {column} FROM {table} WHERE {column} >= ? AND {column} < ? ORDER BY 1 LIMIT 6"
    found = [str(row[0]) for row in store.query(sql, (short, short + "g"))]
    if not found:
        raise UsageError(f"no {table} {short!r} in {store.path}")
    if len(found) > 1:
        few = ", ".join(one[: len(short) + 4] for one in found[:5])
        raise UsageError(f"{short!r} may be {few}{' or more' if len(found) > 5 else ''}: give more digits")
    return found[0]


def show(store: Store, measurement_id: str) -> Shown:
    """Everything about one measurement. Raises UsageError when it is not there."""
    measurement = next(typed_rows(store, Measurement, "measurement_id = ?", (measurement_id,)), None)
    if measurement is None:
        raise UsageError(f"no measurement {measurement_id!r} in {store.path}")
    run = next(typed_rows(store, Run, "run_id = ?", (measurement.run_id,)), None)
    vantage = next(typed_rows(store, Vantage, "vantage_id = ?", (run.vantage_id,)), None) if run else None
    facts = _facts(store, measurement_id)
    named = [str(name) for o in facts if (name := getattr(o.detail, "measurement", None))]
    marks = ",".join("?" * len(named))
    where = f"answers = ? OR measurement_id IN ({marks})"
    controls = [
        (m, _facts(store, m.measurement_id)) for m in typed_rows(store, Measurement, where, (measurement_id, *named))
    ]
    rows = list(_verdicts(store, "measurement_id = ?", (measurement_id,)))
    picked = chosen(rows)
    pairs = sorted({(r.ruleset, r.reference) for r in rows} - {(r.ruleset, r.reference) for r in picked})
    return Shown(measurement, vantage, facts, tuple(controls), tuple(picked), tuple(pairs))


def chosen(rows: Sequence[VerdictRow]) -> list[VerdictRow]:
    """The rows of one ruleset and reference: those this version would write, else the last in text order."""
    pairs = {(row.ruleset, row.reference) for row in rows}
    current = (RULESET.version, load_reference().digest)
    pair = current if current in pairs else max(pairs, default=current)
    return [row for row in rows if (row.ruleset, row.reference) == pair]


def _facts(store: Store, measurement_id: str) -> tuple[Observation, ...]:
    rows = typed_rows(store, ObservationRow, "measurement_id = ?", (measurement_id,))
    return tuple(observation_of(row) for row in sorted(rows, key=lambda row: row.seq))


def typed_rows(store: Store, cls: type[T], where: str = "1", params: Sequence[Any] = ()) -> Iterator[T]:
    """Rows of a fact table, every value of the type it claims. Raises CodecError."""
    names = [c.name for c in BY_NAME[_TABLE[cls]].columns]
    sql = f"SELECT {', '.join(names)} FROM {_TABLE[cls]} WHERE {where}"
    for row in store.query(sql, params):
        yield decode(cls, dict(zip(names, row, strict=True)))


def _verdicts(store: Store, where: str, params: Sequence[Any]) -> Iterator[VerdictRow]:
    names = [c.name for c in BY_NAME["verdict"].columns]
    for row in store.query(f"SELECT {', '.join(names)} FROM verdict WHERE {where} ORDER BY layer", params):
        yield decode(VerdictRow, dict(zip(names, row, strict=True)))


def verdict_object(row: VerdictRow) -> dict[str, Any]:
    """A verdict row as JSON, lists as lists."""
    return {
        "layer": row.layer, "outcome": row.outcome, "reason": row.reason,
        "techniques": (row.technique or "").split(), "rule": row.rule_id, "matched": row.matched.split(),
        "witness": row.witness.split(), "locus": row.locus, "ruleset": row.ruleset, "reference": row.reference,
        "detail": json.loads(row.detail),
    }  # fmt: skip
