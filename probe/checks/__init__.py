"""The checks: one question each that we know how to ask. These are the only lists of checks, rules and rulesets."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from probe.checks import line
from probe.checks.question import Question
from probe.checks.quic import steps as quic
from probe.checks.quic.reading import read_quic
from probe.checks.quic.rules import QUIC_RULES
from probe.checks.speed import reading as speed_reading
from probe.checks.speed import rules as speed_rules
from probe.checks.speed import steps as speed_steps
from probe.checks.web import reading, rules, steps
from probe.checks.web.symptoms import QUIC
from probe.model.step import Step
from probe.verdict.case import Case
from probe.verdict.findings import Domain, Findings
from probe.verdict.judge import Ruleset
from probe.verdict.reference import Reference
from probe.verdict.rule import Rule

Check = Callable[[Question, Case], Iterator[Step]]
Read = Callable[[Case, Reference], tuple[Findings, ...]]

RULESET_VERSION = "2026.8"
# The names that a measurement's `checks` may hold. A helper answers for given endpoints with the same web check.
CHECKS: dict[str, Check] = {
    "web": steps.next_steps,
    "quic": quic.next_steps,
    "speed": speed_steps.next_steps,
    "line": line.next_steps,
    "endpoints": steps.next_steps,
}
# What a volunteer's measurement asks, in this order; a control asks the first of them.
FIELD_CHECKS = ("web", "quic", "speed")
READINGS: tuple[Read, ...] = (reading.read_web, read_quic, speed_reading.read_speed)
DOMAINS: tuple[Domain, ...] = (*rules.DOMAINS, QUIC, *speed_rules.DOMAINS)
RULES: tuple[Rule, ...] = (*rules.WEB_RULES, *QUIC_RULES, *speed_rules.SPEED_RULES)


def read(case: Case, reference: Reference) -> tuple[Findings, ...]:
    """All findings of all checks."""
    return tuple(findings for reading in READINGS for findings in reading(case, reference))


RULESET = Ruleset(RULESET_VERSION, RULES, read)

__all__ = ["CHECKS", "DOMAINS", "FIELD_CHECKS", "RULES", "RULESET", "Check", "Question"]
