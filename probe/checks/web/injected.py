"""Answers that were made on the way: two to one question, any where no resolver is, and those that came too early.

No resolver on earth is needed to read these: a second answer, an answer from an address that answers nobody, and one
that is here before light could have been there and back are all somebody else's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, log
from typing import Literal
from urllib.parse import urlsplit

from probe.checks.web.ladder import Ladder
from probe.checks.web.told import FAILURES, Lookups, Said, lookups_of, truth, truth_of
from probe.model.failure import is_local
from probe.model.kinds import DnsLookup
from probe.model.observation import Observation
from probe.model.target import address_of
from probe.verdict.line import Line
from probe.verdict.noise import ALPHA
from probe.verdict.pair import Pairing, was_busy
from probe.verdict.read import (
    INNOCENT,
    NOBODY,
    accepted,
    answer_addresses,
    is_ours,
    of_kind,
)

Proof = Literal["twin", "nobody", "early"]
# So many answers to the name, and so much silence for the innocent one, before nobody's answers count: where a carrier
# answers in every resolver's place, the innocent questions must not all have been lost by chance. On a quiet line three
# will do; on one whose lookups fail more often it takes more, and past the most it cannot be told.
ANSWERS, SILENCES, MOST_SILENCES = 2, 3, 6
# An answer this much sooner than the least round trip cannot be from there; innocent ones must not be as soon.
TOO_EARLY, IN_TIME = 0.6, 0.8
# What a resolver that works says of an innocent name, whether or not that exists.
GOOD = frozenset({None, "dns_nxdomain_error", "dns_no_answer"})


@dataclass(frozen=True, slots=True)
class Nobody:
    """What came back from one address where no resolver should answer: facts of answers to the name; attempts of the
    name and of the innocent one that are over; whether an innocent one was answered, there or at another such address;
    and how much silence it takes on this line."""

    resolver: str
    answers: tuple[Observation, ...]
    tried: frozenset[int]
    innocent: frozenset[int]
    is_intercepted: bool
    silences: int

    @property
    def is_injected(self) -> bool:
        """The name is answered and an innocent one is not. Where both are, somebody answers all questions in the
        resolvers' place, which says nothing of this name."""
        answered = {o.attempt for o in self.answers}
        return len(answered) >= ANSWERS and len(self.innocent) >= self.silences and not self.is_intercepted

    @property
    def is_silent(self) -> bool:
        """Every question is over, and none was answered."""
        return len(self.tried) >= SILENCES and not self.answers and not self.is_intercepted


def silences(line: Line) -> int:
    """How many innocent questions must have gone unanswered on this line, so that it was no accident."""
    return max(SILENCES, ceil(log(ALPHA) / log(line.noise("lookups", len(line.observations)))))


def nobodies(observations: Iterable[Observation], host: str) -> tuple[Nobody, ...]:
    """What is known of each such address, in order of asking."""
    observations = tuple(observations)
    grouped: dict[str, Lookups] = defaultdict(list)
    for o, d in of_kind(observations, DnsLookup):
        if d.resolver.startswith(NOBODY) and not d.ttl and not is_local(o.failure) and not was_busy(o):
            grouped[d.resolver].append((o, d))
    innocent = [(o, d) for facts in grouped.values() for o, d in facts if o.why.startswith(INNOCENT)]
    intercepted = any(_is_answer(d) for _, d in innocent)
    needed = silences(Line(observations))
    return tuple(
        Nobody(
            resolver,
            tuple(o for o, d in facts if o.host == host and _is_answer(d)),
            frozenset(o.attempt for o, _ in facts if o.host == host),
            frozenset(o.attempt for o, d in innocent if d.resolver == resolver),
            intercepted,
            needed,
        )
        for resolver, facts in grouped.items()
    )


def _is_answer(d: DnsLookup) -> bool:
    return is_ours(d) and d.rcode is not None


def injected(pairing: Pairing, host: str) -> tuple[Proof, Said] | None:
    """The strongest sign that answers about the host are made on the way, and what they say."""
    facts = lookups_of(pairing, host)
    two = twin(pairing, host, facts)
    if two is not None:
        return "twin", two
    for found in nobodies(pairing.case.observations, host):
        said = _said(pairing, host, found.resolver, found.answers) if found.is_injected else None
        if said is not None:
            return "nobody", said
    for resolver in dict.fromkeys(d.resolver for _, d in facts if d.resolver.startswith("udp://")):
        said = _early(pairing, host, resolver, facts)
        if said is not None:
            return "early", said
    return None


def _said(pairing: Pairing, host: str, resolver: str, facts: Iterable[Observation]) -> Said | None:
    """What false answers say; None where they are the truth: then somebody answers for the resolvers, and rightly."""
    lies = [(o, o.detail) for o in facts if isinstance(o.detail, DnsLookup)]
    addresses = tuple(dict.fromkeys(ip for _, d in lies for ip in answer_addresses(d)))
    word = truth(pairing, host, addresses) if addresses else FAILURES.get(lies[0][0].failure or "", "empty")
    return None if word == "none" else Said(resolver, word, tuple(o for o, _ in lies), True, addresses)


