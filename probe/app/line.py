"""What a run learns about its own line while it goes: counts over its facts, handed to each measurement as it is
concluded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from probe.model.kinds import DnsLookup, LineState, TcpConnect, TlsVerify
from probe.model.observation import Observation
from probe.verdict.case import Case
from probe.verdict.read import accepted, answer_addresses, is_own_resolver
from probe.verdict.reference import Reference

# How long a measurement with failures waits for the canaries' word before it is concluded.
CANARY_PATIENCE_S = 8.0


@dataclass
class LineWatch:
    """Counts by measurement. `canaries` are the measurement ids of canaries; `all_heard` is set when those are done."""

    reference: Reference
    canaries: set[str] = field(default_factory=set)
    all_heard: trio.Event = field(default_factory=trio.Event)
    _reached: set[str] = field(default_factory=set)
    _tried: set[str] = field(default_factory=set)
    _suspects: set[str] = field(default_factory=set)
    _sinkholes: set[str] = field(default_factory=set)
    _dialled: set[str] = field(default_factory=set)
    _asked: set[str] = field(default_factory=set)
    _answered: set[str] = field(default_factory=set)
    _ipv6: bool | None = None
    _control: bool | None = None
    _lag_us: int = 0

    def note(self, o: Observation) -> None:
        """Take one fact of any measurement of the run."""
        name, detail = o.measurement_id, o.detail
        self._tried.add(name)
        self._lag_us = max(self._lag_us, getattr(detail, "lag_us", 0))
        if isinstance(detail, TcpConnect):
            self._note_connect(o)
        elif isinstance(detail, TlsVerify) and name in self.canaries and detail.reason not in ("ok", "expired"):
            self._suspects.add(name)
        elif isinstance(detail, DnsLookup):
            self._note_lookup(name, detail)
        elif o.kind == "control.ask":
            self._control = self._control or o.failure is None

    def _note_lookup(self, name: str, detail: DnsLookup) -> None:
        if is_own_resolver(detail.resolver):
            self._asked.add(name)
            if accepted(detail) and answer_addresses(detail):
                self._answered.add(name)
        if name in self.canaries and accepted(detail):
            self._sinkholes |= {ip for ip in answer_addresses(detail) if self.reference.special_block(ip)}

    def _note_connect(self, o: Observation) -> None:
        if o.failure is None:
            self._reached.add(o.measurement_id)
        self._dialled.add(o.ip or "")
        if o.ip and ":" in o.ip:
            self._ipv6 = bool(self._ipv6) or o.failure is None

    async def state(self, measurement_id: str, failed: bool) -> LineState:
        """The counts for one measurement; where something failed, not before the canaries have been heard."""
        if failed:
            with trio.move_on_after(CANARY_PATIENCE_S):
                await self.all_heard.wait()
        others = self._tried - self.canaries - {measurement_id}
        return LineState(
            canaries_tried=len(self.canaries),
            canaries_reached=len(self.canaries & self._reached),
            others_tried=len(others),
            others_reached=len(others & self._reached),
            control_reached=self._control,
            portal_suspects=len(self._suspects),
            sinkholes=tuple(sorted(self._sinkholes - self._dialled)),
            ipv6_reached=self._ipv6,
            lag_max_us=self._lag_us,
            names_asked=len(self._asked & self.canaries),
            names_answered=len(self._answered - {measurement_id}),
        )


@dataclass
class RecentReach:
    """What a helper reached lately: its answer to `is your own line alive?` when a target does not answer at all."""

    now_us: Callable[[], int]
    window_s: int = 600
    _seen: deque[tuple[int, str, bool, bool]] = field(default_factory=deque)

    async def state(self, case: Case) -> LineState:
        """Take the measurement into account, and count the others of the window."""
        now = self.now_us()
        while self._seen and self._seen[0][0] < now - self.window_s * 1_000_000:
            self._seen.popleft()
        host = case.target.host
        others = {name: False for _, name, _, _ in self._seen if name != host}
        for _, name, reached, _ in self._seen:
            if name in others:
                others[name] = others[name] or reached
        connects = [o for o in case.observations if isinstance(o.detail, TcpConnect)]
        reached = any(o.failure is None for o in connects)
        over_ipv6 = any(o.failure is None and o.ip and ":" in o.ip for o in connects)
        self._seen.append((now, host, reached, over_ipv6))
        ipv6 = any(row[3] for row in self._seen)
        return LineState(
            others_tried=len(others),
            others_reached=sum(others.values()),
            ipv6_reached=ipv6 or None,
            window_s=self.window_s,
        )
