"""Looking up one name at one resolver. Every answer that comes back is a fact of its own, believed or not.

An injected answer and the true one after it are two facts with the same `query`. An answer that says it is cut short
(TC) is followed by the same question over TCP. Facts about resolvers that the network itself configured carry only the
name `network`: the address of somebody's router is nobody's business. So are the routers at which a question with a
hop limit died: that one did say so is kept, and not who.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass, replace

from probe.model.kinds import DnsLookup, Icmp, Record, Skipped
from probe.model.observation import Blob, Draft
from probe.model.step import Lookup
from probe.net.base import Datagram, Failure
from probe.perform.ask import MESSAGE, Asked, Resolver, ask_stream, parse_resolver
from probe.perform.world import Emit, World
from probe.verdict.read import NOBODY
from probe.wire.dns import DnsMessage, build_query, decode

ADDRESS_TYPES = {"A": 4, "AAAA": 6}


async def perform_lookup(step: Lookup, world: World, emit: Emit) -> None:
    """Ask, and emit one dns.lookup per answer, or one with the failure. A question that cannot be put is skipped."""
    if world.policy.refuses(step.host):
        _skip(step, world, emit, because="denied")
        return
    if step.resolver == "system":
        await _ask_system(step, world, emit)
        return
    try:
        question = _question(step, world)
    except ValueError as error:
        _skip(step, world, emit, str(error))
        return
    if step.resolver.startswith(NOBODY) and (why_not := world.policy.allows_address(question.resolver.ip)):
        # Whoever configured a resolver has decided about its address already; this one came from the network.
        because, _, note = why_not.partition(": ")
        _skip(step, world, emit, note, because)
        return
    if question.resolver.scheme == "udp":
        await _ask_udp(question, world, emit)
    else:
        await _ask_stream(question, world, emit)


@dataclass(frozen=True, slots=True)
class _Question:
    """A question ready to be sent. `own` when the resolver is the network's, so that its address stays out."""

    step: Lookup
    resolver: Resolver
    query: int
    message_id: int
    wire: bytes
    own: bool

    def read(self, data: bytes) -> DnsMessage:
        """What some bytes say in answer."""
        return decode(data, self.step.host, self.step.qtype, self.message_id)

    def draft(self, detail: DnsLookup, failure: str | None, at_us: int, took_us: int) -> Draft:
        """A fact about this question."""
        step = self.step
        ip, port = (None, None) if self.own else (self.resolver.ip, self.resolver.port)
        if (self.own or step.ttl) and detail.icmp is not None:
            detail = replace(detail, icmp=Icmp(detail.icmp.type, detail.icmp.code, ""))
        if self.own and _is_private(self.resolver.ip):
            detail = replace(detail, note="private")
        return Draft(
            DnsLookup.kind, detail, step.host, ip, port, failure, at_us, took_us, step.attempt, step.why, step.parent
        )


def _is_private(ip: str) -> bool:
    """A home or office router's address (RFC 1918, 4193, link-local). A stub on loopback tells nothing."""
    address = ipaddress.ip_address(ip)
    return address.is_private and not address.is_loopback


def _question(step: Lookup, world: World) -> _Question:
    resolver = parse_resolver(_url_of(step.resolver, world))
    number = world.random_id() & 0xFFFF
    # RFC 8484 section 4.1: over HTTP the id is 0, since the exchange itself says what answers what.
    message_id = 0 if resolver.scheme == "https" else number
    wire = build_query(step.host, step.qtype, message_id)
    return _Question(step, resolver, number, message_id, wire, step.resolver.startswith("network"))


def _url_of(name: str, world: World) -> str:
    """The URL of `network`, `network:1` ..., or the resolver itself. Raises ValueError when there is no such one."""
    if name.startswith(NOBODY):
        return f"udp://{name.removeprefix(NOBODY)}"
    base, _, index = name.partition(":")
    if base != "network":
        return name
    number = int(index) if index.isdecimal() and index.isascii() else 0
    if number >= len(world.local_resolvers):
        raise ValueError(f"{name}: this network configured {len(world.local_resolvers)} resolvers")
    return world.local_resolvers[number]


def _skip(step: Lookup, world: World, emit: Emit, note: str | None = None, because: str = "not_supported") -> None:
    detail = Skipped(Lookup.__name__.lower(), because, note)
    at_us = world.net.clock.now_us()
    emit(
        Draft(Skipped.kind, detail, step.host, None, None, "skipped", at_us, 0, step.attempt, step.why, step.parent),
        (),
    )


# ---- the system's resolver ----


async def _ask_system(step: Lookup, world: World, emit: Emit) -> None:
    version = ADDRESS_TYPES.get(step.qtype)
    if version is None:
        _skip(step, world, emit, f"the system's resolver is not asked for {step.qtype}")
        return
    found = await world.net.resolve(step.host, version == 6, world.limits.dns.timeout_s)
    failure = found.failure or (None if found.addresses else Failure("dns_no_answer", "no addresses"))
    alias = [Record(step.host, "CNAME", 0, found.canonical)] if found.canonical not in (None, "", step.host) else []
    owner = found.canonical or step.host
    detail = DnsLookup(
        resolver=step.resolver,
        qtype=step.qtype,
        engine="getaddrinfo",
        answers=(*alias, *(Record(owner, step.qtype, 0, ip) for ip in found.addresses)),
        lag_us=found.lag_us,
        raw=failure.raw if failure else None,
    )
    word = failure.word if failure else None
    emit(
        Draft(
            DnsLookup.kind, detail, step.host, None, None, word,
            found.at_us, found.took_us, step.attempt, step.why, step.parent,
        ),
        (),
    )  # fmt: skip


