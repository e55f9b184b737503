"""Long headers and the names of QUIC's numbers; Initials read by the tests' own reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.wire.quic import V1, V2, LongHeader, alert_of, close_name, read_header, version_name
from tests.quic.initial import Reader, initial_keys, open_initial


def long(first: int, version: int, rest: bytes = b"\x08AAAAAAAA\x04BBBB") -> bytes:
    return bytes((first,)) + version.to_bytes(4, "big") + rest


@pytest.mark.parametrize(
    "first,version,kind",
    [(0xC0, V1, "initial"), (0xE0, V1, "handshake"), (0xF0, V1, "retry"), (0xC0, V2, "retry"), (0xD0, V2, "initial")],
)
def test_the_kind_of_a_packet(first: int, version: int, kind: str) -> None:
    found = read_header(long(first, version))
    assert found is not None and (found.kind, found.dcid, found.scid) == (kind, b"A" * 8, b"B" * 4)


def test_what_a_negotiation_offers() -> None:
    offered = b"\x6b\x33\x43\xcf\x0a\x0a\x0a\x0a"
    assert read_header(long(0x80, 0, b"\0\0" + offered)) == LongHeader("negotiation", 0, b"", b"", (V2, 0x0A0A0A0A))


@pytest.mark.parametrize("data", [b"", b"\x40" + b"x" * 40, long(0xC0, V1, b"\xff"), long(0xC0, V1, b"\x14abc")])
def test_what_is_none(data: bytes) -> None:
    assert read_header(data) is None


@given(st.binary(max_size=80))
def test_any_bytes_can_be_read(data: bytes) -> None:
    read_header(data)
    read_header(b"\xc0\0\0\0\1" + data)
    assert open_initial(b"\xc0\0\0\0\1" + data) is None


@pytest.mark.parametrize(
    "code,application,name",
    [
        (0x02, False, "CONNECTION_REFUSED"),
        (0x128, False, "handshake_failure"),
        (0x1C7, False, "alert_199"),
        (0x999, False, "0x999"),
        (0x100, True, "H3_NO_ERROR"),
        (0x200, True, "QPACK_DECOMPRESSION_FAILED"),
        (0x02, True, "0x2"),
    ],
)
def test_names_of_closes(code: int, application: bool, name: str) -> None:
    assert close_name(code, application) == name


def test_only_crypto_errors_hold_an_alert() -> None:
    assert (alert_of(0x178), alert_of(0x02), alert_of(0x201)) == ("no_application_protocol", None, None)
    assert (version_name(V1), version_name(V2), version_name(0xFF00001D)) == ("v1", "v2", "0xff00001d")


def test_the_keys_of_the_standard() -> None:
    """RFC 9001 appendix A.1."""
    key, iv, protection = initial_keys(bytes.fromhex("8394c8f03e515708"))
    assert key.hex() == "1f369613dd76d5467730efcbe3b1a22d"
    assert iv.hex() == "fa044b2f42a3fd3b46fb255c"
    assert protection.hex() == "9f50449e04a0e810283a1e9933adedd2"


def test_a_hello_in_pieces_is_read_when_it_is_whole() -> None:
    pytest.importorskip("aioquic")
    from aioquic.quic.configuration import QuicConfiguration
    from aioquic.quic.connection import QuicConnection

    # A name this long does not fit into one datagram.
    name = ".".join(["a" * 60] * 14) + ".example"
    client = QuicConnection(configuration=QuicConfiguration(alpn_protocols=["h3"], server_name=name))
    client.connect(("192.0.2.1", 443), now=0.0)
    datagrams = [data for data, _ in client.datagrams_to_send(now=0.0)]
    reader = Reader()
    assert [reader.feed(data) for data in datagrams] == [False, True]
    assert reader.sni == name
