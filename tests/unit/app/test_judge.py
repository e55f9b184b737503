"""Judging what is stored: the same as judging what was met, and repeatable."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from probe.app.judge import (
    HEADLINE,
    control_source,
    judge_case,
    keep_verdict,
    load_case,
    parse_time,
    rejudge,
    run_line,
    seconds_between,
    stored_rows,
    verdict_rows,
)
from probe.model.errors import BundleError
from probe.model.kinds import ControlAsk
from probe.model.measurement import Measurement
from probe.model.observation import Blob, Observation
from probe.model.vantage import Run, Vantage
from probe.store.sqlite import Store
from probe.verdict.case import Case
from probe.wire.facts import ObservationRow, row_of
from tests.cases import RUN, VANTAGE, Situation, load
from tests.cases.build import REFERENCE

SITUATIONS = {s.id: s for s in load()}
STARTED = "2026-11-24T10:00:00.000000Z"
# The fields of CONTRACT section 4.
LINE_FIELDS = """measurement_id url target host outcome reason layer techniques locus hop scope layers layer_reasons
siblings rules ruleset control control_age_s attempts started_at took_ms explanation""".split()


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store.open(tmp_path / "facts.db") as opened:
        yield opened


def fill(store: Store, case: Case) -> None:
    """A case as a run would have kept it, bodies included."""
    assert case.vantage is not None
    store.append(case.vantage)
    store.append(Run(RUN, VANTAGE, STARTED))
    for sha, data in case.bodies.items():
        store.append(Blob(sha, "text/html", data))
    sides = [(case.measurement, case.observations), *((c.measurement, c.observations) for c in case.controls)]
    for measurement, observations in sides:
        store.append(measurement)
        for observation in observations:
            store.append(row_of(observation))


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=lambda s: s.id)
def test_a_stored_case_is_judged_like_the_one_in_memory(situation: Situation, store: Store) -> None:
    fill(store, situation.case)
    loaded = load_case(store, situation.case.measurement)
    assert loaded.observations == situation.case.observations
    assert judge_case(loaded, REFERENCE) == judge_case(situation.case, REFERENCE)


def test_judging_again_finds_nothing_new(store: Store) -> None:
    fill(store, SITUATIONS["tls-reset-sni"].case)
    # The control is in the same run here, and has the role of a field measurement of its own.
    first, second = rejudge(store, REFERENCE), rejudge(store, REFERENCE)
    assert first.new == first.judged > 0 and (second.new, second.changed) == (0, 0)


def test_a_changed_verdict_is_counted_and_stored(store: Store) -> None:
    case = SITUATIONS["tls-reset-sni"].case
    fill(store, case)
    rejudge(store, REFERENCE)
    store.write(
        "UPDATE verdict SET outcome = 'ok' WHERE layer = ? AND measurement_id = ?",
        [(HEADLINE, case.measurement.measurement_id)],
    )
    assert rejudge(store, REFERENCE).changed == 1
    judgement = judge_case(case, REFERENCE)
    assert sorted(stored_rows(store, judgement)) == sorted(verdict_rows(judgement))


def test_another_reference_gives_rows_of_its_own(store: Store) -> None:
    fill(store, SITUATIONS["http-blockpage"].case)
    rejudge(store, REFERENCE)
    rejudge(store, replace(REFERENCE, digest="e" * 64, fingerprints=()))
    query = "SELECT outcome FROM verdict WHERE layer = ? AND measurement_id = ? ORDER BY outcome"
    rows = store.query(query, (HEADLINE, SITUATIONS["http-blockpage"].case.measurement.measurement_id))
    assert rows == [("blocked",), ("insufficient",)]


def test_what_cannot_be_read_is_named_and_the_rest_is_judged(store: Store) -> None:
    fill(store, SITUATIONS["ok"].case)
    bad = "d" * 32
    store.append(Measurement(bad, RUN, "https://site.example/", "web", STARTED))
    store.append(ObservationRow(bad, 0, "dns.lookup", '{"resolver": 7}'))
    found = rejudge(store, REFERENCE)
    assert found.judged >= 1 and [line.split(":")[0] for line in found.unreadable] == [bad]


@pytest.mark.parametrize("id", ["tls-reset-sni", "ok", "no-network", "http-blockpage", "cut-off"])
def test_a_line_has_the_fields_of_the_contract(id: str) -> None:
    case = SITUATIONS[id].case
    line = run_line(judge_case(case, REFERENCE), case.measurement, case.target.normal, ("x",), 5)
    value = json.loads(line)
    assert set(LINE_FIELDS) <= set(value) and "\n" not in line
    assert (
        (value["layer"] is None) == (not value["techniques"]) == (value["outcome"] not in ("blocked", "likely_blocked"))
    )
    assert set(value["layer_reasons"]) <= set(value["layers"])


@pytest.mark.parametrize("id", ["tls-reset-sni", "dns-bogon", "http-blockpage", "tcp-unreachable", "dns-nxdomain"])
def test_the_headline_names_a_rule_and_its_witnesses(id: str) -> None:
    judgement = judge_case(SITUATIONS[id].case, REFERENCE)
    head = verdict_rows(judgement)[0]
    assert head[1] == HEADLINE and head[6] in judgement.rules and head[8]


def test_verdicts_can_be_kept_twice(store: Store) -> None:
    fill(store, SITUATIONS["ok"].case)
    judgement = judge_case(SITUATIONS["ok"].case, REFERENCE)
    keep_verdict(store, judgement)
    keep_verdict(store, judgement)
    assert sorted(stored_rows(store, judgement)) == sorted(verdict_rows(judgement))


def ask(failure: str | None, helper: str = "https://helper.example") -> Observation:
    detail = ControlAsk(helper, "https://site.example/")
    return Observation("a" * 32, 0, None, detail.kind, None, None, None, 1, "plan", failure, 0, 0, detail)


@pytest.mark.parametrize(
    "asks,source",
    [
        ((), "none"),
        ((ask("generic_timeout_error"),), "unreachable"),
        ((ask(None),), "helper"),
        ((ask("generic_timeout_error"), ask(None)), "helper"),
        ((ask(None, "db:x"),), "db"),
        ((ask(None, "db:x"), ask("generic_timeout_error")), "db"),
        ((ask(None, "db:x"), ask(None)), "helper"),
    ],
)
def test_where_the_comparison_comes_from(asks: tuple[Observation, ...], source: str) -> None:
    assert control_source(asks, ()) == source


def test_times() -> None:
    a, b = (Measurement("a" * 32, RUN, "u", "web", f"2026-11-24T10:{m}:00Z") for m in ("00", "05"))
    assert seconds_between(a, b) == seconds_between(b, a) == 300
    with pytest.raises(BundleError):
        parse_time("yesterday")


def test_the_vantage_of_the_case_is_the_one_that_measured(store: Store) -> None:
    fill(store, SITUATIONS["ok"].case)
    assert load_case(store, SITUATIONS["ok"].case.measurement).vantage == Vantage(VANTAGE, "field", cc="FD", asn=64500)
