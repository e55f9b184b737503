"""Findings about names: did this line's own resolvers tell the truth about a host?

An address is genuine when anybody is shown a valid certificate for the name there. Answers that merely differ from the
control's are never evidence; a lie is an answer that trusted addresses contradict and that cannot prove itself.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from probe.checks.web.common import is_clock_off, is_portal, leaf
from probe.model.failure import is_local
from probe.model.kinds import DnsLookup, HttpFetch
from probe.model.observation import Observation
from probe.model.outcome import Locus
from probe.model.target import address_of
from probe.model.verdict import Scope
from probe.verdict.findings import Domain, Findings
from probe.verdict.fingerprints import match_address
from probe.verdict.judge import ended
from probe.verdict.likeness import alike
from probe.verdict.pair import Pairing, contrast, was_busy
from probe.verdict.read import Tried, accepted, answer_addresses, is_own_resolver, of_kind

DNS = Domain(
    "dns",
    "DNS",
    ("none", "bogon", "blockpage", "other", "nxdomain", "empty", "refused", "servfail", "timeout", "unproven"),
    {
        "twin": ("bogon", "blockpage", "other"),
        "ede": ("bogon", "blockpage", "other", "nxdomain", "empty", "refused", "servfail", "unproven"),
        "contradicted": ("bogon", "blockpage", "other"),
        "home": ("bogon", "other"),
    },
)
LIES = ("bogon", "blockpage", "other")
_FAILURES = {
    "dns_nxdomain_error": "nxdomain",
    "dns_no_answer": "empty",
    "dns_refused_error": "refused",
    "dns_servfail_error": "servfail",
    "dns_server_misbehaving": "servfail",
    "dns_non_recoverable_failure": "servfail",
    "dns_temporary_failure": "timeout",
    "generic_timeout_error": "timeout",
}
# Failures that came as an answer: something came through.
ANSWERED = frozenset({None, "dns_nxdomain_error", "dns_no_answer", "dns_refused_error", "dns_servfail_error"})
# RFC 8914: 15 Blocked, 16 Censored (by an outside requirement), 17 Filtered (as the client asked).
EDE_CENSORED, EDE_FILTERED = 16, 17


@dataclass(frozen=True, slots=True)
class Said:
    """What one resolver said of a host over all its attempts. `enough` says that it said so more often than this line's
    noise explains, `cut` that it was only asked while nothing at all came through."""

    resolver: str
    word: str
    facts: tuple[Observation, ...]
    enough: bool = False
    addresses: tuple[str, ...] = ()
    cut: bool = False


def read_names(pairing: Pairing, host: str, hop: int) -> Findings | None:
    """The dns findings of one host; None for an address literal, which has no name to lie about."""
    if address_of(host):
        return None
    facts = [(o, d) for o, d in of_kind(pairing.case.observations, DnsLookup) if o.host == host]
    said = _by_resolver(pairing, host, facts)
    if not said:
        return _findings(pairing, host, hop, Said("", "none", ()), "not_tried", "none")
    own = [s for s in said if is_own_resolver(s.resolver)] or [s for s in said if s.resolver.startswith("udp://")]
    there = bool(pairing.control_addresses(host)) if pairing.control_looked_up(host) else None
    twin = _twin(pairing, host, facts)
    if twin is not None:
        return _findings(pairing, host, hop, twin, contrast(False, there), "twin", said)
    worst = _worst(own or said)
    if worst.word == "none":
        return _findings(pairing, host, hop, worst, contrast(True, there), "none", said)
    return _findings(pairing, host, hop, worst, contrast(False, there), _proof(pairing, host, worst, said), said)


def _findings(
    pairing: Pairing, host: str, hop: int, said: Said, contrasted: str, proof: str, everyone: tuple[Said, ...] = ()
) -> Findings:
    # Repeats of failed lookups are spaced; a lie that came to several questions needs no waiting.
    enough = len(said.facts) >= 2 if said.word in LIES else said.enough
    values = {
        "contrast": contrasted,
        "symptom": said.word,
        "proof": proof,
        "repeat": "repeated" if enough else "once",
        "line": _line(pairing, said),
        "ended": ended(pairing.case),
        "path": "unproven",
    }
    return Findings(
        "dns",
        host,
        hop,
        values,
        technique=_technique(said.word),
        locus=_locus(everyone, said),
        scope=Scope(resolvers=_scope(everyone, said)),
        witness=pairing.witness(said.facts),
        note=", ".join(said.addresses[:4]),
    )


def _technique(word: str) -> str:
    if word in LIES:
        return f"dns.injection.{word}"
    # An address that nobody vouches for, from a resolver that says it censors: given in place of the true one.
    return {"none": "dns", "unproven": "dns.injection"}.get(word, f"dns.{word}")


def _by_resolver(pairing: Pairing, host: str, facts: list[tuple[Observation, DnsLookup]]) -> tuple[Said, ...]:
    grouped: dict[str, list[tuple[Observation, DnsLookup]]] = defaultdict(list)
    for o, d in facts:
        if d.qtype in ("A", "AAAA") and accepted(d):
            grouped[d.resolver].append((o, d))
    return tuple(_said(pairing, host, resolver, group) for resolver, group in sorted(grouped.items()))


def _said(pairing: Pairing, host: str, resolver: str, group: list[tuple[Observation, DnsLookup]]) -> Said:
    addresses = tuple(dict.fromkeys(ip for _, d in group for ip in answer_addresses(d)))
    facts = tuple(o for o, _ in group)
    if addresses and set(addresses) <= set(pairing.line_state.invented) - pairing.trusted(host):
        # What this resolver gives for names that cannot exist: it says that there is no such name, in its own way.
        return Said(resolver, "nxdomain", facts, len(facts) >= 2, addresses)
    if addresses:
        return Said(resolver, _truth(pairing, host, addresses), facts, addresses=addresses)
    # AAAA is often empty where A exists, so the A question speaks for the resolver.
    asked_a = [o for o, d in group if d.qtype == "A"] or list(facts)
    if any(is_local(o.failure) or was_busy(o) for o in asked_a):
        return Said(resolver, "none", facts)
    cut = pairing.line.cut(o for o in asked_a if o.failure not in ANSWERED)
    valid = [o for o in asked_a if o.seq not in cut]
    if not valid:
        return Said(resolver, "timeout", facts, cut=True)
    enough = pairing.line.weigh(valid, (), "lookups") == "apart"
    return Said(resolver, _FAILURES.get(valid[-1].failure or "", "empty"), facts, enough)


def _truth(pairing: Pairing, host: str, addresses: tuple[str, ...]) -> str:
    """Whether given addresses are the host's: none (true or unremarkable), a kind of lie, or unproven."""
    given = set(addresses)
    if given & pairing.trusted(host):
        return "none"
    dialled = {w.ip for w in pairing.here}
    if all(pairing.reference.special_block(ip) and ip not in dialled for ip in addresses):
        # Special addresses are dialled only where the operator opened that net: there they are ordinary ones.
        return "bogon"
    if any(match_address(pairing.reference, ip, pairing.case.vantage) for ip in addresses):
        return "blockpage"
    walks = [w for w in pairing.here if w.host == host and w.ip in given]
    elsewhere = [w for w in pairing.here if w.host == host and w.ip in pairing.trusted(host)]
    if any(is_notice(pairing, w) for w in walks) and not any(is_notice(pairing, w) for w in elsewhere):
        # A notice that the genuine addresses show as well is put there on the way, not by the answer.
        return "blockpage"
    if pairing.vouched(host) and any(is_impostor(pairing, w) for w in walks):
        return "other"
    pages = [w.page for w in walks if w.fetch is not None and w.fetch.failure is None]
    if any(page is not None and _is_the_page(pairing, host, page) for page in pages):
        return "none"
    # Even if nothing answers there: a failure at an address that nobody vouches for says nothing.
    return "unproven"


