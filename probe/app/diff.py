"""What changed between two runs, and what is new in one. A run and those that went on with it count as one.

A change of outcome between two moments is no change of the censor by itself: the line, the place or the control may
have changed too. So what differs in the vantage point or the rules is said first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from probe.app.look import Found, found_in, typed_rows
from probe.app.summary import SUSPECT
from probe.model.errors import BundleError, TargetError
from probe.model.target import parse_target
from probe.model.vantage import Run, Vantage
from probe.store.sqlite import Store
from probe.wire.facts import load_object

Sort = Literal["blocked_now", "not_blocked_now", "other", "unsure", "only_first", "only_second", "same"]
SORTS: tuple[Sort, ...] = ("blocked_now", "not_blocked_now", "other", "unsure", "only_first", "only_second", "same")
SAID: dict[Sort, str] = {
    "blocked_now": "looks blocked in the second only",
    "not_blocked_now": "looked blocked in the first only",
    "other": "differs otherwise",
    "unsure": "could be said in one of them only",
    "only_first": "measured in the first only",
    "only_second": "measured in the second only",
    "same": "the same in both",
}
Seen = dict[str, Found]


@dataclass(frozen=True, slots=True)
class Change:
    """One target in two runs; None where a run has no verdict of it. `target` is its normal form."""

    target: str
    sort: Sort
    first: Found | None
    second: Found | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Two runs beside each other. `apart` says in words what else differs between them."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    changes: tuple[Change, ...]
    apart: tuple[str, ...]


def chain_of(store: Store, run_id: str) -> tuple[str, ...]:
    """The sittings of the run that this one belongs to, the first one first."""
    before = {run.run_id: named for run in typed_rows(store, Run) if (named := resumes(run))}
    chain = [run_id]
    # A database may come from a stranger, so links may run in circles.
    while (earlier := before.get(chain[0])) is not None and earlier not in chain:
        chain.insert(0, earlier)
    after = {earlier: run for run, earlier in before.items()}
    while (later := after.get(chain[-1])) is not None and later not in chain:
        chain.append(later)
    return tuple(chain)


def resumes(run: Run) -> str | None:
    """The run that this one went on from."""
    try:
        named = load_object(run.config).get("resumes")
    except BundleError:
        return None
    return named if isinstance(named, str) else None


def latest_runs(store: Store) -> list[tuple[str, ...]]:
    """The chains of field runs that measured targets, the newest first."""
    sql = (
        "SELECT run_id FROM run JOIN vantage USING (vantage_id) WHERE role = 'field' AND EXISTS "
        "(SELECT 1 FROM measurement m WHERE m.run_id = run.run_id AND m.checks != 'line') ORDER BY started_at DESC, 1"
    )
    chains = (chain_of(store, str(row[0])) for row in store.query(sql))
    return list(dict.fromkeys(chains))


def seen_in(store: Store, runs: Iterable[str]) -> Seen:
    """The last settled word on each target in some runs, by normal URL; what was cut off says nothing."""
    seen: Seen = {}
    for run in runs:
        for found in found_in(store, run):
            if found.headline is None or found.headline.reason in ("interrupted", "budget"):
                continue
            try:
                seen[parse_target(found.measurement.url).normal] = found
            except TargetError:
                continue
    return seen


def difference(store: Store, first: tuple[str, ...], second: tuple[str, ...]) -> Difference:
    """Two runs, each as its chain of sittings."""
    one, two = seen_in(store, first), seen_in(store, second)
    changes = [_change(target, one.get(target), two.get(target)) for target in sorted(one | two)]
    changes.sort(key=lambda change: (SORTS.index(change.sort), change.target))
    return Difference(first, second, tuple(changes), tuple(_apart(store, first[-1], second[-1], one, two)))


def _change(target: str, first: Found | None, second: Found | None) -> Change:
    return Change(target, _sort(outcome_of(first), outcome_of(second)), first, second)


def _sort(first: str, second: str) -> Sort:
    if not first or not second:
        return "only_first" if first else "only_second"
    if first == second:
        return "same"
    if "insufficient" in (first, second):
        return "unsure"
    if (first in SUSPECT) != (second in SUSPECT):
        return "blocked_now" if second in SUSPECT else "not_blocked_now"
    return "other"


def outcome_of(found: Found | None) -> str:
    """The outcome's word, or nothing."""
    return found.headline.outcome if found is not None and found.headline is not None else ""


def _apart(store: Store, first: str, second: str, one: Seen, two: Seen) -> Iterable[str]:
    here, there = (_vantage(store, run) for run in (first, second))
    if here is None or there is None:
        yield "one of them has no vantage point"
        return
    words = {
        "cc": "country",
        "asn": "network",
        "place": "place",
        "access": "kind of line",
        "version": "program version",
    }
    for name, word in words.items():
        a, b = getattr(here, name), getattr(there, name)
        if a != b:
            yield f"{word}: {a or 'not told'} in the first, {b or 'not told'} in the second"
    rulesets = [sorted({f.headline.ruleset for f in seen.values() if f.headline}) for seen in (one, two)]
    if rulesets[0] != rulesets[1] and all(rulesets):
        yield "they were judged by different rules: `probe judge` makes them comparable"


def _vantage(store: Store, run_id: str) -> Vantage | None:
    run = next(typed_rows(store, Run, "run_id = ?", (run_id,)), None)
    return next(typed_rows(store, Vantage, "vantage_id = ?", (run.vantage_id,)), None) if run else None


# ---- what is new, for scheduled runs ----


def news(store: Store, runs: tuple[str, ...]) -> tuple[Change, ...]:
    """Targets of a run whose settled state is another than the last one before it, from whatever run. What cannot be
    said is no news, and neither is a target that works when it is met for the first time."""
    chains = latest_runs(store)
    earlier = chains[chains.index(runs) + 1 :] if runs in chains else chains
    before: Seen = {}
    for chain in reversed(earlier):
        before |= {t: f for t, f in seen_in(store, chain).items() if outcome_of(f) != "insufficient"}
    changes = [_change(t, before.get(t), found) for t, found in sorted(seen_in(store, runs).items())]
    return tuple(change for change in changes if _is_news(change))


def _is_news(change: Change) -> bool:
    if change.sort == "only_second":
        return outcome_of(change.second) in SUSPECT
    # Between blocked and likely_blocked only the evidence changed.
    both = {outcome_of(change.first), outcome_of(change.second)} <= set(SUSPECT)
    return change.sort in ("blocked_now", "not_blocked_now", "other") and not both
