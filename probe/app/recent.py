"""What a helper reached lately: how it knows that its own line is alive when a target does not answer at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from probe.model.kinds import LineState, TcpConnect
from probe.verdict.case import Case


@dataclass
class RecentReach:
    """Counts over the measurements of the last `window_s` seconds."""

    now_us: Callable[[], int]
    window_s: int = 600
    _seen: deque[tuple[int, str, bool, bool]] = field(default_factory=deque)

    async def state(self, case: Case, again: bool) -> LineState:
        """Take the measurement into account, and count the others of the window. Nothing more is asked with `again`."""
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
