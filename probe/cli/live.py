"""The live view: how far, how fast, what was found, and what is being looked at, re-checks first.

Laid out in lines of its own instead of a table: it must be read on a phone's 40 columns too.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live as RichLive
from rich.text import Text

from probe.app.eta import duration, size
from probe.app.prepare import Prepared
from probe.app.sitting import Item, Pulse
from probe.cli.progress import Progress, count_words, outcome_line
from probe.cli.text import safe
from probe.model.measurement import Measurement
from probe.model.verdict import Judgement

# Targets under way that are shown; the rest is counted.
SHOWN = 6
# The rate is that of so many pulses: five seconds.
RATE_PULSES = 10
NARROW = 60


class Live(Progress):
    """A view on stderr that renews itself. What is not simply well is printed above it as it is found."""

    def __init__(
        self,
        prepared: Prepared,
        clock_s: Callable[[], float] = time.monotonic,
        *,
        lines: bool = True,
        console: Console | None = None,
    ) -> None:
        super().__init__(prepared, clock_s)
        self.lines = lines
        self._rates: deque[tuple[float, int]] = deque(maxlen=RATE_PULSES)
        self._stopping = ""
        console = console or Console(stderr=True, highlight=False)
        self._live = RichLive(self, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Live:
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def finished(self, item: Item, judgement: Judgement, measurement: Measurement, took_ms: int) -> None:
        super().finished(item, judgement, measurement, took_ms)
        if self.lines and judgement.outcome != "ok" and not self.found[-1].is_cut:
            self._live.console.print(outcome_line(judgement, item.target.url), soft_wrap=True)

    def pulsed(self, pulse: Pulse) -> None:
        super().pulsed(pulse)
        self._rates.append((self.clock_s(), pulse.bytes_used))

    def stopping(self, grace_s: float) -> None:
        self._stopping = f"Stopping in at most {grace_s:.0f} s; all is saved. Ctrl-C again: at once."

    def rate(self) -> float:
        """Bytes a second, lately."""
        if len(self._rates) < 2:
            return 0.0
        (t0, b0), (t1, b1) = self._rates[0], self._rates[-1]
        return (b1 - b0) / (t1 - t0) if t1 > t0 else 0.0

    # ---- what is shown ----

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        yield Group(*self._head(width), *self._now(width))

    def _head(self, width: int) -> list[Text]:
        left = self.eta.words(self.total - self.done, self.clock_s())
        share = f"{100 * self.done // self.total if self.total else 100} %"
        many = Text.assemble((f"{self.done} of {self.total}", "bold"), f"  {share}  {left}")
        flow = f"{size(self.pulse.bytes_used)}  {size(self.rate())}/s  {self.pulse.width} at once"
        rows = [many, _bar(self.done, self.total, min(width, 72)), Text(flow)]
        if self.pulse.why:
            rows.append(Text(self.pulse.why, style="yellow"))
        counts = count_words(self.counts, width)
        if self._stopping:
            counts.append(Text(self._stopping, style="bold"))
        # Counts and what Ctrl-C will do are worth a second line; the rest is cut where it would wrap.
        return [*(_fitted(row, width) for row in rows), *counts]

    def _now(self, width: int) -> list[Text]:
        """What is under way, re-checks first, then the longest."""
        ordered = sorted(self.current.items(), key=lambda pair: (not pair[1][2], pair[1][1]))
        rows = [
            row
            for url, (what, since_s, again) in ordered[:SHOWN]
            for row in self._one(url, what, since_s, again, width)
        ]
        if len(ordered) > SHOWN:
            rows.append(Text(f"  and {len(ordered) - SHOWN} more", style="dim"))
        return [_fitted(row, width) for row in rows]

    def _one(self, url: str, what: str, since_s: float, again: bool, width: int) -> list[Text]:
        host = safe(url.partition("://")[2].removesuffix("/"), 200)
        spent_s = self.clock_s() - since_s
        told = what + (f", {duration(spent_s)}" if spent_s >= 3 else "")
        style = "yellow" if again else "dim"
        if width < NARROW:
            return [Text(f"  {host}", style=style), Text(f"    {told}", style=style)]
        room = max(20, min(36, width // 2 - 6))
        name = host if len(host) <= room else host[: room - 1] + "…"
        return [Text(f"  {name:<{room}}  {told}", style=style)]


def _bar(done: int, total: int, width: int) -> Text:
    full = width * done // total if total else width
    return Text.assemble(("━" * full, "green"), ("─" * (width - full), "dim"))


def _fitted(text: Text, width: int) -> Text:
    """One line, cut where it would wrap."""
    text.no_wrap = True
    text.truncate(width, overflow="ellipsis")
    return text
