"""HTTP/1 as bytes: the headers a browser would send, and a lenient reading of answers that are hardly HTTP.

Middleboxes write HTTP by hand: a status of 000, `http/1.1`, a header without a name, no head at all. A strict parser
throws these away, yet they are the best evidence there is. `lenient_response` reads what can be read and never raises;
it is for the record only, and nothing it says is sent anywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from probe.wire.content import OFFERED
from probe.wire.urls import Cookies, cookie_header

Headers = tuple[tuple[str, str], ...]
MAX_HEADERS = 256
MAX_HEADER_VALUE = 8_192
LENIENT_BYTES = 65_536
_STATUS_LINE = re.compile(rb"\s{0,16}(http/\d{1,2}(?:\.\d{1,2})?)[ \t]{1,16}(\d{1,3})(?!\d)[ \t]{0,16}(.*)", re.I)
_BLANK_LINE = re.compile(rb"\r?\n[ \t]{0,16}\r?\n")


@dataclass(frozen=True, slots=True)
class HeaderProfile:
    """Request headers in a browser's order. Each row is (name, value, when): when is "" always, "1" HTTP/1 only, "2"
    HTTP/2 only, "s" over TLS only. The values {host} and {cookies} are filled in; without cookies that row goes."""

    name: str
    rows: tuple[tuple[str, str, str], ...]


# Firefox, extended support release 140, on Windows, at its first visit from the address bar: the commonest thing to
# look like, and long-lived. No contact address, which would mark volunteers out to whoever watches. Two deliberate
# differences: only codings are offered that we can undo within bounds, and the language says nothing of the person.
FIREFOX = HeaderProfile(
    "firefox-140esr",
    (
        ("Host", "{host}", ""),
        ("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", ""),
        ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", ""),
        ("Accept-Language", "en-US,en;q=0.5", ""),
        ("Accept-Encoding", OFFERED, ""),
        ("Connection", "keep-alive", "1"),
        ("Cookie", "{cookies}", ""),
        ("Upgrade-Insecure-Requests", "1", ""),
        ("Sec-Fetch-Dest", "document", "s"),
        ("Sec-Fetch-Mode", "navigate", "s"),
        ("Sec-Fetch-Site", "none", "s"),
        ("Sec-Fetch-User", "?1", "s"),
        ("Priority", "u=0, i", ""),
        ("TE", "trailers", "2"),
    ),
)


def request_headers(profile: HeaderProfile, authority: str, cookies: Cookies, *, secure: bool, http2: bool) -> Headers:
    """The headers of one GET, in order; lower case for HTTP/2, where the wire has nothing else."""
    skipped = {"1" if http2 else "2"} | (set() if secure else {"s"})
    filled = {"{host}": authority, "{cookies}": cookie_header(cookies)}
    rows = [(name, filled.get(value, value)) for name, value, when in profile.rows if when not in skipped]
    return tuple((name.lower() if http2 else name, value) for name, value in rows if value)


def header_text(value: bytes) -> str:
    """A header's bytes as text: UTF-8 where it is that, else Latin-1, so that any byte is kept."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return text[:MAX_HEADER_VALUE]


def header_texts(raw: list[tuple[bytes, bytes]]) -> Headers:
    """Headers as received, in order and case, bounded in number and size."""
    return tuple((header_text(name), header_text(value)) for name, value in raw[:MAX_HEADERS])


def header_value(headers: Headers, name: str) -> str | None:
    """The first value of a header, whatever its case."""
    return next((value for key, value in headers if key.lower() == name), None)


@dataclass(frozen=True, slots=True)
class LenientResponse:
    """What some bytes seem to say. Without a status line all of it is body (as HTTP/0.9 had it)."""

    protocol: str | None
    status: int | None
    reason: str | None
    headers: Headers
    body: bytes
    complete_head: bool


def lenient_response(raw: bytes) -> LenientResponse:
    """Read an answer that a strict parser refused. Total, and linear in at most LENIENT_BYTES."""
    data = raw[:LENIENT_BYTES]
    blank = _BLANK_LINE.search(data)
    head, body = (data[: blank.start()], data[blank.end() :]) if blank else (data, b"")
    lines = head.lstrip(b"\r\n").split(b"\n")
    status_line = _STATUS_LINE.match(lines[0].rstrip(b"\r"))
    if status_line is None:
        return LenientResponse(None, None, None, (), data, False)
    headers = header_texts(list(_header_lines(lines[1:])))
    if "chunked" in (header_value(headers, "transfer-encoding") or "").lower():
        body = _dechunk(body)
    return LenientResponse(
        protocol=status_line[1].decode(),
        status=int(status_line[2]),
        reason=header_text(status_line[3].strip()),
        headers=headers,
        body=body,
        complete_head=blank is not None,
    )


def _header_lines(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    pairs = (line.partition(b":") for line in lines[:MAX_HEADERS])
    return [(name.strip(), value.strip()) for name, mark, value in pairs if mark]


def _dechunk(body: bytes) -> bytes:
    """The chunks that can be read; from the first one that cannot, the bytes as they are."""
    out = bytearray()
    at = 0
    while at < len(body):
        end = body.find(b"\n", at, at + 64)
        size = _chunk_size(body[at:end]) if end >= 0 else None
        if size is None:
            return bytes(out + body[at:])
        if size == 0:
            break
        out += body[end + 1 : end + 1 + size]
        at = end + 1 + size
        at += 2 if body[at : at + 2] == b"\r\n" else 1
    return bytes(out)


def _chunk_size(line: bytes) -> int | None:
    digits = re.fullmatch(rb"\s*([0-9a-fA-F]{1,8})\s*(;.*)?", line.rstrip(b"\r"))
    return int(digits[1], 16) if digits else None
