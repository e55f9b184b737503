"""The kinds of observations: one frozen dataclass each, the detail of a fact. No field here is an opinion.

Kinds grow by optional fields only; a changed meaning is a new kind. A kind this version does not know survives
as `Opaque`, unchanged to the byte of its canonical JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record of an answer section: owner name, type, TTL in seconds, data in presentation form."""

    name: str
    type: str
    ttl: int
    data: str


@dataclass(frozen=True, slots=True)
class TcpInfo:
    """What the kernel knows of a connection (Linux TCP_INFO): times in microseconds, counts of segments, bytes. Of what
    came in, `out_of_order` segments came after later ones: what was lost on the way was sent again. `quiet_ms` is how
    long ago the far end was last heard of, be it data or an acknowledgement."""

    state: int
    rtt_us: int
    min_rtt_us: int
    retransmits: int
    segs_in: int
    segs_out: int
    bytes_acked: int
    bytes_received: int
    bytes_retrans: int
    out_of_order: int = 0
    quiet_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Icmp:
    """An ICMP error quoted by the kernel's error queue: type, code, and the address that sent it."""

    type: int
    code: int
    source: str


@dataclass(frozen=True, slots=True)
class DnsLookup:
    """One answer to one question, or its absence. Several answers to one question are several observations with
    the same `query`; `nth` counts them in order of arrival. `source_ok`, `question_ok` and `id_ok` say whether it came
    from where we asked, for what we asked, with our id. `message` is the SHA-256 of the raw answer's blob. `ttl` is the
    hop limit that the question was sent with, 0 the usual one. `rtt_us` is the kernel's least round trip of the stream
    that the question went over (TCP_INFO)."""

    kind: ClassVar[str] = "dns.lookup"
    resolver: str
    qtype: str
    query: int = 0
    nth: int = 0
    engine: str = ""
    rcode: str | None = None
    ede: tuple[int, ...] = ()
    ede_text: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    answers: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    message: str | None = None
    size: int = 0
    sends: int = 1
    source_ok: bool = True
    question_ok: bool = True
    id_ok: bool = True
    kernel_us: int | None = None
    icmp: Icmp | None = None
    lag_us: int = 0
    raw: str | None = None
    note: str | None = None
    ttl: int = 0
    rtt_us: int | None = None


@dataclass(frozen=True, slots=True)
class TcpConnect:
    """One TCP connect to an address. `raw` is the errno name. `info` was read from the kept socket, even after a
    timeout: `info.segs_in == 0` then means that nothing at all ever came back."""

    kind: ClassVar[str] = "tcp.connect"
    raw: str | None = None
    info: TcpInfo | None = None
    icmp: Icmp | None = None
    lag_us: int = 0


@dataclass(frozen=True, slots=True)
class TlsHandshake:
    """One TLS handshake. `sni` is None where no name was sent. `chain` are SHA-256 of the peer's certificates (DER,
    leaf first), kept whether or not they verify. `ended` tells how a failed one ended: rst, fin, alert, silence,
    garbage. `first_bytes` is hex of the first bytes received (at most 64), `ja4` the fingerprint of the hello sent and
    `profile` which kind of hello that was ("" the usual one). Where the name was sent encrypted, `ech` says whether
    that was accepted or rejected, and `outer` is the name that could be read. `answer_us` is from the hello's sending
    to the first thing that came back, bytes or an end. `ttl` is the hop limit that the hello was sent with, 0 the usual
    one."""

    kind: ClassVar[str] = "tls.handshake"
    sni: str | None
    alpn_offered: tuple[str, ...] = ()
    version: str | None = None
    cipher: str | None = None
    alpn: str | None = None
    chain: tuple[str, ...] = ()
    alert: str | None = None
    ended: str | None = None
    bytes_out: int = 0
    bytes_in: int = 0
    hello_bytes: int = 0
    first_bytes: str = ""
    ja4: str | None = None
    info: TcpInfo | None = None
    lag_us: int = 0
    raw: str | None = None
    answer_us: int | None = None
    ttl: int = 0
    profile: str = ""
    ech: str | None = None
    outer: str | None = None


