"""Other names at the same resolver, asked in turn with the host's: is it the name that is refused or not answered?

A resolver that is silent for one name may have been told to be, or may not reach that name's own servers. So its
silence is laid to the name only where a name below the host's, which the same servers answer for, is answered; or, on
the way to a public resolver, where that very resolver answers over TCP or TLS.
"""

from __future__ import annotations

from probe.checks.web.injected import GOOD, ip_of, neighbours
from probe.checks.web.told import Said, lookups_of
from probe.model.failure import is_local
from probe.verdict.pair import Pairing, was_busy
from probe.verdict.read import BELOW, INNOCENT, accepted, answer_addresses, is_own_resolver

# A trial counts when so many questions about the other name were all answered.
TRIES = 2
# Silence on the way to a public resolver counts after so many questions, of several datagrams each.
SILENCES = 3


def share(pairing: Pairing, resolver: str, of: str = INNOCENT) -> tuple[int, int]:
    """(tried, answered) of the questions about another name at this resolver, by attempt."""
    facts = [(o, d) for o, d in neighbours(pairing, resolver, of) if not is_local(o.failure) and not was_busy(o)]
    return len({o.attempt for o, _ in facts}), len({o.attempt for o, _ in facts if o.failure in GOOD})


def passes(pairing: Pairing, resolver: str, of: str = INNOCENT, least: int = TRIES) -> bool:
    """The other name was answered every time."""
    tried, answered = share(pairing, resolver, of)
    return least <= tried == answered


def is_deaf(pairing: Pairing, said: Said) -> bool:
    """The resolver does not answer for an innocent name either."""
    tried, answered = share(pairing, said.resolver)
    return said.word in ("timeout", "refused") and tried >= TRIES and not answered


def is_by_name(pairing: Pairing, said: Said) -> bool:
    """One of this line's own resolvers treats the host's name, and only that, in this way."""
    if not is_own_resolver(said.resolver) or not passes(pairing, said.resolver):
        return False
    # No resolver passes on its servers' refusal, but it may wait for them in vain.
    return said.word == "refused" or (said.word == "timeout" and passes(pairing, said.resolver, BELOW))


def silenced(pairing: Pairing, host: str, everyone: tuple[Said, ...]) -> Said | None:
    """A public resolver that never answers for the host over UDP, always for an innocent name, and for the host over
    another transport: the datagrams about the host are lost on the way, by their name."""
    for said in everyone:
        if not said.resolver.startswith("udp://") or said.word != "timeout" or said.cut or not said.enough:
            continue
        asked = {o.attempt for o in said.facts if not is_local(o.failure) and not was_busy(o)}
        if len(asked) >= SILENCES and passes(pairing, said.resolver, least=SILENCES) and _answers(pairing, host, said):
            return said
    return None


def _answers(pairing: Pairing, host: str, said: Said) -> bool:
    """The same address gives true addresses of the host over TCP, TLS or HTTPS."""
    ip, trusted = ip_of(said.resolver), pairing.trusted(host)
    return any(
        accepted(d) and d.engine in ("tcp", "tls", "https") and ip_of(d.resolver) == ip
        and not trusted.isdisjoint(answer_addresses(d))
        for _, d in lookups_of(pairing, host)
    )  # fmt: skip
