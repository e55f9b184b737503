"""TLS bytes: hellos, their fingerprints, records and alerts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.wire.tls import Alert, ClientHello, ja4, ja4_of, looks_like_tls, parse_client_hello, plaintext_alert, records


def part(data: bytes, prefix: int) -> bytes:
    """Bytes behind their length."""
    return len(data).to_bytes(prefix, "big") + data


def shorts(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(2, "big") for number in numbers)


def record(kind: int, body: bytes, version: int = 0x0301) -> bytes:
    return bytes([kind]) + shorts(version) + part(body, 2)


def hello_message(ciphers: tuple[int, ...] = (0x1301,), extensions: tuple[tuple[int, bytes], ...] = ()) -> bytes:
    """A ClientHello handshake message."""
    listed = b"".join(shorts(number) + part(body, 2) for number, body in extensions)
    body = shorts(0x0303) + bytes(32) + part(b"id", 1) + part(shorts(*ciphers), 2) + part(b"\0", 1) + part(listed, 2)
    return b"\x01" + part(body, 3)


SNI = (0, part(b"\0" + part(b"example.test", 2), 2))
ALPN = (16, part(part(b"h2", 1) + part(b"http/1.1", 1), 2))
VERSIONS = (43, part(shorts(0x5A5A, 0x0304, 0x0303), 1))
SIGNATURES = (13, part(shorts(0x0403, 0x0804), 2))
GROUPS = (10, part(shorts(0x0A0A, 29), 2))
FULL = hello_message((0x2A2A, 0x1301, 0xC02F), (SNI, ALPN, VERSIONS, SIGNATURES, GROUPS, (0x3A3A, b"")))


def test_a_hello_is_read_whole() -> None:
    assert parse_client_hello(record(22, FULL)) == ClientHello(
        legacy_version=0x0303,
        session_id=b"id",
        ciphers=(0x2A2A, 0x1301, 0xC02F),
        extensions=(0, 16, 43, 13, 10, 0x3A3A),
        sni="example.test",
        alpn=("h2", "http/1.1"),
        versions=(0x5A5A, 0x0304, 0x0303),
        signatures=(0x0403, 0x0804),
        groups=(0x0A0A, 29),
    )


@given(st.integers(1, len(FULL) - 1))
def test_a_hello_split_over_records_is_the_same(at: int) -> None:
    assert parse_client_hello(record(22, FULL[:at]) + record(22, FULL[at:])) == parse_client_hello(record(22, FULL))


@given(st.integers(0, len(FULL) + 4))
def test_a_hello_cut_short_is_none(size: int) -> None:
    assert parse_client_hello(record(22, FULL)[:size]) is None


@given(st.binary(max_size=200), st.integers(0, len(FULL) - 1), st.integers(0, 255))
def test_nothing_a_peer_sends_raises(junk: bytes, at: int, value: int) -> None:
    bent = bytearray(FULL)
    bent[at] = value
    for data in (junk, record(22, junk), record(22, b"\x01" + part(junk, 3)), record(22, bytes(bent))):
        parse_client_hello(data)
        ja4(data)
        plaintext_alert(data)


# Cipher and extension lists of a Chrome, from FoxIO's description of JA4, whose worked example has this value.
CHROME = ClientHello(
    legacy_version=0x0303,
    session_id=b"",
    ciphers=(
        *(0x1A1A, 0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030),
        *(0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x009C, 0x009D, 0x002F, 0x0035),
    ),
    extensions=(
        *(0x2A2A, 0x001B, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002D, 0x000D),
        *(0x0005, 0x0023, 0x0012, 0x002B, 0xFF01, 0x000B, 0x000A, 0x0015),
    ),
    sni="example.test",
    alpn=("h2", "http/1.1"),
    versions=(0x0A0A, 0x0304, 0x0303),
    signatures=(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601),
)


def test_ja4_of_the_published_example() -> None:
    assert ja4_of(CHROME) == "t13d1516h2_8daaf6152771_e5627efa2ab1"


@pytest.mark.parametrize(
    ("alpn", "letters"),
    [((), "00"), (("",), "00"), (("http/1.1",), "h1"), (("x",), "xx"), (("\xab\xcd",), "ad"), (("a\xcd",), "6d")],
)
def test_the_alpn_letters(alpn: tuple[str, ...], letters: str) -> None:
    assert ja4_of(ClientHello(0x0303, b"", (1,), (), alpn=alpn))[8:10] == letters


def test_ja4_without_anything() -> None:
    assert ja4(record(22, hello_message(()))) == "t12i000000_000000000000_000000000000"
    assert ja4(b"GET / HTTP/1.1") is None


CERTIFICATE = record(22, b"\x0b\0\0\0")


@pytest.mark.parametrize(
    ("data", "alert"),
    [
        (record(21, b"\x02\x28"), Alert(2, 40)),
        (record(21, b"\x01\x70"), Alert(1, 112)),
        (CERTIFICATE + record(21, b"\x02\x28"), Alert(2, 40)),
        (record(20, b"\x01") + record(21, b"\x02\x28"), None),
        (record(23, b"secret") + record(21, b"\x02\x28"), None),
        (record(21, b"\x02\x28\x01\x00"), None),
        (record(21, b"\x09\x28"), None),
        (b"HTTP/1.1 403", None),
        (b"", None),
    ],
)
def test_plaintext_alerts(data: bytes, alert: Alert | None) -> None:
    assert plaintext_alert(data) == alert


def test_alert_names() -> None:
    assert (Alert(2, 40).name, Alert(1, 112).name, Alert(2, 199).name) == (
        "handshake_failure",
        "unrecognized_name",
        "alert_199",
    )


def test_records_end_where_nonsense_begins() -> None:
    found = list(records(record(22, b"abc") + record(21, b"\x02\x28") + b"<html>"))
    assert [(r.type, r.body) for r in found] == [(22, b"abc"), (21, b"\x02\x28")]
    assert [r.body for r in records(record(22, b"abcdef")[:8])] == [b"abc"]


@pytest.mark.parametrize(
    ("data", "yes"), [(b"\x16\x03\x01", True), (b"\x15\x03\x03", True), (b"HTT", False), (b"\x16", False)]
)
def test_looks_like_tls(data: bytes, yes: bool) -> None:
    assert looks_like_tls(data) is yes
