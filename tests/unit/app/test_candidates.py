"""Candidates for fingerprints out of a run, and the command that shows them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner

from probe.app.candidates import candidate, find_candidates, fingerprint_of, in_words, toml_row
from probe.cli import root
from probe.model.errors import UsageError
from probe.store.sqlite import Store
from probe.verdict.fingerprints import match_page, matches
from probe.verdict.reference import Fingerprint
from probe.wire.codec import decode
from tests.cases.build import REFERENCE
from tests.unit.app.test_pages import LISTED, RUN, SITES, VANTAGE, honest, judged, led_away, noticed, plan


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store.open(tmp_path / "run.db") as opened:
        yield opened


async def test_a_candidate_is_found_shown_and_exported(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    await judged(store, noticed, plan(*SITES))
    (one,) = find_candidates(store, REFERENCE)
    assert set(one.sites) == set(LISTED) and (one.cc, one.asn) == ("FD", 64500) and one.title == "Note"
    assert candidate(store, REFERENCE, one.id[:6]) == one
    assert find_candidates(store, REFERENCE, RUN.run_id) == [one] and not find_candidates(store, REFERENCE, "c" * 32)
    mark = fingerprint_of(one, REFERENCE)
    row = toml_row(mark)
    assert decode(Fingerprint, tomllib.loads(row)["fingerprint"][0]) == mark
    assert mark.id == "FP-FD-004" and mark.pattern == "This page is kept from you by an office in Freedonia"
    known = type(REFERENCE)("0" * 64, fingerprints=(mark,))
    first = one.sightings[0]
    assert match_page(known, first.page, first.text.encode(), VANTAGE) == mark
    assert find_candidates(store, known) == []


async def test_a_redirect_is_exported_by_its_host(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    await judged(store, led_away, plan(*SITES))
    (one,) = find_candidates(store, REFERENCE)
    mark = fingerprint_of(one, REFERENCE)
    assert (one.title, mark.where, mark.regex) == ("stop.example", "location", True)
    assert matches(mark, "http://stop.example/") and not matches(mark, "http://bread.example/?u=http://stop.example/")
    assert tomllib.loads(toml_row(mark))["fingerprint"][0]["pattern"] == mark.pattern


async def test_an_honest_run_has_none(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    said = await judged(store, honest, plan(*SITES))
    assert {j.outcome for j in said.values()} == {"ok"}
    assert find_candidates(store, REFERENCE) == [] and in_words([]) == ""
    with pytest.raises(UsageError):
        candidate(store, REFERENCE, "abcd")


async def test_the_command_lists_shows_and_exports(
    store: Store, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    await judged(store, noticed, plan(*SITES))
    store.close()

    def told(*words: str) -> str:
        result = CliRunner().invoke(root, ["candidates", *words, "--db", str(tmp_path / "run.db")])
        assert result.exit_code == 0, result.output
        return result.stdout

    (line,) = told("list").splitlines()
    (value,) = map(json.loads, told("list", "--json").splitlines())
    assert value["id"] in line and "3 sites" in line and "FD AS64500" in line
    assert set(value["sites"]) == set(LISTED) and len(value["sightings"]) == 3
    assert json.loads(told("show", value["id"][:6], "--json")) == value
    assert "kept from you by an office" in told("show", value["id"])
    (row,) = tomllib.loads(told("export", value["id"]))["fingerprint"]
    assert row["scope_asn"] == [64500] and row["because"].startswith("Candidate: one page in the place of 3")


async def test_the_command_says_when_there_is_none(
    store: Store, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    await judged(store, honest, plan(*SITES))
    store.close()
    words = ["candidates", "list", "--db", str(tmp_path / "run.db")]
    result = CliRunner().invoke(root, words)
    assert (result.exit_code, result.stdout) == (0, "") and "No unknown page" in result.stderr
    assert CliRunner().invoke(root, [*words[:1], "show", "abcd", *words[2:]]).exit_code != 0
