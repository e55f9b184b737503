"""`probe show`: one measurement as a timeline of its steps, beside what the control met at the same ones."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from probe.app.look import HEADLINE, Shown, VerdictRow, looking, verdict_object, whole_id
from probe.app.look import show as show_measurement
from probe.app.timeline import Line, end_of, only_at, outcome_of, step_of, timeline, waterfall
from probe.cli.look import DB, how, say_json, sign, table, time_text, where
from probe.cli.text import columns, console, is_rich, safe
from probe.model.observation import Observation
from probe.wire.codec import encode
from probe.wire.facts import fact_line, row_of

# Characters of a fact's bar in the timeline, and of the figures around it.
BAR, AROUND_BAR = 32, 26


@click.command()
@click.argument("measurement_id", metavar="ID")
@DB
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(measurement_id: str, db: Path | None, as_json: bool) -> None:
    """One measurement: its verdict, and every step as a timeline beside what the control saw.

    Each step tells when it began, how long it took, what came of it here, and what the control met at the same step. ID
    may be abbreviated to its first digits, 4 or more; `probe list RUN` prints them.

    \b
    Examples:
      probe show 9c41d0aa
      probe show 9c41 --db results/demo.db --json
    """
    with looking(db) as store:
        shown = show_measurement(store, whole_id(store, "measurement", measurement_id))
    if as_json:
        say_json(_shown_object(shown))
        return
    for line in _heading(shown):
        click.echo(line)
    control = [o for _, facts in shown.controls for o in facts]
    _timeline(timeline(shown.facts, control), bool(control))
    rest = only_at(control, shown.facts)
    if rest:
        click.echo("\nOnly tried at the control")
        for line in columns([("  " + safe(step_of(o)), safe(outcome_of(o))) for o in rest]):
            click.echo(line)
    _verdicts(shown)


def _heading(shown: Shown) -> Iterable[str]:
    m = shown.measurement
    head = next((row for row in shown.verdicts if row.layer == HEADLINE), None)
    yield f"{safe(m.url)}"
    yield f"measurement {m.measurement_id}, {time_text(m.started_at)}, {where(shown.vantage)}"
    for control, _ in shown.controls:
        yield f"control     {safe(control.measurement_id)}, {time_text(control.started_at)}"
    if not shown.controls:
        yield "control     none"
    if head is not None:
        yield f"\n{sign(head)}{'  [' + safe(how(head)) + ']' if how(head) else ''}"
        yield f"  {safe(head.explanation)}"
    yield "\nFacts"


def _timeline(lines: list[Line], with_control: bool) -> None:
    """A block a fact for eyes on a terminal, which is seldom wide enough; a line a fact where output is piped."""
    if is_rich():
        screen, end_ms = console(), end_of(lines)
        for line in lines:
            screen.print(_block(line, end_ms, max(8, min(BAR, screen.width - AROUND_BAR))))
        return
    head = ["fact", "at ms", "took ms", "step", "here", *(["control", "took there"] if with_control else [])]
    rows = []
    for line in lines:
        row = [f"#{line.seq}", str(line.at_ms), f"{line.took_ms:.1f}", "  " * line.depth + line.step, line.here]
        there = "-" if line.control_ms is None else f"{line.control_ms:.1f}"
        rows.append([*row, line.control or "-", there] if with_control else row)
    table(head, rows)


def _block(line: Line, end_ms: float, width: int) -> Text:
    """When and how long, as figures and as a bar; what was tried; what came of it here and at the control."""
    text = Text(f"{'#' + str(line.seq):<4}", style="dim")
    text.append(f"{line.at_ms:>6} ms ")
    text.append(
        f"\u2502{waterfall(line, end_ms, width)}\u2502", style="red not dim" if line.failed else "green not dim"
    )
    text.append(f" {_took(line.took_ms)}\n")
    text.append(f"     {'  ' * line.depth}{safe(line.step)}\n", style="bold not dim")
    text.append(f"     here     {safe(line.here)}", style="red not dim" if line.failed else "not dim")
    if line.control:
        there = "the same" if line.control == line.here else safe(line.control)
        took = "" if line.control_ms is None else f", in {_took(line.control_ms)}"
        text.append(f"\n     control  {there}{took}", style="not dim")
    return text


def _took(ms: float) -> str:
    return f"{ms:.1f} ms" if ms < 1000 else f"{ms / 1000:.2f} s"


def _verdicts(shown: Shown) -> None:
    if not shown.verdicts:
        click.echo("\nNot judged: `probe judge` derives verdicts from facts.")
        return
    click.echo("\nVerdicts")
    layers = [row for row in shown.verdicts if row.layer != HEADLINE]
    rows = ((row.layer, sign(row), how(row), row.rule_id, _witness(row, shown)) for row in layers)
    table(("layer", "outcome", "how", "rule", "facts behind it"), rows)
    first = shown.verdicts[0]
    click.echo(
        f"By ruleset {safe(first.ruleset)}, reference {safe(first.reference[:12])}. `probe explain RULE` prints a rule."
    )
    if shown.others:
        click.echo(
            f"Also judged by: {', '.join(safe(ruleset + ' with ' + ref[:12]) for ruleset, ref in shown.others)}."
        )


def _witness(row: VerdictRow, shown: Shown) -> str:
    """`#3 #7` for facts of this measurement, `control #2` for others."""
    own = shown.measurement.measurement_id
    pairs = [pair.rpartition(":") for pair in row.witness.split()]
    return " ".join(f"#{seq}" if name == own else f"control#{seq}" for name, _, seq in pairs)


def _shown_object(shown: Shown) -> dict[str, Any]:
    return {
        "measurement": encode(shown.measurement),
        "vantage": encode(shown.vantage) if shown.vantage else None,
        "facts": [_fact_object(o) for o in shown.facts],
        "controls": [
            {"measurement": encode(m), "facts": [_fact_object(o) for o in facts]} for m, facts in shown.controls
        ],
        "verdicts": [verdict_object(row) for row in shown.verdicts],
        "also_judged_by": [{"ruleset": ruleset, "reference": ref} for ruleset, ref in shown.others],
    }


def _fact_object(o: Observation) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(fact_line(row_of(o)))
    return {**value, "step": step_of(o), "words": outcome_of(o)}
