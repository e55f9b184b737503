"""Lists: what is read, what is named as bad, what waits behind the gate."""

from pathlib import Path

import pytest

from probe.inputs.categories import CATEGORIES, why_gated
from probe.inputs.targets import MAX_LINES, default_list, open_list, own_lists
from probe.model.errors import UsageError

HEADER = "url,category_code,category_description,date_added,source,notes\n"


@pytest.fixture
def write(tmp_path: Path) -> "Writer":
    return Writer(tmp_path / "list.csv")


class Writer:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, data: str | bytes) -> str:
        self.path.write_bytes(data.encode() if isinstance(data, str) else data)
        return str(self.path)


def test_columns_in_any_order_with_mark_and_crlf(write: Writer) -> None:
    name = write(b'\xef\xbb\xbfNotes, URL ,category_code\r\n"a, b",https://a.example/,news\r\n,,\r\n')
    (planned,) = open_list(name).targets
    assert (planned.target.url, planned.category, planned.notes) == ("https://a.example/", "NEWS", "a, b")


def test_plain_lines_with_comments(write: Writer) -> None:
    name = write("# mine\n\na.example\n  http://b.example/#x  \nc.example # why\n")
    assert [p.target.normal for p in open_list(name).targets] == [
        "https://a.example/", "http://b.example/", "https://c.example/",
    ]  # fmt: skip


def test_spellings_of_one_target_are_one(write: Writer) -> None:
    (planned,) = open_list(write("A.example\nhttps://a.example:443/\nA.example\n")).targets
    assert planned.inputs == ("A.example", "https://a.example:443/")


@pytest.mark.parametrize(
    ("body", "lines", "kept"),
    [
        ("nonsense here,NEWS\nhttps://a.example/,NEWS\n", [2], 1),
        ('"https://a.example/,NEWS\nhttps://b.example/,NEWS\nhttps://c.example/,NEWS\n', [2], 2),
        ('https://a.example/,NEWS,"two\nlines"\nhttps://b.example/,NEWS\nbad url\n', [5], 2),
        ("https://a.example/,no code!\n", [2], 0),
        (",NEWS\n", [2], 0),
        ("https://user:pw@a.example/,NEWS\n", [2], 0),
    ],
)
def test_bad_lines_are_named_and_the_rest_is_used(write: Writer, body: str, lines: list[int], kept: int) -> None:
    one = open_list(write("url,category_code,notes\n" + body))
    assert ([e.line for e in one.errors], len(one.targets)) == (lines, kept)


def test_a_line_that_is_not_utf8_is_one_bad_line(write: Writer) -> None:
    one = open_list(write(b"url,notes\nhttps://a.example/,caf\xe9\nhttps://b.example/,fine\n"))
    assert [(e.line, e.reason) for e in one.errors] == [(2, "not UTF-8")]
    str(one.errors[0]).encode()
    assert len(one.targets) == 1


@pytest.mark.parametrize(
    "data",
    [b"", b"  \n", b"\x89PNG\0\0", "url\nhttps://a.example/".encode("utf-16"), b"site,kind,note\na,b,c\n",
     b"a.example\n" * (MAX_LINES + 1), b"x" * 10_000_001],
)  # fmt: skip
def test_what_is_no_list_is_one_error(write: Writer, data: bytes) -> None:
    with pytest.raises(UsageError):
        open_list(write(data))


def test_missing_files_and_names_say_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="global, pk"):
        open_list("zz")
    with pytest.raises(UsageError, match="No such file"):
        open_list(str(tmp_path / "none.csv"))


# ---- the gate ----

GATED = (
    HEADER
    + "https://a.example/,NEWS,,,,\nhttps://b.example/,LGBT,,,,\nhttps://c.example/,PRON,,,,\nhttps://d.example/,,,,,\n"
)


def test_gated_and_unknown_codes_wait(write: Writer) -> None:
    one = open_list(write(GATED))
    assert [p.category for p in one.targets] == ["NEWS", ""]
    assert one.held == (("LGBT", 1), ("PRON", 1))


def test_a_code_opens_itself_and_nothing_else(write: Writer) -> None:
    name = write(GATED)
    assert [p.category for p in open_list(name, ("lgbt",)).targets] == ["LGBT"]
    assert [p.category for p in open_list(name, ("PRON", "NEWS")).targets] == ["NEWS", "PRON"]
    with pytest.raises(UsageError, match="NOPE"):
        open_list(name, ("NOPE",))


@pytest.mark.parametrize("order", [("NEWS", "LGBT"), ("LGBT", "NEWS"), ("", "LGBT")])
def test_where_rows_disagree_the_gate_stays_shut(write: Writer, order: tuple[str, str]) -> None:
    one = open_list(write(HEADER + "".join(f"https://a.example/,{code},,,,\n" for code in order)))
    assert (one.targets, one.held) == ((), (("LGBT", 1),))


def test_nine_of_31_are_gated() -> None:
    assert len(CATEGORIES) == 31
    gated = {c.code for c in CATEGORIES if c.gated}
    assert gated == {"ALDR", "DATE", "GMB", "HATE", "LGBT", "MILX", "PORN", "PROV", "XED"}
    assert not why_gated("")


# ---- our own ----


def test_default_lists_by_country() -> None:
    assert own_lists() == ("global", "pk")
    pk, unknown, elsewhere = default_list("PK"), default_list(""), default_list("ZZ")
    assert (pk.name, unknown.name, elsewhere.name) == ("pk+global", "global", "global")
    assert len({p.target.normal for p in pk.targets}) == len(pk.targets) > len(unknown.targets)
    assert any("wsws.org" in p.target.host for p in unknown.targets)
    assert not any(why_gated(p.category) for p in pk.targets)
