"""URLs in their normal form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import TargetError
from probe.model.target import parse_target


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("example.org", "https://example.org/"),
        ("example.org:8080/x", "https://example.org:8080/x"),
        ("HTTP://EXAMPLE.org:80", "http://example.org/"),
        ("https://example.org:443/a/../b/./c", "https://example.org/b/c"),
        ("https://example.org./", "https://example.org/"),
        ("https://example.org/#top", "https://example.org/"),
        ("https://example.org/?q=a b".replace(" ", "%20"), "https://example.org/?q=a%20b"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://１２７.0.0.1/", "https://127.0.0.1/"),
        ("https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443/"),
        ("http://under_score.example/", "http://under_score.example/"),
    ],
)
def test_normal_form(text: str, normal: str) -> None:
    target = parse_target(text)
    assert (target.normal, target.url) == (normal, text)


@pytest.mark.parametrize(
    "text",
    ["", "   ", "ftp://example.org/",
     "mailto:a@example.org", "//example.org/x", "https://",
     "https://user:pw@example.org/",
     "https://exa mple.org/", "https://example.org:0/", "https://example.org:99999/", "https://1.2.3/",
     "https://0x7f.1/",
     "https://¹/", "https://a..b/", "https://example.org/\x1b[2J", "https://" + "a" * 64 + ".example/"],
)  # fmt: skip
def test_what_cannot_be_measured_says_why(text: str) -> None:
    with pytest.raises(TargetError) as caught:
        parse_target(text, line=7)
    assert caught.value.line == 7 and caught.value.reason and "\n" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_a_target_or_a_target_error(text: str) -> None:
    try:
        target = parse_target(text)
    except TargetError:
        return
    assert parse_target(target.normal).normal == target.normal
