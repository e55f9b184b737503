"""How fast things come where nobody slows anybody down, drawn at random: slow and lossy lines, far, busy and grudging
servers, full buffers. The site's own name, an innocent one, the control, the helper and other targets all meet the same
cause."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

CAUSES = (
    "fast", "fast", "slow line", "lossy line", "full line", "far server", "slow server", "grudging server",
    "one slow edge", "full buffer", "near proxy", "busy minute",
)  # fmt: skip
# Bytes that a repeat takes, and all that is taken of a page.
PART, WHOLE = 65_536, 262_144
Flow = dict[str, Any]


@dataclass
class Paces:
    """One drawn situation of speed. `noise` is the spread (in the logarithm) of one transfer's pace to the next's."""

    rng: Random
    cause: str = field(init=False)

    def __post_init__(self) -> None:
        r = self.rng
        self.cause = r.choice(CAUSES)
        self.page = r.choice((6_000, 20_000, 45_000, 150_000, WHOLE))
        self.rtt = r.uniform(200, 900) if self.cause == "far server" else r.uniform(5, 150)
        self.loss = r.uniform(0.02, 0.25) if self.cause == "lossy line" else r.choice((0.0, 0.0, 0.005))
        self.noise = r.uniform(0.4, 0.9) if self.loss > 0.01 or self.cause == "full line" else r.uniform(0.02, 0.3)
        self.slow = r.uniform(3_000, 60_000)
        self.late = r.uniform(400, 2_500)
        self.minute = r.randint(1, 2)
        # What the server says to a name that it does not know: its only page, or a short error.
        self.any_name = r.random() < 0.5

    def own(self, attempt: int, size: int = WHOLE, edge: bool = False) -> Flow:
        """The site's own name, in that try; `edge` at another of its addresses."""
        here = self.cause in ("slow server", "grudging server") or (self.cause == "one slow edge" and not edge)
        slow = here or self._line_is_slow or (self.cause == "busy minute" and attempt <= self.minute)
        return self._flow(min(size, self.page), self.slow if slow else self.rng.uniform(1e5, 3e6), self.rtt)

    def trial(self, attempt: int) -> Flow:
        """An innocent name at the same address. Whoever is grudging is so to the visitor, whatever the name."""
        if not self.any_name:
            return self._flow(300, 1e6, self.rtt)
        return self.own(attempt, PART)

    def there(self) -> Flow:
        """The control's own transfer: only the server's slowness is to be seen there."""
        slow = self.cause == "slow server"
        pace = (self.slow if slow else self.rng.uniform(3e5, 5e6)) * self.rng.lognormvariate(0, 0.1)
        return {"size": self.page, "rate": pace, "rtt": self.rng.uniform(2, 40)}

    def helpers(self) -> tuple[float, float, int]:
        """(bytes a second, round trip, segments out of order) of bytes from a helper."""
        flow = self._flow(PART, self.slow if self._line_is_slow else self.rng.uniform(2e5, 3e6), 60)
        return flow["rate"], 60, flow["lost"]

    def others(self) -> tuple[tuple[int, int, int], ...]:
        """Other targets' pages."""
        rows = []
        for _ in range(self.rng.randint(0, 6)):
            size = self.rng.randint(30_000, WHOLE)
            flow = self._flow(size, self.slow if self._line_is_slow else self.rng.uniform(5e4, 3e6), 60)
            rows.append((size, int(size * 1e6 / flow["rate"]), 60_000))
        return tuple(rows)

    @property
    def _line_is_slow(self) -> bool:
        return self.cause in ("slow line", "lossy line", "full line")

    def _flow(self, size: int, rate: float, rtt: float) -> Flow:
        segments = size // 1_400
        lost = sum(self.rng.random() < self.loss for _ in range(segments))
        late = {"full buffer": self.rng.uniform(0, self.late), "near proxy": self.late}.get(self.cause, 0.0)
        late = late if self.rng.random() < 0.95 else self.rng.uniform(0, 1_500)
        pace = rate * self.rng.lognormvariate(0, self.noise)
        return {"size": size, "rate": pace, "rtt": rtt, "late": late, "lost": lost}
