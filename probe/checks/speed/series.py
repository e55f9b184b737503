"""All tries at one address that speak about speed, and what they say together.

Three things are compared: how the page came here, each time; how it came to the control; and how other things came over
this line in the same minutes: the same page under an innocent name from the same address, bytes from a helper, other
targets' pages. A line that is slow, lossy or full makes those slow as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Literal

from probe.checks.speed.freeze import is_page_of
from probe.checks.speed.transfers import (
    LATE_US,
    LEAST,
    Transfer,
    helper_transfer,
    is_late,
    late_us,
    slow_start_us,
    transfer_of,
)
from probe.checks.web.common import genuine
from probe.model.observation import Observation
from probe.model.target import Target
from probe.verdict.pair import Pairing, was_busy
from probe.verdict.read import Tried

# At a megabit a second and above nothing is called slow. Bytes a second.
CRAWL = 128_000
# The control must have been this many times as fast (the minimum effect of throttling: a ratio below one half), and
# the transfer this many times slower than an empty path of the same round trip.
SLOWER, SLACK = 2.0, 4.0
# Nor is what takes less than this.
SHORT_US = 500_000
# The slowest innocent transfer must have been so many times as fast as the fastest one of the site; simulated for lines
# that lose up to a third of their packets, so many tries in a row never fall apart like that by chance.
APART, TRIES, TRIES_LOSSY = 2.5, 3, 5
# Where more than this share of an innocent transfer's segments came out of order, the line itself loses packets.
LOSSY = 0.01
# Rates that somebody sets differ by no more than this from try to try, and drop packets in each try to keep them, so
# many times more often than the line does elsewhere.
STEADY, MORE_DROPS = 1.2, 4
# Without a trial of the name more tries are needed: what is seen then is a slow site, and packets that are lost.
UNTRIED = TRIES + 2
# How late a packet is depends on the buffers it meets, which nobody but a delay empties and fills in turn: an innocent
# name's are so many times less late, and the site's own alike.
LATE_TRIES, PROMPT, ALIKE = 4, 4, 1.5
# What a line's other transfers need in number to speak for it.
OTHERS = 3

Trials = Literal["none", "flips", "same", "mute"]


@dataclass(frozen=True)
class Series:
    """The tries at one genuine address of a URL. `own` asked for the site's own page or shook hands for its name,
    `trials` had an innocent name, `there` are the control's transfers of the page and `refs` those from helpers."""

    target: Target
    ip: str
    own: tuple[Tried, ...]
    trials: tuple[Tried, ...]
    theirs: tuple[Tried, ...]
    refs: tuple[Transfer, ...]
    others: tuple[tuple[int, int, int], ...]

    # ---- how fast the page came ----

    @cached_property
    def paced(self) -> tuple[Transfer, ...]:
        """The site's own transfers that were large enough to say something, and not slow by this machine's fault. (All
        others are only ever asked whether they were fast.)"""
        found = [t for t in map(transfer_of, self.own) if t is not None and t.size >= LEAST]
        return tuple(t for t in found if not was_busy(t.of))

    @cached_property
    def there(self) -> Transfer | None:
        """The control's fastest."""
        found = [t for t in map(transfer_of, self.theirs) if t is not None and t.size >= LEAST]
        return max(found, key=lambda t: t.pace(LEAST), default=None)

    @property
    def size(self) -> int:
        """Up to how many bytes all of the site's transfers can be compared."""
        return min(t.size for t in self.paced)

    @property
    def pace(self) -> float:
        """The best that the site's own name got."""
        return max(t.pace(self.size) for t in self.paced)

    @cached_property
    def is_slow(self) -> bool:
        """The page crawled in each try, and did not for the control."""
        there = self.there
        return there is not None and bool(self.paced) and all(_is_slow(t, there) for t in self.paced)

    @cached_property
    def flip(self) -> Trials:
        """What transfers under an innocent name say: there were none; each was far faster; some was not; or some cannot
        be compared, since little moved (another page, or an error) or by another version of HTTP, which may be another
        server's."""
        found = [transfer_of(w) for w in self.trials if w.page is not None or not w.shaken]
        if not found:
            return "none"
        protocol = self.paced[0].protocol
        moved = [t for t in found if t is not None and t.size >= LEAST and t.protocol == protocol]
        if any(not self._is_apart(t) for t in moved):
            return "same"
        return "flips" if len(moved) == len(found) else "mute"

    def _is_apart(self, innocent: Transfer) -> bool:
        size = min(self.size, innocent.size)
        return innocent.pace(size) >= APART * max(t.pace(size) for t in self.paced)

    @property
    def tries(self) -> int:
        """How many tries of each sort are enough here: more on a line that loses packets, or where nobody tells."""
        fair = [t for t in map(transfer_of, self.trials) if t is not None and t.size >= LEAST]
        orderly = all(t.info is not None and t.disorder <= LOSSY for t in fair)
        return TRIES if orderly else TRIES_LOSSY

    # ---- what else came over the line ----

    @cached_property
    def line_is_fast(self) -> bool | None:
        """Whether other transfers over this line were far faster and in order, each as seen over our round trip; None
        where there were too few. Bytes from a helper were taken in turn with ours and decide; other targets' pages,
        some of which may be slowed down themselves, object where not one was fast."""
        rtt_us = min(t.rtt_us for t in self.paced)
        refs = [t.pace(self.size) * _nearer(t.rtt_us, rtt_us) for t in self.refs if t.size >= LEAST]
        others = [size * 1e6 / max(1, us) * _nearer(rtt, rtt_us) for size, us, rtt in self.others if size >= LEAST]
        if any(t.disorder > LOSSY for t in self.refs) or any(pace < APART * self.pace for pace in refs):
            return False
        if len(others) >= OTHERS and max(others) < APART * self.pace:
            return False
        if len(refs) >= UNTRIED:
            return True
        return median(others) >= APART * self.pace if len(others) >= OTHERS else None

    @property
    def is_held_down(self) -> bool:
        """The same rate in each try, and packets lost in each to keep it: what policing does, and full queues. A server
        that takes its time loses none."""
        paces = [t.pace(self.size) for t in self.paced]
        # Half a segment more than were seen, so that a few orderly transfers do not make a line faultless.
        line = (sum(t.drops for t in self.refs) + 0.5) / max(1, sum(t.segments for t in self.refs))
        own = sum(t.drops for t in self.paced) / max(1, sum(t.segments for t in self.paced))
        dropped = all(t.drops for t in self.paced) and bool(self.refs) and own >= MORE_DROPS * line
        return dropped and max(paces) <= STEADY * min(paces)

    @property
    def refs_seen(self) -> tuple[Observation, ...]:
        """The facts of what came from helpers."""
        return tuple(t.of for t in self.refs)

    # ---- how late it was answered ----

    @cached_property
    def is_delayed(self) -> bool:
        """The packet that carried the name was acknowledged late in each try, and not late at the control."""
        mine = [w for w in self.own if late_us(w) is not None]
        theirs = [late for w in self.theirs if (late := late_us(w)) is not None]
        alike = max(self.lates, default=0) <= ALIKE * min(self.lates, default=0)
        return bool(mine) and all(map(is_late, mine)) and alike and bool(theirs) and max(theirs) < LATE_US / 2

    @property
    def lates(self) -> tuple[int, ...]:
        """By how much (microseconds), try by try, for the site's own name."""
        return tuple(late for w in self.own if (late := late_us(w)) is not None)

    @cached_property
    def late_flip(self) -> Trials:
        """What handshakes and requests with an innocent name say of the delay."""
        found = [late for w in self.trials if (late := late_us(w)) is not None]
        if not found:
            return "none" if not self.trials else "mute"
        return "flips" if max(found) * PROMPT <= min(self.lates) else "same"


