"""The campaign of world.py, told: events with their bounds, wording, bytes, and the command."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from probe.app.report import make_report
from probe.cli.report import report as command
from probe.model.outcome import OUTCOMES, TECHNIQUES
from probe.report import formats, tell
from probe.report.build import Wish
from probe.report.html import render_html
from probe.report.model import Event, Report
from probe.report.words import TECHNIQUE_WORDS, listed, took, when
from tests.unit.report.world import WSWS, X, campaign

NOW = "2024-12-05T00:00:00Z"


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return campaign(tmp_path_factory.mktemp("campaign"))


@cache
def _made(databases: tuple[Path, ...], floor: int = 1) -> Report:
    return make_report(databases, Wish(NOW), (), "hour", floor)


def event_of(report: Report, target: str, network: str = "AS17557") -> Event:
    (found,) = [e for e in report.events if e.kind == "blocking" and e.targets == (target,) and network in e.networks]
    return found


def test_the_reset_is_one_event_with_bounds(databases: tuple[Path, ...]) -> None:
    event = event_of(_made(databases), WSWS)
    assert event.state == "blocked" and event.techniques == ("tls.reset.sni", "tls.reset")
    assert event.onset.earliest == "2024-11-29T12:07:00.000000Z"
    assert event.onset.latest == event.first_seen == "2024-11-29T18:07:00.000000Z"
    assert event.ending.earliest == "2024-12-03T00:14:00.000000Z"
    assert event.ending.latest == "2024-12-03T06:14:00.000000Z"
    assert event.places == ("Lahore", "Quetta") and event.clear_places == ("Karachi",)
    assert (event.speaking, event.vantage_points, event.corroborated) == (3, 4, True)


def test_a_series_that_starts_blocked_has_no_earliest_onset(databases: tuple[Path, ...]) -> None:
    event = event_of(_made(databases), X)
    assert event.onset.earliest is None and event.ending.latest is None
    assert "may be older" in tell.began(event) and "Not seen to end" in tell.ended(event)


def test_outage_and_down_are_not_blocking(databases: tuple[Path, ...]) -> None:
    events = {e.kind: e for e in _made(databases).events}
    assert events["general_outage"].networks == ("AS45669",) and events["general_outage"].targets == ()
    assert events["site_down"].targets == ("https://news.example/",) and len(events["site_down"].networks) == 3


def test_below_the_floor_nothing_is_called_blocked(databases: tuple[Path, ...]) -> None:
    made = _made(databases, 3)
    blocking = [e for e in made.events if e.kind == "blocking"]
    assert {e.networks for e in blocking} == set()
    assert {c.state for c in made.cells if c.vantage_points < 3} == {"insufficient"}


def test_findings_show_insufficient_as_such(databases: tuple[Path, ...]) -> None:
    words = {(f.target, f.network): f.outcome for f in _made(databases).findings}
    assert words[WSWS, "AS23674"] == "insufficient" and words[WSWS, "AS45669"] == "ok"
    page = render_html(_made(databases))
    unsaid = page.split('id="unsaid"')[1].split("</section>")[0]
    assert "www.wsws.org" in unsaid and "Reached" not in unsaid


def test_witnesses_show_field_beside_control(databases: tuple[Path, ...]) -> None:
    (first, *_) = event_of(_made(databases), WSWS).witnesses
    seen = {text for fact in first.own for text in fact.details}
    assert ("Error", "connection_reset (ECONNRESET)") in seen and ("Took", "38 ms") in seen
    assert [fact.kind for fact in first.control][-1] == "tls.handshake"
    forged = event_of(_made(databases), X).witnesses[0]
    shown = dict(forged.own[-1].details)
    assert shown["Text of the page"].startswith("Surf Safely! Surf Safely! This website")
    assert "alert" not in shown["Text of the page"]


def test_same_bytes_for_any_order(databases: tuple[Path, ...]) -> None:
    texts = {
        json.dumps(formats.render(make_report(order, Wish(NOW), ()), "all"))
        for order in (databases, databases[::-1], (databases[0].parent,))
    }
    assert len(texts) == 1


def test_since_and_until_cut(databases: tuple[Path, ...]) -> None:
    made = make_report(databases, Wish(NOW, since="2024-11-30", until="2024-12-01"), ())
    assert made.period.first.startswith("2024-11-30") and made.period.last.startswith("2024-11-30")


def test_every_technique_has_words_and_no_others_do() -> None:
    assert set(TECHNIQUE_WORDS) == TECHNIQUES


_ACCUSING = re.compile(r"\b(government|ordered by|authorit(?:y|ies) (?:blocked|ordered)|censor\w*|the PTA)\b", re.I)


def test_wording(databases: tuple[Path, ...]) -> None:
    """No word says who did it, and `blocked` stands only beside what is blocked."""
    page = re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", render_html(_made(databases)), flags=re.S)
    assert not _ACCUSING.search(page)
    assert not any(re.search(r"\bblocked\b", words, re.I) for words in TECHNIQUE_WORDS.values())


def test_the_page_asks_nothing_of_anybody(databases: tuple[Path, ...]) -> None:
    page = render_html(_made(databases))
    assert not re.search(r"<(script|link|img|iframe|object|embed|form|base)\b", page)
    assert not re.search(r"\b(src|srcset|action|style|on\w+)=", page)
    assert all(ref.startswith("#") for ref in re.findall(r'href="([^"]*)"', page))
    assert "default-src &#39;none&#39;" in page and "url(" not in page
    anchors = set(re.findall(r'\bid="([^"]+)"', page))
    assert {ref[1:] for ref in re.findall(r'href="(#[^"]+)"', page)} <= anchors


def test_no_database_path_leaks(databases: tuple[Path, ...]) -> None:
    for text in formats.render(_made(databases), "all").values():
        assert str(databases[0].parent) not in text


def test_csv_counts_match_cells(databases: tuple[Path, ...]) -> None:
    made = _made(databases)
    rows = list(csv.DictReader(io.StringIO(formats.render_csvs(made)["cells.csv"])))
    assert len(rows) == len(made.cells)
    assert all(sum(int(row[word]) for word in OUTCOMES) == int(row["measurements"]) for row in rows)


# ---- the command ----


def test_command_writes_files_and_prints_json(databases: tuple[Path, ...], tmp_path: Path) -> None:
    folder = str(databases[0].parent)
    ran = CliRunner().invoke(command, [folder, "-o", str(tmp_path / "out"), "--now", NOW])
    assert ran.exit_code == 0, ran.output
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"report.html", "report.md", "report.json", "cells.csv", "events.csv"} <= names
    said = CliRunner().invoke(command, [folder, "--json", "--now", NOW])
    assert said.stdout == (tmp_path / "out" / "report.json").read_text("utf-8")


def test_command_names_what_it_could_not_read(databases: tuple[Path, ...], tmp_path: Path) -> None:
    bad = tmp_path / "bad.db"
    bad.write_bytes(b"no database" * 99)
    page = tmp_path / "one.html"
    ran = CliRunner().invoke(command, [str(databases[0]), str(bad), "-o", str(page), "--now", NOW])
    assert ran.exit_code == 1 and "not read: bad.db" in ran.stderr
    assert "Not readable: " in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "text"), [((), ""), (("a",), "a"), (("a", "b"), "a and b"), (("a", "b", "c"), "a, b and c")]
)
def test_listed(words: tuple[str, ...], text: str) -> None:
    assert listed(words) == text


def test_small_words() -> None:
    assert (took(420), took(38_200), took(10_200_000)) == ("0.4 ms", "38 ms", "10.2 s")
    assert when("2024-11-29T18:05:00.000000Z") == "29 Nov 2024, 18:05 UTC" and when(None) == "unknown"
    assert all(len(a) for a in itertools.chain(tell.LIMITS))
