"""Made-up facts for the tests of bundles, merging and intake. Ids are derived from small numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from probe.model.measurement import Measurement
from probe.model.observation import Blob
from probe.model.vantage import Run, Vantage
from probe.store.sqlite import Store
from probe.wire.facts import ObservationRow, Row, canonical

END = canonical({"ended": "fixpoint"})


def name(number: int) -> str:
    """A 128-bit id."""
    return f"{number:032x}"


def page(text: str) -> Blob:
    """A blob of HTML."""
    data = text.encode()
    return Blob(hashlib.sha256(data).hexdigest(), "text/html", data)


def measured(number: int, *, run: int = 1, answers: int | None = None, ended: bool = True, note: str = "") -> list[Row]:
    """A measurement with a lookup, a fetch and its page."""
    blob = page(f"<p>page {number} {note}</p>" * 20)
    lookup = canonical({"resolver": "system", "qtype": "A", "note": note})
    fetch = canonical({"url": f"https://site{number}.example/", "status": 200, "body": blob.sha256, "from_newer": [1]})
    mid = name(number)
    rows: list[Row] = [
        Measurement(
            mid,
            name(run),
            f"https://site{number}.example/",
            "web",
            f"2026-11-24T10:00:{number % 60:02d}.000000Z",
            None if answers is None else name(answers),
        ),
        ObservationRow(mid, 0, "dns.lookup", lookup, host=f"site{number}.example"),
        ObservationRow(mid, 1, "http.fetch", fetch, ip="192.0.2.1", port=443),
        ObservationRow(mid, 2, "kind.of_tomorrow", canonical({"deep": [{"x": 1.5}]})),
    ]
    if ended:
        rows.append(ObservationRow(mid, 3, "measurement.end", END))
    return [*rows, blob]


def sitting(numbers: Iterable[int], *, vantage: int = 1, run: int = 1, note: str = "") -> list[Row]:
    """A vantage point, a run, and its measurements, each answered by a control (number + 1000)."""
    when = "2026-11-24T09:00:00.000000Z"
    rows: list[Row] = [
        Vantage(name(vantage), "field", cc="PK", asn=64500),
        Vantage(name(900), "control"),
        Run(name(run), name(vantage), when),
        Run(name(900), name(900), when),
    ]
    for number in numbers:
        rows += measured(number, run=run, note=note)
        rows += measured(number + 1000, run=900, answers=number)
    return rows


def fill(path: Path, rows: Iterable[Row]) -> Path:
    """A database that holds the rows."""
    with Store.open(path) as store:
        for row in rows:
            store.append(row)
    return path


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every fact table's rows, in order."""
    keys = {"vantage": "1", "run": "1", "measurement": "1", "observation": "1, 2", "blob": "1"}
    with Store.open(path, create=False, writable=False) as store:
        return {table: store.query(f"SELECT * FROM {table} ORDER BY {order}") for table, order in keys.items()}
