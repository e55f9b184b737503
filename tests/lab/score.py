"""Comparing what the prober said with the truth. Pure: results in, tables out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.lab.cases import LabCase

ALARMS = ("blocked", "likely_blocked")
_NOTHING = "(no line)"


@dataclass(frozen=True, slots=True)
class Result:
    """One case as it went once. `precision` and `recall` are of the sets of technique prefixes, None where neither
    side names one. `placed` and `wanted_place` are (locus, hop) as said and as they are."""

    id: str
    kind: str
    expected: tuple[str, ...]
    got: str
    right: bool
    false_alarm: bool
    layer: str | None
    techniques: tuple[str, ...]
    wanted: tuple[str, ...]
    reason: str | None
    rules: tuple[str, ...]
    explanation: str
    took_ms: int
    precision: float | None = None
    recall: float | None = None
    placed: tuple[str | None, int | None] = (None, None)
    wanted_place: tuple[str | None, int | None] = (None, None)

    @property
    def is_misplaced(self) -> bool:
        """It was said to be done elsewhere than it is. To say nothing of the place, or no more of it, is no mistake."""
        return any(
            said not in (None, "unknown", true)
            for said, true in zip(self.placed, self.wanted_place, strict=True)
            if true
        )

    def json(self) -> dict[str, Any]:
        return asdict(self)


def compare(case: LabCase, line: dict[str, Any] | None) -> Result:
    """One line of `probe run --json`, or None where there was none, against its case."""
    said: dict[str, Any] = line or {"outcome": _NOTHING, "rules": [], "techniques": [], "explanation": "", "took_ms": 0}
    truth, outcome = case.truth, said["outcome"]
    alarm = outcome in ALARMS
    right = outcome in truth.outcome
    if right and alarm and truth.layer:
        right = said["layer"] in truth.layer
    if right and outcome == "insufficient" and truth.reason:
        right = said["reason"] == truth.reason
    if alarm:
        precision, recall = _prefix_score(truth.techniques, tuple(said["techniques"]))
    else:
        # Saying nothing is never imprecise; where only a block is the truth, it tells none of it.
        precision, recall = None, 0.0 if truth.techniques and set(truth.outcome) <= set(ALARMS) else None
    return Result(
        case.id, case.kind, truth.outcome, outcome, right, case.kind == "innocent" and alarm,
        said.get("layer"), tuple(said["techniques"]), truth.techniques, said.get("reason"), tuple(said["rules"]),
        said["explanation"], said["took_ms"], precision, recall,
        (said.get("locus"), said.get("hop")) if alarm else (None, None), (truth.locus, truth.hop),
    )  # fmt: skip


def _prefixes(path: str) -> set[str]:
    parts = path.split(".")
    return {".".join(parts[:n]) for n in range(1, len(parts) + 1)}


def _prefix_score(wanted: Sequence[str], got: Sequence[str]) -> tuple[float | None, float | None]:
    """Hierarchical precision and recall against the alternative that fits best."""
    if not wanted or not got:
        return (None, None) if not wanted else (0.0, 0.0)
    said = set().union(*(_prefixes(path) for path in got))
    best = max((_prefixes(path) for path in wanted), key=lambda w: len(w & said) / len(w | said))
    return len(best & said) / len(said), len(best & said) / len(best)


def confusion(results: Sequence[Result]) -> str:
    """Expected outcome by outcome got, as text. Where several are right, the row is the one that was got, else the
    first."""
    cells = Counter((r.got if r.right else r.expected[0], r.got) for r in results)
    rows = sorted({row for row, _ in cells})
    columns = sorted({column for _, column in cells})
    width = max(14, *(len(word) for word in (*rows, *columns))) + 1
    lines = ["expected \\ got".ljust(width) + "".join(c.rjust(width) for c in columns)]
    for row in rows:
        numbers = "".join((str(cells[row, c]) if cells[row, c] else ".").rjust(width) for c in columns)
        lines.append(row.ljust(width) + numbers)
    return "\n".join(lines)


def misses(results: Sequence[Result]) -> list[str]:
    """One paragraph for each result that is not right: false alarms first, then blocks missed, then the rest."""
    wrong = sorted((r for r in results if not r.right), key=lambda r: (not r.false_alarm, r.kind, r.id))
    return [
        f"{'FALSE ALARM ' if r.false_alarm else ''}{r.id} ({r.kind}): expected {' or '.join(r.expected)}, got {r.got}"
        f"{f' ({r.reason})' if r.reason else ''} {r.layer or ''} {' '.join(r.techniques)}\n"
        f"    {r.explanation}\n    {' '.join(r.rules)}"
        for r in wrong
    ]


def imprecise(results: Iterable[Result]) -> list[str]:
    """Right outcomes whose technique is less or other than the truth."""
    return [
        f"{r.id}: said {' '.join(r.techniques) or 'none'}, truth {' or '.join(r.wanted)}"
        for r in results
        if r.right and r.recall is not None and (r.recall < 1 or (r.precision or 0) < 1)
    ]


def misplaced(results: Iterable[Result]) -> list[str]:
    """Blocks that were said to be done elsewhere than they are."""
    return [f"{r.id}: said {_place(r.placed)}, truth {_place(r.wanted_place)}" for r in results if r.is_misplaced]


def _place(place: Sequence[str | int | None]) -> str:
    locus, hop = place
    return f"{locus or 'nowhere'}{f' hop {hop}' if hop else ''}"


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """The numbers that decide."""
    blocking = [r for r in results if r.kind == "blocking"]
    innocent = [r for r in results if r.kind == "innocent"]
    precisions = [r.precision for r in blocking if r.precision is not None]
    recalls = [r.recall for r in blocking if r.recall is not None]
    return {
        "cases": len(results),
        "blocking": len(blocking),
        "blocking_right": sum(r.right for r in blocking),
        "innocent": len(innocent),
        "innocent_right": sum(r.right for r in innocent),
        "false_alarms": sum(r.false_alarm for r in innocent),
        "hops_named": sum(r.placed[1] is not None for r in blocking),
        "misplaced": sum(r.is_misplaced for r in results),
        "technique_precision": _mean(precisions),
        "technique_recall": _mean(recalls),
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 3) if values else None
