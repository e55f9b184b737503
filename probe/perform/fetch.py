"""One GET over the stream held, as one fact: status, headers, body within bounds, and how it ended."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from urllib.parse import urlsplit, urlunsplit

import httpx
import trio

from probe.model.kinds import HttpFetch, PageFeatures, TcpInfo
from probe.model.observation import Blob, Draft
from probe.model.step import Fetch, QuicWalk, Walk
from probe.model.target import DEFAULT_PORTS
from probe.net.base import Failure, Stream
from probe.perform.held import EOF, Exchange, HeldStream
from probe.perform.world import Emit, Limits, World
from probe.wire.content import Decoded, decode_content
from probe.wire.http1 import (
    Headers,
    LenientResponse,
    header_text,
    header_texts,
    header_value,
    lenient_response,
    request_headers,
)
from probe.wire.page import looks_like_html, page_features
from probe.wire.urls import resolve_location

REDIRECTS = frozenset({301, 302, 303, 307, 308})
INTERRUPTED = Failure("interrupted", "cancelled")
BOMB = Failure("http_body_too_large", "bomb")
# What may be on its way to us at once where only a part of a page is wanted. At a round trip of half a second that
# still lets a megabit a second pass.
WINDOW = 65_536
_MEDIA = re.compile(r"[a-z0-9!#$&^_.+-]{1,19}/[a-z0-9!#$&^_.+-]{1,20}")
# What `HttpFetch.truncated` says of an answer that ended with this failure; any other end is a cut.
_TRUNCATED = {"generic_timeout_error": "stall", "http_body_too_large": "cap"}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer's parts, whether a strict parser gave them or the lenient one."""

    protocol: str | None
    status: int | None
    reason: str | None
    headers: Headers
    body: bytes
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """How an exchange went, beside what it brought: as in `HttpFetch`. `failure` is how it broke off, if it did."""

    failure: Failure | None
    truncated: str | None
    ended: str | None
    at_us: int
    began_us: int
    took_us: int
    first_byte_us: int | None
    timeline: tuple[tuple[int, int], ...]
    info: TcpInfo | None = None


async def perform_fetch(
    step: Walk, fetch: Fetch, stream: Stream, alpn: str | None, proven: bool, parent: int, world: World, emit: Emit
) -> None:
    """Ask for the page and emit one http.fetch. A peer that did not prove its name gets no path, query or cookies."""
    if not proven:
        fetch = replace(fetch, url=front_page(fetch.url), cookies=())
    http2 = alpn == "h2"
    limits, clock = _limits(fetch, stream, world.limits), world.net.clock
    held = HeldStream(stream, clock, limits.stall_s, limits.fetch_s, limits.header_cap)
    exchange = Exchange(held, clock, http2, limits)
    secure = urlsplit(fetch.url).scheme == "https"
    headers = request_headers(world.headers, authority_of(fetch.url), fetch.cookies, secure=secure, http2=http2)
    try:
        await exchange.run(_request(fetch.url, headers))
    except trio.Cancelled:
        exchange.ended = INTERRUPTED
        raise
    finally:
        draft, blobs = _fact(step, fetch, headers, exchange, stream, world)
        emit(replace(draft, parent=parent), blobs)


def _limits(fetch: Fetch, stream: Stream, limits: Limits) -> Limits:
    """The limits, narrowed where the step wants only so much of the page: then little more is let come at all."""
    if not fetch.most:
        return limits
    stream.narrow(WINDOW)
    return replace(limits, body_cap=min(fetch.most, limits.body_cap))


def authority_of(url: str) -> str:
    """Host and, where it is not the scheme's own, port: what a Host header says."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    return host if port == DEFAULT_PORTS.get(parts.scheme) else f"{host}:{port}"


def front_page(url: str) -> str:
    """The URL without path and query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, "/", "", ""))


def _request(url: str, headers: Headers) -> httpx.Request:
    parts = urlsplit(url)
    # Given beside the URL, because httpx has its own idea of quoting and the target's normal form is ours.
    target = urlunsplit(("", "", parts.path or "/", parts.query, "")).encode("ascii", "replace")
    encoded = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers]
    return httpx.Request("GET", url, headers=encoded, extensions={"target": target})


def _fact(
    step: Walk, fetch: Fetch, sent: Headers, exchange: Exchange, stream: Stream, world: World
) -> tuple[Draft, tuple[Blob, ...]]:
    answer = _answer(exchange)
    decoded = decode_content(answer.body, coding_of(answer), world.limits.decoded_cap)
    told = Told(
        failure=exchange.ended,
        truncated=_truncated(exchange, decoded),
        ended=_ended(exchange, stream),
        at_us=exchange.at_us,
        began_us=exchange.began_us,
        took_us=exchange.took_us,
        first_byte_us=exchange.first_byte_us,
        timeline=tuple(exchange.timeline),
        info=stream.info(),
    )
    return page_fact(step, fetch, sent, answer, decoded, told, world)