@dataclass(frozen=True, slots=True)
class QuicHandshake:
    """One QUIC handshake (RFC 9000, RFC 9001). `sni`, `chain`, `ja4` as in `tls.handshake`; `version` (v1, v2, or hex)
    is the one spoken at the end, `versions` what a version negotiation packet offered instead, `retry` whether the peer
    asked for a token first. A failed one `ended` by alert (a CONNECTION_CLOSE with a TLS alert), close (with another
    code), icmp, version, silence (nothing ever came), stall (nothing more came) or garbage (we closed: the peer broke
    the rules). `close_code` and `close_reason` stand in the CONNECTION_CLOSE, ours or the peer's. `datagrams_*` and
    `bytes_*` count UDP payloads, `first_flight` those sent before anything could come back. `first_us` is when the
    first one came, microseconds after the first was sent."""

    kind: ClassVar[str] = "quic.handshake"
    sni: str | None
    alpn_offered: tuple[str, ...] = ()
    version: str | None = None
    cipher: str | None = None
    alpn: str | None = None
    chain: tuple[str, ...] = ()
    alert: str | None = None
    ended: str | None = None
    close_code: int | None = None
    close_reason: str | None = None
    retry: bool = False
    versions: tuple[str, ...] = ()
    datagrams_out: int = 0
    datagrams_in: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    first_flight: int = 0
    first_us: int | None = None
    icmp: Icmp | None = None
    ja4: str | None = None
    lag_us: int = 0
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class TlsVerify:
    """What a given trust store said of a handshake's chain at a given time; recomputable from the stored chain.
    `store` is the store's digest, `reason` one of ok, expired, not_yet_valid, self_signed, unknown_authority,
    wrong_name, incomplete, invalid; `reasons` all that apply, `code` OpenSSL's verify code (0 where it has none).
    `whose` is "" for the pinned store and `system` for this machine's own, which is asked where the pinned one knows no
    authority of the chain."""

    kind: ClassVar[str] = "tls.verify"
    store: str
    reason: str
    reasons: tuple[str, ...] = ()
    code: int = 0
    depth: int = 0
    name: str = ""
    at: str = ""
    whose: str = ""


@dataclass(frozen=True, slots=True)
class PageFeatures:
    """Structure of a page, computed where it was fetched so that pages can be compared without their bodies.
    `simhash` is over word shingles of the visible text, `tags` over the tag sequence, both 64 bits in hex;
    `words` counts visible words, `tag_count` tags. `sketch` holds hashes of word shingles, `pointers` of what scripts,
    pictures, forms and links point at: the smallest few of each, eight hex digits a hash. Pure function of the decoded
    body: see `probe.wire.page`."""

    title: str | None = None
    lang: str | None = None
    words: int = 0
    simhash: str | None = None
    tags: str | None = None
    canonical: str | None = None
    meta_refresh: str | None = None
    tag_count: int = 0
    sketch: str | None = None
    pointers: str | None = None


@dataclass(frozen=True, slots=True)
class PageMet:
    """A page that was given elsewhere: asked of `host` at `ip`, and what of an `HttpFetch` tells which page it was.
    `makers` are the traits by which answers to controls name the site's real server: see `probe.verdict.likeness`."""

    host: str
    ip: str
    status: int | None = None
    location: str | None = None
    body: str | None = None
    features: PageFeatures | None = None
    makers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HttpFetch:
    """One GET over a stream that was already held. `headers` in the order and case received. `body` is the SHA-256 of
    the decoded body's blob, at most the cap; `wire_bytes` counts body bytes as received, `body_bytes` after decoding;
    `truncated` is cap, time, stall, cut or bomb. `timeline` are (microseconds since the request, body bytes so far).
    `protocol` is HTTP/1.1, HTTP/2 or HTTP/3, or what the peer wrote in its place. `ttl` is the hop limit that the
    request was sent with, 0 the usual one."""

    kind: ClassVar[str] = "http.fetch"
    url: str
    method: str = "GET"
    hop: int = 0
    protocol: str | None = None
    status: int | None = None
    reason: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    request_headers: tuple[tuple[str, str], ...] = ()
    location: str | None = None
    body: str | None = None
    body_bytes: int = 0
    wire_bytes: int = 0
    declared: int | None = None
    truncated: str | None = None
    lenient: bool = False
    features: PageFeatures | None = None
    first_byte_us: int | None = None
    timeline: tuple[tuple[int, int], ...] = ()
    ended: str | None = None
    info: TcpInfo | None = None
    lag_us: int = 0
    raw: str | None = None
    ttl: int = 0


