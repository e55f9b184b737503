"""Rules as rows. Tiers are ordered; within a tier rules are disjoint, so the first tier that matches decides.

Rule ids are public: a new meaning is a new id. A digest of all rows is locked in the tests; changing a row without a
new ruleset version fails there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from probe.model.outcome import Layer, Outcome, Reason

Tier = Literal["validity", "artefact", "decision"]
TIERS: tuple[Tier, ...] = ("validity", "artefact", "decision")
Status = Literal["trial", "stable", "retired"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A row. `when` maps a finding to the words it admits; findings not named may be anything. `technique` is a suffix
    under the findings' own technique ("" keeps it); `says` is the sentence's middle, with {what} for the symptom."""

    id: str
    tier: Tier
    layer: Layer
    outcome: Outcome
    when: Mapping[str, tuple[str, ...]]
    because: str
    false_positives: str = ""
    reason: Reason | None = None
    technique: str = ""
    status: Status = "stable"
    about: str = ""

    @property
    def subject(self) -> str:
        """What findings it is for: see `probe.verdict.findings.Domain.subject`."""
        return self.about or self.layer

    def matches(self, values: Mapping[str, str]) -> bool:
        return all(values.get(name) in admitted for name, admitted in self.when.items())


def matching(rules: tuple[Rule, ...], subject: str, values: Mapping[str, str]) -> tuple[Rule, ...]:
    """All rules for such findings that match, by tier, then in table order."""
    found = [rule for rule in rules if rule.subject == subject and rule.matches(values)]
    return tuple(sorted(found, key=lambda rule: TIERS.index(rule.tier)))


def rules_digest(rules: tuple[Rule, ...]) -> str:
    """SHA-256 over the rows: what is locked in the tests and stands behind a ruleset's version."""
    rows = [asdict(rule) for rule in rules]
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()
