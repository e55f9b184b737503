"""What a person sees while a run goes on: a live view on a terminal, calm lines elsewhere, JSON lines on request.

Outcomes have a word and a sign each; colour only repeats them. Talk goes to stderr, data to stdout.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from types import TracebackType
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from probe.app.judge import run_line
from probe.app.prepare import Prepared
from probe.app.run import Outcome
from probe.app.sitting import Item, traffic
from probe.model.measurement import Measurement
from probe.model.observation import Observation
from probe.model.outcome import OUTCOMES
from probe.model.step import AskBytes, AskControl, AskLine, Lookup, Step, Visit, Walk
from probe.model.verdict import Judgement

SIGNS = {
    "ok": ("+", "green"),
    "blocked": ("X", "bold red"),
    "likely_blocked": ("x", "red"),
    "impaired": ("~", "yellow"),
    "restricted": ("R", "cyan"),
    "down": ("-", "blue"),
    "insufficient": ("?", "dim"),
}
DOING: dict[type[Step], str] = {
    AskBytes: "timing the line",
    AskControl: "asking the control",
    AskLine: "looking at the line",
    Lookup: "looking up",
    Walk: "walking",
    Visit: "trying the name at the helper",
}


def watcher_for(prepared: Prepared, *, as_json: bool, lines: bool = True) -> Progress:
    """The view that suits where the output goes; without `lines` nothing is printed of finished targets."""
    live = sys.stderr.isatty() and not as_json
    return Progress(prepared, as_json=as_json, live=live, data=sys.stdout, lines=lines)


class Progress:
    """Counts and shows. Use as a context manager around the run."""

    def __init__(self, prepared: Prepared, *, as_json: bool, live: bool, data: TextIO, lines: bool) -> None:
        self.prepared, self.as_json, self.data, self.lines = prepared, as_json, data, lines
        self.total = len(prepared.items)
        self.counts: Counter[str] = Counter()
        self.findings: list[Judgement] = []
        self.judged: dict[str, Judgement] = {}
        self.unsure: Counter[str] = Counter()
        self.helper_failed: str | None = None
        self.helper_worked = False
        self.bytes_used = 0
        self.current: dict[str, str] = {}
        self.started = time.monotonic()
        self.console = Console(stderr=True, highlight=False)
        self.live = Live(console=self.console, refresh_per_second=5, transient=True) if live else None

    def __enter__(self) -> Progress:
        if self.live is not None:
            self.live.start()
        elif not self.as_json:
            self.console.print(f"Measuring {self.total} target{'s' * (self.total != 1)}; results in {self.prepared.db}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live is not None:
            self.live.stop()

    # ---- the watcher's part ----

    def began(self, item: Item) -> None:
        self.current[item.target.normal] = "starting"
        self._show()

    def stepped(self, item: Item, step: Step) -> None:
        what = DOING[type(step)]
        again = f" (try {step.attempt}: {step.why})" if step.attempt > 1 else ""
        self.current[item.target.normal] = what + again
        self._show()

    def noted(self, observation: Observation) -> None:
        self.bytes_used += traffic(observation)
        if observation.kind == "control.ask":
            self.helper_worked = self.helper_worked or observation.failure is None
            self.helper_failed = observation.failure or self.helper_failed

    def finished(self, item: Item, judgement: Judgement, measurement: Measurement, took_ms: int) -> None:
        self.current.pop(item.target.normal, None)
        self.judged[item.target.url] = judgement
        self.counts[judgement.outcome] += 1
        if judgement.outcome in ("blocked", "likely_blocked", "impaired"):
            self.findings.append(judgement)
        if judgement.outcome == "insufficient" and judgement.reason:
            self.unsure[judgement.reason] += 1
        if self.as_json:
            line = run_line(judgement, measurement, item.target.normal, item.inputs, took_ms)
            print(line, file=self.data, flush=True)
        elif self.lines:
            self._print(outcome_line(judgement, item.target.url))
        self._show()

    def _print(self, line: Text) -> None:
        console = self.live.console if self.live is not None else Console(file=self.data, highlight=False)
        console.print(line, soft_wrap=True)

    # ---- the live view ----

    def _show(self) -> None:
        if self.live is not None:
            self.live.update(self._view())

    def _view(self) -> Group:
        done = sum(self.counts.values())
        head = Table.grid(padding=(0, 2))
        head.add_row(
            Text(f"{done}/{self.total}", style="bold"),
            ProgressBar(self.total, done, width=30),
            Text(f"{self.bytes_used / 1e6:.1f} MB"),
            Text(self._eta(done)),
        )
        words = Text()
        for outcome in OUTCOMES:
            if self.counts[outcome]:
                sign, style = SIGNS[outcome]
                words.append(f"{sign} {outcome} {self.counts[outcome]}   ", style=style)
        now = [Text(f"  {plain(url)[:60]}  {plain(what)}", style="dim") for url, what in list(self.current.items())[:6]]
        return Group(head, words, *now)

    def _eta(self, done: int) -> str:
        if not done:
            return "learning the pace"
        left = (self.total - done) * (time.monotonic() - self.started) / done
        return f"about {left / 60:.0f} min left" if left > 90 else f"about {left:.0f} s left"

    # ---- afterwards ----

    def summarise(self, outcome: Outcome) -> None:
        """The end in plain words, with what to do next."""
        done = sum(self.counts.values())
        say = self.console.print
        blocked = [j for j in self.findings if j.outcome != "impaired"]
        say(
            f"\n{len(blocked)} of {done} look blocked from here." if done else "\nNothing was measured.", soft_wrap=True
        )
        for j in sorted(blocked, key=lambda j: (OUTCOMES.index(j.outcome), j.host)):
            say(Text(f"  {j.outcome}: {plain(j.explanation)}"), soft_wrap=True)
        for reason, count in sorted(self.unsure.items()):
            say(f"  {count} could not be judged: {reason}")
        if self.prepared.helpers and not self.helper_worked:
            say(f"The control helper was not reached ({self.helper_failed or 'no answer'}).")
        if outcome.interrupted:
            say("Interrupted; everything measured so far is kept.")
        say(f"Facts are in {self.prepared.db} ({self.bytes_used / 1e6:.1f} MB of traffic).", soft_wrap=True)
        say(f"Next: probe list   |   probe show ID   |   probe report {self.prepared.db}", soft_wrap=True)


def outcome_line(judgement: Judgement, url: str) -> Text:
    """One finished target: sign, word, URL, techniques or reason, sentence."""
    sign, style = SIGNS[judgement.outcome]
    line = Text()
    line.append(f"{sign} {judgement.outcome:<15}", style=style)
    line.append(plain(url))
    detail = " ".join(judgement.techniques) or judgement.reason or ""
    if detail:
        line.append(f"  [{detail}]", style="bold")
    line.append(f"  {plain(judgement.explanation)}", style="dim")
    return line


def plain(text: str) -> str:
    """Text from outside without control characters, so that it cannot steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)
