"""How many targets at once this line can bear: more as long as nothing suffers, fewer as soon as something does.

Additive increase, multiplicative decrease (Chiu and Jain 1989), as in TCP, with delay as the first sign (Brakmo and
Peterson 1995, TCP Vegas): a home router queues for a second before it drops, and then our own measuring looks like the
outage it is to report. Pure: facts in, a number out; no clock, no socket.

Laws. A target that does not answer is no sign of a full line: that is what censorship looks like. So only exchanges
that succeeded count: what they took longer than the same exchange at its quickest, and whether they had to be sent
twice. Most of a full queue's delay falls on everybody, that of one slow server on one: the lower quartile decides.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Literal

from probe.model.kinds import DnsLookup, TcpConnect, TcpInfo
from probe.model.observation import Observation

# Seconds between two decisions: several round trips of a slow line, so that the last decision shows before the next.
EPOCH_S = 2.0
# It begins low, so that the quickest exchange with each peer is one of a line that is nearly empty.
START, LEAST, MOST = 2, 1, 32
# Decisions about delay and loss want this many exchanges, or one accident decides.
DELAY_SAMPLES, LOSS_SAMPLES = 6, 20
# A queue is ours from this on. Twice the 20 ms in which a radio link may hold back a packet by itself.
DELAY_US = 40_000
# And it must be this large beside what the exchange takes at its quickest.
DELAY_SHARE = 0.5
# Radio links lose a packet in a hundred on a bad day; a queue that overflows loses many.
LOSS_SHARE = 0.08
# The event loop woke this late: its own waiting would be measured as the network's (see `probe.net.load`). From the
# first figure on nothing is added, from the second on something is taken away.
LAG_HOLD_US, LAG_US = 60_000, 200_000
BACK_OFF = 0.7
# At the least width for this many epochs and still slow: the delay is not ours, so it is what this line (or this
# machine: a small board judges a page in as long) is like now.
RESIGN_EPOCHS = 4

Why = Literal["steady", "more", "delay", "loss", "busy machine"]
WORDS: dict[str, str] = {
    "steady": "",
    "more": "",
    "delay": "answers got slower, so fewer at once",
    "loss": "packets were lost, so fewer at once",
    "busy machine": "this machine is busy, so fewer at once",
}


@dataclass
class Pace:
    """The width and what it rests on. Feed `note` with every fact; call `decide` once an epoch."""

    width: int = START
    least: int = LEAST
    most: int = MOST
    why: Why = "steady"
    _quickest: dict[Hashable, int] = field(default_factory=dict)
    _delays: list[tuple[int, int]] = field(default_factory=list)
    _sent: int = 0
    _lost: int = 0
    _settling: bool = False
    _slow_at_least: int = 0
    _lag_limit_us: int = LAG_US

    def note(self, o: Observation) -> None:
        """Take what a fact tells of the line. Failures tell nothing."""
        detail = o.detail
        if o.failure is not None:
            return
        if isinstance(detail, DnsLookup):
            if detail.resolver.startswith(("udp:", "network")) and detail.nth == 0:
                self.answered(detail.resolver, o.took_us, detail.sends > 1)
        elif isinstance(detail, TcpConnect):
            self.answered(o.ip, o.took_us, bool(detail.info and detail.info.retransmits))
        else:
            info = getattr(detail, "info", None)
            if isinstance(info, TcpInfo) and info.min_rtt_us > 0:
                self.took(o.ip, info.rtt_us, info.min_rtt_us)
                self._count(info.retransmits > 0)

    def answered(self, whom: Hashable, took_us: int, resent: bool) -> None:
        """One exchange with `whom` that succeeded; what was sent twice has no honest duration (Karn 1987)."""
        self._count(resent)
        if not resent:
            self.took(whom, took_us)

    def took(self, whom: Hashable, took_us: int, quickest_us: int | None = None) -> None:
        """A round trip to `whom`, and its quickest, where the kernel tells. The first one only sets the mark."""
        known = self._quickest.get(whom)
        marks = [mark for mark in (known, quickest_us, took_us) if mark is not None and mark > 0]
        if not marks:
            return
        self._quickest[whom] = min(marks)
        if known is not None or quickest_us is not None:
            self._delays.append((max(0, took_us - min(marks)), min(marks)))

    def _count(self, lost: bool) -> None:
        self._sent += 1
        self._lost += lost

    def decide(self, lag_us: int, full: bool) -> int:
        """The width from now on. `lag_us` is how late the event loop was in this epoch; `full` says that every place
        was taken, for places nobody wants tell nothing about the line."""
        trouble = self._trouble(lag_us)
        if trouble and self._settling:
            # What is measured now began before the last decision.
            self._forget()
            self._settling = False
            return self.width
        self._settling = bool(trouble)
        if trouble:
            self.why = trouble
            self._resign(trouble, lag_us)
            self.width = max(self.least, int(self.width * BACK_OFF))
        elif full and lag_us < max(LAG_HOLD_US, self._lag_limit_us - LAG_US) and len(self._delays) >= DELAY_SAMPLES:
            self.why = "more" if self.width < self.most else "steady"
            self.width = min(self.most, self.width + 1)
        if trouble or len(self._delays) >= DELAY_SAMPLES:
            self._forget()
        return self.width

    def _trouble(self, lag_us: int) -> Literal["delay", "loss", "busy machine"] | None:
        if lag_us >= self._lag_limit_us:
            return "busy machine"
        if self._sent >= LOSS_SAMPLES and self._lost > LOSS_SHARE * self._sent:
            return "loss"
        if len(self._delays) >= DELAY_SAMPLES:
            delay_us, quickest_us = sorted(self._delays)[len(self._delays) // 4]
            if delay_us >= max(DELAY_US, DELAY_SHARE * quickest_us):
                return "delay"
        return None

    def _resign(self, trouble: str, lag_us: int) -> None:
        """Slow for long although almost nothing is under way: somebody else's traffic, another route, a slow board."""
        self._slow_at_least = self._slow_at_least + 1 if self.width == self.least and trouble != "loss" else 0
        if self._slow_at_least >= RESIGN_EPOCHS:
            self._slow_at_least = 0
            if trouble == "delay":
                self._quickest.clear()
            else:
                self._lag_limit_us = 2 * lag_us

    def _forget(self) -> None:
        self._delays.clear()
        self._sent = self._lost = 0