# ---- datagrams ----


async def _ask_udp(question: _Question, world: World, emit: Emit) -> None:
    """Ask, and emit every answer as it arrives; at the end a failure, if there was none that counts."""
    to, plan, clock = question.resolver, replace(world.limits.dns, ttl=question.step.ttl), world.net.clock
    heard = _Hearing(question, world, emit, clock.now_us(), clock.mono_us())
    echoes = await world.net.ask_udp(to.ip, to.port, question.wire, plan, heard.take)
    if echoes.failure is not None and echoes.failure.word == "skipped":
        _skip(question.step, world, emit, f"hop limit {question.step.ttl}", echoes.failure.raw)
    elif echoes.failure is not None:
        detail = replace(_base(question, heard.nth, "udp"), sends=echoes.sends, icmp=echoes.icmp, lag_us=echoes.lag_us)
        failed = replace(detail, raw=echoes.failure.raw)
        emit(question.draft(failed, echoes.failure.word, echoes.at_us, echoes.took_us), ())
    elif heard.cut is not None and not heard.whole:
        again = replace(question, step=replace(question.step, parent=heard.cut), resolver=replace(to, scheme="tcp"))
        await _ask_stream(again, world, emit, heard.nth)


@dataclass(slots=True)
class _Hearing:
    """The answers to one question so far: how many, whether one was whole, and the seq of the first one cut short."""

    question: _Question
    world: World
    emit: Emit
    at_us: int
    began_us: int
    nth: int = 0
    whole: bool = False
    cut: int | None = None

    def take(self, datagram: Datagram) -> None:
        question = self.question
        said = question.read(datagram.data)
        detail, blob = _told(question, self.nth, "udp", datagram.data, said)
        detail = replace(
            detail,
            sends=datagram.sends,
            source_ok=_same(datagram.source, question.resolver),
            kernel_us=datagram.after_us if datagram.kernel else None,
            lag_us=self.world.net.clock.lag_us(self.began_us),
        )
        seq = self.emit(question.draft(detail, said.failure, self.at_us, datagram.after_us), (blob,))
        self.nth += 1
        if said.id_ok and said.question_ok and detail.source_ok:
            self.whole = self.whole or "tc" not in said.flags
            self.cut = seq if self.cut is None and "tc" in said.flags else self.cut


def _same(source: tuple[str, int], asked: Resolver) -> bool:
    try:
        return ipaddress.ip_address(source[0]) == ipaddress.ip_address(asked.ip) and source[1] == asked.port
    except ValueError:
        return False


# ---- streams ----


async def _ask_stream(question: _Question, world: World, emit: Emit, nth: int = 0) -> None:
    clock = world.net.clock
    at_us, began = clock.now_us(), clock.mono_us()
    asked = await ask_stream(question.resolver, question.wire, world)
    took_us, lag_us = clock.mono_us() - began, clock.lag_us(began)
    detail, word, blobs = _stream_detail(question, nth, asked)
    emit(question.draft(replace(detail, lag_us=lag_us), word, at_us, took_us), blobs)


def _stream_detail(question: _Question, nth: int, asked: Asked) -> tuple[DnsLookup, str | None, tuple[Blob, ...]]:
    engine = question.resolver.scheme
    if asked.message is None:
        failure = asked.failure or Failure("unknown_failure", "nothing came, and no failure")
        detail = replace(
            _base(question, nth, engine), icmp=asked.icmp, note=asked.note, raw=failure.raw, rtt_us=asked.rtt_us
        )
        return detail, failure.word, ()
    said = question.read(asked.message)
    detail, blob = _told(question, nth, engine, asked.message, said)
    return replace(detail, note=asked.note, rtt_us=asked.rtt_us), said.failure, (blob,)


# ---- facts ----


def _base(question: _Question, nth: int, engine: str) -> DnsLookup:
    step = question.step
    return DnsLookup(step.resolver, step.qtype, query=question.query, nth=nth, engine=engine, ttl=step.ttl)


def _told(question: _Question, nth: int, engine: str, data: bytes, said: DnsMessage) -> tuple[DnsLookup, Blob]:
    """The detail of an answer that came, and its raw message (of no bytes at all, if the datagram was empty)."""
    blob = Blob(hashlib.sha256(data).hexdigest(), MESSAGE, data)
    detail = replace(
        _base(question, nth, engine),
        rcode=said.rcode,
        ede=said.ede,
        ede_text=said.ede_text,
        flags=said.flags,
        answers=said.answers,
        authority=said.authority,
        message=blob.sha256,
        size=len(data),
        question_ok=said.question_ok,
        id_ok=said.id_ok,
        raw=said.raw or (said.rcode if said.failure else None),
    )
    return detail, blob
