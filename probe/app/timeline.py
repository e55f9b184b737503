"""Facts in words: one line a fact, what was tried and what happened, with what the control met at the same step.

Words say what was seen. What it amounts to is the verdict's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from probe.model.failure import explain_failure
from probe.model.kinds import (
    Conclusion,
    ControlAsk,
    DnsLookup,
    HelperTransfer,
    HttpFetch,
    LineState,
    QuicHandshake,
    Skipped,
    TlsHandshake,
    TlsVerify,
)
from probe.model.observation import Observation


@dataclass(frozen=True, slots=True)
class Line:
    """One fact in words. `at_ms` counts from the first fact; `control` is what the control met at the same step, ""
    where it did not take it, and `control_ms` how long that took there, at its quickest. `depth` counts what led to it:
    a fetch stands below its handshake, that below its connect."""

    seq: int
    at_ms: int
    took_ms: float
    step: str
    here: str
    control: str
    failed: bool
    control_ms: float | None = None
    depth: int = 0


Subject = tuple[Any, ...]
_BELOW = frozenset({"tls.handshake", "tls.verify", "http.fetch"})


def timeline(facts: Sequence[Observation], control: Sequence[Observation] = ()) -> list[Line]:
    """Facts in order of seq, each beside the control's for the same subject."""
    start = min((o.at_us for o in facts if o.at_us > 0), default=0)
    beside = _by_subject(control)
    depths: dict[int, int] = {}
    lines = []
    for o in sorted(facts, key=lambda o: o.seq):
        # Only within one walk: that a walk followed from a look-up is no nesting.
        below = o.kind in _BELOW and o.parent is not None
        depths[o.seq] = depths.get(o.parent or 0, 0) + 1 if below else 0
        lines.append(_line(o, start, beside, depths[o.seq]))
    return lines


def waterfall(line: Line, end_ms: float, width: int) -> str:
    """The line's place in the whole as a bar of `width` characters: blank, filled while it lasted, blank."""
    scale = width / end_ms if end_ms > 0 else 0
    begin = min(width - 1, int(line.at_ms * scale))
    length = max(1, min(width - begin, round(line.took_ms * scale)))
    return " " * begin + "\u2588" * length + " " * (width - begin - length)


def end_of(lines: Sequence[Line]) -> float:
    """Milliseconds from the first fact to the end of the last operation."""
    return max((line.at_ms + line.took_ms for line in lines), default=0.0)


def only_at(control: Sequence[Observation], facts: Sequence[Observation]) -> list[Observation]:
    """What the control tried that was not tried here."""
    here = {subject_of(o) for o in facts}
    return [o for o in control if (s := subject_of(o)) is not None and s not in here]


