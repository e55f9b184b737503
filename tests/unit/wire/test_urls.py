"""Where a redirect leads, and which cookies go along."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.kinds import HttpFetch
from probe.model.target import parse_target
from probe.wire.urls import MAX_COOKIE_BYTES, cookies_for, parse_set_cookie, resolve_location

BASE = "https://www.example.org/a/b?c=d"


@pytest.mark.parametrize(
    "location,leads",
    [
        ("/x", "https://www.example.org/x"),
        ("x", "https://www.example.org/a/x"),
        ("//other.example/", "https://other.example/"),
        ("http://other.example:8080/y?z", "http://other.example:8080/y?z"),
        ("?q=1", "https://www.example.org/a/b?q=1"),
        ("/with space", "https://www.example.org/with%20space"),
        ("/\tta\nb", "https://www.example.org/tab"),
        ("\\\\other.example\\p", "https://other.example/p"),
        ("/اردو", "https://www.example.org/%D8%A7%D8%B1%D8%AF%D9%88"),
        ("/x#fragment", "https://www.example.org/x"),
    ],
)
def test_leads(location: str, leads: str) -> None:
    target, why_not = resolve_location(BASE, location)
    assert target is not None and target.normal == leads and why_not == ""


@pytest.mark.parametrize(
    "location",
    ["", "intent://open#x", "javascript:alert(1)", "http://[::1", "https://u:p@x.example/", "http://", "x" * 9_000],
)
def test_leads_nowhere(location: str) -> None:
    target, why_not = resolve_location(BASE, location)
    assert target is None and why_not


@given(st.text(max_size=80))
def test_locations_never_raise(location: str) -> None:
    resolve_location(BASE, location)
    resolve_location(BASE, "http://" + location)


def _after(*lines: str, url: str = BASE, sent: str = "") -> HttpFetch:
    request = (("Cookie", sent),) if sent else ()
    return HttpFetch(url, status=302, headers=tuple(("Set-Cookie", line) for line in lines), request_headers=request)


@pytest.mark.parametrize(
    "line,to,goes",
    [
        ("a=1", "https://www.example.org/a/x", True),
        ("a=1", "https://www.example.org/", False),
        ("a=1; Path=/", "https://www.example.org/", True),
        ("a=1; Path=/shop", "https://www.example.org/shopping", False),
        ("a=1; Path=/", "https://other.example/", False),
        ("a=1; Path=/; Domain=.example.org", "https://m.example.org/", True),
        ("a=1; Path=/; Domain=org", "https://m.example.org/", False),
        ("a=1; Path=/; Domain=other.example", "https://other.example/", False),
        ("a=1; Path=/; Secure", "http://www.example.org/", False),
        ("a=1; Path=/; Max-Age=0", "https://www.example.org/", False),
        ("a=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "https://www.example.org/", False),
        ("a=1; Path=/; Max-Age=60; HttpOnly; SameSite=Lax", "https://www.example.org/", True),
        ("no pair", "https://www.example.org/", False),
        ("bad name=1; Path=/", "https://www.example.org/", False),
    ],
)
def test_where_a_cookie_goes(line: str, to: str, goes: bool) -> None:
    assert cookies_for(_after(line), parse_target(to)) == ((("a", "1"),) if goes else ())


def test_the_chain_carries_on_at_the_same_host_only() -> None:
    detail = _after("b=2; Path=/", sent="a=1; b=1")
    assert cookies_for(detail, parse_target("https://www.example.org/")) == (("a", "1"), ("b", "2"))
    assert cookies_for(detail, parse_target("https://other.example/")) == ()
    assert cookies_for(_after(sent="a=1"), parse_target("http://www.example.org/")) == ()


def test_cookies_are_bounded() -> None:
    many = _after(*(f"n{i}={'v' * 500}; Path=/" for i in range(100)))
    carried = cookies_for(many, parse_target("https://www.example.org/"))
    assert 0 < sum(len(name) + len(value) for name, value in carried) <= MAX_COOKIE_BYTES


@given(st.text(max_size=80))
def test_cookies_never_raise(line: str) -> None:
    parse_set_cookie(line, "www.example.org", "/a")
