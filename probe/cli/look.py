"""`probe list`, `probe show`, `probe explain`: reading what was measured, and the words it is told in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from probe.app.explain import Explained, every_word
from probe.app.explain import explain as explain_word
from probe.app.look import (
    HEADLINE,
    Found,
    RunLine,
    Shown,
    VerdictRow,
    found_in,
    looking,
    runs,
    verdict_object,
    whole_id,
)
from probe.app.look import show as show_measurement
from probe.app.timeline import Line, only_at, outcome_of, step_of, timeline
from probe.cli.progress import SIGNS
from probe.cli.text import columns, console, is_rich, safe
from probe.model.observation import Observation
from probe.model.vantage import Vantage
from probe.wire.codec import encode
from probe.wire.facts import fact_line, row_of

DB = click.option("--db", type=click.Path(path_type=Path), help="Result database (default: under PROBE_HOME).")
SHORT = 8


@click.command("list")
@click.argument("run_id", required=False, metavar="[RUN]")
@DB
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(run_id: str | None, db: Path | None, as_json: bool) -> None:
    """Runs, the newest first; with RUN, what that run found.

    An id may be abbreviated to its first digits, 4 or more.

    \b
    Examples:
      probe list
      probe list 3fa9 --json
    """
    with looking(db) as store:
        if run_id is None:
            _runs(runs(store), as_json)
        else:
            _found(found_in(store, whole_id(store, "run", run_id)), as_json)


def _runs(lines: list[RunLine], as_json: bool) -> None:
    if as_json:
        for line in lines:
            vantage = encode(line.vantage) if line.vantage else None
            _say_json(
                {**encode(line.run), "vantage": vantage, "targets": line.targets, "outcomes": dict(line.outcomes)}
            )
        return
    if not lines:
        click.echo("No runs in this database.", err=True)
        return
    head = ("run", "started", "where", "targets", "outcomes")
    _table(
        head,
        ((r.run.run_id[:SHORT], _time(r.run.started_at), where(r.vantage), str(r.targets), _counts(r)) for r in lines),
    )


def _counts(line: RunLine) -> str:
    return ", ".join(f"{number} {word}" for word, number in line.outcomes)


def _found(found: list[Found], as_json: bool) -> None:
    if as_json:
        for one in found:
            _say_json({**encode(one.measurement), "headline": verdict_object(one.headline) if one.headline else None})
        return
    head = ("measurement", "outcome", "how", "url")
    _table(
        head,
        ((f.measurement.measurement_id[:SHORT], _sign(f.headline), _how(f.headline), f.measurement.url) for f in found),
    )


def _sign(row: VerdictRow | None) -> str:
    if row is None:
        return "  not judged"
    return f"{SIGNS.get(row.outcome, (' ', ''))[0]} {row.outcome}"


def _how(row: VerdictRow | None) -> str:
    return "" if row is None else row.technique or row.reason or ""


@click.command()
@click.argument("measurement_id", metavar="ID")
@DB
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(measurement_id: str, db: Path | None, as_json: bool) -> None:
    """One measurement: its verdict and every fact behind it, beside the control's.

    ID may be abbreviated to its first digits, 4 or more; `probe list RUN` prints them.

    \b
    Examples:
      probe show 9c41d0aa
      probe show 9c41 --db results/demo.db --json
    """
    with looking(db) as store:
        shown = show_measurement(store, whole_id(store, "measurement", measurement_id))
    if as_json:
        _say_json(_shown_object(shown))
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
    yield f"measurement {m.measurement_id}, {_time(m.started_at)}, {where(shown.vantage)}"
    for control, _ in shown.controls:
        yield f"control     {safe(control.measurement_id)}, {_time(control.started_at)}"
    if not shown.controls:
        yield "control     none"
    if head is not None:
        yield f"\n{_sign(head)}{'  [' + safe(_how(head)) + ']' if _how(head) else ''}"
        yield f"  {safe(head.explanation)}"
    yield "\nFacts"


def _timeline(lines: list[Line], with_control: bool) -> None:
    """A block a fact for eyes on a terminal, which is seldom wide enough; a line a fact where output is piped."""
    if is_rich():
        for line in lines:
            console().print(_block(line), soft_wrap=True)
        return
    head = ["fact", "at ms", "took ms", "step", "here", *(["control"] if with_control else [])]
    rows = []
    for line in lines:
        row = [f"#{line.seq}", str(line.at_ms), f"{line.took_ms:.1f}", line.step, line.here]
        rows.append([*row, line.control or "-"] if with_control else row)
    _table(head, rows)


def _block(line: Line) -> Text:
    text = Text(f"{'#' + str(line.seq):<5}", style="dim")
    text.append(safe(line.step), style="bold not dim")
    text.append(f"  at {line.at_ms} ms, took {line.took_ms:.1f} ms\n")
    text.append(f"     here     {safe(line.here)}", style="red not dim" if line.failed else "not dim")
    if line.control:
        text.append(
            f"\n     control  {'the same' if line.control == line.here else safe(line.control)}", style="not dim"
        )
    return text


def _verdicts(shown: Shown) -> None:
    if not shown.verdicts:
        click.echo("\nNot judged: `probe judge` derives verdicts from facts.")
        return
    click.echo("\nVerdicts")
    layers = [row for row in shown.verdicts if row.layer != HEADLINE]
    rows = ((row.layer, _sign(row), _how(row), row.rule_id, _witness(row, shown)) for row in layers)
    _table(("layer", "outcome", "how", "rule", "facts behind it"), rows)
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


@click.command()
@click.argument("word", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a meaning.")
def explain(word: str | None, as_json: bool) -> None:
    """What WORD means: a rule, outcome, reason, failure, technique, layer, kind or category. Without WORD, all.

    \b
    Examples:
      probe explain TLS-020
      probe explain likely_blocked
      probe explain connection_reset
    """
    found = list(every_word()) if word is None else explain_word(word)
    if as_json:
        for one in found:
            _say_json({"word": one.word, "sort": one.sort, "meaning": one.meaning, **one.value})
    elif word is None:
        _table(("word", "sort", "meaning"), ((one.word, one.sort, one.meaning) for one in found))
    else:
        for one in found:
            _explained(one)


def _explained(one: Explained) -> None:
    click.echo(f"{one.word} ({one.sort})\n  {one.meaning}")
    for line in columns([(f"  {label}", text) for label, text in one.lines]):
        click.echo(line)


def where(vantage: Vantage | None) -> str:
    """A vantage point in a few words."""
    if vantage is None:
        return "from an unknown place"
    parts = [vantage.cc, f"AS{vantage.asn}" if vantage.asn else "", vantage.place, vantage.access]
    return safe(" ".join(part for part in parts if part)) or "place not told"


def _time(text: str) -> str:
    return safe(text[:19].replace("T", " ") + " UTC")


def _say_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=True))


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """A table for eyes on a terminal; aligned lines where output is piped. Every cell is made safe."""
    names = list(head)
    cells = [[safe(cell) for cell in row] for row in rows]
    if not is_rich():
        for line in columns([names, *cells]):
            click.echo(line)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)
