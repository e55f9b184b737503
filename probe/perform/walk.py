"""Walking one endpoint: connect, handshake, verify, fetch. One fact each, every one emitted as soon as it exists."""

from __future__ import annotations

import binascii
import hashlib
from dataclasses import replace

from probe.model.kinds import QuicHandshake, Skipped, TcpConnect, TlsHandshake, TlsVerify
from probe.model.observation import Blob, Draft
from probe.model.step import QuicWalk, Walk
from probe.net.base import Dialed, QuicShaken, Shaken, Stream
from probe.perform.fetch import perform_fetch
from probe.perform.world import Emit, Trust, World
from probe.verdict.read import STRANGERS
from probe.wire.tls import ja4_of, parse_client_hello

ALPN = ("h2", "http/1.1")
# How long to wait for what a hello or a request with a hop limit sets off: round trips of the connect, within these
# seconds.
HOP_RTTS, HOP_LEAST_S, HOP_MOST_S = 4.0, 0.6, 3.0
CERTIFICATE = "application/pkix-cert"
VERIFY_WORDS = {
    "ok": None,
    "wrong_name": "ssl_invalid_hostname",
    "self_signed": "ssl_unknown_authority",
    "unknown_authority": "ssl_unknown_authority",
    "incomplete": "ssl_unknown_authority",
}
UNSENDABLE = "this hello needs the extra: pip install 'vantage-probe[mimic]'"


async def perform_walk(step: Walk, world: World, emit: Emit) -> None:
    """Take the steps of a walk as far as they lead. The stream is closed whatever happens."""
    why_not = _why_not(step, world)
    if why_not is not None:
        emit(_skipped(step, why_not, world), ())
        return
    dialed = await world.net.dial(step.ip, step.port, world.limits.connect_s)
    if dialed.stream is None:
        emit(_connect_fact(step, dialed), ())
        return
    try:
        connect = emit(_connect_fact(step, dialed), ())
        unable = world.net.limit(dialed.stream, step.ttl) if step.ttl else None
        if unable is None:
            await _on(step, dialed.stream, connect, _timed(step, dialed, world), emit)
        else:
            detail = Skipped(Walk.__name__.lower(), unable.raw, f"hop limit {step.ttl}")
            emit(replace(_skipped(step, detail, world), parent=connect), ())
    finally:
        dialed.stream.close()


def _why_not(step: Walk, world: World) -> Skipped | None:
    """Why the walk is not taken at all; None when it may be."""
    if step.profile and step.profile not in world.net.profiles:
        return Skipped(step.profile, "not_supported", UNSENDABLE)
    why_not = "denied" if world.policy.refuses(step.host) else world.policy.allows(step.ip, step.port)
    if why_not is None:
        return None
    because, _, note = why_not.partition(": ")
    return Skipped(Walk.__name__.lower(), because, note or None)


def _skipped(step: Walk, detail: Skipped, world: World) -> Draft:
    return replace(draft_of(step, detail), failure="skipped", at_us=world.net.clock.now_us())


def _timed(step: Walk, dialed: Dialed, world: World) -> World:
    """The world as it is; for what is to die on the way, with no more patience than an answer could need."""
    if not step.ttl:
        return world
    patience_s = min(max(HOP_RTTS * dialed.took_us / 1e6, HOP_LEAST_S), HOP_MOST_S)
    return replace(world, limits=replace(world.limits, handshake_s=patience_s, stall_s=patience_s))


async def _on(step: Walk, stream: Stream, connect: int, world: World, emit: Emit) -> None:
    """The rest of the walk, over a connected stream."""
    if step.sni is None:
        if step.fetch is not None:
            # In the clear nobody can prove a name: there is nothing to hold back.
            await perform_fetch(step, step.fetch, stream, None, True, connect, world, emit)
        return
    shaken = await world.net.shake(
        stream, step.sni or None, ALPN, world.limits.handshake_s, None, step.profile, _bytes_of(step.ech)
    )
    chain = tuple(Blob(hashlib.sha256(der).hexdigest(), CERTIFICATE, der) for der in shaken.chain)
    handshake = emit(_handshake_fact(step, shaken, chain, connect), distinct(chain))
    proven = verify(step, shaken, handshake, world, emit) if shaken.chain else False
    if shaken.stream is None:
        return
    try:
        if step.fetch is not None:
            await perform_fetch(step, step.fetch, shaken.stream, shaken.alpn, proven, handshake, world, emit)
    finally:
        shaken.stream.close()


