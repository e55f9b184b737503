"""Judging is total, free of order, and the same from the store as from memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.app.judge import judge_case, load_case
from probe.model.outcome import TECHNIQUES
from probe.model.vantage import Run
from probe.model.verdict import Judgement
from probe.store.sqlite import Store
from probe.verdict.case import Case
from probe.wire.facts import row_of
from tests.cases import FIELD, RUN, VANTAGE
from tests.cases.build import REFERENCE
from tests.properties.facts import cases

STARTED = "2026-11-24T10:00:00.000000Z"


def said(case: Case) -> Judgement:
    return judge_case(case, REFERENCE)


@given(cases())
def test_something_is_always_said(case: Case) -> None:
    judgement = said(case)
    assert (judgement.reason is not None) == (judgement.outcome == "insufficient")
    assert (judgement.outcome in ("blocked", "likely_blocked")) == bool(judgement.techniques)
    assert set(judgement.techniques) <= TECHNIQUES and judgement.explanation.endswith(".")


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_controls_does_not_matter(case: Case, random: Random) -> None:
    controls = list(case.controls)
    random.shuffle(controls)
    assert said(replace(case, controls=tuple(controls))) == said(case)


@given(cases())
def test_a_control_that_comes_twice_counts_once(case: Case) -> None:
    assert said(replace(case, controls=case.controls * 2)) == said(case)


@given(cases())
def test_nothing_is_claimed_without_a_witness(case: Case) -> None:
    judgement = said(case)
    sides = [case.observations, *(c.observations for c in case.controls)]
    facts = {(o.measurement_id, o.seq) for side in sides for o in side}
    assert set(judgement.witness) <= facts
    assert judgement.witness or not judgement.techniques


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("stores")


@given(case=cases())
def test_facts_from_the_store_give_the_same_verdict(case: Case, folder: Path) -> None:
    path = folder / "facts.db"
    path.unlink(missing_ok=True)
    with Store.open(path) as store:
        fill(store, case)
        loaded = load_case(store, case.measurement)
    assert loaded.observations == case.observations
    assert said(loaded) == said(case)


def fill(store: Store, case: Case) -> None:
    """Everything that a case rests on, as a run would keep it."""
    assert case.vantage is not None and case.measurement.measurement_id == FIELD
    store.append(case.vantage)
    store.append(Run(RUN, VANTAGE, STARTED))
    sides = [(case.measurement, case.observations), *((c.measurement, c.observations) for c in case.controls)]
    for measurement, observations in sides:
        store.append(measurement)
        for observation in observations:
            store.append(row_of(observation))
