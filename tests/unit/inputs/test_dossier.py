"""What is wrong with a dossier is told completely, a line each, and nothing wrong comes through."""

from __future__ import annotations

from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from probe.inputs.dossier import MAX_DOSSIER, DossierError, is_over, read_dossier, read_file, seconds_of, targets_of
from probe.inputs.reference import load_reference
from probe.model.errors import UsageError
from probe.wire.dossier import sign
from tests.unit.dossiers import TABLE, changed, toml
from tests.unit.wire.test_dossier import KEY


def problems(data: str | bytes | dict[str, Any]) -> tuple[str, ...]:
    text = toml(data) if isinstance(data, dict) else data
    with pytest.raises(DossierError) as caught:
        read_dossier(text if isinstance(text, bytes) else text.encode(), "x.toml", load_reference())
    assert all("\n" not in problem and problem.isprintable() for problem in caught.value.problems)
    assert str(caught.value).startswith(f"x.toml: {caught.value.problems[0]}")
    return caught.value.problems


def test_a_right_one_is_read() -> None:
    read = read_dossier(toml(TABLE).encode(), "x.toml", load_reference())
    assert not read.signed and read.dossier.claim[0].places == ("My City",) and read.dossier.source == "a newspaper"
    assert [t.normal for t in targets_of(read.dossier)] == ["https://news.example/", "https://other.example/page"]
    assert read.dossier.prose("ur").title == "عنوان" and read.dossier.prose("ur").incident == TABLE["incident"]
    public, signature = sign(TABLE, KEY)
    whole = {**TABLE, "key": public, "signature": signature}
    assert read_dossier(toml(whole).encode(), "x.toml", load_reference()).signed


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("schema", 2, "schema: expected 1"),
        ("schema", "1", "schema: expected 1"),
        ("schema", True, "schema: expected 1"),
        ("id", "My City", "id: expected small letters, digits and hyphens"),
        ("id", "../x", "id: expected small letters, digits and hyphens"),
        ("title", "", "title: empty"),
        ("title", "x" * 201, "title: longer than 200 characters"),
        ("author", None, "author: missing"),
        ("revision", "yesterday", "revision: expected a day such as 2024-11-29"),
        ("revision", "2026-02-30", "revision: 2026-02-30 is no day of the calendar"),
        ("languages", [], "languages: empty"),
        ("languages", ["en", "ur", "ps"], "languages: 'ps' has no translation"),
        ("languages", ["en"], "translation ur: is not among languages"),
        ("safety", "careful", "safety: expected a table"),
        ("safety.note", None, "safety.note: missing"),
        ("safety.danger", "none", "safety.danger: unknown field"),
        ("colour", "red", "colour: unknown field"),
        ("bad\x1b[31mkey", 1, "'bad\\x1b[31mkey': unknown field"),
        ("schedule.every", "6 hours", "schedule.every: expected a time such as 90m, 6h or 1d"),
        ("schedule.every", "5m", "schedule.every: 5m is too often; once in 15m at most"),
        ("schedule.until", "2026-13-01", "schedule: 2026-13-01 is no day of the calendar"),
        ("helper.urls", ["http://helper.example"], "helper.urls[1]: expected a URL with https://"),
        ("helper.urls", ["https://192.168.1.1/"], "helper.urls: 'https://192.168.1.1/' is no server's URL"),
        ("helper.urls", ["https://me@helper.example"], "helper.urls: 'https://me@helper.example' is no server's URL"),
        ("collector.key", None, "collector.key: missing; without it nobody can tell the collector from a stranger"),
        ("collector.key", "AB" * 32, "collector.key: expected an Ed25519 public key: 64 hex digits"),
        ("canaries", ["nobody"], "canaries: 'nobody' is none of seeds/canaries.toml"),
        ("target", [], "target: empty"),
        ("target", {"url": "https://a.example"}, "target: expected a list"),
        ("target.0", "https://news.example/", "target[1]: expected a table"),
        ("target.1.url", "ftp://a.example/", "target[2].url: expected a URL with https:// or http://"),
        ("target.1.url", "https://news.example:443/", "target[2].url: the same as target[1]"),
        ("target.1.url", "http://10.1.2.3/", "is no public site: its address lies in 10.0.0.0/8 (Private-Use)"),
        ("target.1.url", "http://[::1]/", "is no public site: its address lies in ::1/128 (Loopback Address)"),
        ("target.1.url", "http://[::ffff:192.168.0.1]/", "is no public site: its address lies in 192.168.0.0/16"),
        ("target.1.url", "http://127.1/", "host is neither a name nor a whole IP address"),
        ("target.1.url", "http://router/", "is no public site: such a name exists in home networks only"),
        ("target.1.url", "http://nas.local/", "is no public site: such a name exists in home networks only"),
        ("target.1.url", "http://x.onion/", "is no public site: such a name exists in home networks only"),
        ("target.1.url", "https://me:secret@a.example/", "holds a user name or password"),
        ("target.1.category", "PRON", "target[2].category: PRON is no category"),
        (
            "claim.0.targets",
            ["https://else.example/"],
            "claim closed: 'https://else.example/' is not among the targets",
        ),
        ("claim.0.until", "2026-09-01", "claim closed: ends 2026-09-01, before it begins"),
        ("rival.0.explains", ["open"], "rival outage: explains 'open', which is no claim"),
        ("translation.0.claim.0.id", "open", "translation ur: 'open' is no claim"),
        ("key", "cd" * 32, "the key or the signature is missing"),
    ],
)
def test_each_fault_is_one_clear_line(path: str, value: Any, told: str) -> None:
    found = problems(changed(path, value))
    assert len(found) == 1 and told in found[0]


