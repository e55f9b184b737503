"""Trials of a name's lookup: asked where no resolver is, and beside other names. Anomalies only, bounded, spaced.

The same question goes to an address where no resolver answers: the helper's own, whose owner lets us, or the target's
own. What comes back from there was made on the way; an innocent name asked in turn tells whether somebody answers for
all resolvers, as some carriers do. How far away it is made, a few questions with a growing hop limit tell. Where a
resolver is silent or refuses, other names are put to it in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from probe.checks.question import Question
from probe.checks.web.injected import (
    MOST_SILENCES,
    Nobody,
    dns_ladder,
    floor_us,
    ip_of,
    nobodies,
    silences,
    twin,
)
from probe.checks.web.told import Said, by_resolver, lookups_of
from probe.model.kinds import ControlAsk, Skipped
from probe.model.step import Lookup
from probe.model.target import address_of
from probe.verdict.case import Case
from probe.verdict.line import Line
from probe.verdict.pair import Pairing
from probe.verdict.read import ASTRAY, BELOW, HOP_TRIAL, INNOCENT, NOBODY, Tried, is_own_resolver, of_kind
from probe.verdict.reference import Reference

# How often each name of a trial beside others is asked.
TRIES = 3
# Where no resolver is, it is asked at so many places, the next one only where all was silent.
PLACES = 2
# Resolvers of each sort that are asked about other names.
BESIDE = 2
# Steps of a ladder that are climbed together.
AT_ONCE = 4
# A name that no message can carry is not asked for (RFC 1035 section 2.3.4).
NAME_BYTES = 253
# Planning knows no seeds: an answer that needs one to be called a lie is here just one that nobody vouches for.
_NO_REFERENCE = Reference("")


def dns_trials(question: Question, case: Case, host: str, walks: tuple[Tried, ...]) -> Iterator[Lookup]:
    """What to ask about a host whose lookups went wrong here while somebody has addresses for it."""
    if question.role != "field" or address_of(host) or host == question.trial_name or _is_calm(case, host, walks):
        return
    pairing = Pairing(case, _NO_REFERENCE)
    if not pairing.trusted(host):
        return
    facts = lookups_of(pairing, host)
    wrong = [s for s in by_resolver(pairing, host, facts) if s.word != "none" and _is_met(case, s, walks)]
    plain = [s for s in wrong if s.resolver.startswith("udp://")]
    own = [s for s in wrong if is_own_resolver(s.resolver)]
    told = [s for s in plain or own if s.word != "timeout"]
    if twin(pairing, host, facts) is not None or (told and (plain or not _asks_plainly(question))):
        yield from _astray(question, case, host)
    for said in [s for s in own if s.word in ("timeout", "refused") and _speaks(question, s)][:BESIDE]:
        yield from _beside(question, case, host, said)
    for said in [s for s in plain if s.word == "timeout" or floor_us(pairing, s.resolver)][:BESIDE]:
        yield from _beside(question, case, host, said)


def _is_calm(case: Case, host: str, walks: tuple[Tried, ...]) -> bool:
    """Every plain answer about the host leads to where its certificate is valid, and none came twice: the usual case,
    told cheaply."""
    proven = {w.ip for w in walks if w.host == host and w.proven}
    pairing = Pairing(case, _NO_REFERENCE)
    mine = [
        (o, d) for o, d in lookups_of(pairing, host)
        if d.qtype == "A" and (is_own_resolver(d.resolver) or d.resolver.startswith("udp://"))
    ]  # fmt: skip
    given = [{address_of(r.data) for r in d.answers} for _, d in mine]
    return all(d.nth == 0 for _, d in mine) and all(not proven.isdisjoint(ips) for ips in given)


def _asks_plainly(question: Question) -> bool:
    return any(r.startswith("udp://") for r in question.resolvers)


def _speaks(question: Question, said: Said) -> bool:
    """The system's resolver is mostly the network's under another name, with a memory in between."""
    return said.resolver != "system" or not any(r.startswith("network") for r in question.resolvers)


def _is_met(case: Case, said: Said, walks: tuple[Tried, ...]) -> bool:
    """Each address that was told has been looked at, so that it is known what to think of it."""
    skipped = {o.ip for o, _ in of_kind(case.observations, Skipped)}
    met = {w.ip for w in walks if w.failed() is not None or w.verify is not None or w.fetch is not None}
    return met.union(skipped).issuperset(said.addresses)


# ---- where no resolver is ----


def _astray(question: Question, case: Case, host: str) -> Iterator[Lookup]:
    known = {found.resolver: found for found in nobodies(case.observations, host)}
    tries = min(silences(Line(case.observations)), MOST_SILENCES, question.attempts)
    for ip in _places(question, case, host)[:PLACES]:
        resolver = f"{NOBODY}[{ip}]" if ":" in ip else f"{NOBODY}{ip}"
        for attempt in range(1, tries + 1):
            wait = question.gap_s(attempt)
            yield Lookup(host, "A", resolver, attempt, ASTRAY, wait)
            yield Lookup(question.trial_name, "A", resolver, attempt, INNOCENT, wait)
        found = known.get(resolver)
        if found is not None and found.is_injected:
            yield from _hops(question, case, host, found)
        if found is None or not found.is_silent:
            return


def _places(question: Question, case: Case, host: str) -> tuple[str, ...]:
    """Addresses where no resolver answers: the helpers', then the target's own."""
    helpers = [o.ip for o, _ in of_kind(case.observations, ControlAsk) if o.failure is None and o.ip]
    own = sorted(Pairing(case, _NO_REFERENCE).trusted(host), key=lambda ip: (":" in ip, ip))
    resolvers = {ip_of(resolver) for resolver in question.resolvers}
    return tuple(ip for ip in dict.fromkeys((*helpers, *own)) if ip not in resolvers)


def _hops(question: Question, case: Case, host: str, found: Nobody) -> Iterator[Lookup]:
    ladder = dns_ladder(case.observations, host, found.resolver)
    for ttl, attempt in ladder.following(AT_ONCE):
        yield Lookup(host, "A", found.resolver, attempt, HOP_TRIAL, question.gap_s(attempt), ttl=ttl)


# ---- beside other names ----


def _beside(question: Question, case: Case, host: str, said: Said) -> Iterator[Lookup]:
    below = _name_below(case, host) if said.word == "timeout" and is_own_resolver(said.resolver) else None
    for attempt in range(1, TRIES + 1):
        wait = question.gap_s(attempt)
        yield Lookup(question.trial_name, "A", said.resolver, attempt, INNOCENT, wait)
        if below is not None:
            yield Lookup(below, "A", said.resolver, attempt, BELOW, wait)
        if attempt > 1 and said.resolver.startswith("udp://"):
            yield Lookup(host, "A", said.resolver, attempt, "again: beside another name", wait)


def _name_below(case: Case, host: str) -> str | None:
    """A name that nobody has asked for before, so that only the host's own servers can answer for it; short, so that it
    does not single out this measurement either. None where it would be too long."""
    label = sha256(case.measurement.measurement_id.encode()).hexdigest()[:5]
    name = f"{label}.{host}"
    return name if len(name) <= NAME_BYTES else None
