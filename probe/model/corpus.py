"""What a report is made from: judged measurements of any number of databases, and the way back to their facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from probe.model.observation import Observation
from probe.model.outcome import Outcome
from probe.model.vantage import Vantage

HEADLINE = "headline"


@dataclass(frozen=True, slots=True)
class Opinion:
    """One verdict row. `techniques` are the paths it names; `witness` the (measurement_id, seq) pairs behind it;
    `detail` the row's JSON (scope, hop, explanation, control, attempts, siblings on the headline)."""

    layer: str
    outcome: Outcome
    techniques: tuple[str, ...] = ()
    reason: str | None = None
    rule: str = ""
    locus: str | None = None
    witness: tuple[tuple[str, int], ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judged:
    """One field measurement and what the chosen ruleset makes of it; no `opinions` means that it was not judged.
    `target` is the normal form of `url`; `network` the name cells go by ("AS64500 Example" or "unknown network")."""

    measurement_id: str
    run_id: str
    target: str
    url: str
    started_at: str
    vantage: Vantage
    network: str
    opinions: tuple[Opinion, ...] = ()

    @property
    def headline(self) -> Opinion | None:
        """The verdict on the target as a whole, or None when there is none."""
        return next((o for o in self.opinions if o.layer == HEADLINE), None)


@dataclass(frozen=True, slots=True)
class Input:
    """One database that was read, or could not be: then `error` says why, and the digest is empty. `digest` is over
    the facts and not over the file, whose bytes change whenever SQLite tidies up."""

    name: str
    digest: str = ""
    measurements: int = 0
    judged: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Everything a report counts. `rulesets` lists all (ruleset, reference) pairs met; `ruleset`, `reference` is the
    chosen one. `judged` and `unjudged` are in order of start, then id. `canaries` counts measurements of the line."""

    inputs: tuple[Input, ...]
    ruleset: str = ""
    reference: str = ""
    rulesets: tuple[tuple[str, str], ...] = ()
    judged: tuple[Judged, ...] = ()
    unjudged: tuple[Judged, ...] = ()
    canaries: int = 0
    conflicts: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """The facts of one measurement, and those of the controls that answered for it."""

    own: tuple[Observation, ...] = ()
    controls: tuple[tuple[str, tuple[Observation, ...]], ...] = ()


class EvidenceRoom(Protocol):
    """Where a report fetches the facts behind the few measurements that it shows."""

    def evidence(self, measurement_id: str) -> Evidence:
        """The facts of a measurement and of its controls; empty when they are not here."""

    def blob(self, sha256: str) -> bytes | None:
        """Stored bytes by digest; None when they are not here."""
