"""Answers in the clear that came sooner than the server can be reached: somebody nearer gave them.

Only what the kernel timed is believed to be a round trip, and only where many agree: what queues, sleeping radios and
translators add must not pass for distance. A first byte that our own clock calls early was at least as early.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from probe.checks.web.looks import Page
from probe.model.kinds import HttpFetch, TcpConnect
from probe.verdict.pair import Pairing
from probe.verdict.read import Tried

# An answer is early when it takes less than this share of the shortest round trip ever seen to the address, and is so
# much sooner: what only holds up the first packet of a connection makes round trips look longer than they are.
EARLY, EARLY_BY_US = 0.6, 10_000
# So many of both answers and round trips at least, and such a share of all round trips within so much of the shortest:
# where queues come and go, all may be long by chance, but not alike.
TIMED = 3
QUIET, LITTLE_MORE = 0.75, 1.25


def are_early(pairing: Pairing, pages: Sequence[Page]) -> bool:
    """Each of these pages of one endpoint came too early to be the server's."""
    if len(pages) < TIMED:
        return False
    floor = _round_trip_us(pairing, pages[0].walk.ip, pages[0].walk.port)
    return floor is not None and all(_is_before(p.detail, min(EARLY * floor, floor - EARLY_BY_US)) for p in pages)


def _is_before(page: HttpFetch, least_us: float) -> bool:
    return page.first_byte_us is not None and page.first_byte_us < least_us


def _round_trip_us(pairing: Pairing, ip: str, port: int) -> int | None:
    """The shortest round trip of any connection to the endpoint, trials among them; None when too few say so. Each
    connection has its own path through load balancers, so the least of all counts."""
    walks = [w for w in (*pairing.here, *pairing.trials) if (w.ip, w.port) == (ip, port)]
    trials = [w for w in pairing.trials if w in walks and w.page is not None and w.page.status is not None]
    times = [*_opened(walks), *_answered(trials)]
    # The server's own answers took no less than a round trip either.
    firsts = [w.page.first_byte_us for w in trials if w.page is not None and w.page.first_byte_us]
    floor = min([*times, *firsts], default=0)
    said = sum(time <= floor * LITTLE_MORE for time in times)
    return floor if said >= max(TIMED, QUIET * len(times)) else None


def _opened(walks: Sequence[Tried]) -> Iterator[int]:
    for walk in walks:
        detail = walk.connect.detail
        if walk.connected and isinstance(detail, TcpConnect) and detail.info and detail.info.min_rtt_us > 0:
            yield detail.info.min_rtt_us


def _answered(walks: Sequence[Tried]) -> Iterator[int]:
    """The least of each connection, its answer included: a radio that slept has woken up by then."""
    for walk in walks:
        if walk.page is not None and walk.page.info is not None and walk.page.info.min_rtt_us > 0:
            yield walk.page.info.min_rtt_us