def _is_the_page(pairing: Pairing, host: str, page: HttpFetch) -> bool:
    """A page as the control's; any page where no control has one to compare with."""
    theirs = [w.page for w in pairing.there if w.host == host and w.page is not None and w.page.status is not None]
    return not theirs or any(alike(page, other) for other in theirs)


def is_impostor(pairing: Pairing, walk: Tried) -> bool:
    """Somebody else's certificate was shown. One that is merely out of date, or that was valid for the name elsewhere,
    is the site's own: the edge is careless, or our clock or trust store is at fault."""
    if not walk.shaken or walk.proven:
        return False
    own = {leaf(w) for w in (*pairing.here, *pairing.there) if w.host == walk.host and w.proven}
    return leaf(walk) not in own and walk.reason not in ("expired", "not_yet_valid", None)


def is_notice(pairing: Pairing, walk: Tried) -> bool:
    """A known block page answered on this walk."""
    mark = pairing.fingerprint(walk)
    return mark is not None and mark.kind == "blockpage"


def _twin(pairing: Pairing, host: str, facts: list[tuple[Observation, DnsLookup]]) -> Said | None:
    """Two differing answers to one datagram: one of them was injected (Hoang et al. 2021; RFC 1035 knows one answer
    only). A resent question may rightly bring two, the network may double a datagram, and rotated addresses of the
    same site are no lie. An answer cut short (TC) and the whole one over TCP are one answer in two pieces."""
    grouped: dict[tuple[str, str, int, int], list[tuple[Observation, DnsLookup]]] = defaultdict(list)
    for o, d in facts:
        if accepted(d) and d.rcode is not None and d.engine in ("", "udp") and "tc" not in d.flags:
            grouped[(d.resolver, d.qtype, d.query, o.attempt)].append((o, d))
    for (resolver, *_), group in sorted(grouped.items(), key=lambda item: item[0]):
        answers = {(d.rcode, frozenset(answer_addresses(d))) for _, d in group}
        if len(answers) < 2 or len(answers) <= max(d.sends for _, d in group):
            continue
        false = [(o, d) for o, d in group if _truth_of(pairing, host, d) not in ("none", "unproven")]
        true = [d for _, d in group if set(answer_addresses(d)) & pairing.trusted(host)]
        if false and true:
            word = _truth_of(pairing, host, false[0][1])
            ips = answer_addresses(false[0][1])
            return Said(resolver, word, tuple(o for o, _ in group), addresses=ips)
        disjoint = not frozenset.intersection(*(ips for _, ips in answers))
        if disjoint and true and len(true) < len(group):
            lies = next(d for _, d in group if not set(answer_addresses(d)) & pairing.trusted(host))
            return Said(resolver, "other", tuple(o for o, _ in group), addresses=answer_addresses(lies))
    return None