def _bytes_of(ech: str) -> bytes:
    """A site's configuration for encrypted names; what is not base64 is left as it is, for the engine to refuse."""
    try:
        return binascii.a2b_base64(ech, strict_mode=True)
    except binascii.Error:
        return ech.encode()


def verify(step: Walk | QuicWalk, shaken: Shaken | QuicShaken, handshake: int, world: World, emit: Emit) -> bool:
    """Emit what the trust stores say of the chain; True when the pinned one proves the name."""
    said = _verify_by(world.trust, "", step, shaken, handshake, world, emit)
    second = world.system_trust if not STRANGERS.isdisjoint((said.reason, *said.reasons)) else None
    if second is not None and second.digest != world.trust.digest:
        _verify_by(second, "system", step, shaken, handshake, world, emit)
    return said.reason == "ok"


def _verify_by(
    trust: Trust,
    whose: str,
    step: Walk | QuicWalk,
    shaken: Shaken | QuicShaken,
    handshake: int,
    world: World,
    emit: Emit,
) -> TlsVerify:
    clock = world.net.clock
    at_us, began = clock.now_us(), clock.mono_us()
    verified = replace(trust.verify(shaken.chain, step.sni or step.host, world.now_s()), whose=whose)
    failure = VERIFY_WORDS.get(verified.reason, "ssl_invalid_certificate")
    draft = replace(draft_of(step, verified), failure=failure, at_us=at_us, took_us=clock.mono_us() - began)
    emit(replace(draft, parent=handshake), ())
    return verified


def _connect_fact(step: Walk, dialed: Dialed) -> Draft:
    failure = dialed.failure
    detail = TcpConnect(failure.raw if failure else None, dialed.info, dialed.icmp, dialed.lag_us)
    word = failure.word if failure else None
    return replace(draft_of(step, detail), failure=word, at_us=dialed.at_us, took_us=dialed.took_us)


def _handshake_fact(step: Walk, shaken: Shaken, chain: tuple[Blob, ...], parent: int) -> Draft:
    failure, hello = shaken.failure, parse_client_hello(shaken.hello)
    detail = TlsHandshake(
        sni=step.sni or None,
        alpn_offered=hello.alpn if hello else ALPN,
        version=shaken.version,
        cipher=shaken.cipher,
        alpn=shaken.alpn,
        chain=tuple(blob.sha256 for blob in chain),
        alert=shaken.alert,
        ended=shaken.ended,
        bytes_out=shaken.bytes_out,
        bytes_in=shaken.bytes_in,
        hello_bytes=len(shaken.hello),
        first_bytes=shaken.first_bytes[:64].hex(),
        ja4=ja4_of(hello) if hello else None,
        info=shaken.info,
        lag_us=shaken.lag_us,
        raw=failure.raw if failure else None,
        answer_us=shaken.answer_us,
        ttl=step.ttl,
        profile=step.profile,
        ech=shaken.ech,
        outer=hello.sni if hello and step.ech else None,
    )
    word = failure.word if failure else None
    draft = draft_of(step, detail)
    return replace(draft, failure=word, at_us=shaken.at_us, took_us=shaken.took_us, parent=parent)


def draft_of(step: Walk | QuicWalk, detail: Skipped | TcpConnect | TlsHandshake | QuicHandshake | TlsVerify) -> Draft:
    """A fact about the step's endpoint, without its outcome and times."""
    return Draft(
        detail.kind, detail, step.host, step.ip, step.port, attempt=step.attempt, why=step.why, parent=step.parent
    )


def distinct(blobs: tuple[Blob, ...]) -> tuple[Blob, ...]:
    """The blobs, each once."""
    return tuple({blob.sha256: blob for blob in blobs}.values())
