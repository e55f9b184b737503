"""Findings about names: did this line's own resolvers tell the truth about a host, and does the path let it through?"""

from __future__ import annotations

from collections.abc import Iterator

from probe.checks.web.beside import is_by_name, is_deaf, silenced
from probe.checks.web.common import has_private_resolver, home_locus, is_at_home, is_clock_off, is_portal
from probe.checks.web.injected import hop_of, injected
from probe.checks.web.told import LIES, Said, by_resolver, is_signed_badly, lookups_of
from probe.model.kinds import DnsLookup
from probe.model.observation import Observation
from probe.model.outcome import Locus
from probe.model.target import address_of
from probe.model.verdict import Scope
from probe.verdict.findings import Domain, Findings
from probe.verdict.fingerprints import match_address
from probe.verdict.judge import ended
from probe.verdict.pair import Pairing, contrast
from probe.verdict.read import NOBODY, TRIAL, is_own_resolver, of_kind

_FALSE = ("bogon", "blockpage", "other", "nxdomain", "empty", "refused", "servfail")
DNS = Domain(
    "dns",
    "DNS",
    ("none", *_FALSE, "strangers", "timeout", "unproven"),
    {
        "twin": (*LIES, "nxdomain"),
        "nobody": (*_FALSE, "strangers", "unproven"),
        "early": (*_FALSE, "strangers", "unproven"),
        "ede": (*_FALSE, "strangers", "unproven"),
        "contradicted": LIES,
        "name": ("refused", "timeout"),
        "home": (*_FALSE, "strangers", "timeout"),
    },
)
# Proofs that an answer was made on the way to the resolver, and not by it.
ON_THE_WAY = frozenset({"twin", "nobody", "early"})
# Proofs that rest on trials.
TRIED = frozenset({"nobody", "early", "name", "home"})
# RFC 8914: 15 Blocked, 16 Censored (by an outside requirement), 17 Filtered (as the client asked).
EDE_CENSORED, EDE_FILTERED = 16, 17


def read_names(pairing: Pairing, host: str, hop: int) -> Findings | None:
    """The dns findings of one host; None for an address literal, which has no name to lie about."""
    if address_of(host):
        return None
    said = by_resolver(pairing, host, lookups_of(pairing, host))
    if not said:
        return _findings(pairing, host, hop, Said("", "none", ()), "not_tried", "none")
    there = bool(pairing.control_addresses(host)) if pairing.control_looked_up(host) else None
    made = injected(pairing, host)
    if made is not None:
        proof, forged = made
        return _findings(pairing, host, hop, forged, contrast(False, there), proof, said)
    own = [s for s in said if is_own_resolver(s.resolver)] or [s for s in said if s.resolver.startswith("udp://")]
    worst = _worst(own or said)
    lost = silenced(pairing, host, said) if worst.word in ("none", "timeout") else None
    if lost is not None:
        return _findings(pairing, host, hop, lost, contrast(False, there), "name", said)
    if worst.word == "none":
        return _findings(pairing, host, hop, worst, contrast(True, there), "none", said)
    seen = None if is_signed_badly(worst) else there
    return _findings(pairing, host, hop, worst, contrast(False, seen), _proof(pairing, host, worst, said), said)


def _findings(
    pairing: Pairing, host: str, hop: int, said: Said, contrasted: str, proof: str, everyone: tuple[Said, ...] = ()
) -> Findings:
    # Repeats of failed lookups are spaced; a lie that came to several questions needs no waiting, and strangers were
    # asked for their page again.
    enough = len(said.facts) >= 2 if said.word in LIES else said.enough or said.word == "strangers"
    located = hop_of(pairing, host) if proof in ON_THE_WAY else None
    at_home = is_at_home(pairing, located)
    values = {
        "contrast": contrasted,
        "symptom": said.word,
        "proof": proof if not at_home else "home" if said.word != "unproven" else "none",
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
        locus=home_locus(pairing) if at_home else _locus(proof, everyone, said),
        scope=Scope(resolvers=_scope(everyone, said)),
        witness=pairing.witness((*said.facts, *_trials(pairing, host, proof))),
        note=", ".join(said.addresses[:4]),
        located=located,
    )


def _trials(pairing: Pairing, host: str, proof: str) -> Iterator[Observation]:
    """The facts of the trials that a proof rests on: questions about the host astray, and about names beside it."""
    if proof in TRIED:
        for o, d in of_kind(pairing.case.observations, DnsLookup):
            mine = o.host == host or d.resolver.startswith(NOBODY) or (o.host or "").endswith(f".{host}")
            if o.why.startswith(TRIAL) and (mine or proof != "nobody"):
                yield o


def _technique(word: str) -> str:
    if word in LIES:
        return f"dns.injection.{word}"
    # An address that nobody vouches for, from a resolver that says it censors: given in place of the true one.
    others = {"none": "dns", "unproven": "dns.injection", "strangers": "dns.injection.blockpage"}
    return others.get(word, f"dns.{word}")


def _worst(said: list[Said] | tuple[Said, ...]) -> Said:
    """The word that speaks for the line's own resolvers: a lie of any; else a failure only if none of them knew."""
    for word in (*LIES, "strangers"):
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
    if is_by_name(pairing, worst):
        return "home" if has_private_resolver(pairing) else "name"
    if worst.word not in LIES or not (pairing.vouched(host) or pairing.control_addresses(host)):
        return "none"
    public = [s for s in said if s.word == worst.word and s.resolver.startswith(("udp://", "tcp://"))]
    if has_private_resolver(pairing) and not public and worst.word != "blockpage":
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
    if is_deaf(pairing, said) or (not said.addresses and state.names_asked and not state.names_answered):
        return "deaf"
    codes = {code for _, d in of_kind(said.facts, DnsLookup) for code in d.ede}
    sinkholes = {*pairing.line_state.sinkholes, "0.0.0.0", "::"}
    marks = [match_address(pairing.reference, ip, pairing.case.vantage) for ip in said.addresses]
    chosen = any(mark is not None and mark.kind == "parental" for mark in marks)
    if EDE_FILTERED in codes or chosen or (said.addresses and set(said.addresses) <= sinkholes):
        return "filter"
    return "ok"


def _locus(proof: str, everyone: tuple[Said, ...], said: Said) -> Locus:
    plain = [s for s in everyone if s.resolver.startswith("udp://")]
    if proof in ON_THE_WAY or said.resolver.startswith("udp://") or any(s.word == said.word for s in plain):
        return "path"
    # That others' answers come through unharmed by the same transport leaves the resolver itself.
    return "resolver" if any(s.word == "none" for s in plain) else "unknown"


def _scope(everyone: tuple[Said, ...], said: Said) -> str:
    hit = [s for s in everyone if s.word == said.word]
    return "all" if not everyone or len(hit) == len(everyone) else " ".join(s.resolver for s in hit[:8])
