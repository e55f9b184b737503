"""Facts told to a reader: each observation as one sentence and a few labelled values, beside what the control saw.

Everything here came over a hostile network: it is bounded and tamed, certificates are parsed and never trusted, and a
page is shown as text only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html.parser import HTMLParser

from cryptography import x509

from probe.inputs.language import _, plural
from probe.model.corpus import Evidence, EvidenceRoom, Judged
from probe.model.failure import explain_failure
from probe.model.kinds import DnsLookup, HttpFetch, QuicHandshake, TcpConnect, TlsHandshake, TlsVerify
from probe.model.observation import Observation
from probe.report.events import outcome_of
from probe.report.model import Exhibit, Witness
from probe.report.words import commas, semicolons, tame, took
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
        notes.append(_("The facts of this measurement are not in the databases given."))
    if not has_control:
        said = {"none": _("No control was asked."), "unreachable": _("The control could not be reached.")}
        notes.append(said.get(control, _("The control’s facts are not in the databases given.")))
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
    where = ((_("Address"), _endpoint(o)),) if o.ip else ()
    timing = ((_("Took"), took(o.took_us)),) if o.took_us else ()
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
    failed = _(explain_failure(o.failure)) if o.failure else ""
    match o.detail:
        case DnsLookup() as d:
            return _dns(o, d, failed)
        case TcpConnect() as d:
            text = _("Connecting: {failure}.").format(failure=failed) if failed else _("Connecting worked.")
            heard = _("nothing at all came back") if o.failure and d.info and d.info.segs_in == 0 else ""
            return text, ((_("Error"), _error(o.failure, d.raw)), (_("Kernel"), heard))
        case TlsHandshake() as d:
            return _tls(d, o, failed, room)
        case QuicHandshake() as d:
            return _quic(d, o, failed, room)
        case TlsVerify() as d:
            return _verified(d), ((_("For the name"), d.name),)
        case HttpFetch() as d:
            return _http(d, o, failed, room)
        case _:
            return (f"{o.kind}: {failed}" if failed else o.kind), ()


def _verified(d: TlsVerify) -> str:
    if d.reason == "ok":
        own = _("The certificate verified by this machine’s own store.")
        return own if d.whose else _("The certificate verified.")
    own = _("The certificate did not verify by this machine’s own store: {reason}.")
    text = own if d.whose else _("The certificate did not verify: {reason}.")
    return text.format(reason=d.reason.replace("_", " "))


def _error(failure: str | None, raw: str | None) -> str:
    return f"{failure} ({raw})" if failure and raw else failure or ""


def _dns(o: Observation, d: DnsLookup, failed: str) -> tuple[str, Details]:
    nobody = _("{address}, where no resolver should answer,").format(address=o.ip)
    text = _("Asked {whom} for the {type} record of {name}{limit}: {outcome}.").format(
        whom=nobody if d.resolver.startswith(NOBODY) else d.resolver,
        type=d.qtype,
        name=o.host or _("the name"),
        limit=_limit(d.ttl),
        outcome=failed or plural("{n} record came back", "{n} records came back", len(d.answers)),
    )
    shown = [f"{r.type} {r.data} (TTL {r.ttl} s)" for r in d.answers[:_MAX_ANSWERS]]
    if len(d.answers) > _MAX_ANSWERS:
        shown.append(_("and {n} more").format(n=len(d.answers) - _MAX_ANSWERS))
    nth = _("answer number {n} to one question").format(n=d.nth + 1) if d.nth else ""
    ede = commas(f"{code}" for code in d.ede)
    return text, (
        (_("Answer"), commas(shown)),
        (_("Note"), nth),
        (_("Response code"), d.rcode or ""),
        (_("Extended error"), " ".join(filter(None, (ede, semicolons(d.ede_text))))),
        (_("Error"), _error(o.failure, d.raw)),
    )


def _limit(ttl: int) -> str:
    if not ttl:
        return ""
    return plural(" with a packet that lives for {n} hop", " with a packet that lives for {n} hops", ttl)


def _tls(d: TlsHandshake, o: Observation, failed: str, room: EvidenceRoom) -> tuple[str, Details]:
    name = _("for {name}").format(name=d.sni) if d.sni else _("without a name")
    other = _(" with another hello ({profile})").format(profile=d.profile) if d.profile else ""
    step = {"name": name, "hello": other, "limit": _limit(d.ttl), "failure": failed}
    worked = _("Setting up encryption {name}{hello}{limit} worked.")
    text = _("Setting up encryption {name}{hello}{limit}: {failure}.") if failed else worked
    ended = {
        "rst": _("a reset"), "fin": _("an orderly close"), "alert": _("an alert"), "silence": _("silence"),
    }.get(d.ended or "", "")  # fmt: skip
    rtt = took(d.info.rtt_us) if d.info and d.info.rtt_us else ""
    return text.format(**step), (
        (_("Ended with"), ended if failed else ""),
        (_("Error"), _error(o.failure, d.raw)),
        (_("Alert"), d.alert or ""),
        (_("Bytes received"), f"{d.bytes_in}" if failed else ""),
        (_("Round trip"), rtt),
        (_("Protocol"), " ".join(filter(None, (d.version, d.alpn)))),
        *_certificate(d.chain[0] if d.chain else None, room),
    )


def _quic(d: QuicHandshake, o: Observation, failed: str, room: EvidenceRoom) -> tuple[str, Details]:
    name = _("for {name}").format(name=d.sni) if d.sni else _("without a name")
    ended = {
        "close": _("the peer’s close"), "alert": _("an alert"), "icmp": _("an ICMP message"), "silence": _("silence"),
    }.get(d.ended or "", "")  # fmt: skip
    worked = _("Connecting over QUIC {name} worked.")
    text = _("Connecting over QUIC {name}: {failure}.") if failed else worked
    moved = _("{sent} sent, {received} received").format(sent=d.datagrams_out, received=d.datagrams_in)
    return text.format(name=name, failure=failed), (
        (_("Ended with"), ended if failed else ""),
        (_("Error"), _error(o.failure, d.raw)),
        (_("Alert"), d.alert or ""),
        (_("Datagrams"), moved if failed else ""),
        (_("Protocol"), " ".join(filter(None, (f"QUIC {d.version}" if d.version else "", d.alpn)))),
        *_certificate(d.chain[0] if d.chain else None, room),
    )


def _certificate(digest: str | None, room: EvidenceRoom) -> Details:
    data = room.blob(digest) if digest else None
    if data is None:
        return ((_("Certificate"), f"SHA-256 {digest[:16]}…"),) if digest else ()
    try:
        cert = x509.load_der_x509_certificate(data[:_MAX_PAGE])
        subject, issuer = cert.subject.rfc4514_string(), cert.issuer.rfc4514_string()
        first, last = cert.not_valid_before_utc.date(), cert.not_valid_after_utc.date()
    except (ValueError, TypeError, x509.InvalidVersion):
        return ((_("Certificate"), _("not readable")),)
    return (
        (_("Certificate for"), tame(subject, 200) or _("no name")),
        (_("Certificate by"), tame(issuer, 200) or _("no name")),
        (_("Certificate valid"), _("{first} to {last}").format(first=first, last=last)),
    )


def _http(d: HttpFetch, o: Observation, failed: str, room: EvidenceRoom) -> tuple[str, Details]:
    outcome = failed or _("status {status}").format(status=d.status)
    text = _("Asking for {url}: {outcome}.").format(url=tame(d.url, 200) + _limit(d.ttl), outcome=outcome)
    body = room.blob(d.body) if d.body and not _is_binary(d) else None
    return text, (
        (_("Status"), f"{d.status} {d.reason or ''}".strip() if failed and d.status else ""),
        (_("Error"), _error(o.failure, d.raw)),
        (_("Redirects to"), tame(d.location or "", 200)),
        (_("Title"), tame((d.features.title if d.features else "") or "", 200)),
        (_("Page"), _size(d)),
        (_("Text of the page"), page_text(body) if body else ""),
    )


def _size(d: HttpFetch) -> str:
    if not d.body_bytes:
        return ""
    size = plural("{n} byte", "{n} bytes", d.body_bytes)
    return _("{size}, cut: {why}").format(size=size, why=d.truncated) if d.truncated else size


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
