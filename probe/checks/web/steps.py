"""The web check: what to ask next about a URL, given what is known. Pure; proposes the whole wish list every time.

Laws. A proposal depends on facts alone, so the same facts give the same steps. Choices are stable: a fact that
arrives later adds steps and never changes one already proposed (the engine drops what equals a step already run).
`again`, `strange`, `trials`, `astray`, `climb` and `nearer` add repeats and trials for anomalies.
"""

from __future__ import annotations

from collections.abc import Iterator

from probe.checks.question import Question
from probe.checks.web.again import control_settled, repeats
from probe.checks.web.astray import dns_trials
from probe.checks.web.climb import hop_trials
from probe.checks.web.nearer import page_hops
from probe.checks.web.strange import look_again
from probe.checks.web.trials import hellos, trials
from probe.model.kinds import ControlAsk, DnsLookup, HttpFetch
from probe.model.step import AskControl, Fetch, Lookup, QuicWalk, Step, Walk
from probe.model.target import address_of, build_url
from probe.verdict.case import Case
from probe.verdict.read import (
    SIBLING,
    TRIALS,
    Hop,
    Tried,
    addresses_of,
    is_own_resolver,
    is_verified_resolver,
    of_kind,
    redirect_target,
    walks_of,
)
from probe.verdict.reference import seen_elsewhere
from probe.wire.urls import cookies_for

# From this many addresses of one hop a page is asked at most before giving up on it.
FETCH_FALLBACKS = 3
# Of addresses that nobody vouches for, this many are looked at over plain HTTP.
STRANGERS = 2
# So many given endpoints are walked over QUIC as well: its first datagrams are big, and go to any address given.
QUIC_ENDPOINTS = 4


def next_steps(question: Question, case: Case) -> Iterator[Step]:
    """Everything worth asking now. Ends for any answers: hops, addresses and attempts are bounded."""
    if question.endpoints:
        given = tuple(_given_endpoints(question))
        yield from given
        yield from _given_over_quic(question)
        yield from hellos(question, case, walks_of(case.observations), given)
        return
    yield from (AskControl(helper, question.target.url) for helper in question.helpers)
    walks = walks_of(case.observations)
    for hop in hops(question, case):
        yield from _lookups(question, hop)
        planned = tuple(_walks(question, case, walks, hop))
        yield from planned
        yield from repeats(question, case, walks, planned)
        yield from trials(question, case, walks, planned)
        if control_settled(question, case):
            yield from dns_trials(question, case, hop.target.host, walks)
            yield from hop_trials(question, walks, planned)
            yield from look_again(question, case, walks, planned)
            yield from page_hops(question, case, walks, planned)
        yield from _control_endpoints(question, case, hop)


