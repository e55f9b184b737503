"""Reading facts: addresses, hops and outcomes of operations, out of a measurement's observations. No comparison
here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from probe.model.errors import TargetError
from probe.model.kinds import DnsLookup, HttpFetch, PageMet, QuicHandshake, TcpConnect, TlsHandshake, TlsVerify
from probe.model.observation import Observation
from probe.model.target import Target, address_of, parse_target

D = TypeVar("D")
REDIRECTS = frozenset({301, 302, 303, 307, 308})
ADDRESS_TYPES = frozenset({"A", "AAAA"})
HTTP3 = "HTTP/3"
# How `why` begins for steps that are not part of the plain walk.
TRIAL = "name trial"
HOST_TRIAL = "name trial: Host header"
PATH_TRIAL = "name trial: path"
HOP_TRIAL = "name trial: hop limit"
# Questions about another name: one that belongs to nobody, and one below the host's own.
INNOCENT = "name trial: an innocent name"
BELOW = "name trial: a name below it"
# The host's own name, asked where no resolver answers.
ASTRAY = "name trial: where no resolver is"
# Plain requests at our own helper: for the site's name, and for an innocent one.
HOST_THERE = "name trial: Host header at the helper"
INNOCENT_HOST_THERE = "name trial: innocent Host at the helper"
# A question to an address where no resolver answers: whatever comes back was made on the way.
NOBODY = "nobody://"
NAMELESS_TRIAL = "name trial: no server name"
# At our own helper: the site's name, an innocent one, and a mere connect that shows it alive.
NAMED_THERE = "name trial: server name at the helper"
INNOCENT_THERE = "name trial: innocent name at the helper"
ALIVE_THERE = "name trial: the helper's other port"
# The site's own name, at its own address, in another ClientHello.
HELLO_TRIAL = "hello trial"
TRIALS = (TRIAL, HELLO_TRIAL)
SIBLING = "sibling scheme"
# What a store says of a chain that none of its authorities signed.
STRANGERS = frozenset({"self_signed", "unknown_authority", "incomplete"})
# For how fast something comes, and for nothing else: the site's own name again, and an innocent one.
SPEED = "speed"
SPEED_TRIAL = "name trial: speed"
# The line's own resolvers; facts name them so, because a router's private address must not be stored.
OWN_RESOLVERS = ("system", "network")


def of_kind(observations: Iterable[Observation], kind: type[D]) -> Iterator[tuple[Observation, D]]:
    """(observation, detail) pairs of one kind, in order."""
    for o in observations:
        if isinstance(o.detail, kind):
            yield o, o.detail


def accepted(detail: DnsLookup) -> bool:
    """True for what a resolver was asked in the ordinary way, when a client would have taken the answer."""
    return is_ours(detail) and not detail.ttl and not detail.resolver.startswith(NOBODY)


def is_ours(detail: DnsLookup) -> bool:
    """True when an answer fits the question: from where we asked, for what we asked, with our id."""
    return detail.source_ok and detail.question_ok and detail.id_ok


def is_own_resolver(resolver: str) -> bool:
    """True for the system's resolver and those the network itself configured."""
    return resolver.split(":", 1)[0] in OWN_RESOLVERS


def is_verified_resolver(detail: DnsLookup) -> bool:
    """True for an answer that came over TLS from a resolver which proved its name."""
    return detail.resolver.startswith(("tls://", "https://")) and detail.note == "verified"


def answer_addresses(detail: DnsLookup) -> tuple[str, ...]:
    """The addresses in one answer, canonical, in order."""
    found = (address_of(r.data) for r in detail.answers if r.type in ADDRESS_TYPES)
    return tuple(ip for ip in found if ip is not None)


