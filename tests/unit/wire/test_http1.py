"""Request headers in a browser's order; answers that are hardly HTTP."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.wire.http1 import FIREFOX, header_texts, header_value, lenient_response, request_headers


def test_order_of_a_browser() -> None:
    headers = request_headers(FIREFOX, "example.org:8080", (("a", "1"), ("b", "2")), secure=False, http2=False)
    assert [name for name, _ in headers] == [
        "Host", "User-Agent", "Accept", "Accept-Language", "Accept-Encoding", "Connection", "Cookie",
        "Upgrade-Insecure-Requests", "Priority",
    ]  # fmt: skip
    assert header_value(headers, "host") == "example.org:8080"
    assert header_value(headers, "cookie") == "a=1; b=2"
    assert header_value(headers, "accept-encoding") == "gzip, deflate"


def test_http2_is_lower_case_and_has_no_connection() -> None:
    headers = request_headers(FIREFOX, "example.org", (), secure=True, http2=True)
    names = [name for name, _ in headers]
    assert names == [name.lower() for name in names]
    assert "connection" not in names and "cookie" not in names and names[-1] == "te"
    assert header_value(headers, "sec-fetch-dest") == "document"


def test_nothing_tells_who_asks() -> None:
    text = str(request_headers(FIREFOX, "example.org", (), secure=True, http2=False)).lower()
    assert "probe" not in text and "@" not in text and "http:" not in text


@pytest.mark.parametrize(
    "raw,status,protocol",
    [
        (b"HTTP/1.1 000 Blocked\r\nServer : x\r\n\r\n<html>", 0, "HTTP/1.1"),
        (b"http/1.1 403 no\n: nameless\n\n<html>", 403, "http/1.1"),
        (b"\r\nHTTP/1.0 200\r\n\r\n<html>", 200, "HTTP/1.0"),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n<html>", 302, "HTTP/1.1"),
    ],
)  # fmt: skip
def test_hardly_http(raw: bytes, status: int, protocol: str) -> None:
    said = lenient_response(raw)
    assert (said.status, said.protocol, said.body, said.complete_head) == (status, protocol, b"<html>", True)


def test_spaced_header_names_are_read() -> None:
    said = lenient_response(b"HTTP/1.1 000 x\r\nServer : Zscaler\r\nbroken line\r\n\r\n")
    assert said.headers == (("Server", "Zscaler"),)


def test_no_head_at_all() -> None:
    said = lenient_response(b"<html>blocked</html>")
    assert (said.status, said.body, said.complete_head) == (None, b"<html>blocked</html>", False)


def test_head_without_end() -> None:
    said = lenient_response(b"HTTP/1.1 200 OK\r\nServer: x\r\nX-Half")
    assert (said.status, said.headers, said.body, said.complete_head) == (200, (("Server", "x"),), b"", False)


def test_chunks_and_what_follows_a_broken_one() -> None:
    head = b"HTTP/1.1 000 x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert lenient_response(head + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n").body == b"abcde"
    assert lenient_response(head + b"3\r\nabc\r\nzz\r\nde").body == b"abczz\r\nde"


def test_header_bytes_are_never_lost() -> None:
    assert header_texts([(b"X-A", "اردو".encode()), (b"x-b", b"caf\xe9")]) == (("X-A", "اردو"), ("x-b", "café"))


@pytest.mark.parametrize("raw", [b"\n" * 200_000, b"HTTP/1.1 " * 20_000, b"\r\n \r" * 50_000, b"A:" * 50_000])
def test_pathological_input_is_quick(raw: bytes) -> None:
    lenient_response(raw)


@given(st.binary(max_size=300))
def test_total(data: bytes) -> None:
    lenient_response(data)
    lenient_response(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
