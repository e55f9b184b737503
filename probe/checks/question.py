"""What one measurement sets out to learn, and how far it may go: a value, so that planning can be tested alone."""

from __future__ import annotations

from dataclasses import dataclass

from probe.model.target import Target
from probe.model.vantage import Role


@dataclass(frozen=True, slots=True)
class Door:
    """A port of our own helper that takes a handshake for any name. `asks` is the port that questions go to."""

    ip: str
    port: int
    asks: int

    @property
    def is_apart(self) -> bool:
        """Whatever befalls this port, questions still get through."""
        return self.port != self.asks


@dataclass(frozen=True, slots=True)
class Question:
    """One target and the terms of asking.

    `resolvers` are asked for every host of the redirect chain; `helpers` are control URLs. With `endpoints`, (host,
    ip, port) triples, nothing is looked up or fetched: only those are walked (how a helper answers for addresses the
    field found), with `quic` over QUIC as well. `attempts` is how often a failing step is tried in all, `gaps_s` the
    seconds before the second, third ... try. `trial_name` is the innocent name of name trials (RFC 2606: it belongs to
    nobody). `doors` are the helpers' own, for trials of the target's name there; `profiles` the kinds of ClientHello
    that can be sent here.
    """

    target: Target
    role: Role = "field"
    checks: tuple[str, ...] = ("web",)
    resolvers: tuple[str, ...] = ("system",)
    helpers: tuple[str, ...] = ()
    endpoints: tuple[tuple[str, str, int], ...] = ()
    quic: bool = False
    attempts: int = 3
    gaps_s: tuple[float, ...] = (1.5, 4.0)
    trial_attempts: int = 2
    trial_name: str = "www.example.org"
    addresses_max: int = 6
    control_addresses_max: int = 4
    redirects_max: int = 10
    doors: tuple[Door, ...] = ()
    profiles: frozenset[str] = frozenset({"plain"})

    def gap_s(self, attempt: int) -> float:
        """Seconds to wait before this attempt."""
        if attempt <= 1 or not self.gaps_s:
            return 0.0
        return self.gaps_s[min(attempt - 2, len(self.gaps_s) - 1)]
