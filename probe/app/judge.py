"""Judging what is stored: facts of a database in, verdict rows beside them. The same code serves a run and a
re-judging."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from probe.checks import RULESET
from probe.engine import FROM_DB
from probe.model.errors import BundleError, StoreError, TargetError
from probe.model.kinds import ControlAsk, HttpFetch
from probe.model.measurement import Measurement
from probe.model.observation import Observation
from probe.model.outcome import LAYERS
from probe.model.target import parse_target
from probe.model.vantage import Run, Vantage
from probe.model.verdict import Judgement, LayerVerdict
from probe.store.sqlite import Store, insert_statement
from probe.verdict.case import Case, Control, ControlSource
from probe.verdict.judge import judge
from probe.verdict.read import of_kind
from probe.verdict.reference import Reference
from probe.wire.facts import canonical, observation_of

HEADLINE = "headline"


@dataclass(frozen=True, slots=True)
class Rejudged:
    """What a re-judging did: measurements judged, how many headlines were new or differ from a stored one of the same
    ruleset and reference, and the ids that could not be read."""

    judged: int
    new: int
    changed: int
    unreadable: tuple[str, ...]


def judge_case(case: Case, reference: Reference) -> Judgement:
    """The verdict of a case by the current ruleset."""
    return judge(case, reference, RULESET)


def rejudge(store: Store, reference: Reference) -> Rejudged:
    """Judge every field measurement of a database again and store the verdicts."""
    judged = new = changed = 0
    unreadable = []
    for measurement in list(field_measurements(store)):
        try:
            judgement = judge_case(load_case(store, measurement), reference)
        except (BundleError, StoreError, TargetError) as error:
            unreadable.append(f"{measurement.measurement_id}: {error}")
            continue
        before = stored_rows(store, judgement)
        after = verdict_rows(judgement)
        judged += 1
        new += not before
        changed += bool(before) and sorted(before) != sorted(after)
        if sorted(before) != sorted(after):
            keep_verdict(store, judgement)
    return Rejudged(judged, new, changed, tuple(unreadable))


def field_measurements(store: Store, run_id: str | None = None) -> Iterator[Measurement]:
    """Field measurements of targets (canaries left out), in order of time."""
    where = (
        "run_id IN (SELECT run_id FROM run JOIN vantage USING (vantage_id) WHERE role = 'field') AND checks != 'line'"
    )
    params: tuple[str, ...] = ()
    if run_id is not None:
        where, params = where + " AND run_id = ?", (run_id,)
    return iter(sorted(store.rows(Measurement, where, params), key=lambda m: (m.started_at, m.measurement_id)))


def load_case(store: Store, measurement: Measurement) -> Case:
    """The case of a stored measurement: its facts, the controls that answer for it, the bodies it kept."""
    observations = observations_of(store, measurement.measurement_id)
    controls = tuple(_controls(store, measurement, observations))
    return Case(
        target=parse_target(measurement.url),
        measurement=measurement,
        observations=observations,
        controls=controls,
        control_source=control_source(observations, controls),
        vantage=vantage_of(store, measurement),
        bodies=_bodies(store, observations),
    )


def observations_of(store: Store, measurement_id: str) -> tuple[Observation, ...]:
    """A measurement's observations as values, in order of seq. Raises BundleError for malformed details."""
    return tuple(observation_of(row) for row in store.observations(measurement_id))


def vantage_of(store: Store, measurement: Measurement) -> Vantage | None:
    """Who measured; None when the rows are not here."""
    run = next(store.rows(Run, "run_id = ?", (measurement.run_id,)), None)
    return next(store.rows(Vantage, "vantage_id = ?", (run.vantage_id,)), None) if run else None


def _controls(store: Store, measurement: Measurement, observations: tuple[Observation, ...]) -> Iterator[Control]:
    named = [d.measurement for _, d in of_kind(observations, ControlAsk) if d.measurement]
    marks = ",".join("?" * len(named))
    where = f"answers = ? OR measurement_id IN ({marks})"
    found = list(store.rows(Measurement, where, (measurement.measurement_id, *named)))
    # The order in which answers came is the order in which the field learnt of them.
    order = {name: n for n, name in enumerate(named)}
    for control in sorted(found, key=lambda c: (order.get(c.measurement_id, len(order)), c.measurement_id)):
        yield Control(control, observations_of(store, control.measurement_id), seconds_between(measurement, control))


def control_source(observations: tuple[Observation, ...], controls: tuple[Control, ...]) -> ControlSource:
    """Where the comparison comes from, by the facts: a helper that answered, a database, one that failed, or
    nothing."""
    asks = [(o, d) for o, d in of_kind(observations, ControlAsk)]
    if any(o.failure is None and not d.helper.startswith(FROM_DB) for o, d in asks):
        return "helper"
    if controls or any(o.failure is None for o, _ in asks):
        return "db"
    return "unreachable" if asks else "none"


