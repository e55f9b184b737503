"""Forged certificates: a chain shown here, at a genuine address, that does not verify and that no control was shown.

Only what no trusted authority ever signed counts. A certificate that is merely out of date, or for another name, is how
a careless edge of the site's own network looks as well; and one by an authority that this machine itself trusts was let
in by its owner: an antivirus, a company's proxy.
"""

from __future__ import annotations

from probe.checks.web.common import genuine, is_clock_off, is_portal, leaf
from probe.model.kinds import TlsVerify
from probe.model.target import Target
from probe.model.verdict import Scope
from probe.verdict.findings import Findings
from probe.verdict.judge import ended
from probe.verdict.pair import Pairing
from probe.verdict.read import STRANGERS, Tried
from probe.verdict.reference import seen_elsewhere

SELF_SIGNED_LEAF = 18


def forged_walks(pairing: Pairing, target: Target) -> list[Tried]:
    """Walks at addresses proven genuine by a control, yet answered here with a chain that does not verify and that
    the control was not shown there."""
    mine = [w for w in pairing.here if w.host == target.host and w.port == target.port and w.shaken and w.reason]
    proven_there = {w.ip for w in pairing.there if w.host == target.host and w.proven}
    shown = {leaf(w) for w in pairing.there if w.host == target.host}
    return [w for w in mine if _is_strangers(w) and seen_elsewhere(w.ip) in proven_there and leaf(w) not in shown]


def _leaf_signed_itself(walk: Tried) -> bool:
    # OpenSSL's 18; its 19 is a chain that ends in somebody's own root, which is an authority nobody trusts.
    detail = walk.verify.detail if walk.verify else None
    return isinstance(detail, TlsVerify) and detail.code == SELF_SIGNED_LEAF


def certificate_findings(pairing: Pairing, target: Target, hop: int, forged: list[Tried]) -> Findings:
    """The tls findings where a certificate was forged: by itself signed, or by an authority nobody trusts."""
    symptom = "self_signed" if all(_leaf_signed_itself(w) for w in forged) else "ca_signed"
    addresses = genuine(pairing, target)
    ips = sorted({w.ip for w in forged})
    here = [w for w in pairing.here if (w.host, w.port) == (target.host, target.port) and w.ip in ips]
    genuine_too = any(w.proven for w in here)
    values = {
        "contrast": "only_here",
        "symptom": symptom,
        "proof": "contradicted",
        "repeat": "mixed" if genuine_too else "repeated" if len(forged) >= 2 else "once",
        "line": "portal" if is_portal(pairing) else "ok",
        "ended": ended(pairing.case),
        "path": "unproven",
    }
    families = tuple(sorted({"ipv6" if ":" in ip else "ipv4" for ip in ips}))
    scope = Scope(families, f"{len(ips)}/{len(addresses)}", (target.port,))
    facts = [o for w in forged for o in (w.handshake, w.verify) if o is not None]
    witness = pairing.witness(facts)
    return Findings("tls", target.host, hop, values, f"tls.mitm.{symptom}", "path", scope, witness, ips[0])


def _is_strangers(walk: Tried) -> bool:
    detail = walk.verify.detail if walk.verify else None
    unsigned = isinstance(detail, TlsVerify) and not STRANGERS.isdisjoint((detail.reason, *detail.reasons))
    return unsigned and not walk.is_trusted_locally


def own_chain_trouble(pairing: Pairing, target: Target) -> str:
    """Why chains that do not verify may be nobody's doing but ours: `clock`, `busy` (our trust store is too old), or
    `filter` (an authority that somebody put into this very machine). "" where none of it shows."""
    mine = [w for w in pairing.here if w.host == target.host and w.shaken and not w.proven]
    theirs = [w for w in pairing.there if w.host == target.host]
    good_there = {leaf(w) for w in theirs if w.proven or w.is_trusted_locally}
    dated = all(w.reason in ("expired", "not_yet_valid") for w in mine)
    if mine and all(leaf(w) in good_there for w in mine):
        # The very certificate that verified elsewhere: our clock or our trust store is at fault.
        return "clock" if dated else "busy"
    if mine and dated and is_clock_off(pairing):
        return "clock"
    if mine and all(w.is_trusted_locally for w in mine):
        # Where a control is shown the same one it is the site's own, by an authority newer than our store.
        return "busy" if all(leaf(w) in {leaf(t) for t in theirs} for w in mine) else "filter"
    return ""
