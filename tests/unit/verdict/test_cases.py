"""Every situation of `tests/cases`, judged: what is said must be the truth by CONTRACT section 1."""

from __future__ import annotations

import pytest

from probe.checks import RULES, RULESET, read
from probe.model.outcome import TECHNIQUES
from probe.verdict.findings import Findings
from probe.verdict.judge import judge
from probe.verdict.rule import Rule
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


def test_every_accusing_rule_has_a_look_alike_that_does_not_fire_it() -> None:
    """Something fails in a situation where nobody blocks, and all but one of the rule's conditions hold; or the symptom
    does, and all but two; or all do, and our own trouble or an old control explains it."""
    others = [s for s in SITUATIONS if s.kind != "blocking"]
    fired = {v.rule for s in others for v in judge(s.case, REFERENCE, RULESET).layers}
    ailing = [f for s in others for f in read(s.case, REFERENCE) if f.values["symptom"] != "none"]
    for rule in (rule for rule in RULES if rule.outcome in ACCUSING):
        near = [_missing(rule, f) for f in ailing if f.subject == rule.subject]
        assert any(len(m) < 2 or (len(m) == 2 and "symptom" not in m) for m in near), rule.id
        assert rule.id not in fired


def _missing(rule: Rule, findings: Findings) -> set[str]:
    """The rule's conditions that these findings do not meet."""
    return {name for name, admitted in rule.when.items() if findings.values.get(name) not in admitted}


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda s: s.id)
def test_a_verdict_explains_itself(situation: Situation) -> None:
    said = judge(situation.case, REFERENCE, RULESET)
    facts = {(o.measurement_id, o.seq) for o in situation.case.observations}
    facts |= {(o.measurement_id, o.seq) for c in situation.case.controls for o in c.observations}
    assert set(said.witness) <= facts
    assert said.explanation.endswith(".") and "{" not in said.explanation and "none" not in said.explanation
    assert (said.reason is not None) == (said.outcome == "insufficient")
    assert bool(said.witness) or said.outcome in ("insufficient", "ok")
