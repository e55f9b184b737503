"""What this run knows of the round trips of its line: for how long a late second answer is worth waiting.

A forged answer comes first and early, so it says nothing about when the true one is due. What says it is the path
itself: the kernel's round trip of a connection to the same address, or earlier answers from there.
"""

from __future__ import annotations

from statistics import median

# Addresses remembered at most; a run meets a few per target, and the newest are the ones asked again.
MOST = 4096


class RoundTrips:
    """The least round trip seen for each address, in microseconds."""

    def __init__(self) -> None:
        self._least: dict[str, int] = {}

    def note(self, ip: str, took_us: int) -> None:
        """One round trip to an address."""
        if took_us <= 0:
            return
        least = min(took_us, self._least.pop(ip, took_us))
        self._least[ip] = least
        if len(self._least) > MOST:
            del self._least[next(iter(self._least))]

    def of(self, ip: str) -> int | None:
        """The least to this address; of one never met, what is usual on this line; None when nothing is known."""
        if ip in self._least:
            return self._least[ip]
        return round(median(self._least.values())) if self._least else None
