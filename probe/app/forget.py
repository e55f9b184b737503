"""What `probe forget` does: a run, a target, or everything that this home keeps.

It promises that nothing forgotten is in the database or its log any more, and that files it deletes were overwritten
first. It cannot promise more, and says so: what a disk keeps in worn cells, a file system in its journal, somebody in a
backup, a collector in its own database.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from probe.app.campaign import FOLDER as CAMPAIGNS
from probe.app.consent import FILE as CONSENT_FILE
from probe.app.home import home_dir
from probe.app.lock import HOME_LOCK, lock_of, only_run
from probe.app.look import typed_rows
from probe.app.outbox import default_outbox
from probe.app.pack import files_of_vantage
from probe.app.prepare import DENY_FILE
from probe.app.unfinished import plan_files, recall_file, rewrite
from probe.model.errors import StoreError, TargetError, UsageError
from probe.model.measurement import Measurement
from probe.model.target import parse_target
from probe.store.erase import Erased, erase, measurements_of_run
from probe.store.sqlite import Store

HONEST = """\
What this cannot reach: copies that you sent, handed on or backed up; reports and bundles saved elsewhere; what a
collector took in. A flash disk or a journaling file system may keep old blocks for a while; only an encrypted disk
makes those unreadable."""
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Plan:
    """What would be forgotten: `words` for the person, `erased` counts of rows, and how to do it."""

    words: str
    erased: Erased | None
    files: tuple[Path, ...]
    do: Callable[[], None]


def forget_run(db: Path, run_id: str) -> Plan:
    """One run. Raises StoreError."""
    with Store.open(db, create=False) as store:
        counted = erase(store, measurements_of_run(store, run_id), (run_id,), really=False)
    plans = tuple(path for path in plan_files(db) if _is_of(path, run_id))

    def do() -> None:
        with only_run(db), Store.open(db, create=False) as store:
            gone = erase(store, measurements_of_run(store, run_id), (run_id,))
        _remove([*_keys(gone), *plans])

    return Plan(f"run {run_id[:8]}: {_counts(counted)}", counted, (*_keys(counted), *plans), do)


def forget_target(db: Path, text: str) -> Plan:
    """A host with all below it, or one URL where a path is named: in every run. Raises UsageError, StoreError."""
    matches = _matcher(text)
    with Store.open(db, create=False) as store:
        counted = erase(store, _measurements(store, matches), really=False)

    def do() -> None:
        with only_run(db), Store.open(db, create=False) as store:
            gone = erase(store, _measurements(store, matches))
            for path in plan_files(db):
                rewrite(path, lambda item: not matches(item.target.url))
        _remove(_keys(gone))

    return Plan(f"{text} in every run: {_counts(counted)}", counted, _keys(counted), do)


def forget_everything(db: Path) -> Plan:
    """The database with its plans, and what this home keeps: keys, tokens, outbox, consent, agreements to campaigns,
    deny list. A collector's folder stays: it holds what others sent."""
    home = home_dir()
    beside = [db.with_name(db.name + suffix) for suffix in ("", "-wal", "-shm", "-journal")]
    kept = [path for folder in ("keys", "tokens", "outbox") for path in sorted((home / folder).glob("*"))]
    agreements = sorted((home / CAMPAIGNS).glob("*.json"))
    named = [*beside, *plan_files(db), *kept, *agreements, home / CONSENT_FILE, home / DENY_FILE]
    files = tuple(path for path in named if path.is_file())

    def do() -> None:
        with only_run(db):
            _remove(files)
        _remove(path for path in (lock_of(db), home / HOME_LOCK) if path.is_file())

    return Plan(f"everything: {len(files)} files", None, files, do)


def _is_of(plan: Path, run_id: str) -> bool:
    try:
        return run_id in recall_file(plan).runs
    except UsageError:  # damaged: nobody can go on with it, and it may name anything
        return True


def left_in_home() -> list[Path]:
    """What is still in the home, and was never ours to delete."""
    home = home_dir()
    return sorted(path for path in home.rglob("*") if path.is_file()) if home.is_dir() else []


def _matcher(text: str) -> Callable[[str], bool]:
    target = parse_target(text)
    whole_host = "/" not in text.partition("://")[2].rstrip("/") if "://" in text else "/" not in text.rstrip("/")

    def matches(url: str) -> bool:
        try:
            other = parse_target(url)
        except TargetError:
            return False
        if whole_host:
            return other.host == target.host or other.host.endswith("." + target.host)
        return other.normal == target.normal

    return matches


def _measurements(store: Store, matches: Callable[[str], bool]) -> list[str]:
    return [m.measurement_id for m in typed_rows(store, Measurement) if matches(m.url)]


def _counts(erased: Erased) -> str:
    if not erased.measurements and not erased.runs:
        raise UsageError("nothing to forget: no such measurement in this database")
    parts = [
        (erased.measurements, "measurement"), (erased.observations, "fact"), (erased.blobs, "page or certificate"),
        (erased.runs, "run"), (erased.receipts, "receipt"),
    ]  # fmt: skip
    return ", ".join(f"{n} {word}{'s' * (n != 1)}" for n, word in parts if n)


def _keys(erased: Erased) -> tuple[Path, ...]:
    """What belongs to vantage points that are gone; and the outbox, where facts may be in envelopes that nobody here
    can look into. What is still to be sent is put into new ones."""
    return (*(path for name in erased.vantages for path in files_of_vantage(name)), *default_outbox().files())


def _remove(paths: Iterable[Path]) -> None:
    """Overwrite and delete. Raises StoreError at the first that cannot be."""
    for path in paths:
        try:
            _overwrite(path)
            path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreError(f"{path}: cannot be deleted: {error.strerror}") from None


def _overwrite(path: Path) -> None:
    with open(path, "r+b", buffering=0) as file:
        left = os.fstat(file.fileno()).st_size
        while left > 0:
            left -= file.write(bytes(min(left, _CHUNK)))
        os.fsync(file.fileno())
