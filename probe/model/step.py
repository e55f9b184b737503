"""Steps: what to do next, as values without behaviour. Equality is the engine's whole bookkeeping: a step that
equals one already run is never run again. A repeat is a new step because `attempt` differs; `why`, `not_before_s`
and `parent` say how it came about and take no part in equality."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Lookup:
    """Ask `resolver` for (`host`, `qtype`). A resolver is `system` (getaddrinfo) or a URL: `udp://IP[:port]`,
    `tcp://IP[:port]`, `tls://IP[:port]?name=N`, `https://IP[:port]/dns-query?name=N`; or `nobody://IP`, the question
    sent over UDP to an address where no resolver answers. `ttl` is the hop limit of the datagrams, 0 the usual one."""

    host: str
    qtype: str
    resolver: str
    attempt: int = 1
    why: str = field(default="plan", compare=False)
    not_before_s: float = field(default=0.0, compare=False)
    parent: int | None = field(default=None, compare=False)
    ttl: int = 0


@dataclass(frozen=True, slots=True)
class Fetch:
    """One GET. `cookies` are (name, value) pairs of the redirect chain so far. `hop` counts redirects. `most` is
    how many bytes of the body are wanted, 0 as many as may be."""

    url: str
    cookies: tuple[tuple[str, str], ...] = ()
    hop: int = 0
    most: int = 0


@dataclass(frozen=True, slots=True)
class Walk:
    """Walk one endpoint: connect to `ip`:`port`; if `sni` is not None shake hands for that name ("" sends none);
    if `fetch` is not None ask for that page on the stream held. `host` is the name this endpoint was found for. `ttl`
    is the hop limit of all that follows the connect, 0 the usual one. `profile` is the kind of ClientHello: "" our
    usual one, `plain` a small one of the standard library, `browser` and `ech` a browser's by an optional extra; the
    latter with its name encrypted by `ech` (an ECHConfigList in base64)."""

    host: str
    ip: str
    port: int
    sni: str | None = None
    fetch: Fetch | None = None
    attempt: int = 1
    why: str = field(default="plan", compare=False)
    not_before_s: float = field(default=0.0, compare=False)
    parent: int | None = field(default=None, compare=False)
    ttl: int = 0
    profile: str = ""
    ech: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """Try the name `host` at a door of our own helper, `ip`:`port`: the `innocent` names, then the name `tries` times,
    then the first innocent one again; it ends early where an innocent name fails or the name passes. One visit at a
    time goes to a helper, since a name that was stopped may leave the door shut. `asks` is the port for questions.
    With a `url`, of plain HTTP, requests are made in place of handshakes: for it, and for the innocent front pages."""

    host: str
    ip: str
    port: int
    asks: int
    innocent: tuple[str, ...]
    tries: int = 2
    url: str = ""
    attempt: int = 1
    why: str = field(default="plan", compare=False)
    not_before_s: float = field(default=0.0, compare=False)
    parent: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class QuicWalk:
    """Walk one endpoint over QUIC: shake hands with UDP `port` of `ip` for the name `sni` ("" sends none); if `fetch`
    is not None ask for that page over HTTP/3. `host` is the name this endpoint was found for."""

    host: str
    ip: str
    port: int
    sni: str
    fetch: Fetch | None = None
    attempt: int = 1
    why: str = field(default="plan", compare=False)
    not_before_s: float = field(default=0.0, compare=False)
    parent: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class AskControl:
    """Ask the helper at `helper` to measure `url` too. With `endpoints`, (host, ip, port) triples that the field
    found and the helper has not tried yet, it only walks those (connect and handshake); with `quic` over QUIC as
    well."""

    helper: str
    url: str
    endpoints: tuple[tuple[str, str, int], ...] = ()
    attempt: int = 1
    why: str = field(default="plan", compare=False)
    not_before_s: float = field(default=0.0, compare=False)
    parent: int | None = field(default=None, compare=False)
    quic: bool = False


@dataclass(frozen=True, slots=True)
class AskLine:
    """Look at our own line again, beside try `attempt` of something that fails: canaries are asked, and what the run
    has met so far is counted."""

    attempt: int = 1
    why: str = field(default="plan", compare=False)
    not_before_s: float = field(default=0.0, compare=False)
    parent: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class AskBytes:
    """Take `size` bytes from the helper at `helper`: how fast our own line is at this moment."""

    helper: str
    size: int
    attempt: int = 1
    why: str = field(default="plan", compare=False)
    not_before_s: float = field(default=0.0, compare=False)
    parent: int | None = field(default=None, compare=False)


Step = Lookup | Walk | QuicWalk | Visit | AskControl | AskLine | AskBytes
