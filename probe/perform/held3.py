"""One HTTP/3 exchange over a connection that is held, within the bounds of the older versions (`probe.perform.held`),
but for a smaller body."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

import trio

from probe.net.base import Clock, Failure, Http3, ResponseHead
from probe.net.classify import DEADLINE
from probe.perform.held import EOF, mark
from probe.perform.world import Limits
from probe.wire.http1 import Headers


@dataclass(slots=True)
class Exchange3:
    """One request and what came of it so far; readable at any moment, also after a cancellation. `ended` is None when
    the answer came whole, or when we stopped at the cap or at the end of our time; `timeline` as in `HttpFetch`."""

    http3: Http3
    clock: Clock
    limits: Limits
    at_us: int = 0
    began_us: int = 0
    head: ResponseHead | None = None
    body: bytearray = field(default_factory=bytearray)
    timeline: list[tuple[int, int]] = field(default_factory=list)
    capped: bool = False
    timed: bool = False
    ended: Failure | None = None
    took_us: int = 0

    async def run(self, url: str, headers: Headers) -> None:
        """Send it and read all that comes, within the limits. Raises nothing but a cancellation."""
        self.at_us, self.began_us = self.clock.now_us(), self.clock.mono_us()
        moved_s = trio.current_time()
        end_s = moved_s + self.limits.fetch_s
        try:
            self.ended = await self.http3.ask(_request(url, headers), self.limits.header_cap)
            while self.ended is None and not self.capped and not self.timed:
                part: ResponseHead | bytes | Failure = DEADLINE
                with trio.move_on_at(min(moved_s + self.limits.stall_s, end_s)):
                    part = await self.http3.receive()
                if isinstance(part, Failure):
                    # Cut off by our own clock amid a body that was coming: slow, and no failure.
                    late = part is DEADLINE and trio.current_time() - moved_s < self.limits.stall_s / 2
                    self.timed = late and bool(self.body)
                    self.ended = None if self.timed else part
                elif part:
                    moved_s = trio.current_time()
                    self._take(part)
                else:
                    self.ended = None if self.head else EOF
                    break
        finally:
            self.took_us = self.clock.mono_us() - self.began_us

    def _take(self, part: ResponseHead | bytes) -> None:
        cap = self.limits.http3_cap
        if isinstance(part, ResponseHead):
            self.head = part
        else:
            self.body += part
            self.capped = len(self.body) >= cap and self.declared != len(self.body)
            del self.body[cap:]
        mark(self.timeline, self.clock.mono_us() - self.began_us, len(self.body))

    @property
    def declared(self) -> int | None:
        """The length that the head gives for the body."""
        found = [value for name, value in self.head.headers if name == b"content-length"] if self.head else []
        return int(found[0]) if found and found[0].isdigit() and len(found[0]) < 19 else None

    @property
    def truncated(self) -> str | None:
        """As in `HttpFetch`, but for what decoding the body shows."""
        if self.capped:
            return "cap"
        if self.timed:
            return "time"
        if self.ended is None or self.head is None:
            return None
        return "stall" if self.ended.word == DEADLINE.word else "cut"

    @property
    def stream_ended(self) -> str | None:
        """How the stream ended, as far as we read."""
        return "silence" if self.ended is DEADLINE else self.http3.ended


def _request(url: str, headers: Headers) -> tuple[tuple[bytes, bytes], ...]:
    """Pseudo-headers, then the headers without the one that `:authority` stands for."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    authority = next((value for name, value in headers if name == "host"), parts.netloc)
    pseudo = ((":method", "GET"), (":scheme", "https"), (":authority", authority), (":path", target))
    shown = (*pseudo, *((name, value) for name, value in headers if name != "host"))
    return tuple((name.encode(), value.encode("latin-1", "replace")) for name, value in shown)
