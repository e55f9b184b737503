"""Verdicts as values: one per layer, and a headline for the target. They carry what made them and can be recomputed."""

from __future__ import annotations

from dataclasses import dataclass, field

from probe.model.outcome import Layer, Locus, Outcome, Reason


@dataclass(frozen=True, slots=True)
class LayerVerdict:
    """What one layer's facts amount to. `rule` decided; `matched` are all rules that matched, in rule order;
    `witness` are the (measurement_id, seq) pairs behind it."""

    layer: Layer
    outcome: Outcome
    reason: Reason | None = None
    technique: str | None = None
    locus: Locus = "unknown"
    hop: int | None = None
    rule: str = ""
    matched: tuple[str, ...] = ()
    witness: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """Which part of the target a claim covers. `addresses` is "failing/tried"."""

    families: tuple[str, ...] = ()
    addresses: str = ""
    ports: tuple[int, ...] = ()
    resolvers: str = "all"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The headline of one measurement and the layers under it (CONTRACT section 4 names the fields)."""

    measurement_id: str
    outcome: Outcome
    reason: Reason | None
    layer: Layer | None
    techniques: tuple[str, ...]
    locus: Locus | None
    hop: int | None
    scope: Scope
    host: str
    layers: tuple[LayerVerdict, ...]
    rules: tuple[str, ...]
    ruleset: str
    reference: str
    control: str
    control_age_s: int | None
    attempts: int
    explanation: str
    siblings: tuple[str, ...] = ()
    witness: tuple[tuple[str, int], ...] = field(default=())
