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
    """One GET. `cookies` are (name, value) pairs of the redirect chain so far. `hop` counts redirects."""

    url: str
    cookies: tuple[tuple[str, str], ...] = ()
    hop: int = 0


@dataclass(frozen=True, slots=True)
class Walk:
    """Walk one endpoint: connect to `ip`:`port`; if `sni` is not None shake hands for that name ("" sends none);
    if `fetch` is not None ask for that page on the stream held. `host` is the name this endpoint was found for. `ttl`
    is the hop limit of all that follows the connect, 0 the usual one."""

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


@dataclass(frozen=True, slots=True)
class AskControl:
    """Ask the helper at `helper` to measure `url` too. With `endpoints`, (host, ip, port) triples that the field
    found and the helper has not tried yet, it only walks those (connect and handshake)."""

    helper: str
    url: str
    endpoints: tuple[tuple[str, str, int], ...] = ()
    attempt: int = 1
    why: str = field(default="plan", compare=False)
    not_before_s: float = field(default=0.0, compare=False)
    parent: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class AskLine:
    """Look at our own line again, beside try `attempt` of something that fails: canaries are asked, and what the run
    has met so far is counted."""

    attempt: int = 1
    why: str = field(default="plan", compare=False)
    not_before_s: float = field(default=0.0, compare=False)
    parent: int | None = field(default=None, compare=False)


Step = Lookup | Walk | AskControl | AskLine
