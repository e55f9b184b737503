"""Every situation of `tests/cases`, judged: what is said must be the truth by CONTRACT section 1."""

from __future__ import annotations

import pytest

from probe.checks import RULES, RULESET
from probe.model.outcome import TECHNIQUES
from probe.verdict.judge import judge
from tests.cases import Situation, load
from tests.cases.build import REFERENCE

SITUATIONS = load()
ACCUSING = ("blocked", "likely_blocked")
AT_LEAST = 45


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda s: s.id)
def test_what_is_said_is_true(situation: Situation) -> None:
    said, truth = judge(situation.case, REFERENCE, RULESET), situation.truth
    story = [(v.layer, v.outcome, v.reason, v.rule) for v in said.layers]
    assert said.outcome in truth.outcome, (said.explanation, story)
    if said.outcome == "insufficient" and truth.reason:
        assert said.reason == truth.reason, story
    if said.outcome in ACCUSING:
        assert said.techniques and set(said.techniques) <= set(truth.techniques) & TECHNIQUES, story
        assert said.layer == truth.layer and said.techniques[0].split(".")[0] == said.layer, story
        assert truth.locus in (None, said.locus), said.locus
        assert truth.hop in (None, said.hop), said.hop


@pytest.mark.parametrize("situation", [s for s in SITUATIONS if s.kind != "blocking"], ids=lambda s: s.id)
def test_nobody_is_accused_wrongly(situation: Situation) -> None:
    assert judge(situation.case, REFERENCE, RULESET).outcome not in ACCUSING


def test_there_are_enough_and_each_is_named_once() -> None:
    assert len(SITUATIONS) >= AT_LEAST
    assert len({s.id for s in SITUATIONS}) == len(SITUATIONS)


def test_every_accusing_rule_has_a_case_that_fires_it() -> None:
    fired = {v.rule for s in SITUATIONS for v in judge(s.case, REFERENCE, RULESET).layers}
    assert {rule.id for rule in RULES if rule.outcome in ACCUSING} - fired == set()


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda s: s.id)
def test_a_verdict_explains_itself(situation: Situation) -> None:
    said = judge(situation.case, REFERENCE, RULESET)
    facts = {(o.measurement_id, o.seq) for o in situation.case.observations}
    facts |= {(o.measurement_id, o.seq) for c in situation.case.controls for o in c.observations}
    assert set(said.witness) <= facts
    assert said.explanation.endswith(".") and "{" not in said.explanation and "none" not in said.explanation
    assert (said.reason is not None) == (said.outcome == "insufficient")
    assert bool(said.witness) or said.outcome in ("insufficient", "ok")
