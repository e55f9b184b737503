"""Comparing what the prober said with the truth. Pure: results in, numbers and tables out."""

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
    """One case as it went once. `said`, `meant` and `both` count technique prefixes (see `_prefix_counts`); all 0
    where the truth names no technique and none was called for. `placed` and `wanted_place` are (locus, hop) as said and
    as they are."""

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
    said: int = 0
    meant: int = 0
    both: int = 0
    placed: tuple[str | None, int | None] = (None, None)
    wanted_place: tuple[str | None, int | None] = (None, None)

    @property
    def is_exact(self) -> bool:
        """The technique is the truth's, no less and no more."""
        return self.said == self.meant == self.both

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


def result_of(row: dict[str, Any]) -> Result:
    """A result from its JSON form."""
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return Result(**values)


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
    return Result(
        case.id, case.kind, truth.outcome, outcome, right, case.kind == "innocent" and alarm,
        said.get("layer"), tuple(said["techniques"]), truth.techniques, said.get("reason"), tuple(said["rules"]),
        said["explanation"], said["took_ms"], *_counts(case, alarm, tuple(said["techniques"])),
        (said.get("locus"), said.get("hop")) if alarm else (None, None), (truth.locus, truth.hop),
    )  # fmt: skip


def _counts(case: LabCase, alarm: bool, got: tuple[str, ...]) -> tuple[int, int, int]:
    truth = case.truth
    if case.kind == "innocent":
        # Whatever is named here is named wrongly.
        return len(_all_prefixes(got)) if alarm else 0, 0, 0
    if not truth.techniques:
        return 0, 0, 0
    if not alarm and not set(truth.outcome) <= set(ALARMS):
        return 0, 0, 0  # another word may rightly be said, and it names nothing
    return _prefix_counts(truth.techniques, got if alarm else ())


def _all_prefixes(paths: Iterable[str]) -> set[str]:
    return {".".join(path.split(".")[: n + 1]) for path in paths for n in range(path.count(".") + 1)}


def _prefix_counts(wanted: Sequence[str], got: Sequence[str]) -> tuple[int, int, int]:
    """How many prefixes were said, meant, and both, against the alternative that fits best: `tls.reset` for
    `tls.reset.sni` counts 2, 3, 2."""
    said = _all_prefixes(got)
    best = max((_all_prefixes((path,)) for path in wanted), key=lambda w: len(w & said) / len(w | said))
    return len(said), len(best), len(best & said)


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
    """One paragraph for each case that was not right every time: false alarms first, then blocks missed, then the
    rest. Where a case was run several times, it says how often it failed and what was said last."""
    runs = Counter(r.id for r in results)
    failed = Counter(r.id for r in results if not r.right)
    # A dictionary keeps the last: the alarm, if there was one.
    wrong = {r.id: r for r in sorted((r for r in results if not r.right), key=lambda r: r.false_alarm)}
    rows = sorted(wrong.values(), key=lambda r: (not r.false_alarm, r.kind, r.id))
    return [_paragraph(r, f" in {failed[r.id]} of {runs[r.id]} runs" if runs[r.id] > 1 else "") for r in rows]


def _paragraph(r: Result, often: str) -> str:
    alarm = "FALSE ALARM " if r.false_alarm else ""
    got = " ".join(filter(None, (r.got, f"({r.reason})" if r.reason else "", r.layer, *r.techniques)))
    return (
        f"{alarm}{r.id} ({r.kind}): expected {' or '.join(r.expected)}, got {got}{often}\n"
        f"    {r.explanation}\n    {' '.join(r.rules)}"
    )


def by_technique(results: Sequence[Result]) -> str:
    """For each technique that a truth names: runs, how many were named in full, in part (a prefix, or more than the
    truth), wrongly, or missed; and the cases behind the last two."""
    rows: list[tuple[str, ...]] = [("technique", "runs", "full", "part", "wrong", "missed", "")]
    asked = [r for r in results if r.meant]
    if not asked:
        return ""
    for technique in sorted({r.wanted[0] for r in asked}):
        mine = [r for r in asked if r.wanted[0] == technique]
        full, missed = [r for r in mine if r.is_exact], [r for r in mine if not r.said]
        wrong = [r for r in mine if r.both <= 1 < r.said]
        part = len(mine) - len(full) - len(missed) - len(wrong)
        ids = " ".join(sorted({r.id for r in (*wrong, *missed)}))
        counts = (len(mine), len(full), part, len(wrong), len(missed))
        rows.append((technique, *(str(n) if n else "." for n in counts), ids))
    return "\n".join(f"{row[0]:26}{''.join(f'{cell:>8}' for cell in row[1:6])}  {row[6]}".rstrip() for row in rows)


def imprecise(results: Iterable[Result]) -> list[str]:
    """Right outcomes whose technique is less or other than the truth."""
    lines = [
        f"{r.id}: said {' '.join(r.techniques) or 'none'}, truth {' or '.join(r.wanted)}"
        for r in results
        if r.right and r.meant and not r.is_exact
    ]
    return sorted(set(lines))


def misplaced(results: Iterable[Result]) -> list[str]:
    """Blocks that were said to be done elsewhere than they are."""
    lines = [f"{r.id}: said {_place(r.placed)}, truth {_place(r.wanted_place)}" for r in results if r.is_misplaced]
    return sorted(set(lines))


def _place(place: Sequence[str | int | None]) -> str:
    locus, hop = place
    return f"{locus or 'nowhere'}{f' hop {hop}' if hop else ''}"


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """The numbers that decide. Technique precision and recall are hierarchical: prefixes rightly said of all that were
    said (false alarms count), and of all that the truths of blocking cases hold."""
    blocking = [r for r in results if r.kind == "blocking"]
    innocent = [r for r in results if r.kind == "innocent"]
    both = sum(r.both for r in results)
    return {
        "cases": len({r.id for r in results}),
        "runs": len(results),
        "blocking": len(blocking),
        "blocking_right": sum(r.right for r in blocking),
        "blocking_share": _share(sum(r.right for r in blocking), len(blocking)),
        "innocent": len(innocent),
        "innocent_right": sum(r.right for r in innocent),
        "false_alarms": sum(r.false_alarm for r in innocent),
        "technique_precision": _share(both, sum(r.said for r in results)),
        "technique_recall": _share(both, sum(r.meant for r in results)),
        "hops_named": sum(r.placed[1] is not None for r in blocking),
        "misplaced": sum(r.is_misplaced for r in results),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 3) if whole else None