def page_fact(
    step: Walk | QuicWalk, fetch: Fetch, sent: Headers, answer: Answer, decoded: Decoded, told: Told, world: World
) -> tuple[Draft, tuple[Blob, ...]]:
    """The fact of a fetch, and the body to be kept with it."""
    content_type = header_value(answer.headers, "content-type") or ""
    blob = _blob(decoded.data[: world.limits.stored_cap], content_type)
    leads, why_not = _location(fetch.url, answer)
    failure = told.failure or _failure(answer, decoded, why_not)
    detail = HttpFetch(
        url=fetch.url,
        hop=fetch.hop,
        protocol=answer.protocol,
        status=answer.status,
        reason=answer.reason,
        headers=answer.headers,
        request_headers=sent,
        location=leads,
        body=blob.sha256 if blob else None,
        body_bytes=len(decoded.data),
        wire_bytes=len(answer.body),
        declared=_declared(answer.headers),
        truncated=told.truncated,
        lenient=answer.lenient,
        features=_features(decoded.data, content_type),
        first_byte_us=told.first_byte_us,
        timeline=told.timeline,
        ended=told.ended,
        info=told.info,
        lag_us=world.net.clock.lag_us(told.began_us),
        raw=failure.raw if failure else None,
        ttl=step.ttl if isinstance(step, Walk) else 0,
    )
    draft = Draft(
        HttpFetch.kind, detail, step.host, step.ip, step.port, failure.word if failure else None,
        told.at_us, told.took_us, step.attempt, step.why,
    )  # fmt: skip
    return draft, (blob,) if blob else ()


def _answer(exchange: Exchange) -> Answer:
    response = exchange.response
    if response is None:
        return _lenient(exchange)
    return Answer(
        protocol=response.http_version,
        status=response.status_code,
        reason=header_text(response.extensions.get("reason_phrase", b"")) or None,
        headers=header_texts(list(response.headers.raw)),
        body=bytes(exchange.body),
    )


def _lenient(exchange: Exchange) -> Answer:
    """What the raw bytes seem to say. HTTP/2 frames say nothing to this reader, and are no evidence worth a body."""
    raw = bytes(exchange.held.raw)
    said = lenient_response(raw)
    if not raw or (exchange.http2 and said.status is None and raw[:1] != b"<"):
        said = LenientResponse(None, None, None, (), b"", False)
    return Answer(said.protocol, said.status, said.reason, said.headers, said.body, lenient=bool(raw))


def coding_of(answer: Answer) -> str:
    """The codings of the body, as the Content-Encoding header has them."""
    return header_value(answer.headers, "content-encoding") or ""


def _declared(headers: Headers) -> int | None:
    text = header_value(headers, "content-length") or ""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def _location(url: str, answer: Answer) -> tuple[str | None, str]:
    """(the absolute URL of a Location header, or None with the reason why a redirect cannot be followed)."""
    location = header_value(answer.headers, "location")
    if location is None:
        return None, "no Location" if answer.status in REDIRECTS else ""
    leads, why_not = resolve_location(url, location)
    return (leads.normal if leads else None), why_not if answer.status in REDIRECTS else ""


def _failure(answer: Answer, decoded: Decoded, why_not: str) -> Failure | None:
    """What was wrong with an answer that came whole."""
    if decoded.truncated == "bomb":
        return BOMB
    if decoded.error:
        return Failure("http_request_failed", f"content-encoding: {decoded.error}")
    return Failure("http_invalid_redirect", why_not) if why_not else None


def _truncated(exchange: Exchange, decoded: Decoded) -> str | None:
    if decoded.truncated == "bomb":
        return "bomb"
    if exchange.capped:
        return "cap"
    if exchange.timed:
        return "time"
    ended = exchange.ended
    # Refused by the parser at the head, it may well have been all there was.
    refused = ended is not None and ended.word == "http_request_failed" and exchange.response is None
    if ended is None or refused or not exchange.held.raw:
        return decoded.truncated
    return _TRUNCATED.get(ended.word, "cut")


def _ended(exchange: Exchange, stream: Stream) -> str | None:
    """How the stream ended, as far as we read: rst, fin, close_notify, silence, or None when we stopped first."""
    failure = exchange.held.failure
    if failure is not None:
        return {"connection_reset": "rst", "generic_timeout_error": "silence"}.get(failure.word)
    if not exchange.held.fin and exchange.ended is not EOF:
        return None
    told = getattr(stream, "ended", None)
    return told if isinstance(told, str) else "fin"


def _blob(data: bytes, content_type: str) -> Blob | None:
    if not data:
        return None
    essence = content_type.split(";", 1)[0].strip().lower()
    media = essence if _MEDIA.fullmatch(essence) else "application/octet-stream"
    return Blob(hashlib.sha256(data).hexdigest(), media, data)


def _features(data: bytes, content_type: str) -> PageFeatures | None:
    return page_features(data, content_type) if data and looks_like_html(data, content_type) else None
