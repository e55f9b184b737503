"""What one connection tells of speed: how its bytes came, how late its packets were answered, where it stood still.

Everything here is read off facts of one walk; nothing is compared with anything but the connection's own round trip.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

from probe.model.kinds import HelperTransfer, HttpFetch, TcpConnect, TcpInfo, TlsHandshake
from probe.model.observation import Observation
from probe.verdict.read import HTTP3, Tried

# Less than this comes in a connection's first flights, whatever the path would have done with more. Bytes.
LEAST = 30_000
# Ten segments may be sent before the first of them was acknowledged (RFC 6928). Bytes.
FLIGHT = 14_600
# The same place again: two transfers stood still within so many bytes of each other.
SAME_PLACE = 2_048
# So much of the answer must have come before standing still says more than that nothing came: two full segments.
BEGUN = 3_000
# A far end that was asked every second for a sign of life, and gave none for so long, is cut off. Milliseconds.
QUIET_MS = 2_500
# An answer is late when its first packet took this much longer than the connection's own round trip, and as many times
# as long. Delayed acknowledgements take 40 to 200 ms (RFC 9293 section 3.8.6.3). Microseconds.
LATE_US, LATE_TIMES = 400_000, 2
_ENDS = (None, "cap", "time")


@dataclass(frozen=True, slots=True)
class Transfer:
    """Bytes of a body as they came: (microseconds, bytes so far), both from 0. `rtt_us` is the least round trip of the
    connection. `of` is the fact that tells of it."""

    points: tuple[tuple[int, int], ...]
    rtt_us: int
    of: Observation
    info: TcpInfo | None = None

    @property
    def size(self) -> int:
        return self.points[-1][1]

    def us_for(self, size: int) -> int:
        """How long the first `size` bytes took. At least 1, so that it can be divided by."""
        before = self.points[0]
        for point in self.points[1:]:
            if point[1] >= size:
                share = (size - before[1]) / max(1, point[1] - before[1])
                return max(1, before[0] + int(share * (point[0] - before[0])))
            before = point
        return max(1, before[0])

    def pace(self, size: int) -> float:
        """Bytes a second over the first `size` bytes."""
        return min(size, self.size) * 1e6 / self.us_for(size)

    @property
    def protocol(self) -> str | None:
        """HTTP/1.1 or HTTP/2, where it is a page."""
        return self.of.detail.protocol if isinstance(self.of.detail, HttpFetch) else None

    @property
    def segments(self) -> int:
        """Segments of TCP that came; 0 where the kernel does not tell."""
        return self.info.segs_in if self.info else 0

    @property
    def drops(self) -> int:
        """Segments that came out of order, because something before them was lost."""
        return self.info.out_of_order if self.info else 0

    @property
    def disorder(self) -> float:
        """Their share."""
        return self.drops / max(1, self.segments)


def slow_start_us(size: int, rtt_us: int) -> int:
    """What the first `size` bytes of an answer take on an empty path, the first flight beside the head not counted."""
    return rtt_us * max(0, ceil(log2(size / FLIGHT + 1)) - 1)


def transfer_of(walk: Tried) -> Transfer | None:
    """The page of a walk as a transfer; None where none came to its end (or to ours)."""
    page, fetch = walk.page, walk.fetch
    if page is None or fetch is None or page.status is None:
        return None
    points = _points(page)
    return Transfer(points, round_trip_us(walk), fetch, page.info) if points and page.truncated in _ENDS else None


def helper_transfer(o: Observation) -> Transfer | None:
    """Bytes that came from a helper."""
    detail = o.detail
    if not isinstance(detail, HelperTransfer) or o.failure is not None:
        return None
    points, info = _points(detail), detail.info
    return Transfer(points, info.min_rtt_us if info else 0, o, info) if points else None


def _points(detail: HttpFetch | HelperTransfer) -> tuple[tuple[int, int], ...]:
    line = detail.timeline
    if len(line) < 2 or not line[-1][1]:
        return ()
    return tuple((us - line[0][0], size) for us, size in line)


def moved(o: Observation) -> tuple[int, int, int] | None:
    """(bytes, microseconds, least round trip) of a page, for counts of what a line carried; None for anything else, and
    for HTTP/3, which is as quick as our own work on each packet."""
    detail = o.detail
    if not isinstance(detail, HttpFetch) or detail.truncated not in _ENDS or detail.protocol == HTTP3:
        return None
    points, info = _points(detail), detail.info
    return (points[-1][1], points[-1][0], info.min_rtt_us if info else 0) if points else None


def round_trip_us(walk: Tried) -> int:
    """The connection's own round trip, by the kernel where it tells, else by how long connecting took."""
    detail = walk.connect.detail
    told = detail.info.min_rtt_us if isinstance(detail, TcpConnect) and detail.info else 0
    return told or walk.connect.took_us


def late_us(walk: Tried) -> int | None:
    """How much later than the connection's round trip the first packet with data was acknowledged: the hello, or the
    plain request, which carry the name. That is the far kernel's doing or the path's, whatever the server is busy with.

    The kernel's smoothed round trip takes an eighth of each new sample (RFC 6298 section 2.3); by then there are two.
    None where the kernel did not tell."""
    after = walk.handshake or walk.fetch
    connect, later = walk.connect.detail, after.detail if after else None
    if not isinstance(connect, TcpConnect) or not isinstance(later, TlsHandshake | HttpFetch):
        return None
    if connect.info is None or later.info is None or not connect.info.rtt_us or not later.info.bytes_acked > 1:
        return None
    return max(0, 8 * (later.info.rtt_us - connect.info.rtt_us))


def is_late(walk: Tried) -> bool:
    late = late_us(walk)
    return late is not None and late >= max(LATE_US, LATE_TIMES * round_trip_us(walk))


def raw_bytes(walk: Tried) -> int:
    """Bytes of TCP that came over the whole connection; where the kernel does not tell, what of them we know."""
    page = walk.page
    if page is not None and page.info is not None:
        return page.info.bytes_received
    detail = walk.handshake.detail if walk.handshake else None
    shaken = detail.bytes_in if isinstance(detail, TlsHandshake) else 0
    return shaken + (page.wire_bytes if page is not None else 0)


def _stood_still(walk: Tried) -> TcpInfo | None:
    page = walk.page
    failed = walk.fetch is not None and walk.fetch.failure == "generic_timeout_error"
    # Over TLS the server has said something already: with its handshake.
    begun = page is not None and (page.truncated == "stall" or walk.shaken)
    return page.info if failed and begun and page is not None else None


def froze(walk: Tried) -> bool:
    """The answer began and then stood still, and the far end gave no sign of life when its kernel was asked."""
    info = _stood_still(walk)
    detail = walk.handshake.detail if walk.handshake else None
    before = detail.info.bytes_received if isinstance(detail, TlsHandshake) and detail.info else 0
    begun = info is not None and info.bytes_received - before >= BEGUN
    return begun and info is not None and (info.quiet_ms or 0) >= QUIET_MS


def is_held(walk: Tried) -> bool:
    """The answer stood still, yet the far end's kernel went on answering: the server sends no more, and the path lets
    through what is sent."""
    info = _stood_still(walk)
    return info is not None and info.quiet_ms is not None and info.quiet_ms < QUIET_MS
