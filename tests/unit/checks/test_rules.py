"""The rules by enumeration: for every combination of words that can occur, exactly one rule of the first tier that
matches decides, and what comes out is said in the words of CONTRACT."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from probe.checks import DOMAINS, RULES, RULESET
from probe.checks.quic import reading as quic
from probe.checks.speed import reading
from probe.checks.web import endpoints, names, pages
from probe.checks.web.looks import ALTERED
from probe.checks.web.symptoms import FORGED
from probe.model.outcome import LAYERS, OUTCOMES, REASONS, TECHNIQUES
from probe.verdict.findings import Domain, Findings
from probe.verdict.judge import CLAIMS, decide
from probe.verdict.rule import TIERS, Rule, matching, rules_digest

# Proofs that need no control.
WITHOUT_CONTROL = ("twin", "nobody", "ede", "fingerprint", "elsewhere")
LOCK = Path(__file__).parents[2] / "rules.lock"


def first_tier(domain: Domain, values: dict[str, str]) -> tuple[Rule, ...]:
    found = matching(RULES, domain.subject, values)
    return tuple(rule for rule in found if rule.tier == found[0].tier)


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda d: d.subject)
def test_exactly_one_rule_decides_every_combination(domain: Domain) -> None:
    found = [(values, first_tier(domain, values)) for values in domain.combinations()]
    assert [(values, [r.id for r in rules]) for values, rules in found if len(rules) != 1] == []


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda d: d.subject)
def test_no_rule_is_dead(domain: Domain) -> None:
    deciding = {first_tier(domain, values)[0].id for values in domain.combinations()}
    assert {rule.id for rule in RULES if rule.subject == domain.subject} - deciding == set()


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda d: d.subject)
def test_combinations_admit_only_words_of_the_domain(domain: Domain) -> None:
    table = domain.table()
    for rule in (r for r in RULES if r.subject == domain.subject):
        assert set(rule.when) <= set(table), rule.id
        assert all(set(words) <= set(table[name]) for name, words in rule.when.items()), rule.id


def techniques() -> dict[str, set[str]]:
    """Every path that a claim can come out with, by rule."""
    found: dict[str, set[str]] = defaultdict(set)
    for domain in DOMAINS:
        for values in domain.combinations():
            technique = technique_of(domain, values)
            findings = Findings(domain.layer, "site.example", 0, values, technique, about=domain.about)
            verdict = decide(RULES, findings).verdict
            if verdict.outcome in CLAIMS and verdict.technique:
                found[verdict.rule].add(verdict.technique)
    return found


def technique_of(domain: Domain, values: dict[str, str]) -> str:
    """The deepest path that a symptom supports by itself, as the readings give it."""
    symptom = values["symptom"]
    if domain.about == "speed":
        return reading._technique(reading._LAYERS[values["proof"]], symptom)
    if domain.layer == "http":
        # Whole pages are named by what they are, not by a word; here by the commonest.
        return pages.named(symptom) if symptom not in ALTERED else "http.blockpage"
    read = {"dns": names._technique, "quic": quic.technique}.get(domain.layer)
    if read is not None:
        return read(symptom)
    if symptom in FORGED:
        return f"tls.mitm.{symptom}"
    return "ip.unreachable" if symptom == "unreachable" else endpoints.technique_of(domain.layer, symptom)


def test_every_technique_is_a_path_of_the_contract() -> None:
    assert {t for found in techniques().values() for t in found} <= TECHNIQUES


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.id)
def test_a_row_is_well_made(rule: Rule) -> None:
    assert rule.layer in LAYERS and rule.tier in TIERS and rule.outcome in OUTCOMES
    assert (rule.reason is not None) == (rule.outcome == "insufficient")
    assert rule.reason is None or rule.reason in REASONS
    assert rule.because.endswith(".") and (not rule.technique or rule.outcome in CLAIMS)


def test_ids_are_given_once() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda d: d.subject)
def test_nothing_is_claimed_on_a_sick_line_or_after_one_try(domain: Domain) -> None:
    for values in domain.combinations():
        rule = first_tier(domain, values)[0]
        if rule.outcome in CLAIMS:
            assert values["line"] == "ok", values
        if rule.outcome == "likely_blocked":
            assert values["repeat"] == "repeated" and values["contrast"] == "only_here", values


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda d: d.subject)
def test_without_a_control_only_what_proves_itself_is_claimed(domain: Domain) -> None:
    for values in domain.combinations():
        rule = first_tier(domain, values)[0]
        if rule.outcome in CLAIMS and values["contrast"] == "no_control":
            assert rule.tier == "artefact" and values["proof"] in WITHOUT_CONTROL, values


def test_the_lock_knows_these_rules() -> None:
    """Fails when a row changed. A row's meaning is public: give the new meaning a new id, raise RULESET_VERSION (stored
    verdicts carry it), and run `python -m tests.tools.render_rules`, which writes the new lock and docs/rules.md."""
    assert LOCK.read_text().split() == [RULESET.version, rules_digest(RULES)]
