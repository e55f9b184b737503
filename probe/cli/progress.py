"""Who looks on while a run goes on: counts, and shows in the way that suits where the output goes.

    Live     a view that renews itself, on a terminal (`probe.cli.live`)
    Lines    a calm line for each target measured, elsewhere: logs, pipes, screen readers, --plain
    Json     one object for each finished target
    Silent   nothing until the end (--quiet)

Outcomes have a word and a sign each; colour only repeats them. Talk goes to stderr, data to stdout.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType

import click
from rich.console import Console
from rich.text import Text

from probe.app.doing import doing, is_recheck
from probe.app.eta import Eta, size
from probe.app.judge import run_line
from probe.app.prepare import Prepared
from probe.app.run import Outcome
from probe.app.sitting import Item, Pulse
from probe.app.summary import SUSPECT, Closing, Told, next_steps, summary, told, told_before
from probe.cli.text import columns, safe
from probe.model.measurement import Measurement
from probe.model.observation import Observation
from probe.model.outcome import OUTCOMES
from probe.model.step import Step
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
# A calm line about the whole comes no more often than this. Seconds.
STATUS_S = 60.0


class Progress:
    """Counts, and remembers what was found. Use as a context manager around the run. Views override what they show."""

    def __init__(self, prepared: Prepared, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.prepared = prepared
        before = told_before(prepared.earlier.found) if prepared.earlier else []
        self.found: list[Told] = before
        self.counts: Counter[str] = Counter(t.outcome for t in before)
        self.total = len(prepared.items) + len(before)
        self.judged: dict[str, Judgement] = {}
        # Target to (what is being done, since when, whether it is a re-check).
        self.current: dict[str, tuple[str, float, bool]] = {}
        self.pulse = Pulse(0, 0, "")
        self.helper_failed = ""
        self.helper_worked = False
        self.clock_s = clock_s
        self.eta = Eta(clock_s())

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    @property
    def done(self) -> int:
        """Targets measured to their end, those of earlier sittings included."""
        return self.counts.total()

    def status(self) -> str:
        """The whole in one plain line."""
        suspects = sum(self.counts[word] for word in SUSPECT)
        left = self.eta.words(self.total - self.done, self.clock_s())
        look = "looks" if suspects == 1 else "look"
        return f"{self.done} of {self.total} measured, {suspects} {look} blocked, {size(self.pulse.bytes_used)}, {left}"

    # ---- the watcher's part ----

    def began(self, item: Item) -> None:
        self.current[item.target.normal] = ("starting", self.clock_s(), False)

    def stepped(self, item: Item, step: Step) -> None:
        known = self.current.get(item.target.normal)
        # A re-check is what is worth seeing, whatever else goes on beside it.
        if known is None or is_recheck(step) or not known[2]:
            self.current[item.target.normal] = (doing(step), self.clock_s(), is_recheck(step))

    def noted(self, observation: Observation) -> None:
        if observation.kind == "control.ask":
            self.helper_worked = self.helper_worked or observation.failure is None
            self.helper_failed = observation.failure or self.helper_failed

    def finished(self, item: Item, judgement: Judgement, measurement: Measurement, took_ms: int) -> None:
        self.current.pop(item.target.normal, None)
        self.judged[item.target.url] = judgement
        found = told(judgement, item.target.url)
        self.found.append(found)
        if not found.is_cut:
            self.counts[judgement.outcome] += 1
            self.eta.finished(self.clock_s())

    def pulsed(self, pulse: Pulse) -> None:
        self.pulse = pulse

    def stopping(self, grace_s: float) -> None:
        under_way = len(self.current)
        self.say(
            f"Stopping: nothing new is begun, {under_way} under way {'has' if under_way == 1 else 'have'} "
            f"{grace_s:.0f} s to finish. Ctrl-C again stops at once. Everything measured so far is saved; "
            "`probe run --resume` goes on."
        )

    # ---- afterwards ----

    def say(self, line: str) -> None:
        """Talk, on stderr."""
        click.echo(safe(line, 2000), err=True)

    def closing(self, outcome: Outcome) -> Closing:
        """What the summary is made from."""
        trouble = "" if self.helper_worked or not self.prepared.helpers else self.helper_failed or "no answer"
        return Closing(
            tuple(self.found),
            0 if outcome.finished else self.total - self.done,
            self.prepared.db,
            outcome.bytes_used,
            outcome.interrupted,
            outcome.incomplete,
            trouble,
        )

    def summarise(self, outcome: Outcome) -> None:
        """The end in plain words, with what to do next."""
        closing = self.closing(outcome)
        self.say("")
        for line in summary(closing):
            self.say(line)
        self.say("Next:")
        for line in columns([(f"  {command}", f"  {why}") for command, why in next_steps(closing)]):
            self.say(line)


class Json(Progress):
    """One object for each target, as it finishes."""

    def finished(self, item: Item, judgement: Judgement, measurement: Measurement, took_ms: int) -> None:
        super().finished(item, judgement, measurement, took_ms)
        click.echo(run_line(judgement, measurement, item.target.normal, item.inputs, took_ms))

    def summarise(self, outcome: Outcome) -> None:
        """Nothing: the last line is the last target's."""


