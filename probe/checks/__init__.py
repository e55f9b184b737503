"""The checks: one question each that we know how to ask. These are the only lists of checks, rules and rulesets."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from probe.checks import line
from probe.checks.question import Question
from probe.checks.web import steps
from probe.checks.web.reading import read_web
from probe.checks.web.rules import DOMAINS, RULESET_VERSION, WEB_RULES
from probe.model.step import Step
from probe.verdict.case import Case
from probe.verdict.judge import Ruleset

Check = Callable[[Question, Case], Iterator[Step]]
# The names that a measurement's `checks` may hold. A helper answers for given endpoints with the same web check.
CHECKS: dict[str, Check] = {"web": steps.next_steps, "line": line.next_steps, "endpoints": steps.next_steps}
RULES = WEB_RULES
RULESET = Ruleset(RULESET_VERSION, RULES, read_web)

__all__ = ["CHECKS", "DOMAINS", "RULES", "RULESET", "Check", "Question"]