def _is_slow(here: Transfer, there: Transfer) -> bool:
    size = min(here.size, there.size)
    took_us = here.us_for(size)
    if took_us < SHORT_US or here.pace(size) > CRAWL:
        return False
    return took_us >= SLOWER * there.us_for(size) and took_us >= SLACK * slow_start_us(size, here.rtt_us)


def _nearer(their_rtt_us: int, our_rtt_us: int) -> float:
    """What is left of a pace over a longer round trip: TCP goes by round trips."""
    return min(1.0, their_rtt_us / our_rtt_us) if their_rtt_us and our_rtt_us else 1.0


def series_of(pairing: Pairing, target: Target) -> tuple[Series, ...]:
    """One for each genuine address from which the page was asked, in order of asking."""
    refs = tuple(t for o in pairing.case.observations if (t := helper_transfer(o)) is not None)
    theirs = tuple(w for w in pairing.there if is_page_of(w, target))
    good = genuine(pairing, target)
    fetched = [w for w in (*pairing.here, *pairing.timed) if is_page_of(w, target) and w.ip in good]
    others = pairing.line_state.transfers
    return tuple(
        Series(target, ip, *_at(pairing, target, ip), theirs, refs, others)
        for ip in dict.fromkeys(w.ip for w in fetched)
    )


def _at(pairing: Pairing, target: Target, ip: str) -> tuple[tuple[Tried, ...], tuple[Tried, ...]]:
    """(walks for the site's own name, walks for an innocent one) at one address."""
    walks = sorted((*pairing.here, *pairing.timed), key=lambda w: w.connect.seq)
    mine = [w for w in walks if (w.host, w.ip, w.port) == (target.host, ip, target.port)]
    own = [w for w in mine if not w.is_trial and (w.proven or target.scheme == "http")]
    own = [w for w in own if w.page is None or is_page_of(w, target)]
    return tuple(own), tuple(w for w in mine if w.is_trial)