def _line(o: Observation, start: int, beside: dict[Subject, list[Observation]], depth: int) -> Line:
    subject = subject_of(o)
    met = beside.get(subject, []) if subject is not None else []
    control = " | ".join(dict.fromkeys(outcome_of(c) for c in met))
    quickest = min((c.took_us for c in met), default=None)
    return Line(
        o.seq, max(0, (o.at_us - start) // 1000) if start else 0, o.took_us / 1000, step_of(o), outcome_of(o), control,
        o.failure is not None, None if quickest is None else quickest / 1000, depth,
    )  # fmt: skip


def _by_subject(facts: Iterable[Observation]) -> dict[Subject, list[Observation]]:
    found: dict[Subject, list[Observation]] = {}
    for o in facts:
        subject = subject_of(o)
        if subject is not None:
            found.setdefault(subject, []).append(o)
    return found


def subject_of(o: Observation) -> Subject | None:
    """What a fact is about, so that the control's fact about the same thing can be found; None for a fact about this
    measurement only. Resolvers differ between vantage points, so a lookup is about name and type."""
    detail = o.detail
    match detail:
        case DnsLookup():
            return (o.kind, o.host, detail.qtype)
        case TlsHandshake():
            return (o.kind, o.ip, o.port, detail.sni, detail.profile)
        case QuicHandshake():
            return (o.kind, o.ip, o.port, detail.sni)
        case TlsVerify():
            return (o.kind, o.ip, o.port, detail.name, detail.whose)
        case HttpFetch():
            return (o.kind, detail.url, o.ip, detail.protocol == "HTTP/3")
    return (o.kind, o.ip, o.port) if o.kind == "tcp.connect" else None


def endpoint(o: Observation) -> str:
    """`1.2.3.4:443`, `[::1]:443`, or the host where no address is known."""
    if o.ip is None:
        return o.host or "?"
    ip = f"[{o.ip}]" if ":" in o.ip else o.ip
    return f"{ip}:{o.port}" if o.port is not None else ip


def step_of(o: Observation) -> str:
    """What was tried."""
    again = f" (try {o.attempt})" if o.attempt > 1 else ""
    detail = o.detail
    match detail:
        case DnsLookup():
            return f"look up {o.host} {detail.qtype} at {detail.resolver}{_limit(detail.ttl)}{again}"
        case TlsHandshake():
            kind = f", {detail.profile} hello" if detail.profile else ""
            return f"TLS handshake {endpoint(o)} {_name(detail.sni)}{kind}{_limit(detail.ttl)}{again}"
        case QuicHandshake():
            return f"QUIC handshake {endpoint(o)} {_name(detail.sni)}{again}"
        case TlsVerify():
            store = ", by this machine's own store" if detail.whose else ""
            return f"certificate of {endpoint(o)} for {detail.name or 'any name'}{store}"
        case HttpFetch():
            hop = f" (hop {detail.hop})" if detail.hop else ""
            return f"{detail.method} {detail.url} at {endpoint(o)}{hop}{_limit(detail.ttl)}{again}"
        case ControlAsk():
            what = f" about {len(detail.endpoints)} endpoints" if detail.endpoints else ""
            what += " over QUIC" if detail.quic else ""
            return f"ask the control {detail.helper}{what}{again}"
        case HelperTransfer():
            return f"take bytes from the control {detail.helper}{again}"
        case Skipped():
            return f"{detail.step} {endpoint(o)}"
        case LineState():
            return "state of this line"
        case Conclusion():
            return "end"
    names = {"tcp.connect": "connect"}
    return f"{names.get(o.kind, o.kind)} {endpoint(o)}{again}"


def _limit(ttl: int) -> str:
    return f" (hop limit {ttl})" if ttl else ""


def _name(sni: str | None) -> str:
    return "no name" if sni is None else f"as {sni or 'an empty name'}"


def outcome_of(o: Observation) -> str:
    """What happened, in words; a failure with its raw origin in brackets."""
    said = _SAID.get(type(o.detail), lambda _: "")(o.detail)
    if isinstance(o.detail, Skipped):
        return f"not tried: {said}"
    if o.failure is None:
        return said or ("connected" if o.kind == "tcp.connect" else "done")
    raw = getattr(o.detail, "raw", None)
    note = ", ".join(part for part in (said, str(raw) if raw else "") if part)
    return f"{o.failure}: {explain_failure(o.failure)}" + (f" [{note}]" if note else "")


def _dns(d: DnsLookup) -> str:
    answers = ", ".join(r.data for r in d.answers[:6]) + (" ..." if len(d.answers) > 6 else "")
    ttl = f" (TTL {min(r.ttl for r in d.answers)})" if d.answers and d.engine != "getaddrinfo" else ""
    marks = [f"EDE {code}" for code in d.ede]
    marks += [f"answer number {d.nth + 1}"] if d.nth else []
    marks += ["from elsewhere than asked"] if not d.source_ok else []
    marks += ["to another question"] if not d.question_ok else []
    return ", ".join(part for part in (answers + ttl if answers else "", *marks) if part)


def _tls(d: TlsHandshake) -> str:
    hidden = f"encrypted name {d.ech}" if d.ech else ""
    if d.version:
        chain = f"{len(d.chain)} certificate{'s' * (len(d.chain) != 1)}" if d.chain else ""
        return ", ".join(part for part in (d.version, d.cipher or "", d.alpn or "", chain, hidden) if part)
    ended = f"ended by {d.ended}" if d.ended else ""
    return ", ".join(part for part in (f"alert {d.alert}" if d.alert else "", ended, hidden) if part)


def _quic(d: QuicHandshake) -> str:
    traffic = f"{d.datagrams_in} of {d.datagrams_out} datagrams answered" if d.ended in ("stall", "icmp") else ""
    parts = [f"QUIC {d.version}" if d.version else "", d.alpn or "", "after a retry" if d.retry else ""]
    parts += [f"speaks {', '.join(d.versions)}" if d.versions else "", f"alert {d.alert}" if d.alert else ""]
    parts += [f"ended by {d.ended}" if d.ended else "", traffic, f'"{d.close_reason}"' if d.close_reason else ""]
    return ", ".join(part for part in parts if part)


def _verify(d: TlsVerify) -> str:
    return "verifies" if d.reason == "ok" else ", ".join(d.reasons or (d.reason,))


def _http(d: HttpFetch) -> str:
    parts = [f"status {d.status}" if d.status is not None else "", d.protocol or ""]
    parts.append(f"to {d.location}" if d.location else "")
    parts.append(f"{d.body_bytes} bytes" if d.body_bytes else "")
    parts.append(f"cut: {d.truncated}" if d.truncated else "")
    parts.append(f'"{d.features.title}"' if d.features and d.features.title else "")
    return ", ".join(part for part in parts if part)


def _control(d: ControlAsk) -> str:
    seen = " ".join(part for part in (d.seen_cc or "", f"AS{d.seen_asn}" if d.seen_asn else "") if part)
    return ", ".join(
        part
        for part in (f"measurement {d.measurement[:8]}" if d.measurement else "", f"sees {seen}" if seen else "")
        if part
    )


def _bytes(d: HelperTransfer) -> str:
    taken, us = (d.timeline[-1][1], d.timeline[-1][0]) if d.timeline else (0, 0)
    return f"{taken} of {d.wanted} bytes in {us / 1000:.0f} ms"


def _skipped(d: Skipped) -> str:
    return d.because.replace("_", " ") + (f" ({d.note})" if d.note else "")


def _state(d: LineState) -> str:
    quic_tried, quic_reached = sum(row[2] for row in d.quic), sum(row[3] for row in d.quic)
    return (
        f"{d.canaries_reached} of {d.canaries_tried} canaries and {d.others_reached} of {d.others_tried} other targets "
        f"reached; worst delay of our own {d.lag_max_us / 1000:.0f} ms"
        + (f"; {quic_reached} of {quic_tried} over QUIC" if quic_tried else "")
    )


def _end(d: Conclusion) -> str:
    return f"{d.ended} after {d.steps} steps"


_SAID: dict[type[Any], Callable[[Any], str]] = {
    DnsLookup: _dns,
    TlsHandshake: _tls,
    QuicHandshake: _quic,
    TlsVerify: _verify,
    HttpFetch: _http,
    ControlAsk: _control,
    HelperTransfer: _bytes,
    Skipped: _skipped,
    LineState: _state,
    Conclusion: _end,
}