def addresses_of(observations: Iterable[Observation], host: str) -> tuple[str, ...]:
    """Every address that any resolver gave for `host`, in order of arrival; the host itself if it is one."""
    literal = address_of(host)
    if literal is not None:
        return (literal,)
    found: dict[str, None] = {}
    for o, detail in of_kind(observations, DnsLookup):
        if o.host == host and accepted(detail):
            found.update(dict.fromkeys(answer_addresses(detail)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Hop:
    """One URL of the redirect chain: the target (hop 0) or where a fetch was sent to. `parent` is that fetch's seq."""

    target: Target
    number: int
    cookies: tuple[tuple[str, str], ...] = ()
    parent: int | None = None


def redirect_target(detail: HttpFetch | PageMet) -> Target | None:
    """Where a fetch was sent to, or None when it was not, or to nothing that can be asked. A page over HTTP/3 was asked
    for once more: whatever it says of other pages was said over the older versions already."""
    if detail.status not in REDIRECTS or not detail.location:
        return None
    if isinstance(detail, HttpFetch) and detail.protocol == HTTP3:
        return None
    try:
        return parse_target(detail.location)
    except TargetError:
        return None


def hosts_of(observations: Iterable[Observation], target: Target) -> tuple[str, ...]:
    """The hosts of the redirect chain in order: the target's first."""
    hosts = {target.host: None}
    for _, detail in of_kind(observations, HttpFetch):
        leads = redirect_target(detail)
        if leads is not None:
            hosts[leads.host] = None
    return tuple(hosts)


@dataclass(frozen=True, slots=True)
class Tried:
    """One walk over an endpoint as its facts tell it. `second` is what this machine's own store said of a chain of
    which the pinned one knows no authority. Over QUIC the handshake is the connect as well."""

    connect: Observation
    handshake: Observation | None = None
    verify: Observation | None = None
    fetch: Observation | None = None
    second: Observation | None = None

    @property
    def ip(self) -> str:
        return self.connect.ip or ""

    @property
    def port(self) -> int:
        return self.connect.port or 0

    @property
    def host(self) -> str:
        return self.connect.host or ""

    @property
    def sni(self) -> str | None:
        detail = self.handshake.detail if self.handshake else None
        return detail.sni if isinstance(detail, TlsHandshake | QuicHandshake) else None

    @property
    def connected(self) -> bool:
        return self.connect.failure is None

    @property
    def shaken(self) -> bool:
        return self.handshake is not None and self.handshake.failure is None

    @property
    def reason(self) -> str | None:
        """What the trust store said of the chain: ok, expired, ...; None when there was no chain to ask about."""
        detail = self.verify.detail if self.verify else None
        return detail.reason if isinstance(detail, TlsVerify) else None

    @property
    def proven(self) -> bool:
        """A valid certificate for the name: whoever answered is the genuine one."""
        return self.reason == "ok"

    @property
    def is_trusted_locally(self) -> bool:
        """The pinned store knows no authority of the chain, but somebody put it into that machine's own store."""
        detail = self.second.detail if self.second else None
        return isinstance(detail, TlsVerify) and STRANGERS.isdisjoint((detail.reason, *detail.reasons))

    @property
    def profile(self) -> str:
        """The kind of ClientHello that was sent; "" the usual one, or none at all."""
        detail = self.handshake.detail if self.handshake else None
        return detail.profile if isinstance(detail, TlsHandshake) else ""

    @property
    def page(self) -> HttpFetch | None:
        detail = self.fetch.detail if self.fetch else None
        return detail if isinstance(detail, HttpFetch) else None

    @property
    def attempt(self) -> int:
        return self.connect.attempt

    @property
    def is_trial(self) -> bool:
        """One thing was changed on purpose: the name, the place, or the way of saying hello."""
        return self.connect.why.startswith(TRIALS)

    @property
    def is_hello_trial(self) -> bool:
        """The host's own name at its own address, in another ClientHello than the usual one."""
        return self.connect.why.startswith(HELLO_TRIAL)

    @property
    def ttl(self) -> int:
        """The hop limit of its hello, or of its request in the clear, 0 the usual one."""
        detail = self.handshake.detail if self.handshake else self.page
        return detail.ttl if isinstance(detail, TlsHandshake | HttpFetch) else 0

    @property
    def is_hop_trial(self) -> bool:
        """Its hello or request was sent to die on the way, to find out where something answers it."""
        return self.connect.why.startswith(HOP_TRIAL)

    @property
    def is_sibling(self) -> bool:
        """The other scheme's port: for the record, never judged."""
        return self.connect.why.startswith(SIBLING)

    @property
    def for_speed(self) -> bool:
        """Taken by the speed check: its pages are cut short on purpose."""
        return self.connect.why.startswith((SPEED, SPEED_TRIAL))

    def seqs(self) -> tuple[int, ...]:
        facts = (self.connect, self.handshake, self.verify, self.second, self.fetch)
        return tuple(dict.fromkeys(o.seq for o in facts if o is not None))

    def failed(self) -> Observation | None:
        """The operation that failed, if one did (a certificate that does not verify is not a failed operation)."""
        for o in (self.connect, self.handshake, self.fetch):
            if o is not None and o.failure is not None:
                return o
        return None


# Puts facts together to walks: over TCP, or over QUIC.
ReadWalks = Callable[[Iterable[Observation]], tuple[Tried, ...]]


def walks_of(observations: Iterable[Observation]) -> tuple[Tried, ...]:
    """All walks, put together by their parents, in order of their connects."""
    children: dict[int, list[Observation]] = {}
    connects: list[Observation] = []
    for o in observations:
        if isinstance(o.detail, TcpConnect):
            connects.append(o)
        elif o.parent is not None:
            children.setdefault(o.parent, []).append(o)
    return tuple(_walk(connect, children) for connect in connects)


def quic_walks_of(observations: Iterable[Observation]) -> tuple[Tried, ...]:
    """All walks over QUIC, in order of their handshakes."""
    facts = tuple(observations)
    shakes = {o.seq: o for o in facts if isinstance(o.detail, QuicHandshake)}
    children: dict[int, list[Observation]] = {}
    for o in facts:
        if o.parent in shakes and o.seq not in shakes:
            children.setdefault(o.parent, []).append(o)
    return tuple(_over_quic(o, children.get(seq, [])) for seq, o in shakes.items())


def _over_quic(shake: Observation, below: list[Observation]) -> Tried:
    return Tried(shake, shake, _verified(below, ""), _first(below, HttpFetch), _verified(below, "system"))


def _walk(connect: Observation, children: dict[int, list[Observation]]) -> Tried:
    below = children.get(connect.seq, [])
    handshake = _first(below, TlsHandshake)
    if handshake is None:
        return Tried(connect, fetch=_first(below, HttpFetch))
    after = children.get(handshake.seq, [])
    verify, second = _verified(after, ""), _verified(after, "system")
    fetch = _first(after, HttpFetch) or (_first(children.get(verify.seq, []), HttpFetch) if verify else None)
    return Tried(connect, handshake, verify, fetch, second)


def _verified(observations: list[Observation], whose: str) -> Observation | None:
    """What a store of that kind said."""
    return _first([o for o in observations if isinstance(o.detail, TlsVerify) and o.detail.whose == whose], TlsVerify)


def _first(observations: list[Observation], kind: type[D]) -> Observation | None:
    return next((o for o in observations if isinstance(o.detail, kind)), None)
