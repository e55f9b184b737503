"""Walking one endpoint over QUIC: handshake, verify, fetch over HTTP/3. One fact each, emitted as soon as it exists."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import trio

from probe.model.kinds import QuicHandshake, Skipped
from probe.model.observation import Blob, Draft
from probe.model.step import Fetch, QuicWalk
from probe.net.base import Http3, QuicShaken
from probe.perform.fetch import (
    INTERRUPTED,
    Answer,
    Told,
    authority_of,
    coding_of,
    front_page,
    page_fact,
)
from probe.perform.held3 import Exchange3
from probe.perform.walk import CERTIFICATE, distinct, draft_of, verify
from probe.perform.world import Emit, World
from probe.verdict.read import TRIAL
from probe.wire.content import decode_content
from probe.wire.http1 import header_texts, request_headers
from probe.wire.tls import ja4

ALPN = ("h3",)
HTTP3 = "HTTP/3"
STEP = "quic"
MISSING = "needs the extra `quic`"


async def perform_quic(step: QuicWalk, world: World, emit: Emit) -> None:
    """Take the steps of a walk over QUIC as far as they lead. The connection is closed whatever happens."""
    why_not = "denied" if world.policy.refuses(step.host) else world.policy.allows(step.ip, step.port)
    if why_not is None and not world.net.speaks_quic:
        why_not = f"not_supported: {MISSING}"
    is_first = step.attempt == 1 and not step.why.startswith(TRIAL)
    if why_not is None and is_first and world.is_quic_shut(step.ip):
        why_not = "unanswered"
    if why_not is not None:
        because, _, note = why_not.partition(": ")
        skipped = Skipped(STEP, because, note or None)
        emit(replace(draft_of(step, skipped), failure="skipped", at_us=world.net.clock.now_us()), ())
        return
    shaken = await world.net.shake_quic(step.ip, step.port, step.sni or None, ALPN, world.limits.quic)
    try:
        chain = tuple(Blob(hashlib.sha256(der).hexdigest(), CERTIFICATE, der) for der in shaken.chain)
        handshake = emit(_handshake_fact(step, shaken, chain), distinct(chain))
        proven = verify(step, shaken, handshake, world, emit) if shaken.chain else False
        if shaken.http3 is not None and step.fetch is not None:
            await _fetch(step, step.fetch, shaken.http3, proven, handshake, world, emit)
    finally:
        if shaken.http3 is not None:
            shaken.http3.close()


async def _fetch(
    step: QuicWalk, fetch: Fetch, http3: Http3, proven: bool, parent: int, world: World, emit: Emit
) -> None:
    """Ask for the page and emit one http.fetch. A peer that did not prove its name gets no path, query or cookies."""
    if not proven:
        fetch = replace(fetch, url=front_page(fetch.url), cookies=())
    sent = request_headers(world.headers, authority_of(fetch.url), fetch.cookies, secure=True, http2=True)
    exchange = Exchange3(http3, world.net.clock, world.limits)
    try:
        await exchange.run(fetch.url, sent)
    except trio.Cancelled:
        exchange.ended = INTERRUPTED
        raise
    finally:
        answer = _answer(exchange)
        decoded = decode_content(answer.body, coding_of(answer), world.limits.decoded_cap)
        told = Told(
            failure=exchange.ended,
            truncated="bomb" if decoded.truncated == "bomb" else exchange.truncated or decoded.truncated,
            ended=exchange.stream_ended,
            at_us=exchange.at_us,
            began_us=exchange.began_us,
            took_us=exchange.took_us,
            first_byte_us=exchange.timeline[0][0] if exchange.timeline else None,
            timeline=tuple(exchange.timeline),
        )
        draft, blobs = page_fact(step, fetch, sent, answer, decoded, told, world)
        emit(replace(draft, parent=parent), blobs)


def _answer(exchange: Exchange3) -> Answer:
    head = exchange.head
    if head is None:
        return Answer(None, None, None, (), b"")
    return Answer(HTTP3, head.status, None, header_texts(list(head.headers)), bytes(exchange.body))


def _handshake_fact(step: QuicWalk, shaken: QuicShaken, chain: tuple[Blob, ...]) -> Draft:
    failure = shaken.failure
    detail = QuicHandshake(
        sni=step.sni or None,
        alpn_offered=ALPN,
        version=shaken.version,
        cipher=shaken.cipher,
        alpn=shaken.alpn,
        chain=tuple(blob.sha256 for blob in chain),
        alert=shaken.alert,
        ended=shaken.ended,
        close_code=shaken.close_code,
        close_reason=shaken.close_reason,
        retry=shaken.retry,
        versions=shaken.versions,
        datagrams_out=shaken.datagrams_out,
        datagrams_in=shaken.datagrams_in,
        bytes_out=shaken.bytes_out,
        bytes_in=shaken.bytes_in,
        first_flight=shaken.first_flight,
        first_us=shaken.first_us,
        icmp=shaken.icmp,
        ja4=ja4(shaken.hello, "q"),
        lag_us=shaken.lag_us,
        raw=failure.raw if failure else None,
    )
    word = failure.word if failure else None
    return replace(draft_of(step, detail), failure=word, at_us=shaken.at_us, took_us=shaken.took_us)