def seconds_between(a: Measurement, b: Measurement) -> int:
    """Seconds between two starts."""
    return round(abs((parse_time(a.started_at) - parse_time(b.started_at)).total_seconds()))


def parse_time(text: str) -> datetime:
    """RFC 3339 UTC as this program writes it. Raises BundleError."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
    except ValueError:
        raise BundleError(f"{text[:40]!r} is not a time") from None


def _bodies(store: Store, observations: tuple[Observation, ...]) -> dict[str, bytes]:
    bodies = {}
    for _, detail in of_kind(observations, HttpFetch):
        blob = store.blob(detail.body) if detail.body else None
        if blob is not None:
            bodies[blob.sha256] = blob.data
    return bodies


def keep_verdict(store: Store, judgement: Judgement) -> None:
    """Store a judgement: a row a layer and one for the headline. An equal key is replaced: same rules, same
    reference."""
    sql = insert_statement("verdict").replace("INSERT INTO", "INSERT OR REPLACE INTO")
    store.write(sql, verdict_rows(judgement))


def verdict_rows(judgement: Judgement) -> list[tuple[Any, ...]]:
    """A judgement as rows of the verdict table, in its column order."""
    j = judgement
    head_rule = next(
        (v.rule for v in j.layers if (v.outcome, v.reason) == (j.outcome, j.reason) and _is_head(j, v)), ""
    )
    head = (
        j.measurement_id, HEADLINE, j.ruleset, j.reference, j.outcome, " ".join(j.techniques) or None, head_rule,
        " ".join(j.rules), _witness(j.witness), j.reason, j.locus, canonical(headline_detail(j)),
    )  # fmt: skip
    return [head, *(_layer_row(j, v) for v in j.layers)]


def _is_head(j: Judgement, v: LayerVerdict) -> bool:
    return j.layer in (None, v.layer)


def _layer_row(j: Judgement, v: LayerVerdict) -> tuple[Any, ...]:
    detail = canonical({"hop": v.hop} if v.hop is not None else {})
    return (
        j.measurement_id, v.layer, j.ruleset, j.reference, v.outcome, v.technique, v.rule,
        " ".join(v.matched), _witness(v.witness), v.reason, v.locus, detail,
    )  # fmt: skip


def _witness(pairs: tuple[tuple[str, int], ...]) -> str:
    return " ".join(f"{measurement}:{seq}" for measurement, seq in pairs)


def headline_detail(j: Judgement) -> dict[str, Any]:
    """The parts of a headline that have no column of their own."""
    return {
        "layer": j.layer,
        "host": j.host,
        "hop": j.hop,
        "scope": scope_object(j),
        "explanation": j.explanation,
        "control": j.control,
        "control_age_s": j.control_age_s,
        "attempts": j.attempts,
        "siblings": list(j.siblings),
    }


def scope_object(j: Judgement) -> dict[str, Any]:
    """The scope as CONTRACT section 4 shows it."""
    return {
        "families": list(j.scope.families),
        "addresses": j.scope.addresses,
        "ports": list(j.scope.ports),
        "resolvers": j.scope.resolvers,
    }


def stored_rows(store: Store, judgement: Judgement) -> list[tuple[Any, ...]]:
    """The verdict rows already there for this measurement, ruleset and reference."""
    sql = "SELECT * FROM verdict WHERE measurement_id = ? AND ruleset = ? AND reference = ?"
    rows = store.query(sql, (judgement.measurement_id, judgement.ruleset, judgement.reference))
    return [tuple(row) for row in rows]


def run_line(judgement: Judgement, measurement: Measurement, target: str, inputs: tuple[str, ...], took_ms: int) -> str:
    """One line of `probe run --json` (CONTRACT section 4)."""
    j = judgement
    layers = {v.layer: v.outcome for v in sorted(j.layers, key=lambda v: LAYERS.index(v.layer))}
    value = {
        "measurement_id": j.measurement_id,
        "url": measurement.url,
        "target": target,
        "inputs": list(inputs),
        "host": j.host,
        "outcome": j.outcome,
        "reason": j.reason,
        "layer": j.layer,
        "techniques": list(j.techniques),
        "locus": j.locus,
        "hop": j.hop,
        "scope": scope_object(j),
        "layers": layers,
        "layer_reasons": {v.layer: v.reason for v in j.layers if v.reason},
        "siblings": list(j.siblings),
        "rules": list(j.rules),
        "ruleset": j.ruleset,
        "reference": j.reference,
        "control": j.control,
        "control_age_s": j.control_age_s,
        "attempts": j.attempts,
        "started_at": measurement.started_at,
        "took_ms": took_ms,
        "explanation": j.explanation,
    }
    return json.dumps(value, ensure_ascii=False)
