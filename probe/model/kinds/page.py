"""What requests were answered with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from probe.model.kinds.net import TcpInfo


@dataclass(frozen=True, slots=True)
class PageFeatures:
    """Structure of a page, computed where it was fetched so that pages can be compared without their bodies.
    `simhash` is over word shingles of the visible text, `tags` over the tag sequence, both 64 bits in hex;
    `words` counts visible words, `tag_count` tags. `sketch` holds hashes of word shingles, `pointers` of what scripts,
    pictures, forms and links point at: the smallest few of each, eight hex digits a hash. Pure function of the decoded
    body: see `probe.wire.page`."""

    title: str | None = None
    lang: str | None = None
    words: int = 0
    simhash: str | None = None
    tags: str | None = None
    canonical: str | None = None
    meta_refresh: str | None = None
    tag_count: int = 0
    sketch: str | None = None
    pointers: str | None = None


@dataclass(frozen=True, slots=True)
class PageMet:
    """A page that was given elsewhere: asked of `host` at `ip`, and what of an `HttpFetch` tells which page it was.
    `makers` are the traits by which answers to controls name the site's real server: see `probe.verdict.likeness`."""

    host: str
    ip: str
    status: int | None = None
    location: str | None = None
    body: str | None = None
    features: PageFeatures | None = None
    makers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HttpFetch:
    """One GET over a stream that was already held. `headers` in the order and case received. `body` is the SHA-256 of
    the decoded body's blob, at most the cap; `wire_bytes` counts body bytes as received, `body_bytes` after decoding;
    `truncated` is cap, time, stall, cut or bomb. `timeline` are (microseconds since the request, body bytes so far).
    `protocol` is HTTP/1.1, HTTP/2 or HTTP/3, or what the peer wrote in its place. `ttl` is the hop limit that the
    request was sent with, 0 the usual one."""

    kind: ClassVar[str] = "http.fetch"
    url: str
    method: str = "GET"
    hop: int = 0
    protocol: str | None = None
    status: int | None = None
    reason: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    request_headers: tuple[tuple[str, str], ...] = ()
    location: str | None = None
    body: str | None = None
    body_bytes: int = 0
    wire_bytes: int = 0
    declared: int | None = None
    truncated: str | None = None
    lenient: bool = False
    features: PageFeatures | None = None
    first_byte_us: int | None = None
    timeline: tuple[tuple[int, int], ...] = ()
    ended: str | None = None
    info: TcpInfo | None = None
    lag_us: int = 0
    raw: str | None = None
    ttl: int = 0
