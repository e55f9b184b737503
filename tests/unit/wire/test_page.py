"""Features of pages, hostile ones among them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.wire.page import SKETCH, looks_like_html, page_features, shared, simhash, similarity

PAGE = """<!DOCTYPE html><html lang="ur-PK"><head><meta charset=utf-8><title>
 News &amp; views  &mdash; home</title><link rel="canonical" href="https://example.org/?a=1&amp;b=2">
<meta http-equiv="Refresh" content="5; URL='https://example.org/next'"><style>p { color: red }</style></head>
<body><!-- hidden words --><h1>Today</h1><p>One two three four five</p>
<script>var x = "<p>no</p>";</script></body></html>"""
ARTICLE = " ".join(f"word{i} about thing{i % 7}" for i in range(300))


def test_features() -> None:
    found = page_features(PAGE.encode(), "text/html")
    assert found.title == "News & views — home"
    assert found.lang == "ur-PK"
    assert found.canonical == "https://example.org/?a=1&b=2"
    assert found.meta_refresh == "https://example.org/next"
    assert found.words == 6


def test_hashes_are_stable_for_ever() -> None:
    assert simhash(("one", "two", "three", "four")) == "64f5901153c23b37"
    assert simhash(()) is None


def test_alike_and_unlike() -> None:
    a = simhash(ARTICLE.split()) or ""
    b = simhash(ARTICLE.replace("word17 ", "changed ").split()) or ""
    c = simhash("access to this site is blocked by order of the authority".split()) or ""
    assert similarity(a, a) == 1
    assert similarity(a, b) > 0.85
    assert similarity(a, c) < 0.75


def test_tags_tell_templates_apart() -> None:
    short, other = "<div><p>a</p></div>" * 20, "<table><tr><td>a</td></tr></table>" * 20
    one, again = page_features(short.encode()).tags, page_features(short.replace("a", "different").encode()).tags
    assert one and one == again
    assert similarity(one, page_features(other.encode()).tags or "") < 0.9


@pytest.mark.parametrize(
    "body,content_type,title",
    [
        ("<title>اردو</title>".encode(), "text/html; charset=utf-8", "اردو"),
        ("<title>اردو</title>".encode("cp1256", "replace"), "text/html; charset=windows-1256", None),
        ("<meta charset='windows-1251'><title>Новости</title>".encode("cp1251"), "text/html", "Новости"),
        ("<title>中文</title>".encode("gb18030"), "text/html; charset=GBK", "中文"),
        ("\ufeff<title>bom</title>".encode("utf-16"), "text/html", "bom"),
        (b"<title>caf\xe9</title>", "text/html", "caf\ufffd"),
        (b"<title>x</title>", "text/html; charset=unicode_escape", "x"),
        (b"<title>x</title>", "text/html; charset=idna", "x"),
    ],
)
def test_charsets(body: bytes, content_type: str, title: str | None) -> None:
    found = page_features(body, content_type).title
    assert found == title if title is not None else found


@pytest.mark.parametrize(
    "body,title",
    [
        ("<title>unclosed", "unclosed"),
        ("<title>unclosed<p>text", "unclosed"),
        ("<TITLE>case</TiTlE >", "case"),
        ("<title></title>", None),
        ("<svg><title>first</title></svg><title>second</title>", "first"),
        ("<!-- <title>no</title> --><title>yes</title>", "yes"),
        ("<script><title>no</title></script><title>yes</title>", "yes"),
        ("<title>" + "x" * 5_000 + "</title>", "x" * 300),
        ("<title>&#" + "9" * 6_000 + ";x</title>", "x" * 0 or None),
    ],
)
def test_titles(body: str, title: str | None) -> None:
    found = page_features(body.encode()).title
    assert found == title or (title is None and len(found or "") < 300)


@pytest.mark.parametrize(
    "piece",
    ["<", "<a", "<!--", "<title>", "<script>", "</", "<a '", '<a "', "<a>", "<meta charset="]
    + ["<!", "&", "&#9", "<p a=", "<link ", "<a<b>"],
)
@pytest.mark.parametrize("end", ["", ">", "-->"])
def test_no_page_costs_more_than_its_length(piece: str, end: str) -> None:
    began = time.perf_counter()
    page_features((piece * (262_144 // len(piece)) + end).encode())
    assert time.perf_counter() - began < 2.5


def test_what_is_worth_a_look() -> None:
    assert looks_like_html(b"x", "text/html; charset=x") and looks_like_html(b"  <html>", "")
    assert not looks_like_html(b"\x89PNG", "image/png") and not looks_like_html(b"x", "")


@given(st.binary(max_size=400), st.text(max_size=40))
def test_total(body: bytes, content_type: str) -> None:
    page_features(body, content_type)


def test_a_sketch_tells_how_much_two_texts_share() -> None:
    def sketch(text: str) -> str:
        return page_features(f"<p>{text}".encode(), "text/html").sketch or ""

    half = " ".join(ARTICLE.split()[:450])
    of, both = shared(sketch(ARTICLE), sketch(ARTICLE))
    assert of == both == SKETCH
    assert 0.3 < shared(sketch(ARTICLE), sketch(half))[1] / SKETCH < 0.8
    assert shared(sketch(ARTICLE), sketch("quite another text " * 100))[1] == 0
    assert shared("", "") == (0, 0) and shared("no sketch", "")[1] == 0


def test_pointers_are_compared_without_their_queries() -> None:
    def pointers(html: str) -> str | None:
        return page_features(html.encode(), "text/html").pointers

    one = "<link href='/static/a.css?v=1'><script src=/static/b.js></script><form action='/search'><img src=/logo.png>"
    assert pointers(one) == pointers(one.replace("v=1", "v=2").replace("<img", "<p>text</p><IMG"))
    assert pointers(one) != pointers(one.replace("logo", "sign"))
    assert pointers("<a href='/'>home</a><a href=#top><img src='data:image/png;base64,AAAA'>") is None