@dataclass(frozen=True, slots=True)
class ControlAsk:
    """One request to a test helper. `measurement` is the control measurement it answered with. `seen_cc` and
    `seen_asn` are what the helper says of the network it was asked from (never the address). With `quic` it was to walk
    the `endpoints` over QUIC as well."""

    kind: ClassVar[str] = "control.ask"
    helper: str
    url: str
    endpoints: tuple[tuple[str, str, int], ...] = ()
    measurement: str | None = None
    status: int | None = None
    seen_cc: str | None = None
    seen_asn: int | None = None
    raw: str | None = None
    seen_says: str | None = None
    quic: bool = False


@dataclass(frozen=True, slots=True)
class HelperTransfer:
    """So many bytes without meaning taken from a test helper, to see how fast our own line is: `wanted` were asked
    for, `timeline` are (microseconds since the request, bytes so far)."""

    kind: ClassVar[str] = "helper.transfer"
    helper: str
    wanted: int
    status: int | None = None
    timeline: tuple[tuple[int, int], ...] = ()
    info: TcpInfo | None = None
    lag_us: int = 0
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A step that was not taken, and why: special_address, port, denied (by the person at this line), budget,
    no_rights, not_supported, unanswered (nobody had answered in this way on this line lately). `step` names the kind of
    step, or the profile of the ClientHello that cannot be sent here."""

    kind: ClassVar[str] = "skipped"
    step: str
    because: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class LineState:
    """Counts of what this run had met on its own line so far: raw counts, no opinion. Kept beside every repeat, and
    when the measurement is concluded.

    Canaries and other targets `reached` answered over TCP; `window_s` is how far back they were counted. Of the
    canaries' names, this line's own resolvers were asked for `names_asked`; `names_answered` counts those of canaries
    and other targets for which they gave any address. `round_tried` canaries were asked again just now, of which
    `round_reached` answered; `recent_reached` other targets answered in the last seconds. Of `walks_tried` operations
    at endpoints that worked at some time in this run (other targets' and canaries'), `walks_failed` did not;
    `lookups_*` likewise. `canaries_outdated` showed certificates that our clock calls out of date. `invented` are
    addresses that this line's resolvers gave for a name that cannot exist. `transfers` are pages of other targets that
    came whole or to the cap lately: (bytes, microseconds from the head to the last byte, least round trip). `quic` has
    rows of whom (canaries, others), the IP version, how many of them were asked over QUIC, and how many answered.

    Pages in the clear, told with the conclusion: what canaries gave (`pages_canaries`); what was given here for other
    targets and to none of their controls, where it is like a page of this measurement (`pages_elsewhere`); and what
    controls were given for this very URL in earlier measurements (`pages_before`)."""

    kind: ClassVar[str] = "line.state"
    canaries_tried: int = 0
    canaries_reached: int = 0
    others_tried: int = 0
    others_reached: int = 0
    control_reached: bool | None = None
    portal_suspects: int = 0
    sinkholes: tuple[str, ...] = ()
    ipv6_reached: bool | None = None
    lag_max_us: int = 0
    window_s: int = 0
    clock_offset_s: int | None = None
    names_asked: int = 0
    names_answered: int = 0
    round_tried: int = 0
    round_reached: int = 0
    recent_reached: int = 0
    walks_tried: int = 0
    walks_failed: int = 0
    lookups_tried: int = 0
    lookups_failed: int = 0
    canaries_outdated: int = 0
    invented: tuple[str, ...] = ()
    transfers: tuple[tuple[int, int, int], ...] = ()
    quic: tuple[tuple[str, int, int, int], ...] = ()
    pages_canaries: tuple[PageMet, ...] = ()
    pages_elsewhere: tuple[PageMet, ...] = ()
    pages_before: tuple[PageMet, ...] = ()


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How asking ended: fixpoint, budget, interrupted. Written last, so a measurement without one was cut off."""

    kind: ClassVar[str] = "measurement.end"
    ended: str
    steps: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass(frozen=True, slots=True)
class Opaque:
    """The detail of a kind this version does not know: kept as it came, never interpreted."""

    fields: Mapping[str, Any] = field(default_factory=dict)


Detail = (
    DnsLookup
    | TcpConnect
    | TlsHandshake
    | QuicHandshake
    | TlsVerify
    | HttpFetch
    | ControlAsk
    | HelperTransfer
    | Skipped
    | LineState
    | Conclusion
    | Opaque
)

KINDS: tuple[type[Any], ...] = (
    DnsLookup,
    TcpConnect,
    TlsHandshake,
    QuicHandshake,
    TlsVerify,
    HttpFetch,
    ControlAsk,
    HelperTransfer,
    Skipped,
    LineState,
    Conclusion,
)
