"""What a run leaves behind while it is under way, so that `probe run --resume` can go on after a cut, however it came.

Facts say what was measured; they do not say what was still wished for. So the plan lies in a file beside the database
from before the first packet until everything is measured. It is no fact and stays out of the database: it holds paths
as they were typed, and `probe send --raw` must not carry it away.

A resumed run is a run of its own, since it may start on another day and from another network; its configuration names
the run that it goes on from. A target is finished when a measurement of it came to its own end.
"""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from probe.app.judge import HEADLINE, field_measurements, judge_case, keep_verdict, load_case
from probe.app.look import Found, found_in
from probe.app.sitting import Item
from probe.app.wanted import Wanted
from probe.engine import STEPS_MAX
from probe.inputs.reference import load_reference
from probe.model.errors import BundleError, ProbeError, StoreError, TargetError, UsageError
from probe.model.kinds import Conclusion
from probe.model.target import parse_target
from probe.store.sqlite import Store
from probe.verdict.reference import Reference
from probe.wire.facts import load_object

SUFFIX = ".plan-"
PART = ".part"
VERSION = 1
# Plans given up lie about until this many newer ones are there.
KEPT = 5
_MAX_BYTES = 100_000_000
# What may be said anew when a run goes on; the rest is what makes it the same run.
ANEW = frozenset(
    {
        "controls", "concurrency", "max_time_s", "max_data", "max_rate", "proxy", "country", "network", "place",
        "access", "netdb", "ca_files", "deny",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The plan of a run that is not finished: its options, all its targets in their order, its seed, and the ids of the
    sittings so far, the first one first."""

    wanted: Wanted
    items: tuple[Item, ...]
    seed: int
    runs: tuple[str, ...] = ()


def plan_files(db: Path) -> list[Path]:
    """The plans left behind at a database, the newest first."""
    found = (path for path in db.parent.glob(glob.escape(db.name + SUFFIX) + "*") if path.suffix != PART)
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)


def _file_of(db: Path, plan: Unfinished) -> Path:
    return db.with_name(f"{db.name}{SUFFIX}{plan.runs[0][:8]}")


def remember(db: Path, plan: Unfinished) -> None:
    """Write it down, whole or not at all. Raises StoreError."""
    path = _file_of(db, plan)
    _write(path, plan)
    for old in plan_files(db)[KEPT:]:
        old.unlink(missing_ok=True)


def _write(path: Path, plan: Unfinished) -> None:
    value = {
        "version": VERSION,
        "wanted": _plain(plan.wanted),
        "seed": plan.seed,
        "runs": list(plan.runs),
        "items": [[item.target.url, item.target.category, list(item.inputs)] for item in plan.items],
    }
    part = path.with_name(path.name + PART)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(value, file, ensure_ascii=True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None


def forget_plan(db: Path, plan: Unfinished) -> None:
    """The run is finished."""
    _file_of(db, plan).unlink(missing_ok=True)


def recall(db: Path) -> Unfinished | None:
    """The newest plan left behind, if any. Raises UsageError when it cannot be understood."""
    path = next(iter(plan_files(db)), None)
    return None if path is None else recall_file(path)


def recall_file(path: Path) -> Unfinished:
    """The plan in a file. Raises UsageError when it cannot be understood."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UsageError(f"{path}: too large for a plan")
        value = load_object(path.read_text(encoding="utf-8"))
        if value["version"] != VERSION:
            raise UsageError(f"{path}: left by another version of this program; delete it and begin a new run")
        items = tuple(
            Item(parse_target(url, category=category), tuple(inputs)) for url, category, inputs in value["items"]
        )
        return Unfinished(_wanted(value["wanted"]), items, int(value["seed"]), tuple(value["runs"]))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (BundleError, TargetError, ValueError, KeyError, TypeError):
        raise UsageError(f"{path}: damaged; delete it and begin a new run") from None


def rewrite(path: Path, keep: Callable[[Item], bool]) -> None:
    """Take targets out of a plan, and out of its options, where URLs stand as they were typed. Raises UsageError,
    StoreError."""
    plan = recall_file(path)
    wanted = replace(plan.wanted, urls=tuple(url for url in plan.wanted.urls if keep(Item(parse_target(url)))))
    _write(path, replace(plan, wanted=wanted, items=tuple(item for item in plan.items if keep(item))))


def _plain(wanted: Wanted) -> dict[str, Any]:
    """The options as JSON, paths made absolute: a run may go on from another folder."""

    def plain(value: Any) -> Any:
        if isinstance(value, Path):
            return str(value.absolute())
        return [plain(one) for one in value] if isinstance(value, list | tuple) else value

    controls = [str(Path(c).absolute()) if Path(c).exists() else c for c in wanted.controls]
    campaign = wanted.campaign
    if campaign and Path(campaign).is_file():
        campaign = str(Path(campaign).absolute())
    values = {f.name: getattr(wanted, f.name) for f in fields(wanted)} | {"controls": controls, "campaign": campaign}
    return {name: plain(value) for name, value in values.items()}


def _wanted(value: dict[str, Any]) -> Wanted:
    """The options back; what this version does not know is dropped."""
    known = {f.name: f.type for f in fields(Wanted)}

    def typed(name: str, one: Any) -> Any:
        if isinstance(one, list):
            return tuple(Path(part) if "Path" in str(known[name]) else part for part in one)
        return Path(one) if one is not None and "Path" in str(known[name]) else one

    return Wanted(**{name: typed(name, one) for name, one in value.items() if name in known})


# ---- going on ----


@dataclass(frozen=True, slots=True)
class GoOn:
    """A run to go on with: its plan with what was said anew, what is left of it, and what was found in it so far."""

    plan: Unfinished
    left: tuple[Item, ...]
    found: tuple[Found, ...]


def go_on(wanted: Wanted, typed: frozenset[str]) -> GoOn:
    """The unfinished run of a database. `typed` are the names of the options that were given; those that make up what
    the run is cannot be changed. Raises UsageError."""
    db = wanted.database
    plan = recall(db)
    if plan is None:
        raise UsageError(f"nothing to go on with: no unfinished run at {db}")
    other = sorted(typed - ANEW - {"db"})
    if other:
        raise UsageError(f"--resume goes on with the targets and options of that run; leave out: {', '.join(other)}")
    anew = {name: getattr(wanted, name) for name in typed & ANEW}
    if "deny" in anew:
        anew["deny"] = (*plan.wanted.deny, *wanted.deny)
    plan = replace(plan, wanted=replace(plan.wanted, db=wanted.db, **anew))
    if not db.exists():
        return GoOn(plan, plan.items, ())
    with Store.open(db, create=False, writable=False) as store:
        done = finished_urls(store, plan.runs)
        found = [one for run in plan.runs for one in found_in(store, run) if one.measurement.url in done]
    # An earlier attempt at the same target was cut off, so the last word counts.
    latest = {one.measurement.url: one for one in found if one.headline is not None}
    left = tuple(item for item in plan.items if item.target.url not in done)
    return GoOn(plan, left, tuple(latest.values()))


def conclude(earlier: GoOn) -> None:
    """A run of which nothing is left: what was not judged is, and its plan goes. Raises StoreError."""
    db = earlier.plan.wanted.database
    with Store.open(db, create=False) as store:
        judge_rest(store, earlier.plan.runs, load_reference())
    forget_plan(db, earlier.plan)


def finished_urls(store: Store, runs: tuple[str, ...]) -> frozenset[str]:
    """The URLs that came to the end of their asking in any of the runs; kill -9, Ctrl-C and a budget end none, and a
    line that was dead at the time has answered nothing."""
    marks = ",".join("?" * len(runs))
    rows = store.query(
        "SELECT url, o.detail FROM observation o JOIN measurement m USING (measurement_id) "
        f"WHERE kind = ? AND run_id IN ({marks}) AND checks != 'line' AND NOT EXISTS (SELECT 1 FROM verdict v "
        "WHERE v.measurement_id = m.measurement_id AND layer = ? AND reason = 'no_network')",
        (Conclusion.kind, *runs, HEADLINE),
    )
    return frozenset(url for url, detail in rows if _came_to_its_end(detail))


def _came_to_its_end(detail: str) -> bool:
    value = load_object(detail)
    # The last bound on steps is one measurement's own; a budget is the run's.
    return value.get("ended") == "fixpoint" or int(value.get("steps", 0)) >= STEPS_MAX


def judge_rest(store: Store, runs: tuple[str, ...], reference: Reference) -> int:
    """Judge what was measured in the runs and never judged, since the program was killed in between. How many."""
    known = {row[0] for row in store.query("SELECT measurement_id FROM verdict WHERE layer = ?", (HEADLINE,))}
    left = [m for run in runs for m in field_measurements(store, run) if m.measurement_id not in known]
    judged = 0
    for measurement in left:
        try:
            keep_verdict(store, judge_case(load_case(store, measurement), reference))
            judged += 1
        except ProbeError:
            # A fact that cannot be read now is what `probe judge` names; it is no reason not to go on.
            continue
    return judged
