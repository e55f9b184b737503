"""The campaign of world.py, told in every language that there is: nothing of ours stays in English, nothing breaks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner

from probe.app.report import make_report
from probe.cli.report import report as command
from probe.inputs.language import direction, languages, speaking
from probe.model.corpus import Evidence
from probe.model.failure import BY_WORD
from probe.model.kinds import (
    DnsLookup,
    HttpFetch,
    QuicHandshake,
    Record,
    TcpConnect,
    TcpInfo,
    TlsHandshake,
    TlsVerify,
)  # fmt: skip
from probe.model.observation import Observation
from probe.report.build import Wish
from probe.report.exhibits import exhibit
from probe.report.formats import render
from probe.report.html import render_html
from probe.report.model import Report
from probe.report.words import TECHNIQUE_WORDS, technique_words, took, when
from probe.verdict.read import NOBODY
from tests.unit.report.world import campaign

Detail = DnsLookup | TcpConnect | TlsHandshake | QuicHandshake | TlsVerify | HttpFetch
NOW = "2024-12-05T00:00:00Z"
OTHERS = [code for code in languages() if code != "en"]
# Names of things, the same in every language.
NAMES = {"UTC", "SHA", "TLS", "HTTP", "QUIC", "ICMP", "report", "json", "vantage", "probe"}


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return campaign(tmp_path_factory.mktemp("campaign"))[0].parent


@cache
def _made(databases: Path, language: str) -> Report:
    with speaking(language):
        return make_report((databases,), Wish(NOW), (), "hour", 1)


def _own_words(page: str) -> Iterator[str]:
    """Latin words of a page that stand in no text from databases and in no name of a site."""
    text = re.sub(r"<style>.*?</style>|<svg.*?</svg>|<bdi[^>]*>.*?</bdi>|<code>.*?</code>", " ", page, flags=re.S)
    text = re.sub(r'<dd class="raw">.*?</dd>|<span>[0-9a-f]{64}</span>', " ", text)
    # What a screen reader says beside what stands there.
    said = " ".join(re.findall(r'(?:aria-label|data-label)="([^"]*)"', text))
    shown = re.sub(r"\S+\.(?:org|com|example)\S*", " ", unescape(re.sub(r"<[^>]+>", " ", text) + said))
    return (word for word in re.findall(r"[A-Za-z]{2,}", shown) if word not in NAMES)


@pytest.mark.parametrize("language", OTHERS)
def test_no_word_of_ours_stays_english(databases: Path, language: str) -> None:
    with speaking(language):
        page = render_html(_made(databases, language))
    assert set(_own_words(page)) == set()
    assert len(set(_own_words(render_html(_made(databases, "en"))))) > 200


@pytest.mark.parametrize("language", languages())
def test_the_page_says_language_and_direction(databases: Path, language: str) -> None:
    with speaking(language):
        page = render_html(_made(databases, language))
        assert f'<html lang="{language}" dir="{direction()}">' in page
    assert not re.search("[\u200e\u200f\u202a-\u202e\u2066-\u2069]", page)
    assert not re.search("[٠-٩۰-۹]", page)


def test_in_urdu_a_rule_s_english_is_marked_as_such(databases: Path) -> None:
    with speaking("ur"):
        page = render_html(_made(databases, "ur"))
    assert '<bdi lang="en" dir="ltr">The connection was reset as soon as' in page
    assert 'dir="rtl"' in page and "سائٹ کا نام بھیجتے ہی کنکشن ری سیٹ ہو گیا" in page


@pytest.mark.parametrize("language", OTHERS)
def test_words_of_closed_sets_stay_in_data(databases: Path, language: str) -> None:
    with speaking(language):
        ours = json.loads(render(_made(databases, language), "json")["report.json"])
    english = json.loads(render(_made(databases, "en"), "json")["report.json"])
    assert ours["language"] == language and english["language"] == "en"
    assert ours["cells"] == english["cells"] and ours["period"] == english["period"]
    assert [e["techniques"] for e in ours["events"]] == [e["techniques"] for e in english["events"]]
    assert ours["summary"]["sentence"] != english["summary"]["sentence"]


@pytest.mark.parametrize("language", languages())
def test_markdown_and_csv_are_written_too(databases: Path, language: str) -> None:
    with speaking(language):
        files = render(_made(databases, language), "all")
        assert files["report.md"].startswith('<div dir="rtl"') == (direction() == "rtl")
    assert files["findings.csv"].startswith("target,network,country,outcome,")


@pytest.mark.parametrize("language", OTHERS)
def test_small_words(language: str) -> None:
    with speaking(language):
        texts = [when("2024-11-29T18:05:00.000000Z"), when(None), took(38_200), took(10_200_000)]
    assert not any(re.search(r"\b(Nov|unknown|ms|s)\b", text) for text in texts)
    assert "29" in texts[0] and "18:05" in texts[0] and "38" in texts[2] and "10.2" in texts[3]


def test_the_command_takes_a_language(databases: Path, tmp_path: Path) -> None:
    arguments = [str(databases), "--now", NOW, "--floor", "1", "-o", str(tmp_path / "page.html")]
    ran = CliRunner().invoke(command, [*arguments, "--lang", "ur"])
    assert ran.exit_code == 0, ran.output
    assert 'lang="ur"' in (tmp_path / "page.html").read_text("utf-8") and "بلاک" in ran.stdout
    refused = CliRunner().invoke(command, [*arguments, "--lang", "xx"])
    assert refused.exit_code != 0 and "'xx' is not known here; there is en" in str(refused.exception)


def test_every_technique_is_translated_by_words_of_its_own() -> None:
    for language in OTHERS:
        with speaking(language):
            said = {name: technique_words(name) for name in TECHNIQUE_WORDS}
        assert len(set(said.values())) == len(set(TECHNIQUE_WORDS.values()))


DETAILS: tuple[Detail, ...] = (
    DnsLookup("udp://192.0.2.1", "A", answers=(Record("a", "A", 60, "192.0.2.2"),) * 8, nth=1, ttl=4),
    DnsLookup(f"{NOBODY}192.0.2.1", "AAAA"),
    TcpConnect(info=TcpInfo(7, 121_000, 119_000, 0, 3, 0, 518, 0, 0)),
    TlsHandshake("192.0.2.3", ended="rst", profile="plain", chain=("12" * 32,), ttl=3),
    TlsHandshake(None, ended="silence", version="TLSv1.3", alpn="h2"),
    QuicHandshake("192.0.2.3", ended="close", version="v1", alpn="h3"),
    QuicHandshake(None, ended="icmp"),
    TlsVerify("192.0.2.3", "ok"),
    TlsVerify("192.0.2.3", "ok", whose="system"),
    TlsVerify("192.0.2.3", "10"),
    HttpFetch("http://192.0.2.3/", status=404, body_bytes=9, truncated="10", location="http://192.0.2.4/"),
)
# What a fact itself holds, and words that no language changes.
HELD = {"udp", "AAAA", "TTL", "plain", "TLSv", "http", "connection", "reset", "EAI_AGAIN", "EAI_FAIL"}


class _Nothing:
    def evidence(self, measurement_id: str) -> Evidence:
        raise AssertionError

    def blob(self, digest: str) -> bytes | None:
        return None


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("detail", DETAILS, ids=lambda detail: detail.kind)
def test_every_fact_is_told_in_words_of_the_language(language: str, detail: Detail) -> None:
    for failure in (None, *BY_WORD):
        o = Observation("f" * 32, 1, None, detail.kind, None, "192.0.2.9", 443, 1, "plan", failure, 0, 1000, detail)
        with speaking(language):
            told = exhibit(o, "field", _Nothing())
        error = {value for _label, value in told.details if failure and value.startswith(failure)}
        texts = [told.text, *(text for pair in told.details for text in pair if text not in error)]
        words = {word for text in texts for word in re.findall(r"[A-Za-z_]{2,}", text)}
        assert words - NAMES - HELD == set(), (failure, texts)
