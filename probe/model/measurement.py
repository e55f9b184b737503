"""A measurement: one target, one vantage point, once. It is a folder for observations and holds no outcome."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measurement:
    """`measurement_id` is 128 random bits in hex. `url` is the input to the letter. `checks` names the questions
    asked, joined by commas (`web`, or `line` for a canary). `answers` is the field measurement that a control
    measurement was made for, else None. `started_at` is RFC 3339 UTC with microseconds."""

    measurement_id: str
    run_id: str
    url: str
    checks: str
    started_at: str
    answers: str | None = None
