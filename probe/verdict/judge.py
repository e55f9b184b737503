"""Judging: findings in, verdicts out. Total (something is always said), independent of the order of facts, and it keeps
every rule that matched. It names no check: what to read out of the facts comes with the ruleset."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from probe.model.kinds import Conclusion
from probe.model.outcome import LAYERS, OUTCOMES, Layer
from probe.model.verdict import Judgement, LayerVerdict
from probe.verdict.case import Case, without_old_controls
from probe.verdict.explain import explain
from probe.verdict.findings import Findings
from probe.verdict.read import of_kind, walks_of
from probe.verdict.reference import Reference
from probe.verdict.rule import Rule, matching

CLAIMS = frozenset({"blocked", "likely_blocked"})
# Another way to the very page that the layers before it reach: browsers try it, and fall back without a word.
OPTIONAL: frozenset[Layer] = frozenset({"quic"})
MUTE = frozenset({"ok", "down", "insufficient"})


@dataclass(frozen=True, slots=True)
class Ruleset:
    """A version, its rows, and the reading that yields their findings."""

    version: str
    rules: tuple[Rule, ...]
    read: Callable[[Case, Reference], tuple[Findings, ...]]


@dataclass(frozen=True, slots=True)
class Decided:
    """A layer's verdict together with the findings it came from."""

    verdict: LayerVerdict
    findings: Findings


def judge(case: Case, reference: Reference, ruleset: Ruleset) -> Judgement:
    """The verdict of one field measurement. Raises nothing for any facts."""
    case = without_old_controls(case)
    decided = [decide(ruleset.rules, findings) for findings in ruleset.read(case, reference)]
    layers = _strongest_per_layer(decided)
    head = _headline(layers)
    claims = [d for d in layers if d.verdict.outcome in CLAIMS and d.verdict.outcome == head.verdict.outcome]
    techniques = tuple(d.verdict.technique for d in claims if d.verdict.technique)
    claimed = head.verdict.outcome in CLAIMS and bool(techniques)
    verdict = head.verdict
    return Judgement(
        measurement_id=case.measurement.measurement_id,
        outcome=verdict.outcome,
        reason=verdict.reason if verdict.outcome == "insufficient" else None,
        layer=verdict.layer if claimed else None,
        techniques=techniques if claimed else (),
        locus=verdict.locus if claimed else None,
        hop=verdict.hop if claimed else None,
        scope=head.findings.scope,
        host=head.findings.host,
        layers=tuple(d.verdict for d in layers),
        rules=tuple(dict.fromkeys(rule for d in layers for rule in d.verdict.matched)),
        ruleset=ruleset.version,
        reference=reference.digest,
        control=case.control_source,
        control_age_s=min((c.age_s for c in case.controls), default=None),
        attempts=_attempts(case, head.findings.host),
        explanation=explain(case, reference, head.findings, verdict, [d.findings.aside for d in layers]),
        siblings=_siblings(case),
        witness=verdict.witness,
    )


def decide(rules: tuple[Rule, ...], findings: Findings) -> Decided:
    """The verdict of one layer of one hop: the first matching rule of the lowest tier."""
    matched = matching(rules, findings.subject, findings.values)
    rule = matched[0]
    technique = None
    if rule.outcome in CLAIMS:
        technique = ".".join(part for part in (findings.technique, rule.technique) if part)
    verdict = LayerVerdict(
        layer=_layer_of(technique) or findings.layer,
        outcome=rule.outcome,
        reason=rule.reason,
        technique=technique,
        locus=findings.locus,
        hop=findings.located if rule.outcome in CLAIMS else None,
        rule=rule.id,
        matched=tuple(r.id for r in matched),
        witness=findings.witness,
    )
    return Decided(verdict, findings)


def _layer_of(technique: str | None) -> Layer | None:
    """The layer at which a technique shows: the first segment of its path (an unreachable address is `ip`)."""
    first = (technique or "").partition(".")[0]
    return next((layer for layer in LAYERS if layer == first), None)


def strength(decided: Decided) -> tuple[int, int, int]:
    """Sort key: strongest outcome first, then the earlier hop, then the earlier layer. What was merely not reached is
    weaker than any other reason, yet stronger than ok: a target of which a part was never tried was not found well."""
    verdict = decided.verdict
    rank = 2 * OUTCOMES.index(verdict.outcome) + (verdict.reason == "not_reached")
    return (rank, decided.findings.hop, LAYERS.index(verdict.layer))


def _strongest_per_layer(decided: Iterable[Decided]) -> list[Decided]:
    best: dict[Layer, Decided] = {}
    for item in sorted(decided, key=strength):
        best.setdefault(item.verdict.layer, item)
    return [best[layer] for layer in LAYERS if layer in best]


def _headline(layers: list[Decided]) -> Decided:
    """The strongest layer; among equals the earliest one (CONTRACT section 1). An optional way in that is down for
    everybody, or of which nothing can be said, speaks only where there is no other layer: it takes nothing from a site
    that was reached."""
    return min(layers, key=lambda d: (_is_mute(d.verdict), strength(d)[0], LAYERS.index(d.verdict.layer)))


def _is_mute(verdict: LayerVerdict) -> bool:
    return verdict.layer in OPTIONAL and verdict.outcome in MUTE


def _attempts(case: Case, host: str) -> int:
    return max((o.attempt for o in case.observations if o.host == host), default=1)


def _siblings(case: Case) -> tuple[str, ...]:
    """What the other scheme's port said: one short text each, never part of the headline."""
    out = []
    for walk in walks_of(case.observations):
        if walk.is_sibling:
            out.append(f"tcp {walk.port} {walk.connect.failure or 'ok'}")
    return tuple(dict.fromkeys(sorted(out)))


def ended(case: Case) -> str:
    """How asking ended: whole, budget or interrupted. Without a conclusion it was cut off."""
    last = [detail for _, detail in of_kind(case.observations, Conclusion)]
    if not last:
        return "interrupted"
    return {"fixpoint": "whole", "budget": "budget"}.get(last[-1].ended, "interrupted")
