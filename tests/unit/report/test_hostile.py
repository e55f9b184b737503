"""Everything in a database is written by strangers: markup, links, direction marks, floods, broken certificates."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from probe.app.report import make_report
from probe.model.kinds import DnsLookup, HttpFetch, PageFeatures, Record, TlsHandshake
from probe.report.build import Wish
from probe.report.exhibits import page_text, utc
from probe.report.formats import md, render
from probe.report.model import Report
from probe.report.words import harmless, tame
from tests.unit.report.world import START, Detail, Said, book, vantage

SCRIPT = "<script>alert('x')</script><img src=x onerror=alert(1)>"
RTL = "evil\u202egnp.exe\u2066\u200b\x1b[31m\x00\u2028"
LINK = "javascript:alert(document.cookie)"
FORMULA = '=HYPERLINK("http://evil.example")'


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Report:
    path = tmp_path_factory.mktemp("hostile") / "strange <b>name</b>.db"
    one = book(path)
    body = one.blob("text/html", f"<h1>{RTL}</h1><script>evil()</script>&lt;script&gt;{LINK}".encode())
    cert = one.blob("application/pkix-cert", b"\x30\x82\xff\xff not a certificate")
    facts: list[tuple[Detail, dict[str, Any]]] = [
        (DnsLookup(SCRIPT, "A", answers=(Record("x", "TXT", 1, RTL + "A" * 5000),)), {"host": SCRIPT}),
        (TlsHandshake(LINK, chain=(cert,), ended="rst", raw=SCRIPT), {"failure": "connection_reset", "ip": "::1"}),
        (HttpFetch(LINK, status=200, body=body, body_bytes=9, location=LINK, features=PageFeatures(title=SCRIPT)), {}),
    ]
    said = Said(
        "blocked", f"tls.reset {SCRIPT}".replace(" onerror", "/onerror"), None, SCRIPT + RTL + "B" * 5000, SCRIPT,
        (0, 1, 2), LINK, {"scope": [SCRIPT], "hop": {"a": []}},
    )  # fmt: skip
    who = vantage("x", 666, SCRIPT + RTL, access=SCRIPT, gateway=FORMULA)
    for url in (f"https://a.example/?q={SCRIPT}", LINK, RTL, FORMULA):
        one.measure(who, url, START, said, facts, facts)
    one.measure(who, "https://b.example/", START, Said("insufficient", reason=SCRIPT, explanation=RTL))
    one.close()
    return make_report((path,), Wish("2024-12-05T00:00:00Z", title=SCRIPT), ())


def test_nothing_hostile_survives_in_html(hostile: Report) -> None:
    page = render(hostile, "html")["report.html"]
    assert not re.search(r"<(script|img|iframe)|<b>name", page)
    assert not re.search(r'(href|src)="\s*javascript', page, re.I)
    assert "&lt;script&gt;" in page and "⟨U+202E⟩" in page
    assert len(page) < 400_000


@pytest.mark.parametrize("form", ["html", "md", "json", "csv"])
def test_no_control_or_direction_mark_survives_anywhere(hostile: Report, form: str) -> None:
    for text in render(hostile, form).values():
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]", text)


def test_markdown_stays_text(hostile: Report) -> None:
    text = render(hostile, "md")["report.md"]
    assert "<script" not in text.replace("\\<script", "")
    assert "http://" not in text and "https://" not in text


def test_spreadsheets_get_no_formula(hostile: Report) -> None:
    for text in render(hostile, "csv").values():
        assert not re.search(r'(^|,)"?[=@]', text, re.M)


def test_report_json_is_bounded_and_loads(hostile: Report) -> None:
    text = render(hostile, "json")["report.json"]
    assert json.loads(text)["summary"]["measurements"] == 5 and len(text) < 200_000
    assert "A" * 700 not in text and "B" * 700 not in text


def test_tame_bounds_and_shows() -> None:
    assert tame("a\n\tb   c") == "a b c"
    assert tame("x" * 1000, 10) == "x" * 9 + "…"
    assert harmless("\u202e") == "⟨U+202E⟩" and harmless("\ud800") == "⟨U+D800⟩"


def test_urdu_keeps_its_joiners() -> None:
    word = "نہیں\u200cہے"
    assert tame(word) == word


def test_md_escapes() -> None:
    assert md("[a](javascript:x)|`<b>`") == "\\[a\\]\\(javascript:x\\)\\|\\`\\<b\\>\\`"


@pytest.mark.parametrize("at_us", [-(2**63), 2**63 - 1, 10**30])
def test_absurd_times_are_empty(at_us: int) -> None:
    assert utc(at_us) == ""


def test_page_text_survives_garbage() -> None:
    assert page_text(b"<" * 60_000) != "x"
    assert page_text(b"<p>a<script>b</script><style>c</style>d &amp; e</p>\xff") == "a d & e \ufffd"
