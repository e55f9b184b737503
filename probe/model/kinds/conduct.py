"""How the measuring itself went: the control, the line, what was left out, the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from probe.model.kinds.net import TcpInfo
from probe.model.kinds.page import PageMet


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
