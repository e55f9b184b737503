"""What `probe report` and the demo do: databases to cells to a report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from probe.report.build import Wish, build, within
from probe.report.model import Report
from probe.warehouse.cells import FLOOR, jeffreys, make_cube
from probe.warehouse.load import Warehouse
from probe.warehouse.networks import read_networks


def make_report(
    databases: Iterable[Path], wish: Wish, tables: Iterable[Path] = (), span: str = "hour", floor: int = FLOOR
) -> Report:
    """The report of databases; `tables` name networks. Raises UsageError or StoreError when nothing can be read."""
    named = read_networks(tables)
    with Warehouse.open(databases, named.names) as warehouse:
        corpus = within(warehouse.corpus, wish)
        cube = make_cube(corpus.judged, span, floor)
        return build(corpus, cube, warehouse, wish, jeffreys, named.known)
