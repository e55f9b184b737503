"""What several readings of web facts share: genuine addresses, leaf certificates, portals."""

from __future__ import annotations

from probe.model.kinds import DnsLookup, TlsHandshake
from probe.model.outcome import Locus
from probe.model.target import Target
from probe.verdict.pair import Pairing
from probe.verdict.read import Tried, is_own_resolver, of_kind

OUTDATED = 2
# Proofs that leave a failure to the comparison with the control alone.
UNAIDED = frozenset({"none", "not_name"})


def genuine(pairing: Pairing, target: Target) -> frozenset[str]:
    """Addresses that are the host's by somebody's word: vouched, or trusted; without any such word, all that were
    walked."""
    trusted = pairing.trusted(target.host)
    walked = frozenset(w.ip for w in pairing.here if w.host == target.host and w.port == target.port)
    return (trusted & walked) or (walked if not trusted else frozenset())


def is_portal(pairing: Pairing) -> bool:
    """Every canary that was reached showed somebody else's certificate: a login page, or a proxy for everything."""
    state = pairing.line_state
    return bool(state.portal_suspects) and state.portal_suspects >= state.canaries_reached


def is_clock_off(pairing: Pairing) -> bool:
    """Several canaries showed certificates that are out of date by our clock: one may have forgotten to renew its own,
    so many at once have not."""
    return pairing.line_state.canaries_outdated >= OUTDATED


def has_private_resolver(pairing: Pairing) -> bool:
    """A resolver of this line has a private address: there may be a router of the house between us and the provider,
    with a will of its own."""
    lookups = of_kind(pairing.case.observations, DnsLookup)
    return any(is_own_resolver(d.resolver) and d.note == "private" for _, d in lookups)


def is_at_home(pairing: Pairing, located: int | None) -> bool:
    """Done by the first router of all, which may be that of the house."""
    return located == 1 and has_private_resolver(pairing)


def home_locus(pairing: Pairing) -> Locus:
    """Where the first router stands: in the house, except that a mobile line's is the carrier's or one's own."""
    mobile = pairing.case.vantage is not None and pairing.case.vantage.access == "mobile"
    return "unknown" if mobile else "local"


def leaf(walk: Tried) -> str:
    detail = walk.handshake.detail if walk.handshake else None
    return detail.chain[0] if isinstance(detail, TlsHandshake) and detail.chain else ""


def is_notice(pairing: Pairing, walk: Tried) -> bool:
    """A known block page answered on this walk."""
    mark = pairing.fingerprint(walk)
    return mark is not None and mark.kind == "blockpage"
