"""Findings about QUIC: does HTTP/3 work where the host announces it, at addresses that have proven themselves?

QUIC is refused or lost for many innocent reasons: a firm, a home router or a whole provider may let no UDP through but
for names. So a failure counts against nobody before this line is known to carry QUIC to others.
"""

from __future__ import annotations

from dataclasses import replace

from probe.checks.quic.announced import offers
from probe.checks.quic.line import carries, is_ipv6
from probe.checks.quic.trials import proof_of
from probe.checks.web.endpoints import endpoints_of, findings_of, secured
from probe.checks.web.reading import chain
from probe.checks.web.symptoms import NAMED_QUIC, QUIC
from probe.model.kinds import Skipped
from probe.model.observation import Observation
from probe.model.target import Target
from probe.verdict.case import Case
from probe.verdict.findings import Findings
from probe.verdict.pair import Pairing
from probe.verdict.read import Tried, of_kind, quic_walks_of
from probe.verdict.reference import Reference

CHECK, STEP = "quic", "quic"
# Symptoms that the contract has a path for.
PATHS = ("timeout", "reset")


def read_quic(case: Case, reference: Reference) -> tuple[Findings, ...]:
    """The quic findings of every hop that announces HTTP/3; none where this was not asked, or cannot be."""
    if CHECK not in case.measurement.checks.split(","):
        return ()
    web, pairing = Pairing(case, reference), Pairing(case, reference, quic_walks_of)
    found = (_read_host(pairing, target, number) for number, target in enumerate(chain(web)))
    return tuple(findings for findings in found if findings is not None)


def technique(symptom: str) -> str:
    """The deepest path that a symptom supports by itself."""
    return f"quic.{symptom}" if symptom in PATHS else "quic"


def _read_host(pairing: Pairing, target: Target, hop: int) -> Findings | None:
    tried = [w for w in pairing.here if w.host == target.host]
    if target.scheme != "https" or not (tried or _is_announced(pairing.case, target)):
        return None
    skipped = [o for o, d in of_kind(pairing.case.observations, Skipped) if d.step == STEP and o.host == target.host]
    if skipped and not tried:
        return None
    # The port is the announced one, which need not be the URL's.
    at = replace(target, port=tried[0].port) if tried else target
    found = endpoints_of(pairing, at, frozenset(w.ip for w in tried), _operation, _worked)
    carried = {ipv6: _carries(pairing, ipv6) for ipv6 in {is_ipv6(e.ip) for e in found}}
    # Where one family is known to be carried, the other one's silence is this line's own matter.
    found = [e for e in found if carried[is_ipv6(e.ip)]] or found
    proof = proof_of(pairing, at, {e.ip: e.word for e in found if e.state == "failed" and e.word in NAMED_QUIC})
    findings = findings_of(pairing, QUIC, at, hop, found, proof)
    shut = bool(found) and all(word is False for word in carried.values())
    line = "deaf" if findings.values["line"] == "ok" and shut else findings.values["line"]
    words = {**findings.values, "line": line, "path": "proven" if any(carried.values()) else "unproven"}
    return replace(findings, values=words, technique=technique(words["symptom"]))


def _is_announced(case: Case, target: Target) -> bool:
    sides = (case.observations, *(c.observations for c in case.controls))
    return any(True for facts in sides for _ in offers(facts, target))


def _operation(walk: Tried) -> Observation | None:
    """What speaks for QUIC: a failed handshake, a chain that does not verify, a page that never began, else the
    handshake."""
    shown = secured(walk)
    if shown is not None and shown.failure is not None:
        return shown
    page = walk.page
    return walk.fetch if page is not None and page.status is None else walk.handshake


def _worked(walk: Tried) -> bool:
    operation = _operation(walk)
    return operation is not None and operation.failure is None


def _carries(pairing: Pairing, ipv6: bool) -> bool | None:
    """Whether this line carries QUIC over that IP version: a handshake of this measurement succeeded, or what the run
    has met says so. None when nobody else was asked."""
    if any(w.shaken for w in (*pairing.here, *pairing.trials) if is_ipv6(w.ip) is ipv6):
        return True
    return carries(pairing.line_state, ipv6)
