"""The line check: is this line alive at all? One dull, steady site (a canary), looked up and shaken hands with, and its
front page asked for in the clear. Asked again later, its known endpoint is only connected to, beside one lookup; and
where it is to be asked over QUIC, that is done if its HTTPS record announces HTTP/3."""

from __future__ import annotations

from collections.abc import Iterator

from probe.checks.question import Question
from probe.checks.quic.announced import announced_port
from probe.checks.web.steps import server_name, service_record_resolvers
from probe.model.step import Fetch, Lookup, QuicWalk, Step, Walk
from probe.model.target import build_url
from probe.verdict.case import Case
from probe.verdict.read import addresses_of

# One address of each family is enough to know that a line carries it.
PER_FAMILY = 1


def next_steps(question: Question, case: Case) -> Iterator[Step]:
    """Lookups by the line's own resolvers and one other, then a handshake with the first address of each family."""
    if question.endpoints:
        yield from _over_quic(question, case) if question.quic else _again(question)
        return
    target = question.target
    if not target.is_address:
        for resolver in question.resolvers:
            for qtype in ("A", "AAAA"):
                yield Lookup(target.host, qtype, resolver, why="canary")
        # Whoever is given an address for a name that cannot exist has a resolver that invents them.
        nowhere = f"v{case.measurement.measurement_id[:12]}.invalid"
        yield from (Lookup(nowhere, "A", resolver, why="canary: no such name") for resolver in question.resolvers[:1])
    sni = server_name(target.host) if target.scheme == "https" else None
    found = addresses_of(case.observations, target.host)
    for family in ([ip for ip in found if ":" not in ip], [ip for ip in found if ":" in ip]):
        for ip in family[:PER_FAMILY]:
            yield Walk(target.host, ip, target.port, sni, why="canary")
    # Whoever answers in the clear in an innocent site's place does so for everybody on this line.
    for ip in sorted(found, key=lambda ip: ":" in ip)[:1]:
        page = Fetch(build_url("http", target.host, 80, "/", ""))
        yield Walk(target.host, ip, 80, None, page, why="canary in the clear")


def _again(question: Question) -> Iterator[Step]:
    target = question.target
    if not target.is_address:
        yield from (Lookup(target.host, "A", resolver, why="canary again") for resolver in question.resolvers[:1])
    for host, ip, port in question.endpoints:
        yield Walk(host, ip, port, why="canary again")


def _over_quic(question: Question, case: Case) -> Iterator[Step]:
    for resolver in service_record_resolvers(question.resolvers):
        yield Lookup(question.target.host, "HTTPS", resolver, why="canary over QUIC")
    port = announced_port(case, question.target)
    if port is not None:
        yield from (
            QuicWalk(host, ip, port, server_name(host), why="canary over QUIC") for host, ip, _ in question.endpoints
        )
