"""What a run learns about its own line while it goes: counts over its facts, handed to each measurement as it needs
them. Nothing here decides anything."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product

import trio

from probe.checks.quic.line import is_ipv6
from probe.checks.speed.transfers import LEAST, moved
from probe.model.failure import is_local
from probe.model.kinds import DnsLookup, HttpFetch, LineState, QuicHandshake, TcpConnect, TlsHandshake, TlsVerify
from probe.model.observation import Observation
from probe.verdict.read import SPEED, TRIALS, accepted, answer_addresses, is_own_resolver
from probe.verdict.reference import Reference

# How long a measurement with failures waits for the canaries' word before it is concluded.
CANARY_PATIENCE_S = 8.0
# For so long after something was reached, the line counts as having been alive.
RECENT_S = 10.0
# A name that cannot exist (RFC 6761 section 6.4): whoever gives it an address invents one.
NOWHERE = ".invalid"
# Pages of other targets that are remembered by how fast they came: so many, and for so long.
TRANSFERS, TRANSFERS_S = 12, 180.0
DATED = ("expired", "not_yet_valid")
# A line on which so many hosts, a canary among them, left QUIC unanswered (or twice as many, where no canary speaks it)
# and none answered is not asked for so long: most sites announce HTTP/3, and each of them would wait in vain.
QUIC_SILENT, QUIC_SILENT_S = 3, 600.0


@dataclass
class Noise:
    """Operations at subjects (an endpoint and name, or a resolver and name) that worked at some time in this run: there
    a failure is noise. One that never worked may be blocked or down, and says nothing about the line; nor does more
    than one failure of a target, which may be blocked at times. `canaries` are trusted to fail by noise alone."""

    canaries: set[str]
    _counts: dict[tuple[object, ...], list[int]] = field(default_factory=dict)
    _known: dict[str, list[int]] = field(default_factory=dict)
    _all: list[int] = field(default_factory=lambda: [0, 0])

    def note(self, whose: str, subject: tuple[object, ...], failed: bool) -> None:
        """One operation of the measurement (or canary) `whose`."""
        counts = self._counts.setdefault((whose, *subject), [0, 0])
        fresh = not counts[0]
        counts[failed] += 1
        if counts[0]:
            # With its first success all that was met there before is known as noise.
            self._add(whose, counts if fresh else [not failed, failed])

    def _add(self, whose: str, counts: list[int]) -> None:
        known = self._known.setdefault(whose, [0, 0])
        bad = counts[1] if whose in self.canaries else min(counts[1], 1 - known[1])
        for sums in (self._all, known):
            sums[0] += counts[0]
            sums[1] += bad

    def total(self, without: str) -> tuple[int, int]:
        """(tried, failed) over all that worked, those of one measurement left out."""
        good, bad = self._known.get(without, (0, 0))
        return self._all[0] + self._all[1] - good - bad, self._all[1] - bad


@dataclass
class LineWatch:
    """Counts by measurement; several measurements of one canary count as one. `canaries` names the canary that each of
    their measurements asks, and `all_heard` is set when all have been asked once."""

    reference: Reference
    now_us: Callable[[], int]
    canaries: dict[str, str] = field(default_factory=dict)
    all_heard: trio.Event = field(default_factory=trio.Event)
    round: tuple[int, int] = (0, 0)
    names: set[str] = field(init=False)
    _reached: set[str] = field(default_factory=set)
    _lately: deque[tuple[int, str]] = field(default_factory=deque)
    _tried: set[str] = field(default_factory=set)
    _suspects: set[str] = field(default_factory=set)
    _outdated: set[str] = field(default_factory=set)
    _sinkholes: set[str] = field(default_factory=set)
    _invented: set[str] = field(default_factory=set)
    _dialled: set[str] = field(default_factory=set)
    _asked: set[str] = field(default_factory=set)
    _answered: set[str] = field(default_factory=set)
    _walks: Noise = field(init=False)
    _lookups: Noise = field(init=False)
    _moved: deque[tuple[int, str, tuple[int, int, int]]] = field(default_factory=lambda: deque(maxlen=4 * TRANSFERS))
    _quic: dict[tuple[str, int], bool] = field(default_factory=dict)
    _unanswered: dict[int, dict[str, int]] = field(default_factory=lambda: {4: {}, 6: {}})
    _answered_us: dict[int, int] = field(default_factory=dict)
    _ipv6: bool | None = None
    _control: bool | None = None
    _lag_us: int = 0

    def __post_init__(self) -> None:
        self.names = set(self.canaries.values())
        self._walks, self._lookups = Noise(self.names), Noise(self.names)

    def add_canary(self, measurement_id: str, name: str) -> None:
        """This measurement asks that canary."""
        self.canaries[measurement_id] = name
        self.names.add(name)

    @property
    def lived(self) -> bool:
        """Something was reached at some time in this run."""
        return bool(self._reached) or bool(self._control)

    def note(self, o: Observation) -> None:
        """Take one fact of any measurement of the run."""
        detail = o.detail
        who = self.canaries.get(o.measurement_id, o.measurement_id)
        self._tried.add(who)
        self._lag_us = max(self._lag_us, getattr(detail, "lag_us", 0))
        if isinstance(detail, TcpConnect):
            self._note_connect(who, o)
        elif isinstance(detail, TlsHandshake) and not o.why.startswith(TRIALS):
            self._walks.note(who, (o.ip, o.port, detail.sni), o.failure is not None)
        elif isinstance(detail, QuicHandshake):
            self._note_quic(who, o)
        elif isinstance(detail, TlsVerify) and o.measurement_id in self.canaries:
            self._note_certificate(who, detail)
        elif isinstance(detail, DnsLookup):
            self._note_lookup(who, o, detail)
        elif isinstance(detail, HttpFetch):
            self._note_transfer(who, o)
        elif o.kind == "control.ask":
            self._control = self._control or o.failure is None

    def _note_transfer(self, who: str, o: Observation) -> None:
        row = moved(o)
        # What is timed again was slow before: each page counts as it came at first.
        if row is not None and row[0] >= LEAST and not o.why.startswith((SPEED, *TRIALS)):
            self._moved.append((self.now_us(), who, row))

    def _note_certificate(self, who: str, detail: TlsVerify) -> None:
        if detail.reason in DATED:
            self._outdated.add(who)
        elif detail.reason != "ok":
            self._suspects.add(who)

    def _note_quic(self, who: str, o: Observation) -> None:
        version = 6 if is_ipv6(o.ip or "") else 4
        if is_local(o.failure):
            return
        self._quic[who, version] = self._quic.get((who, version), False) or o.failure is None
        if o.failure is None:
            self._answered_us[version] = self.now_us()
        else:
            self._unanswered[version][who] = self.now_us()

    def is_quic_shut(self, ip: str) -> bool:
        """Nobody has answered over QUIC in the IP version of that address lately, and no canary in the whole run: sites
        in a row may be blocked, canaries are not."""
        version = 6 if is_ipv6(ip) else 4
        canaries = [reached for (who, at), reached in self._quic.items() if at == version and who in self.names]
        oldest = self.now_us() - int(QUIC_SILENT_S * 1e6)
        if any(canaries) or self._answered_us.get(version, oldest) > oldest:
            return False
        lately = sum(at >= oldest for at in self._unanswered[version].values())
        return lately >= (QUIC_SILENT if canaries else 2 * QUIC_SILENT)

    def _note_lookup(self, who: str, o: Observation, detail: DnsLookup) -> None:
        given = answer_addresses(detail) if accepted(detail) else ()
        if (o.host or "").endswith(NOWHERE):
            self._invented |= set(given)
            return
        if is_own_resolver(detail.resolver):
            self._asked.add(who)
            self._lookups.note(who, (detail.resolver, o.host, detail.qtype), not given)
            if given:
                self._answered.add(who)
        if o.measurement_id in self.canaries:
            self._sinkholes |= {ip for ip in given if self.reference.special_block(ip)}

    def _note_connect(self, who: str, o: Observation) -> None:
        if o.failure is None:
            self._reached.add(who)
            self._lately.append((self.now_us(), who))
        self._dialled.add(o.ip or "")
        if o.ip and ":" in o.ip:
            self._ipv6 = bool(self._ipv6) or o.failure is None
        if not o.why.startswith(TRIALS):
            self._walks.note(who, (o.ip, o.port), o.failure is not None)

    async def state(self, measurement_id: str, failed: bool) -> LineState:
        """The counts for one measurement; where something failed, not before the canaries have been heard."""
        if failed:
            with trio.move_on_after(CANARY_PATIENCE_S):
                await self.all_heard.wait()
        canaries = self.names
        mine = canaries | {measurement_id}
        walks, lookups = self._walks.total(measurement_id), self._lookups.total(measurement_id)
        return LineState(
            canaries_tried=len(canaries),
            canaries_reached=len(canaries & self._reached),
            others_tried=len(self._tried) - len(mine & self._tried),
            others_reached=len(self._reached) - len(mine & self._reached),
            control_reached=self._control,
            portal_suspects=len(self._suspects),
            sinkholes=tuple(sorted(self._sinkholes - self._dialled)),
            ipv6_reached=self._ipv6,
            lag_max_us=self._lag_us,
            names_asked=len(self._asked & canaries),
            names_answered=len(self._answered - {measurement_id}),
            round_tried=self.round[0],
            round_reached=self.round[1],
            recent_reached=len(self.reached_lately() - mine),
            walks_tried=walks[0],
            walks_failed=walks[1],
            lookups_tried=lookups[0],
            lookups_failed=lookups[1],
            canaries_outdated=len(self._outdated),
            invented=tuple(sorted(self._invented)),
            transfers=self._transfers(measurement_id),
            quic=tuple(self._over_quic(measurement_id, canaries)),
        )

    def _transfers(self, without: str) -> tuple[tuple[int, int, int], ...]:
        oldest = self.now_us() - int(TRANSFERS_S * 1e6)
        found = [row for at, who, row in self._moved if at >= oldest and who != without]
        return tuple(found[-TRANSFERS:])

    def _over_quic(self, measurement_id: str, canaries: set[str]) -> Iterator[tuple[str, int, int, int]]:
        """The rows of `LineState.quic`; those of nobody are left out."""
        for whom, version in product(("canaries", "others"), (4, 6)):
            answers = [
                reached
                for (who, at), reached in self._quic.items()
                if at == version and (who in canaries) is (whom == "canaries") and who != measurement_id
            ]
            if answers:
                yield whom, version, len(answers), sum(answers)

    def reached_lately(self) -> set[str]:
        """Measurements and canaries that reached something within `RECENT_S`."""
        oldest = self.now_us() - int(RECENT_S * 1e6)
        while self._lately and self._lately[0][0] < oldest:
            self._lately.popleft()
        return {who for _, who in self._lately}