def _early(pairing: Pairing, host: str, resolver: str, facts: Lookups) -> Said | None:
    """False answers of a resolver that came sooner than the kernel's least round trip to its very address allows, while
    innocent names are answered in good time: so it is not somebody nearby who answers for the resolver altogether."""
    least_us = floor_us(pairing, resolver)
    lies = [
        (o, d)
        for o, d in facts
        if d.resolver == resolver and accepted(d) and d.rcode is not None and d.sends == 1 and d.engine in ("", "udp")
        and truth_or_failure(pairing, host, o, d) != "none"
    ]  # fmt: skip
    innocent = [_took_us(o, d) for o, d in neighbours(pairing, resolver) if o.failure in GOOD and d.sends == 1]
    if least_us is None or len(lies) < ANSWERS or len(innocent) < ANSWERS:
        return None
    if min(innocent) < IN_TIME * least_us or max(_took_us(o, d) for o, d in lies) >= TOO_EARLY * least_us:
        return None
    return _said(pairing, host, resolver, [o for o, _ in lies])


def truth_or_failure(pairing: Pairing, host: str, o: Observation, d: DnsLookup) -> str:
    """The word for one answer."""
    ips = answer_addresses(d)
    return truth(pairing, host, ips) if ips else FAILURES.get(o.failure or "", "empty")


def _took_us(o: Observation, d: DnsLookup) -> int:
    return d.kernel_us if d.kernel_us is not None else o.took_us


def floor_us(pairing: Pairing, resolver: str) -> int | None:
    """The least round trip that the kernel saw on connections to the resolver's address."""
    ip = ip_of(resolver)
    found = [d.rtt_us for _, d in of_kind(pairing.case.observations, DnsLookup) if d.rtt_us and ip_of(d.resolver) == ip]
    return min(found, default=None)


def ip_of(resolver: str) -> str | None:
    """The address in a resolver's URL; None for `system` and `network`."""
    try:
        return address_of(urlsplit(resolver).hostname or "")
    except ValueError:
        return None


def neighbours(pairing: Pairing, resolver: str, of: str = INNOCENT) -> Lookups:
    """Questions about another name that were put to the same resolver beside those about the host."""
    facts = of_kind(pairing.case.observations, DnsLookup)
    return [(o, d) for o, d in facts if d.resolver == resolver and o.why.startswith(of) and accepted(d)]


def dns_ladder(observations: Iterable[Observation], host: str, resolver: str) -> Ladder:
    """What questions with a hop limit met on the way to where no resolver answers."""
    met: dict[int, dict[int, bool]] = defaultdict(dict)
    for o, d in of_kind(observations, DnsLookup):
        if (o.host, d.resolver) == (host, resolver) and d.ttl and not is_local(o.failure):
            answered = _is_answer(d)
            met[d.ttl][o.attempt] = met[d.ttl].get(o.attempt, False) or answered
    return Ladder({ttl: tuple(tries[n] for n in sorted(tries)) for ttl, tries in met.items()})


def hop_of(pairing: Pairing, host: str) -> int | None:
    """The hop at which answers about the host are made; None where that was not found out."""
    for found in nobodies(pairing.case.observations, host):
        if found.is_injected:
            return dns_ladder(pairing.case.observations, host, found.resolver).hop
    return None


def twin(pairing: Pairing, host: str, facts: Lookups) -> Said | None:
    """Two differing answers to one datagram: one of them was injected (Hoang et al. 2021; RFC 1035 knows one answer
    only). A resent question may rightly bring two, the network may double a datagram, and rotated addresses of the
    same site are no lie. An answer cut short (TC) and the whole one over TCP are one answer in two pieces."""
    grouped: dict[tuple[str, str, int, int], Lookups] = defaultdict(list)
    for o, d in facts:
        if accepted(d) and d.rcode is not None and d.engine in ("", "udp") and "tc" not in d.flags:
            grouped[(d.resolver, d.qtype, d.query, o.attempt)].append((o, d))
    for (resolver, *_), group in sorted(grouped.items(), key=lambda item: item[0]):
        answers = {(d.rcode, frozenset(answer_addresses(d))) for _, d in group}
        if len(answers) < 2 or len(answers) <= max(d.sends for _, d in group):
            continue
        false = [(o, d) for o, d in group if truth_of(pairing, host, d) not in ("none", "unproven")]
        true = [d for _, d in group if set(answer_addresses(d)) & pairing.trusted(host)]
        if false and true:
            word = truth_of(pairing, host, false[0][1])
            ips = answer_addresses(false[0][1])
            return Said(resolver, word, tuple(o for o, _ in group), addresses=ips)
        disjoint = not frozenset.intersection(*(ips for _, ips in answers))
        if disjoint and true and len(true) < len(group):
            lies = next(d for _, d in group if not set(answer_addresses(d)) & pairing.trusted(host))
            return Said(resolver, "other", tuple(o for o, _ in group), addresses=answer_addresses(lies))
    return None