def hops(question: Question, case: Case) -> tuple[Hop, ...]:
    """The redirect chain: each distinct (URL, cookies) once, in order of discovery."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], Hop] = {}
    found[(question.target.normal, ())] = Hop(question.target, 0)
    for o, detail in of_kind(case.observations, HttpFetch):
        leads = redirect_target(detail)
        if leads is None or o.why.startswith(TRIALS) or len(found) > question.redirects_max:
            continue
        if detail.hop < question.redirects_max:
            hop = Hop(leads, detail.hop + 1, cookies_for(detail, leads), o.seq)
            found.setdefault((leads.normal, hop.cookies), hop)
    return tuple(found.values())


def _given_endpoints(question: Question) -> Iterator[Walk]:
    target = question.target
    for host, ip, port in question.endpoints:
        secure = port in (443, 8443) or (target.scheme == "https" and port == target.port)
        yield Walk(host, ip, port, sni=server_name(host) if secure else None)


def _given_over_quic(question: Question) -> Iterator[QuicWalk]:
    for host, ip, port in question.endpoints[:QUIC_ENDPOINTS] if question.quic else ():
        yield QuicWalk(host, ip, port, server_name(host))


def server_name(host: str) -> str:
    """The server name to send: none for an address literal (RFC 6066 section 3 forbids it)."""
    return "" if address_of(host) else host


def _reason(hop: Hop) -> str:
    return "plan" if hop.number == 0 else f"redirect hop {hop.number}"


def _lookups(question: Question, hop: Hop) -> Iterator[Step]:
    if hop.target.is_address:
        return
    for resolver in question.resolvers:
        for qtype in ("A", "AAAA"):
            yield Lookup(hop.target.host, qtype, resolver, why=_reason(hop), parent=hop.parent)
    if hop.number == 0:
        for resolver in service_record_resolvers(question.resolvers):
            yield Lookup(hop.target.host, "HTTPS", resolver)


def service_record_resolvers(resolvers: tuple[str, ...]) -> tuple[str, ...]:
    """Who is asked for the HTTPS record (RFC 9460): the first over UDP and the first over an encrypted channel."""
    plain = [r for r in resolvers if r.startswith(("network", "udp://"))]
    sealed = [r for r in resolvers if r.startswith(("https://", "tls://"))]
    return tuple(plain[:1] + sealed[:1])


def endpoints(question: Question, case: Case, host: str) -> tuple[str, ...]:
    """The addresses to walk, in order of arrival: the first few that the field found, and the first few that controls
    named before the field did. What has arrived keeps its place, so that no later answer takes a walk back."""
    own = addresses_of(case.observations, host)[: question.addresses_max]
    first: dict[str, bool] = {}
    for ip, ours in _arrivals(case, host):
        first.setdefault(ip, ours)
    theirs = [ip for ip, ours in first.items() if not ours][: question.control_addresses_max]
    return tuple(ip for ip in first if ip in own or ip in theirs)


def _arrivals(case: Case, host: str) -> Iterator[tuple[str, bool]]:
    """(address, whether the field found it) in the order in which they became known."""
    literal = address_of(host)
    if literal is not None:
        yield literal, True
        return
    controls = {c.measurement.measurement_id: c for c in case.controls}
    for o in case.observations:
        detail = o.detail
        if isinstance(detail, DnsLookup):
            yield from ((ip, True) for ip in addresses_of((o,), host))
        elif isinstance(detail, ControlAsk) and detail.measurement in controls:
            control = controls.pop(detail.measurement)
            yield from ((ip, False) for ip in addresses_of(control.observations, host))
    for control in controls.values():
        yield from ((ip, False) for ip in addresses_of(control.observations, host))


def _walks(question: Question, case: Case, walks: tuple[Tried, ...], hop: Hop) -> Iterator[Walk]:
    target = hop.target
    addresses = endpoints(question, case, target.host)
    sni = server_name(target.host) if target.scheme == "https" else None
    page = Fetch(target.normal, hop.cookies, hop.number)
    fetching = _fetch_addresses(case, walks, hop, addresses)
    for ip in addresses:
        wanted = page if ip in fetching else None
        if wanted is not None or sni is not None or hop.number == 0:
            yield Walk(target.host, ip, target.port, sni, wanted, why=_reason(hop), parent=hop.parent)
    yield from _strangers(case, walks, hop)
    if hop.number == 0 and question.role == "field":
        for ip in addresses[:2]:
            yield Walk(target.host, ip, target.sibling_port, why=SIBLING)


def _strangers(case: Case, walks: tuple[Tried, ...], hop: Hop) -> Iterator[Walk]:
    """What is at an address that only the local resolvers gave and that does not prove itself: its plain front page may
    be a notice. Asked where the control has other addresses for the name, and without the path."""
    host, trusted = hop.target.host, trusted_addresses(case, hop.target.host)
    if hop.target.scheme != "https" or not trusted:
        return
    for ip in local_addresses(case, host)[:STRANGERS]:
        mine = [w for w in walks if (w.host, w.ip, w.port) == (host, ip, hop.target.port) and not w.is_trial]
        if ip not in trusted and mine and not any(w.proven for w in mine):
            page = Fetch(build_url("http", host, 80, "/", ""), (), hop.number)
            yield Walk(host, ip, 80, None, page, why="what is at an unproven address", parent=mine[0].seqs()[-1])


def _fetch_addresses(case: Case, walks: tuple[Tried, ...], hop: Hop, addresses: tuple[str, ...]) -> tuple[str, ...]:
    """From where the page is fetched: the first address that the local resolvers gave, the first that a trusted
    source gave, and as long as none of those has answered, the next ones. Grows with the facts and never shrinks."""
    host = hop.target.host
    firsts = [next(iter(group), None) for group in (local_addresses(case, host), trusted_addresses(case, host))]
    chosen = list(dict.fromkeys(ip for ip in firsts if ip is not None and ip in addresses)) or list(addresses[:1])
    tried = [w for w in walks if w.host == host and w.port == hop.target.port and not w.is_trial]
    answered = {w.ip for w in tried if w.fetch is not None and w.fetch.failure is None}
    settled = {w.ip for w in tried}
    for ip in addresses:
        if answered & set(chosen) or not settled.issuperset(chosen) or len(chosen) > FETCH_FALLBACKS:
            break
        if ip not in chosen:
            chosen.append(ip)
    # Where a page was asked for already it stays planned, so that it can be asked for again.
    asked = (w.ip for w in tried if w.page is not None and w.page.url == hop.target.normal and w.ip in addresses)
    return tuple(dict.fromkeys((*chosen, *asked)))


def local_addresses(case: Case, host: str) -> tuple[str, ...]:
    """Addresses that this line's own resolvers gave, in order of arrival."""
    own = [o for o, detail in of_kind(case.observations, DnsLookup) if is_own_resolver(detail.resolver)]
    return addresses_of(own, host)


def trusted_addresses(case: Case, host: str) -> tuple[str, ...]:
    """Addresses from verified encrypted resolvers here and from controls, in order of arrival."""
    sealed = [o for o, detail in of_kind(case.observations, DnsLookup) if is_verified_resolver(detail)]
    proven = frozenset(addresses_of(sealed, host))
    return tuple(dict.fromkeys(ip for ip, ours in _arrivals(case, host) if not ours or ip in proven))


def _control_endpoints(question: Question, case: Case, hop: Hop) -> Iterator[Step]:
    """Once every lookup for the hop is answered and the helper has spoken, ask it about the addresses it lacks."""
    spoken = {d.helper for o, d in of_kind(case.observations, ControlAsk) if not d.endpoints and o.failure is None}
    if not spoken or not _looked_up(question, case, hop):
        return
    target = hop.target
    tried = {(w.ip, w.port) for c in case.controls if not c.is_extra for w in walks_of(c.observations)}
    own = addresses_of(case.observations, target.host)[: question.addresses_max]
    abroad = dict.fromkeys(seen_elsewhere(ip) for ip in own)
    missing = tuple((target.host, ip, target.port) for ip in abroad if (ip, target.port) not in tried)
    if missing:
        for helper in question.helpers:
            if helper in spoken:
                yield AskControl(helper, question.target.url, missing, why="addresses only the field found")


def _looked_up(question: Question, case: Case, hop: Hop) -> bool:
    if hop.target.is_address:
        return True
    heard = {(d.qtype, d.resolver) for o, d in of_kind(case.observations, DnsLookup) if o.host == hop.target.host}
    return all((qtype, r) in heard for r in question.resolvers for qtype in ("A", "AAAA"))
