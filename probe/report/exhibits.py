"""Facts told to a reader: each observation as one sentence and a few labelled values, beside what the control saw.

Everything here came over a hostile network: it is bounded and tamed, certificates are parsed and never trusted, and a
page is shown as text only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html.parser import HTMLParser

from cryptography import x509

from probe.model.corpus import Evidence, EvidenceRoom, Judged
from probe.model.failure import explain_failure
from probe.model.kinds import DnsLookup, HttpFetch, QuicHandshake, TcpConnect, TlsHandshake, TlsVerify
from probe.model.observation import Observation
from probe.report.events import outcome_of
from probe.report.model import Exhibit, Witness
from probe.report.words import count, tame, took
from probe.verdict.read import NOBODY

_MAX_FACTS = 10
_MAX_ANSWERS = 6
_EXCERPT = 500
_MAX_PAGE = 65_536
_TOLD = ("dns.lookup", "tcp.connect", "tls.handshake", "quic.handshake", "tls.verify", "http.fetch")
Details = tuple[tuple[str, str], ...]


def witness_of(one: Judged, room: EvidenceRoom) -> Witness:
    """One measurement with the facts that its verdict points at, and the control's facts of the same operations."""
    headline = one.headline
    facts = room.evidence(one.measurement_id)
    pairs = headline.witness if headline else ()
    own = _pick(facts.own, {seq for mid, seq in pairs if mid == one.measurement_id})
    control = _control_facts(facts, pairs, own)
    detail = headline.detail if headline else {}
    return Witness(
        measurement_id=tame(one.measurement_id),
        started_at=tame(one.started_at, 40),
        network=tame(one.network),
        place=tame(one.vantage.place),
        outcome=outcome_of(one),
        rule=tame(headline.rule if headline else "", 40),
        explanation=tame(detail.get("explanation", ""), 400),
        own=tuple(exhibit(o, "field", room) for o in own),
        control=tuple(exhibit(o, "control", room) for o in control),
        note=_note(tame(detail.get("control", ""), 40), bool(own), bool(control)),
    )


def _note(control: str, has_own: bool, has_control: bool) -> str:
    notes = []
    if not has_own:
        notes.append("The facts of this measurement are not in the databases given.")
    if not has_control:
        said = {"none": "No control was asked.", "unreachable": "The control could not be reached."}
        notes.append(said.get(control, "The control’s facts are not in the databases given."))
    return " ".join(notes)


def _pick(facts: Sequence[Observation], seqs: set[int]) -> tuple[Observation, ...]:
    """The witnesses; where a verdict names none, what failed. In order, a bounded number."""
    chosen = [o for o in facts if o.seq in seqs and o.kind in _TOLD]
    return tuple((chosen or [o for o in facts if o.failure and o.kind in _TOLD])[:_MAX_FACTS])


def _control_facts(facts: Evidence, pairs: Iterable[tuple[str, int]], own: Sequence[Observation]) -> list[Observation]:
    """Facts of controls that a verdict names, else those like the field's witnesses, else whatever a control saw."""
    named = set(pairs)
    everything = [o for _, observations in facts.controls for o in observations if o.kind in _TOLD]
    chosen = [o for o in everything if (o.measurement_id, o.seq) in named]
    alike = {(o.kind, o.host) for o in own}
    return (chosen or [o for o in everything if (o.kind, o.host) in alike] or everything)[:_MAX_FACTS]


def exhibit(o: Observation, role: str, room: EvidenceRoom) -> Exhibit:
    """One fact in words."""
    text, details = _tell(o, room)
    where = (("Address", _endpoint(o)),) if o.ip else ()
    timing = (("Took", took(o.took_us)),) if o.took_us else ()
    rows = (*where, *details, *timing)
    clean = tuple((label, tame(value, 600)) for label, value in rows if value)
    return Exhibit(tame(o.measurement_id), o.seq, role, tame(o.kind, 40), utc(o.at_us), tame(text, 400), clean)


def _endpoint(o: Observation) -> str:
    shown = f"[{o.ip}]" if ":" in (o.ip or "") else o.ip
    return f"{shown}:{o.port}" if o.port else f"{shown}"


