"""A report as values: what report.json holds, field by field. `schema.py` renders its JSON Schema from here.

Every text that came from a database has passed `words.tame` by the time it is in one of these. Times are RFC 3339 UTC;
an empty text means not known, unless a field says null. Fields are only ever added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from probe.model.cell import Interval
from probe.model.outcome import Outcome

FORMAT = "vantage-probe-report/1"
EventKind = Literal["blocking", "general_outage", "site_down", "instrument"]
Answer = Literal["supported", "contradicted", "insufficient"]


@dataclass(frozen=True, slots=True)
class InputRow:
    """A database: `digest` is SHA-256 over its facts in key order; an unreadable one has an `error` instead."""

    name: str
    digest: str
    measurements: int
    judged: int
    error: str


@dataclass(frozen=True, slots=True)
class Software:
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Period:
    """`since` and `until` are what was asked for, `first` and `last` the measurements found; `bin` is hour or day."""

    since: str
    until: str
    first: str
    last: str
    bin: str


@dataclass(frozen=True, slots=True)
class Method:
    """`floor` is the number of vantage points below which a state is insufficient; `level` that of the intervals."""

    floor: int
    level: float
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """Numbers of the headline. `outcomes` counts target and network pairs by their finding's outcome."""

    targets: int
    networks: int
    vantage_points: int
    runs: int
    measurements: int
    not_judged: int
    outcomes: Mapping[str, int]
    blocked_targets: int
    likely_blocked_targets: int
    sentence: str


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """A network measured from; `who_says` counts vantage points by who told us that this is their network."""

    network: str
    asn: int | None
    countries: tuple[str, ...]
    places: tuple[str, ...]
    gateways: tuple[str, ...]
    vantage_points: int
    measurements: int
    who_says: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class CellRow:
    """One cell (CONTRACT section 6). `counts` of measurements and `votes` of vantage points per outcome."""

    target: str
    network: str
    country: str
    place: str
    access: str
    gateway: str
    layer: str
    bin: str
    measurements: int
    vantage_points: int
    counts: Mapping[str, int]
    votes: Mapping[str, int]
    techniques: Mapping[str, int]
    reasons: Mapping[str, int]
    state: Outcome
    p_blocked: Interval | None
    witness: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """When a switch happened: not before `earliest`, not after `latest`. Null where nothing bounds it; `median` is
    the middle of both for now, and null when one is."""

    earliest: str | None
    latest: str | None
    median: str | None


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of an event with one way of failing."""

    since: str
    until: str
    state: Outcome
    techniques: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One fact, told: `role` is field or control, `details` are (label, text) pairs."""

    measurement_id: str
    seq: int
    role: str
    kind: str
    at: str
    text: str
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Witness:
    """One measurement that speaks for an event: its facts, and what the control saw of the same."""

    measurement_id: str
    started_at: str
    network: str
    place: str
    outcome: Outcome
    rule: str
    explanation: str
    own: tuple[Exhibit, ...]
    control: tuple[Exhibit, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that began and perhaps ended. `clear_places` are places of the same networks where the target was
    reached meanwhile. `speaking` of `vantage_points` vantage points met it; `affected` of `measurements`, of which
    `unsettled` could not say."""

    id: str
    kind: EventKind
    state: Outcome
    targets: tuple[str, ...]
    networks: tuple[str, ...]
    places: tuple[str, ...]
    clear_places: tuple[str, ...]
    access: tuple[str, ...]
    gateways: tuple[str, ...]
    techniques: tuple[str, ...]
    locus: tuple[str, ...]
    rules: tuple[str, ...]
    onset: Span
    ending: Span
    first_seen: str
    last_seen: str
    stages: tuple[Stage, ...]
    measurements: int
    affected: int
    unsettled: int
    vantage_points: int
    speaking: int
    corroborated: bool
    confidence: Interval | None
    explanation: str
    witnesses: tuple[Witness, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """One bin of a finding's time line, over all places: `state` as cells have it."""

    bin: str
    state: Outcome
    measurements: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A target on a network over the whole period. `outcome` is that of its worst event, else what the votes of the
    period say; `events` are the ids of its blocking events."""

    target: str
    network: str
    country: str
    outcome: Outcome
    measurements: int
    vantage_points: int
    counts: Mapping[str, int]
    reasons: Mapping[str, int]
    first: str
    last: str
    explanation: str
    events: tuple[str, ...]
    line: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence that somebody made, and what the cells say to it. None yet: campaigns bring them."""

    claim: str
    answer: Answer
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that was not measured: `kind` is network, pair, layer, family, place or judgement."""

    kind: str
    what: str
    because: str


@dataclass(frozen=True, slots=True)
class Alternative:
    """An innocent explanation of an event, and whether the facts rule it out."""

    event: str
    alternative: str
    ruled_out: bool
    because: str


@dataclass(frozen=True, slots=True)
class Report:
    """The whole report. `generated_at` is an input, so that equal inputs give equal bytes. Its sentences are in
    `language` (ISO 639); words of closed sets, such as outcomes, are not."""

    format: str
    title: str
    language: str
    generated_at: str
    software: Software
    inputs: tuple[InputRow, ...]
    ruleset: str
    reference: str
    rulesets: tuple[tuple[str, str], ...]
    period: Period
    method: Method
    summary: Summary
    networks: tuple[NetworkRow, ...]
    findings: tuple[Finding, ...]
    events: tuple[Event, ...]
    claims: tuple[Claim, ...]
    not_measured: tuple[Gap, ...]
    ruled_out: tuple[Alternative, ...]
    cells: tuple[CellRow, ...]
