"""What judging is given: one field measurement, the controls that answer for it, and nothing else.

`Case` is also what the engine hands to checks while a measurement is under way, so planning and judging read the same
facts through the same functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from probe.model.measurement import Measurement
from probe.model.observation import Observation
from probe.model.target import Target
from probe.model.vantage import Vantage

# `checks` of a control measurement that a helper made for given endpoints only.
ENDPOINTS_ONLY = "endpoints"
# A control this old answers for nothing (CONTRACT section 1).
CONTROL_MAX_AGE_S = 24 * 3600
ControlSource = Literal["helper", "db", "none", "unreachable"]


@dataclass(frozen=True, slots=True)
class Control:
    """A measurement by another vantage point that may answer for this one; `age_s` is the time between the two."""

    measurement: Measurement
    observations: tuple[Observation, ...]
    age_s: int = 0

    @property
    def is_extra(self) -> bool:
        """It only walked addresses that the field had found; it did not ask about the target itself."""
        return self.measurement.checks == ENDPOINTS_ONLY


@dataclass(frozen=True, slots=True)
class Case:
    """Facts of one field measurement and its controls. `bodies` maps SHA-256 to decoded bytes where they are kept."""

    target: Target
    measurement: Measurement
    observations: tuple[Observation, ...]
    controls: tuple[Control, ...] = ()
    control_source: ControlSource = "none"
    vantage: Vantage | None = None
    bodies: Mapping[str, bytes] = field(default_factory=dict)


def without_old_controls(case: Case) -> Case:
    """The case without controls that are too old to answer for it; with none left there is no control at all."""
    fresh = tuple(c for c in case.controls if c.age_s <= CONTROL_MAX_AGE_S)
    if fresh == case.controls:
        return case
    return replace(case, controls=fresh, control_source=case.control_source if fresh else "none")
