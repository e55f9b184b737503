"""Network databases: the forms met in the wild, and damaged ones."""

import gzip
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.inputs.netdb import NetDb, Seen
from probe.inputs.ranges import Owner, _disjoint
from probe.model.errors import UsageError


def opened(tmp_path: Path, data: str | bytes) -> NetDb:
    path = tmp_path / "net.db"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return NetDb.open(path)


def brief(seen: Seen | None) -> tuple[str, int | None, str] | None:
    return (seen.cc, seen.asn, seen.name) if seen else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.0\t192.0.2.255\t64500\tPK\tEXAMPLE-NET\n", ("PK", 64500, "EXAMPLE-NET")),
        ("start,end,asn,cc\n192.0.2.0,192.0.2.255,AS64500,PK\n", ("PK", 64500, "")),
        ("192.0.2.0,192.0.2.255,PK\n", ("PK", None, "")),
        ('network,asn,name\n192.0.2.0/24,64500,"Example, Ltd"\n', ("", 64500, "Example, Ltd")),
        ('"3221225984","3221226239","PK","Pakistan"\n', ("PK", None, "")),
        ("# made 2026\n192.0.2.0/24;64500;PK\n", ("PK", 64500, "")),
    ],
)
def test_forms_of_csv(tmp_path: Path, text: str, expected: tuple[str, int | None, str]) -> None:
    db = opened(tmp_path, text)
    assert brief(db.lookup("192.0.2.77")) == expected
    assert db.lookup("192.0.3.1") is None and db.lookup("2001:db8::1") is None and db.lookup("nonsense") is None
    assert db.says == f"netdb:{db.built}:{db.digest}" and len(db.says) <= 120


def test_gzip_and_ipv6(tmp_path: Path) -> None:
    db = opened(tmp_path, gzip.compress(b"2001:db8::/32,64501,PK\n192.0.2.0/24,64500,PK\n"))
    assert brief(db.lookup("2001:db8:5::1%eth0")) == ("PK", 64501, "")


def test_the_inner_of_nested_ranges_counts(tmp_path: Path) -> None:
    db = opened(tmp_path, "10.0.0.0/8,64500\n10.1.0.0/16,64501\n10.1.2.0/24,64502\n")
    asked = ("10.0.0.1", "10.1.0.1", "10.1.2.3", "10.1.3.0", "10.200.0.1")
    assert [s.asn for ip in asked if (s := db.lookup(ip))] == [64500, 64501, 64502, 64501, 64500]


def test_not_routed_is_not_known(tmp_path: Path) -> None:
    db = opened(tmp_path, "192.0.2.0\t192.0.2.255\t0\tNone\tNot routed\n198.51.100.0\t198.51.100.9\t64500\tPK\tX\n")
    assert db.lookup("192.0.2.1") is None


@pytest.mark.parametrize(
    "data",
    [b"", b"\0\1\2", b"hello\nworld\n", b"\x1f\x8bdamaged", b"asn,name\n64500,x\n", b"192.0.2.0,192.0.2.255,,\n",
     b"junk" + b"\xab\xcd\xefMaxMind.com" + b"\xff" * 9, b"\xab\xcd\xefMaxMind.com"],
)  # fmt: skip
def test_damaged_files_are_one_clear_error(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UsageError) as caught:
        opened(tmp_path, data)
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        NetDb.open(tmp_path / "none.mmdb")


# ---- MMDB, written here by hand: a tree of one record that both branches of the first bit lead to ----


def mmdb(record: dict[str, Any], nodes: int = 1) -> bytes:
    """The smallest MMDB file (version 2.0, IPv4): every address has `record`."""
    target = struct.pack(">I", nodes + 16)[1:]
    tree = target * 2 * nodes
    meta = {
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1_790_000_000,
        "database_type": "Test", "description": {"en": "test"}, "ip_version": 4, "languages": ["en"],
        "node_count": nodes, "record_size": 24,
    }  # fmt: skip
    return tree + b"\0" * 16 + packed(record) + b"\xab\xcd\xefMaxMind.com" + packed(meta)


def packed(value: Any) -> bytes:
    """A value in the MMDB data format: map 7, text 2, array 11, uint32 6 (MaxMind DB specification 2.0)."""
    if isinstance(value, dict):
        return head(7, len(value)) + b"".join(packed(k) + packed(v) for k, v in value.items())
    if isinstance(value, list):
        return head(11, len(value)) + b"".join(map(packed, value))
    if isinstance(value, int):
        raw = value.to_bytes(4, "big").lstrip(b"\0")
        return head(6, len(raw)) + raw
    text = str(value).encode()
    return head(2, len(text)) + text


def head(kind: int, size: int) -> bytes:
    extra = bytes([size - 29]) if size >= 29 else b""
    small = 29 if size >= 29 else size
    return (bytes([small, kind - 7]) if kind > 7 else bytes([kind << 5 | small])) + extra


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"country": {"iso_code": "PK"}}, ("PK", None, "")),
        ({"autonomous_system_number": 64500, "autonomous_system_organization": "Example"}, ("", 64500, "Example")),
        ({"asn": "AS64500", "as_name": "Example", "country_code": "pk"}, ("PK", 64500, "Example")),
        ({"country": "PK", "asn": "64500"}, ("PK", 64500, "")),
    ],
)
def test_forms_of_mmdb(tmp_path: Path, record: dict[str, Any], expected: tuple[str, int | None, str]) -> None:
    db = opened(tmp_path, mmdb(record))
    assert brief(db.lookup("192.0.2.1")) == expected
    assert db.built == "2026-09-21" and db.lookup("2001:db8::1") is None


def test_an_mmdb_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no countries"):
        opened(tmp_path, mmdb({"weather": "fine"}))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20), st.integers(1, 9)), max_size=8))
def test_flattened_spans_say_the_same_as_the_innermost(rows: list[tuple[int, int, int]]) -> None:
    spans = [(start, start + size, Owner(asn=asn)) for start, size, asn in rows]
    flat = list(_disjoint(spans))
    assert all(a[1] < b[0] for a, b in zip(flat, flat[1:], strict=False))
    for n in range(85):
        covered = any(start <= n <= end for start, end, _ in spans)
        assert any(start <= n <= end for start, end, _ in flat) == covered
