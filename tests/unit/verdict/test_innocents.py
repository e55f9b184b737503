"""Thousands of random situations in which nobody blocks anything: nobody may be accused in any of them."""

from __future__ import annotations

from collections import Counter

from probe.checks import RULESET
from probe.verdict.judge import judge
from tests.cases.build import REFERENCE
from tests.cases.innocents import draw

# Raise this when the rules are deepened (30,000 take about a minute).
INNOCENTS = 2_000
ACCUSING = ("blocked", "likely_blocked")


def test_no_innocent_is_accused() -> None:
    accused = []
    for seed in range(INNOCENTS):
        innocent = draw(seed)
        said = judge(innocent.case(), REFERENCE, RULESET)
        if said.outcome in ACCUSING:
            accused.append((seed, innocent.site, innocent.line, innocent.control, said.rules, said.explanation))
    assert accused == []


def test_the_drawn_situations_are_of_many_sorts() -> None:
    said = Counter(judge(draw(seed).case(), REFERENCE, RULESET).outcome for seed in range(400))
    assert set(said) >= {"ok", "down", "insufficient", "restricted", "impaired"}
    assert said["ok"] > 40
