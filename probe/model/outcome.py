"""Outcomes, layers, techniques, reasons and contrasts: closed vocabularies of CONTRACT sections 1 and 2."""

from __future__ import annotations

from typing import Literal, get_args

Outcome = Literal["ok", "blocked", "likely_blocked", "impaired", "restricted", "down", "insufficient"]
# Strongest first: the headline is the strongest outcome among the layers.
OUTCOMES: tuple[Outcome, ...] = (
    "blocked",
    "likely_blocked",
    "impaired",
    "restricted",
    "down",
    "insufficient",
    "ok",
)
OUTCOME_MEANING: dict[Outcome, str] = {
    "ok": "the genuine service was reached and behaved as it does from the control",
    "blocked": "fails or is altered here, and an artefact or a controlled experiment settles it",
    "likely_blocked": "fails only here, again on spaced retries, with the control fine and the line healthy",
    "impaired": "works sometimes, partly or slowly here; the cause is not attributable",
    "restricted": "the server itself refuses this visitor over a path proven genuine",
    "down": "fails from the control as well",
    "insufficient": "cannot be said; the reason tells why",
}

Layer = Literal["dns", "ip", "tcp", "tls", "http", "quic"]
LAYERS: tuple[Layer, ...] = get_args(Layer)

Reason = Literal[
    "no_network",
    "captive_portal",
    "local_filter",
    "no_control",
    "clock_wrong",
    "own_fault",
    "unproven_path",
    "not_reached",
    "budget",
    "interrupted",
]
REASON_MEANING: dict[Reason, str] = {
    "no_network": "this line reached nothing at all",
    "captive_portal": "a login page of the local network answered instead",
    "local_filter": "a filter of this device or home answers for innocent names too",
    "no_control": "no control measurement to compare with",
    "clock_wrong": "this machine's clock is too far off to judge certificates",
    "own_fault": "the fault is our own: this machine, its trust store, or our way of asking",
    "unproven_path": "the answer came over a path that nothing vouches for",
    "not_reached": "an earlier layer failed, so this one was never tried",
    "budget": "the time, data or step budget ran out first",
    "interrupted": "it was stopped before it could be settled",
}
REASONS: tuple[Reason, ...] = get_args(Reason)

Locus = Literal["local", "resolver", "path", "server", "unknown"]
LOCI: tuple[Locus, ...] = get_args(Locus)

# A leaf of the tree; every dotted prefix is a technique too.
TECHNIQUE_LEAVES: tuple[str, ...] = (
    "dns.injection.blockpage",
    "dns.injection.bogon",
    "dns.injection.other",
    "dns.nxdomain",
    "dns.empty",
    "dns.refused",
    "dns.servfail",
    "dns.timeout",
    "ip.unreachable",
    "tcp.timeout",
    "tcp.reset",
    "tcp.refused",
    "tcp.throttle",
    "tcp.freeze",
    "tls.reset.sni",
    "tls.reset.other",
    "tls.timeout.sni",
    "tls.timeout.other",
    "tls.eof.sni",
    "tls.eof.other",
    "tls.alert.sni",
    "tls.alert.other",
    "tls.mitm.self_signed",
    "tls.mitm.ca_signed",
    "tls.throttle.sni",
    "tls.freeze.sni",
    "http.blockpage",
    "http.redirect",
    "http.error",
    "http.reset.host",
    "http.reset.url",
    "http.timeout.host",
    "http.timeout.url",
    "http.eof.host",
    "http.eof.url",
    "http.truncated",
    "http.proxy",
    "http.throttle.host",
    "quic.timeout.sni",
    "quic.timeout.other",
    "quic.reset.sni",
    "quic.reset.other",
)


def prefixes(technique: str) -> tuple[str, ...]:
    """`tls.reset.sni` -> ("tls", "tls.reset", "tls.reset.sni")."""
    parts = technique.split(".")
    return tuple(".".join(parts[: i + 1]) for i in range(len(parts)))


TECHNIQUES: frozenset[str] = frozenset(p for leaf in TECHNIQUE_LEAVES for p in prefixes(leaf))


def common_ancestor(techniques: tuple[str, ...]) -> str | None:
    """The deepest path that all share, or None when they share nothing (CONTRACT: where two compete)."""
    if not techniques:
        return None
    shared: list[str] = []
    for parts in zip(*(t.split(".") for t in techniques), strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return ".".join(shared) or None


Contrast = Literal["both_ok", "both_failed", "only_here", "only_there", "no_control", "not_tried"]
CONTRASTS: tuple[Contrast, ...] = get_args(Contrast)
