"""Findings about endpoints: can the host's genuine addresses be connected to, and do they shake hands for the name?

Judged address by address: a failure at an address that nobody vouches for says nothing about the target. Each address
is compared with what a control met at the same address; where none tried it, with what it met at the host.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from probe.checks.web.born import born
from probe.checks.web.common import UNAIDED, genuine, is_portal
from probe.checks.web.forged import certificate_findings, forged_walks, own_chain_trouble
from probe.checks.web.proofs import NO_PROOF, Proof, proof_of
from probe.checks.web.residual import belated, met_at, residual
from probe.checks.web.symptoms import TCP, TLS, word_of
from probe.model.failure import is_local
from probe.model.kinds import TcpConnect
from probe.model.observation import Observation
from probe.model.target import Target
from probe.model.verdict import Scope
from probe.verdict.findings import Domain, Findings
from probe.verdict.judge import ended
from probe.verdict.pair import Pairing, contrast, was_busy
from probe.verdict.read import Tried
from probe.verdict.reference import seen_elsewhere

State = Literal["ok", "failed", "mixed", "unknown"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of the host as both sides met it at one layer. `enough` says that its failures are more than the
    line's noise, `cut` that it was only tried while nothing at all came through, `split` that controls
    contradict one another about it."""

    ip: str
    state: State
    word: str
    there: bool | None
    enough: bool
    facts: tuple[Observation, ...]
    cut: bool = False
    split: bool = False

    @property
    def only_here(self) -> bool:
        return self.state in ("failed", "mixed") and self.there is True


def read_tcp(pairing: Pairing, target: Target, hop: int) -> Findings:
    """The tcp findings of one host at its URL's port."""
    residue, late = residual(pairing, target), belated(pairing, target)
    found = endpoints_of(
        pairing,
        target,
        genuine(pairing, target),
        lambda w: None if w in residue else met_at(w) if w in late else w.connect,
        lambda w: w.connected and w not in late,
    )
    findings = findings_of(pairing, TCP, target, hop, found)
    if findings.values["symptom"] == "unreachable":
        return Findings(
            "tcp", target.host, hop, findings.values, "ip.unreachable", "unknown", findings.scope, findings.witness
        )
    return findings


def read_tls(pairing: Pairing, target: Target, hop: int) -> Findings | None:
    """The tls findings of one https host; None where there is no TLS."""
    if target.scheme != "https":
        return None
    forged = forged_walks(pairing, target)
    if forged:
        return certificate_findings(pairing, target, hop, forged)
    residue, late = residual(pairing, target), belated(pairing, target)
    found = endpoints_of(
        pairing,
        target,
        genuine(pairing, target),
        lambda w: w.connect if w in residue else None if w in late else secured(w),
        lambda w: w.proven,
    )
    failing = {e.ip: e.word for e in found if e.state == "failed" and e.word in TLS.proofs["hello"]}
    here = [e.ip for e in found if e.only_here]
    proof = born(pairing, target, here, proof_of(pairing, target, failing, residue))
    return findings_of(pairing, TLS, target, hop, found, proof)


def secured(walk: Tried) -> Observation | None:
    """The operation that speaks for TLS: a failed handshake, else what the trust store said of its chain."""
    if walk.handshake is None or walk.handshake.failure is not None:
        return walk.handshake
    return walk.verify


def endpoints_of(
    pairing: Pairing,
    target: Target,
    addresses: frozenset[str],
    operation: Callable[[Tried], Observation | None],
    worked: Callable[[Tried], bool],
) -> list[Endpoint]:
    """What both sides met at those addresses of a host; `operation` is the one of a walk that speaks for the layer."""
    walked_there = [w for w in pairing.there if w.host == target.host and w.port == target.port]
    there_all = [w for w in walked_there if operation(w)]
    # Where the host works here at another address, a control's word about yet another one says nothing of this one.
    elsewhere_well = {w.ip for w in pairing.here if w.host == target.host and w.port == target.port and worked(w)}
    out = []
    for ip in sorted(addresses):
        mine = [w for w in pairing.here if (w.host, w.ip, w.port) == (target.host, ip, target.port) and operation(w)]
        # A control that did not get as far as this layer at this very address has no better news of it.
        theirs = [w for w in walked_there if w.ip == seen_elsewhere(ip)] or ([] if elsewhere_well - {ip} else there_all)
        there = any(worked(w) for w in theirs) if theirs else None
        if mine:
            endpoint = _endpoint(pairing, ip, mine, there, operation, worked)
            out.append(replace(endpoint, split=_is_split(pairing, theirs, walked_there, worked)))
    return out