def utc(at_us: int) -> str:
    """Unix microseconds as RFC 3339 UTC to the millisecond; empty for what is no sensible time."""
    try:
        at = datetime.fromtimestamp(at_us // 1_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return ""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_us // 1000 % 1000:03}Z"


def _tell(o: Observation, room: EvidenceRoom) -> tuple[str, Details]:
    failed = explain_failure(o.failure) if o.failure else ""
    match o.detail:
        case DnsLookup() as d:
            return _dns(o, d, failed)
        case TcpConnect() as d:
            text = f"Connecting: {failed}." if failed else "Connecting worked."
            heard = "nothing at all came back" if o.failure and d.info and d.info.segs_in == 0 else ""
            return text, (("Error", _error(o.failure, d.raw)), ("Kernel", heard))
        case TlsHandshake() as d:
            return _tls(d, o, failed, room)
        case QuicHandshake() as d:
            return _quic(d, o, failed, room)
        case TlsVerify() as d:
            verified = d.reason == "ok"
            by = " by this machine’s own store" if d.whose else ""
            text = f"The certificate {'verified' if verified else 'did not verify'}{by}"
            text += "." if verified else f": {_spaced(d.reason)}."
            return text, (("For the name", d.name),)
        case HttpFetch() as d:
            return _http(d, o, failed, room)
        case _:
            return (f"{o.kind}: {failed}" if failed else o.kind), ()


def _spaced(word: str) -> str:
    return word.replace("_", " ")


def _error(failure: str | None, raw: str | None) -> str:
    return f"{failure} ({raw})" if failure and raw else failure or ""


def _dns(o: Observation, d: DnsLookup, failed: str) -> tuple[str, Details]:
    whom = f"{o.ip}, where no resolver should answer," if d.resolver.startswith(NOBODY) else d.resolver
    asked = f"Asked {whom} for the {d.qtype} record of {o.host or 'the name'}{_limit(d.ttl)}"
    shown = [f"{r.type} {r.data} (TTL {r.ttl} s)" for r in d.answers[:_MAX_ANSWERS]]
    if len(d.answers) > _MAX_ANSWERS:
        shown.append(f"and {len(d.answers) - _MAX_ANSWERS} more")
    nth = f"answer number {d.nth + 1} to one question" if d.nth else ""
    ede = ", ".join(f"{code}" for code in d.ede)
    outcome = failed or (count(len(d.answers), "record") + " came back")
    return f"{asked}: {outcome}.", (
        ("Answer", ", ".join(shown)),
        ("Note", nth),
        ("Response code", d.rcode or ""),
        ("Extended error", " ".join(filter(None, (ede, "; ".join(d.ede_text))))),
        ("Error", _error(o.failure, d.raw)),
    )


def _limit(ttl: int) -> str:
    return f" with a packet that lives for {count(ttl, 'hop')}" if ttl else ""


def _tls(d: TlsHandshake, o: Observation, failed: str, room: EvidenceRoom) -> tuple[str, Details]:
    name = "without a name" if not d.sni else f"for {d.sni}"
    name += f" with another hello ({d.profile})" if d.profile else ""
    ended = {"rst": "a reset", "fin": "an orderly close", "alert": "an alert", "silence": "silence"}.get(
        d.ended or "", ""
    )
    step = f"Setting up encryption {name}{_limit(d.ttl)}"
    text = f"{step}: {failed}." if failed else f"{step} worked."
    rtt = took(d.info.rtt_us) if d.info and d.info.rtt_us else ""
    return text, (
        ("Ended with", ended if failed else ""),
        ("Error", _error(o.failure, d.raw)),
        ("Alert", d.alert or ""),
        ("Bytes received", f"{d.bytes_in}" if failed else ""),
        ("Round trip", rtt),
        ("Protocol", " ".join(filter(None, (d.version, d.alpn)))),
        *_certificate(d.chain[0] if d.chain else None, room),
    )


def _quic(d: QuicHandshake, o: Observation, failed: str, room: EvidenceRoom) -> tuple[str, Details]:
    name = "without a name" if not d.sni else f"for {d.sni}"
    ended = {"close": "the peer's close", "alert": "an alert", "icmp": "an ICMP message", "silence": "silence"}
    text = f"Connecting over QUIC {name}: {failed or 'worked'}."
    return text, (
        ("Ended with", ended.get(d.ended or "", "") if failed else ""),
        ("Error", _error(o.failure, d.raw)),
        ("Alert", d.alert or ""),
        ("Datagrams", f"{d.datagrams_out} sent, {d.datagrams_in} received" if failed else ""),
        ("Protocol", " ".join(filter(None, (f"QUIC {d.version}" if d.version else "", d.alpn)))),
        *_certificate(d.chain[0] if d.chain else None, room),
    )


def _certificate(digest: str | None, room: EvidenceRoom) -> Details:
    data = room.blob(digest) if digest else None
    if data is None:
        return (("Certificate", f"SHA-256 {digest[:16]}…"),) if digest else ()
    try:
        cert = x509.load_der_x509_certificate(data[:_MAX_PAGE])
        subject, issuer = cert.subject.rfc4514_string(), cert.issuer.rfc4514_string()
        valid = f"{cert.not_valid_before_utc:%Y-%m-%d} to {cert.not_valid_after_utc:%Y-%m-%d}"
    except (ValueError, TypeError, x509.InvalidVersion):
        return (("Certificate", "not readable"),)
    return (
        ("Certificate for", tame(subject, 200) or "no name"),
        ("Certificate by", tame(issuer, 200) or "no name"),
        ("Certificate valid", valid),
    )


def _http(d: HttpFetch, o: Observation, failed: str, room: EvidenceRoom) -> tuple[str, Details]:
    step = f"Asking for {tame(d.url, 200)}{_limit(d.ttl)}"
    text = f"{step}: {failed}." if failed else f"{step}: status {d.status}."
    body = room.blob(d.body) if d.body and not _is_binary(d) else None
    return text, (
        ("Status", f"{d.status} {d.reason or ''}".strip() if failed and d.status else ""),
        ("Error", _error(o.failure, d.raw)),
        ("Redirects to", tame(d.location or "", 200)),
        ("Title", tame((d.features.title if d.features else "") or "", 200)),
        (
            "Page",
            f"{count(d.body_bytes, 'byte')}{f', cut: {d.truncated}' if d.truncated else ''}" if d.body_bytes else "",
        ),
        ("Text of the page", page_text(body) if body else ""),
    )


def _is_binary(d: HttpFetch) -> bool:
    kind = next((value for name, value in d.headers if name.lower() == "content-type"), "text/html").lower()
    return not any(word in kind for word in ("text", "html", "xml", "json"))


class _Text(HTMLParser):
    """Collects visible text; scripts and styles are left out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in ("script", "style", "noscript", "template")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style", "noscript", "template") and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.parts.append(data.strip())


def page_text(body: bytes, limit: int = _EXCERPT) -> str:
    """The first visible words of a page, as plain text."""
    parser = _Text()
    parser.feed(body[:_MAX_PAGE].decode("utf-8", "replace"))
    return tame(" ".join(parser.parts), limit)