def test_all_faults_are_told_at_once() -> None:
    table = changed("title", "")
    del table["author"]
    table["target"][0]["url"] = 5
    assert sorted(problems(table)) == [
        "author: missing",
        "target[1].url: expected text in quotation marks",
        "title: empty",
    ]


def test_a_spoiled_signature_is_told() -> None:
    public, signature = sign(TABLE, KEY)
    table = {**deepcopy(TABLE), "key": public, "signature": signature, "title": "Another"}
    assert problems(table) == ("the signature does not fit: something was changed after it was signed",)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("", "schema: missing"),
        ("title = ", "not TOML"),
        (b"\xff\xfe", "not a text file in UTF-8"),
        ("x = " + "[" * 50_000, "not TOML"),
        ("x = " + "9" * 10_000, "not TOML"),
        ("#" * (MAX_DOSSIER + 1), "larger than 256 kB"),
        ("\x00", "not TOML"),
        ("revision = 2026-11-01", "revision: expected text in quotation marks"),
        ("schema = 1.0", "schema: expected 1"),
    ],
)
def test_what_is_no_dossier_at_all(data: str | bytes, told: str) -> None:
    assert any(told in problem for problem in problems(data))


def test_a_file_that_is_not_there_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_file(tmp_path / "none.toml", load_reference())
    (tmp_path / "big.toml").write_bytes(b"#" * (MAX_DOSSIER + 1))
    with pytest.raises(UsageError, match="larger than"):
        read_file(tmp_path / "big.toml", load_reference())


def test_the_last_day_is_still_a_day_of_the_campaign() -> None:
    dossier = read_dossier(toml(changed("schedule.until", "2026-11-09")).encode(), "x", load_reference()).dossier
    assert not is_over(dossier, date(2026, 11, 9)) and is_over(dossier, date(2026, 11, 10))
    endless = read_dossier(toml(changed("schedule.until", "")).encode(), "x", load_reference()).dossier
    assert not is_over(endless, date(9999, 1, 1))


def test_times() -> None:
    assert [seconds_of(every) for every in ("15m", "6h", "1d")] == [900, 21_600, 86_400]