def _is_split(
    pairing: Pairing, theirs: list[Tried], walked_there: list[Tried], worked: Callable[[Tried], bool]
) -> bool:
    """Controls contradict one another about an endpoint; or about the whole host, where one alone knows the endpoint:
    it may have made up that address together with what it met there."""
    among, anywhere = frozenset(theirs), frozenset(walked_there)
    if pairing.is_split(among.__contains__, worked):
        return True
    alone = sum(not among.isdisjoint(walks) for walks in pairing.there_each) == 1
    return alone and pairing.is_split(anywhere.__contains__, worked)


def _endpoint(
    pairing: Pairing,
    ip: str,
    mine: list[Tried],
    there: bool | None,
    operation: Callable[[Tried], Observation | None],
    worked: Callable[[Tried], bool],
) -> Endpoint:
    tried = [(o, worked(w)) for w in mine if (o := operation(w)) is not None]
    operations = tuple(o for o, _ in tried)
    good = [o for o, well in tried if well]
    met = [o for o in operations if o.failure is not None and not is_local(o.failure) and not was_busy(o)]
    cut = pairing.line.cut(met)
    bad = [o for o in met if o.seq not in cut]
    if ":" in ip and not good and pairing.line_state.ipv6_reached is not True:
        # IPv6 that reaches nothing else is a property of this line, not of the target.
        bad = []
    # A residual failure repeats the one that it follows, whose word it takes.
    told = [o for o in bad if not isinstance(o.detail, TcpConnect)] or bad
    words = Counter(word_of(o) for o in told)
    word = min(words, key=lambda w: (-words[w], w)) if words else "none"
    if not bad:
        state: State = "ok" if good else "unknown"
        return Endpoint(ip, state, "none", there, False, operations, cut=bool(cut) and not good)
    weight = pairing.line.weigh(bad, good, "walks")
    state = "failed" if not good else "mixed" if weight == "mixed" else "ok"
    return Endpoint(ip, state, word if state != "ok" else "none", there, weight == "apart", operations)


def findings_of(
    pairing: Pairing,
    domain: Domain,
    target: Target,
    hop: int,
    found: list[Endpoint],
    proof: Proof = NO_PROOF,
) -> Findings:
    """The findings that those endpoints amount to."""
    layer = domain.layer
    judged = [e for e in found if e.state != "unknown"]
    hit = [e for e in judged if e.only_here]
    failed = hit or ([e for e in judged if e.state != "ok"] if not any(e.state == "ok" for e in judged) else [])
    if not failed or failed[0].word not in domain.proofs.get(proof.word, ()):
        proof = NO_PROOF
    values = {
        "contrast": _contrast(judged, hit, failed, proof),
        "symptom": failed[0].word if failed else "none",
        "proof": proof.word,
        "repeat": _repeat(failed),
        "line": _line(pairing, target, found, judged, failed),
        "ended": ended(pairing.case),
        "path": "unproven",
    }
    if not judged and values["line"] in ("busy", "dead"):
        values["contrast"], values["symptom"] = "no_control", "timeout"
    return Findings(
        layer,
        target.host,
        hop,
        values,
        technique=technique_of(layer, values["symptom"]),
        locus=proof.locus,
        located=proof.located,
        scope=_scope(target, failed, judged),
        witness=pairing.witness([*(o for e in (failed or judged) for o in e.facts), *proof.facts]),
        note=failed[0].ip if failed else "",
    )


def technique_of(layer: str, symptom: str) -> str:
    """The deepest path that a symptom supports by itself."""
    return layer if symptom in ("none", "garbage", "bad_chain", "error") else f"{layer}.{symptom}"


def _contrast(judged: list[Endpoint], hit: list[Endpoint], failed: list[Endpoint], proof: Proof) -> str:
    if not judged:
        return "not_tried"
    if hit and proof.word in UNAIDED and all(e.split for e in hit):
        return "no_control"
    if hit:
        return "only_here"
    there = [e.there for e in (failed or judged) if e.there is not None]
    return contrast(not failed, any(there) if there else None)


def _repeat(failed: list[Endpoint]) -> str:
    if any(e.state == "mixed" for e in failed):
        return "mixed"
    return "repeated" if failed and all(e.enough for e in failed) else "once"


def _line(
    pairing: Pairing, target: Target, found: list[Endpoint], judged: list[Endpoint], failed: list[Endpoint]
) -> str:
    if pairing.line_is_dead or (not judged and any(e.cut for e in found)):
        return "dead"
    busy = any(was_busy(o) and o.failure is not None for e in found for o in e.facts)
    if busy and not any(e.state == "ok" for e in judged):
        return "busy"
    own = own_chain_trouble(pairing, target) if failed and all(e.word == "bad_chain" for e in failed) else ""
    return own or ("portal" if is_portal(pairing) else "ok")


def _scope(target: Target, failed: list[Endpoint], judged: list[Endpoint]) -> Scope:
    """Which families, how many addresses, which port."""
    hit = failed or judged
    families = sorted({"ipv6" if ":" in e.ip else "ipv4" for e in hit})
    return Scope(tuple(families), f"{len(failed)}/{len(judged)}", (target.port,))