class Silent(Progress):
    """Nothing until the end."""


class Lines(Progress):
    """A line for each target measured to its end, complete in itself, and now and then one about the whole."""

    def __init__(self, prepared: Prepared, clock_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__(prepared, clock_s)
        self._told_s = clock_s()

    def __enter__(self) -> Lines:
        self.say(f"Measuring {self.total} target{'s' * (self.total != 1)}; results in {self.prepared.db}")
        return self

    def finished(self, item: Item, judgement: Judgement, measurement: Measurement, took_ms: int) -> None:
        super().finished(item, judgement, measurement, took_ms)
        if self.found[-1].is_cut:
            return
        line = Text(f"{self.done}/{self.total} ")
        line.append(outcome_line(judgement, item.target.url))
        Console(file=sys.stdout, highlight=False).print(line, soft_wrap=True)

    def pulsed(self, pulse: Pulse) -> None:
        super().pulsed(pulse)
        if self.clock_s() - self._told_s >= STATUS_S:
            self._told_s = self.clock_s()
            self.say(self.status() + (f" ({pulse.why})" if pulse.why else ""))


def watcher_for(
    prepared: Prepared, *, as_json: bool = False, plain: bool = False, quiet: bool = False, lines: bool = True
) -> Progress:
    """The view that suits where the output goes; without `lines` nothing is printed of finished targets."""
    if as_json:
        return Json(prepared)
    if quiet:
        return Silent(prepared)
    if not plain and sys.stderr.isatty() and os.environ.get("TERM", "") != "dumb" and not os.environ.get("NO_COLOR"):
        from probe.cli.live import Live

        return Live(prepared, lines=lines)
    return Lines(prepared) if lines else Silent(prepared)


def outcome_line(judgement: Judgement, url: str) -> Text:
    """One finished target: sign, word, URL, techniques or reason, sentence."""
    sign, style = SIGNS[judgement.outcome]
    line = Text()
    line.append(f"{sign} {judgement.outcome:<15}", style=style)
    line.append(safe(url))
    detail = " ".join(judgement.techniques) or judgement.reason or ""
    if detail:
        line.append(f"  [{detail}]", style="bold")
    line.append(f"  {safe(judgement.explanation)}", style="dim")
    return line


def count_words(counts: Counter[str], width: int) -> list[Text]:
    """`+ ok 28   X blocked 2`, in as many lines as it takes, none broken within a count."""
    rows = [Text()]
    for outcome in OUTCOMES:
        if counts[outcome]:
            sign, style = SIGNS[outcome]
            word = Text(f"{sign} {outcome} {counts[outcome]}", style=style)
            if rows[-1] and len(rows[-1]) + 3 + len(word) > width:
                rows.append(Text())
            rows[-1] = Text("   ").join([rows[-1], word]) if rows[-1] else word
    return rows
