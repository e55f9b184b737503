"""What lookups, connections and handshakes met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


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