def _truth_of(pairing: Pairing, host: str, detail: DnsLookup) -> str:
    ips = answer_addresses(detail)
    return _truth(pairing, host, ips) if ips else "other" if detail.rcode == "NXDOMAIN" else "unproven"


def _worst(said: list[Said] | tuple[Said, ...]) -> Said:
    """The word that speaks for the line's own resolvers: a lie of any; else a failure only if none of them knew."""
    for word in LIES:
        for s in said:
            if s.word == word:
                return s
    for s in said:
        if s.word == "none":
            return s
    return min(said, key=lambda s: (DNS.symptom.index(s.word), s.resolver))


def _proof(pairing: Pairing, host: str, worst: Said, said: tuple[Said, ...]) -> str:
    codes = {code for o in worst.facts if isinstance(o.detail, DnsLookup) for code in o.detail.ede}
    if EDE_CENSORED in codes:
        return "ede"
    if worst.word not in LIES or not (pairing.vouched(host) or pairing.control_addresses(host)):
        return "none"
    public = [s for s in said if s.word == worst.word and s.resolver.startswith(("udp://", "tcp://"))]
    private = any(isinstance(o.detail, DnsLookup) and o.detail.note == "private" for s in said for o in s.facts)
    if private and not public and worst.word != "blockpage":
        # A home router may filter on its own account; without the provider's hand shown it stays a likelihood.
        return "home"
    return "contradicted"


def _line(pairing: Pairing, said: Said) -> str:
    if pairing.line_is_dead or said.cut:
        return "dead"
    if is_portal(pairing):
        return "portal"
    if said.word == "unproven" and is_clock_off(pairing):
        return "clock"
    state = pairing.line_state
    if not said.addresses and state.names_asked and not state.names_answered:
        return "deaf"
    codes = {code for _, d in of_kind(said.facts, DnsLookup) for code in d.ede}
    sinkholes = {*pairing.line_state.sinkholes, "0.0.0.0", "::"}
    marks = [match_address(pairing.reference, ip, pairing.case.vantage) for ip in said.addresses]
    chosen = any(mark is not None and mark.kind == "parental" for mark in marks)
    if EDE_FILTERED in codes or chosen or (said.addresses and set(said.addresses) <= sinkholes):
        return "filter"
    return "ok"


def _locus(everyone: tuple[Said, ...], said: Said) -> Locus:
    plain = [s for s in everyone if s.resolver.startswith("udp://")]
    if said.resolver.startswith("udp://") or any(s.word == said.word for s in plain):
        return "path"
    return "resolver" if plain or any(s.word == "none" for s in everyone) else "unknown"


def _scope(everyone: tuple[Said, ...], said: Said) -> str:
    hit = [s for s in everyone if s.word == said.word]
    return "all" if not everyone or len(hit) == len(everyone) else " ".join(s.resolver for s in hit[:8])
