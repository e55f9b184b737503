"""What must never be contacted: whole hosts and all below, and nothing understood in part."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.inputs.deny import NOTHING, DenyList, read_denied
from probe.model.errors import UsageError


def denied(tmp_path: Path, text: str | bytes) -> DenyList:
    path = tmp_path / "deny.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_denied([path])


@pytest.mark.parametrize(
    ("line", "host", "covered"),
    [
        ("example.org", "example.org", True),
        ("example.org", "www.example.org", True),
        ("www.example.org", "example.org", False),
        ("example.org", "notexample.org", False),
        ("*.example.org", "example.org", True),
        ("https://example.org/one/page?x=1", "example.org", True),
        ("EXAMPLE.org.  # because", "example.org", True),
        ("müller.example", "xn--mller-kva.example", True),
        ("192.0.2.0/24", "192.0.2.77", True),
        ("192.0.2.0/24", "192.0.3.1", False),
        ("http://[2001:db8::1]:8080/", "2001:db8::1", True),
        ("2001:db8::/32", "2001:db8:5::1", True),
    ],
)
def test_a_line_stands_for_the_host_and_all_below(tmp_path: Path, line: str, host: str, covered: bool) -> None:
    assert denied(tmp_path, line).covers(host) is covered


def test_comments_blank_lines_marks_and_line_ends(tmp_path: Path) -> None:
    found = denied(tmp_path, "\ufeff# mine\r\n\r\na.example\r\nb.example # no")
    assert found.hosts == {"a.example", "b.example"}


@pytest.mark.parametrize("bad", ["ftp://x.example", "two words", "10.0.0.0/99", b"\xff\xfe", "https://u:p@x.example/"])
def test_a_bad_line_is_fatal_and_named(tmp_path: Path, bad: str | bytes) -> None:
    good = "a.example\n"
    with pytest.raises(UsageError, match=r"deny\.txt: (line 2|not UTF-8)"):
        denied(tmp_path, good + bad if isinstance(bad, str) else good.encode() + bad)


def test_a_file_that_is_missing_is_fatal(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none"):
        read_denied([tmp_path / "none.txt"])


def test_several_files_are_one_list_and_its_digest_is_of_its_content(tmp_path: Path) -> None:
    one, two = tmp_path / "1.txt", tmp_path / "2.txt"
    one.write_text("b.example\na.example\n")
    two.write_text("# other words\na.example\nb.example\n")
    assert read_denied([one]).digest == read_denied([two, one]).digest != NOTHING.digest == ""
