"""How long an innocent visitor waits for a verdict, beside what `curl` takes for the same page, and the helper for its
own measurement: in one lab, one after the other, with nothing else running."""

from __future__ import annotations

import json
import sqlite3
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.lab.atlas import CONTROL, HELPER_PORT
from tests.lab.cases import LabCase, LineSpec, RunSpec
from tests.lab.world import Lab, open_lab

SAMPLE = 15
_CURL_S = 30
# Of each control measurement: the field measurement that it answers, and from its first fact to the end of its last.
_SPANS = """
SELECT field.url, max(span) FROM measurement AS field JOIN (
    SELECT m.answers AS asker, (max(o.at_us + coalesce(o.took_us, 0)) - min(o.at_us)) / 1000.0 AS span
    FROM measurement AS m JOIN observation AS o USING (measurement_id)
    WHERE m.answers IS NOT NULL GROUP BY m.measurement_id
) ON field.measurement_id = asker GROUP BY field.url
"""


@dataclass(frozen=True, slots=True)
class Timing:
    """One page, all in milliseconds: `took` to the verdict with nothing else in the run, `together` among the whole
    sample; by curl; the helper's own measurement, None where no helper answered."""

    id: str
    took: float
    together: float
    curl: float
    helper: float | None

    def ratio(self, rtt_ms: float) -> float:
        """The verdict's time, less one round trip to the helper, over the longer of the other two."""
        return (self.took - rtt_ms) / max(self.curl, self.helper or 0.0)


@dataclass(frozen=True, slots=True)
class Timings:
    """All of a sample. `rtt_ms` is the round trip to the helper, as curl's connect sees it."""

    rows: tuple[Timing, ...]
    rtt_ms: float

    def summary(self) -> dict[str, float]:
        return {
            "took_ms": _median(row.took for row in self.rows),
            "together_ms": _median(row.together for row in self.rows),
            "curl_ms": _median(row.curl for row in self.rows),
            "helper_ms": _median(row.helper for row in self.rows if row.helper is not None),
            "rtt_ms": round(self.rtt_ms, 1),
            "ratio": round(statistics.median(row.ratio(self.rtt_ms) for row in self.rows), 2),
        }

    def json(self) -> dict[str, Any]:
        return {"summary": self.summary(), "rows": [asdict(row) for row in self.rows]}

    def text(self) -> str:
        s = self.summary()
        return (
            f"median of {len(self.rows)} healthy pages: verdict {s['took_ms']} ms alone, {s['together_ms']} ms among "
            f"the others; curl {s['curl_ms']} ms, helper {s['helper_ms']} ms, round trip to it {s['rtt_ms']} ms; "
            f"(verdict alone - round trip) / max(curl, helper) {s['ratio']}"
        )


def sample(cases: Sequence[LabCase]) -> list[LabCase]:
    """Healthy pages on an ordinary line, spread over all that there are."""
    healthy = [
        case
        for case in cases
        if case.kind == "innocent" and case.truth.outcome == ("ok",) and not case.rules
        and case.line == LineSpec() and case.run == RunSpec()
    ]  # fmt: skip
    step = max(1, len(healthy) // SAMPLE)
    return healthy[::step][:SAMPLE]


def take_times(cases: Sequence[LabCase]) -> Timings:
    """Open a lab for a sample and measure. Raises LabError."""
    with open_lab(cases) as lab:
        urls = [case.url for case in cases]
        together = _took(lab, urls, lab.folder / "together.db")
        alone: dict[str, float] = {}
        helper: dict[str, float] = {}
        for case in cases:
            db = lab.folder / f"{case.id}.db"
            alone |= _took(lab, [case.url], db)
            helper |= _spans(db)
        rtt = _curl_ms(lab, f"http://{CONTROL[0]}:{HELPER_PORT}/v1/health", "time_connect")
        rows = [
            Timing(case.id, alone[case.url], together[case.url], _curl_ms(lab, case.url), helper.get(case.url))
            for case in cases
        ]
    return Timings(tuple(rows), rtt)


def _took(lab: Lab, urls: Sequence[str], db: Path) -> dict[str, float]:
    done = lab.run_probe(urls, db=db)
    lines = [json.loads(text) for text in done.stdout.splitlines() if text.startswith("{")]
    return {line["url"]: line["took_ms"] for line in lines}


def _spans(db: Path) -> dict[str, float]:
    with sqlite3.connect(db) as held:
        return dict(held.execute(_SPANS).fetchall())


def _curl_ms(lab: Lab, url: str, what: str = "time_total") -> float:
    """As a visitor's browser would: by name, through the provider's resolver, following redirects."""
    line = (
        "curl", "-sS", "-L", "--compressed", "--cookie", "", "--max-time", str(_CURL_S), "--cacert", str(lab.ca_file),
        "-o", "/dev/null", "-w", f"%{{{what}}}", url,
    )  # fmt: skip
    done = lab.volunteer(*line, timeout_s=_CURL_S + 5)
    return round(float(done.stdout or "0") * 1000, 1)


def _median(values: Any) -> float:
    found = list(values)
    return round(statistics.median(found), 1) if found else 0.0
