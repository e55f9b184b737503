"""What `probe report` and the demo do: databases, judged where they are not yet, to cells, to a report.

Collected and merged databases carry facts and no opinions. A report judges them in copies of its own: the evidence
files stay as they came, to the byte.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from probe.app.judge import HEADLINE, field_measurements, rejudge
from probe.inputs.reference import load_reference
from probe.model.errors import StoreError
from probe.report.build import Wish, build, within
from probe.report.model import Report
from probe.store.sqlite import Store
from probe.verdict.reference import Reference
from probe.warehouse.cells import FLOOR, jeffreys, make_cube
from probe.warehouse.load import Warehouse, find_databases
from probe.warehouse.networks import read_networks


def make_report(
    databases: Iterable[Path], wish: Wish, tables: Iterable[Path] = (), span: str = "hour", floor: int = FLOOR
) -> Report:
    """The report of databases; `tables` name networks. Raises UsageError or StoreError when nothing can be read."""
    named = read_networks(tables)
    with judged(find_databases(databases)) as ready, Warehouse.open(ready, named.names) as warehouse:
        corpus = within(warehouse.corpus, wish)
        cube = make_cube(corpus.judged, span, floor)
        return build(corpus, cube, warehouse, wish, jeffreys, named.known)


@contextmanager
def judged(databases: Iterable[Path]) -> Iterator[list[Path]]:
    """The same databases, with judged copies in the place of those that hold measurements nobody has judged. Files
    that cannot be read are passed on as they are: the reader names them."""
    reference = load_reference()
    with tempfile.TemporaryDirectory(prefix="probe-report-") as folder:
        ready = []
        for number, path in enumerate(databases):
            copy = Path(folder) / str(number) / path.name
            try:
                ready.append(_judged_copy(path, copy, reference) if lacks_verdicts(path) else path)
            except StoreError:
                ready.append(path)
        yield ready


def lacks_verdicts(path: Path) -> bool:
    """Some field measurement has no headline by any ruleset. Raises StoreError."""
    with Store.open(path, create=False, writable=False) as store:
        have = {row[0] for row in store.query("SELECT measurement_id FROM verdict WHERE layer = ?", (HEADLINE,))}
        return any(m.measurement_id not in have for m in field_measurements(store))


def _judged_copy(path: Path, copy: Path, reference: Reference) -> Path:
    copy.parent.mkdir()
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source:
            with closing(sqlite3.connect(copy)) as target:
                source.backup(target)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from None
    with Store.open(copy, create=False) as store:
        rejudge(store, reference)
    return copy
