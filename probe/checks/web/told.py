"""What resolvers told of a host, and whether it is true.

An address is genuine when anybody is shown a valid certificate for the name there. Answers that merely differ from the
control's are never evidence; a lie is an answer that trusted addresses contradict and that cannot prove itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from probe.checks.web.common import is_notice, leaf
from probe.checks.web.several import is_of_several
from probe.checks.web.strange import is_strange
from probe.model.failure import is_local
from probe.model.kinds import DnsLookup, HttpFetch
from probe.model.observation import Observation
from probe.verdict.fingerprints import match_address
from probe.verdict.likeness import alike
from probe.verdict.pair import Pairing, was_busy
from probe.verdict.read import Tried, accepted, answer_addresses, of_kind

LIES = ("bogon", "blockpage", "other")
FAILURES = {
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
# What a resolver that validates says of signatures that do not fit (RFC 8914 sections 4.2, 4.3, 4.6 to 4.13): the
# zone's own fault. One that does not validate, as a control's may not, is no witness against it.
DNSSEC_CODES = frozenset({1, 2, 5, 6, 7, 8, 9, 10, 11, 12})
Lookups = list[tuple[Observation, DnsLookup]]


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


def lookups_of(pairing: Pairing, host: str) -> Lookups:
    """The field's own questions about a host, trials among them."""
    return [(o, d) for o, d in of_kind(pairing.case.observations, DnsLookup) if o.host == host]


def by_resolver(pairing: Pairing, host: str, facts: Iterable[tuple[Observation, DnsLookup]]) -> tuple[Said, ...]:
    """What each resolver that was asked in the ordinary way said."""
    grouped: dict[str, Lookups] = defaultdict(list)
    for o, d in facts:
        if d.qtype in ("A", "AAAA") and accepted(d):
            grouped[d.resolver].append((o, d))
    return tuple(_said(pairing, host, resolver, group) for resolver, group in sorted(grouped.items()))


def _said(pairing: Pairing, host: str, resolver: str, group: Lookups) -> Said:
    addresses = tuple(dict.fromkeys(ip for _, d in group for ip in answer_addresses(d)))
    facts = tuple(o for o, _ in group)
    if addresses and set(addresses) <= set(pairing.line_state.invented) - pairing.trusted(host):
        # What this resolver gives for names that cannot exist: it says that there is no such name, in its own way.
        return Said(resolver, "nxdomain", facts, len(facts) >= 2, addresses)
    if addresses:
        return Said(resolver, truth(pairing, host, addresses), facts, addresses=addresses)
    # AAAA is often empty where A exists, so the A question speaks for the resolver.
    asked_a = [o for o, d in group if d.qtype == "A"] or list(facts)
    if any(is_local(o.failure) or was_busy(o) for o in asked_a):
        return Said(resolver, "none", facts)
    if any("tc" in d.flags for _, d in group):
        # It answered, at more length than a datagram holds; what then kept the rest back is not this answer's doing.
        return Said(resolver, "none", facts)
    cut = pairing.line.cut(o for o in asked_a if o.failure not in ANSWERED)
    valid = [o for o in asked_a if o.seq not in cut]
    if not valid:
        return Said(resolver, "timeout", facts, cut=True)
    enough = pairing.line.weigh(valid, (), "lookups") == "apart"
    return Said(resolver, FAILURES.get(valid[-1].failure or "", "empty"), facts, enough)


def is_signed_badly(said: Said) -> bool:
    """It gave up on the name and says that it was for its signatures."""
    codes = {code for o in said.facts if isinstance(o.detail, DnsLookup) for code in o.detail.ede}
    return said.word == "servfail" and not DNSSEC_CODES.isdisjoint(codes)


def truth(pairing: Pairing, host: str, addresses: tuple[str, ...]) -> str:
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
    if any(_is_strangers(pairing, host, w) for w in walks):
        # Unless the same stands at the genuine addresses.
        return "unproven" if any(_is_strangers(pairing, host, w) for w in elsewhere) else "strangers"
    # Even if nothing answers there: a failure at an address that nobody vouches for says nothing.
    return "unproven"


def _is_the_page(pairing: Pairing, host: str, page: HttpFetch) -> bool:
    """A page as the control's; any page where no control has one to compare with."""
    theirs = [w.page for w in pairing.there if w.host == host and w.page is not None and w.page.status is not None]
    return not theirs or any(alike(page, other) for other in theirs)


def _is_strangers(pairing: Pairing, host: str, walk: Tried) -> bool:
    """An unknown page that no control was given, seen more than once, and in several unrelated sites' places too."""
    page, own = walk.page, pairing.control_addresses(host)
    if page is None or walk.sni is not None or walk.attempt < 2 or not own or pairing.fingerprint(walk) is not None:
        return False
    theirs = (w.page for w in pairing.there if w.host == host)
    given = [p for p in theirs if p is not None and p.url == page.url and 0 < (p.status or 0) < 400]
    return is_strange(page, given) and is_of_several(pairing, host, own[0], page, given)


def is_impostor(pairing: Pairing, walk: Tried) -> bool:
    """Somebody else's certificate was shown. One that is merely out of date, or that was valid for the name elsewhere,
    is the site's own: the edge is careless, or our clock or trust store is at fault. One by an authority that
    this machine itself trusts was let in by its owner."""
    if not walk.shaken or walk.proven or walk.is_trusted_locally:
        return False
    own = {leaf(w) for w in (*pairing.here, *pairing.there) if w.host == walk.host and w.proven}
    return leaf(walk) not in own and walk.reason not in ("expired", "not_yet_valid", None)


def truth_of(pairing: Pairing, host: str, detail: DnsLookup) -> str:
    """The same of one answer: a denial is false where anybody has addresses."""
    ips = answer_addresses(detail)
    return truth(pairing, host, ips) if ips else "nxdomain" if detail.rcode == "NXDOMAIN" else "unproven"
