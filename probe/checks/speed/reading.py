"""Findings about speed, hop by hop. Nothing is found unless it was seen often enough to say something: a page that is
slow once, or on a slow line, or for the control as well, is a page that is slow."""

from __future__ import annotations

from collections.abc import Iterable

from probe.checks.speed.freeze import Freeze, freeze_of
from probe.checks.speed.series import LATE_TRIES, UNTRIED, Series, series_of
from probe.checks.speed.transfers import transfer_of
from probe.checks.web.common import genuine, is_portal
from probe.checks.web.reading import chain
from probe.model.observation import Observation
from probe.model.outcome import Layer, Locus
from probe.model.target import Target
from probe.model.verdict import Scope
from probe.verdict.case import Case
from probe.verdict.findings import Findings
from probe.verdict.judge import ended
from probe.verdict.pair import Pairing
from probe.verdict.read import Tried
from probe.verdict.reference import Reference

_LAYERS: dict[str, Layer] = {"sni": "tls", "host": "http", "none": "tcp"}


def read_speed(case: Case, reference: Reference) -> tuple[Findings, ...]:
    """The findings of a measurement about speed: one for each hop that is slow, late or frozen here alone."""
    pairing = Pairing(case, reference)
    found = (_read_hop(pairing, target, hop) for hop, target in enumerate(chain(pairing)))
    return tuple(findings for findings in found if findings is not None)


def _read_hop(pairing: Pairing, target: Target, hop: int) -> Findings | None:
    freeze = freeze_of(pairing, target)
    if freeze is not None:
        return _frozen(pairing, target, hop, freeze) if freeze.settled else None
    found = series_of(pairing, target)
    for series in found:
        if series.is_delayed and (delayed := _delayed(pairing, target, hop, series)) is not None:
            return delayed
    for series in found:
        if series.is_slow and (slow := _slow(pairing, target, hop, series, found)) is not None:
            return slow
    return None


def _frozen(pairing: Pairing, target: Target, hop: int, freeze: Freeze) -> Findings:
    proof = "sni" if freeze.name == "passes" and target.scheme == "https" else "none"
    trials = [w for w in pairing.timed if w.is_trial and w.ip == freeze.ip]
    note = f"{freeze.place / 1000:.1f} kB of TCP"
    return _findings(pairing, target, hop, "freeze", proof, freeze.ip, [*freeze.walks, *trials], note)


def _delayed(pairing: Pairing, target: Target, hop: int, series: Series) -> Findings | None:
    if min(len(series.lates), len(series.trials)) < LATE_TRIES or series.late_flip != "flips":
        return None
    proof = "sni" if target.scheme == "https" else "host"
    note = f"by {min(series.lates) / 1e6:.1f} s at least"
    return _findings(pairing, target, hop, "delayed", proof, series.ip, _all(series), note)


def _slow(
    pairing: Pairing, target: Target, hop: int, series: Series, everywhere: tuple[Series, ...]
) -> Findings | None:
    note = _paces(series)
    if series.flip == "flips":
        if min(len(series.paced), len(series.trials)) < series.tries:
            return None
        proof = "sni" if target.scheme == "https" else "host"
        return _findings(pairing, target, hop, "throttle", proof, series.ip, _all(series), note)
    if len(series.paced) < UNTRIED or not series.line_is_fast or any(not s.is_slow for s in everywhere):
        return None
    symptom = "throttle" if series.is_held_down else "slow"
    facts = [*_all(series), *(w for s in everywhere if s is not series for w in s.own)]
    return _findings(pairing, target, hop, symptom, "none", series.ip, facts, note, series.refs_seen)


def _all(series: Series) -> list[Tried]:
    return [*series.own, *series.trials, *series.theirs]


def _paces(series: Series) -> str:
    there = series.there
    size = min(series.size, there.size) if there is not None else series.size
    parts = [f"{_kb(max(t.pace(size) for t in series.paced))} kB/s"]
    parts += [f"{_kb(there.pace(size))} at the control"] if there is not None else []
    fair = [t for t in map(transfer_of, series.trials) if t is not None] if series.flip == "flips" else []
    parts += [f"{_kb(min(t.pace(series.size) for t in fair))} for an innocent name"] if fair else []
    return ", ".join(parts)


def _kb(pace: float) -> str:
    return f"{pace / 1000:.0f}" if pace >= 10_000 else f"{pace / 1000:.1f}"


def _findings(
    pairing: Pairing,
    target: Target,
    hop: int,
    symptom: str,
    proof: str,
    ip: str,
    walks: list[Tried],
    note: str,
    more: Iterable[Observation] = (),
) -> Findings:
    values = {
        "contrast": "only_here",
        "symptom": symptom,
        "proof": proof,
        "repeat": "repeated",
        "line": "dead" if pairing.line_is_dead else "portal" if is_portal(pairing) else "ok",
        "ended": ended(pairing.case),
        "path": "unproven",
    }
    layer: Layer = "http" if symptom == "slow" else _LAYERS[proof]
    locus: Locus = "path" if proof != "none" or symptom == "freeze" else "unknown"
    families = ("ipv6" if ":" in ip else "ipv4",)
    walked = {w.ip for w in pairing.here if w.host == target.host} & genuine(pairing, target)
    facts = [o for w in walks for o in (w.connect, w.handshake, w.fetch) if o is not None]
    return Findings(
        layer,
        target.host,
        hop,
        values,
        technique=_technique(layer, symptom),
        locus=locus,
        scope=Scope(families, f"1/{max(1, len(walked))}", (target.port,)),
        witness=pairing.witness((*facts, *more)),
        note=note,
        about="speed",
    )


def _technique(layer: Layer, symptom: str) -> str:
    """The path that a symptom supports at a layer: a delay is a way to throttle."""
    if symptom in ("none", "slow"):
        return layer
    return f"{layer}.freeze" if symptom == "freeze" else f"{layer}.throttle"
