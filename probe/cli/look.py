"""`probe list`, `probe show`, `probe explain`: reading what was measured, and the words it is told in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from probe.app.diff import resumes
from probe.app.explain import Explained, every_word
from probe.app.explain import explain as explain_word
from probe.app.look import (
    Found,
    RunLine,
    VerdictRow,
    found_in,
    looking,
    runs,
    verdict_object,
    whole_id,
)
from probe.cli.progress import SIGNS
from probe.cli.text import columns, console, is_rich, safe
from probe.model.vantage import Vantage
from probe.wire.codec import encode

DB = click.option("--db", type=click.Path(path_type=Path), help="Result database (default: under PROBE_HOME).")
SHORT = 8
# Below this many columns a table is all folds.
NARROW = 60


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
            say_json({**encode(line.run), "vantage": vantage, "targets": line.targets, "outcomes": dict(line.outcomes)})
        return
    if not lines:
        click.echo("No runs in this database.", err=True)
        return
    head = ("run", "started", "where", "targets", "outcomes")
    table(
        head,
        (
            (r.run.run_id[:SHORT], time_text(r.run.started_at), where(r.vantage), str(r.targets), _counts(r))
            for r in lines
        ),
    )


def _counts(line: RunLine) -> str:
    before = resumes(line.run)
    return ", ".join(f"{number} {word}" for word, number in line.outcomes) + (
        f" (goes on from {before[:SHORT]})" if before else ""
    )


def _found(found: list[Found], as_json: bool) -> None:
    if as_json:
        for one in found:
            say_json({**encode(one.measurement), "headline": verdict_object(one.headline) if one.headline else None})
        return
    head = ("measurement", "outcome", "how", "url")
    table(
        head,
        ((f.measurement.measurement_id[:SHORT], sign(f.headline), how(f.headline), f.measurement.url) for f in found),
    )


def sign(row: VerdictRow | None) -> str:
    """An outcome's sign and word."""
    if row is None:
        return "  not judged"
    return f"{SIGNS.get(row.outcome, (' ', ''))[0]} {row.outcome}"


def how(row: VerdictRow | None) -> str:
    """Its techniques, or the reason why it cannot be said."""
    return "" if row is None else row.technique or row.reason or ""


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
            say_json({"word": one.word, "sort": one.sort, "meaning": one.meaning, **one.value})
    elif word is None:
        table(("word", "sort", "meaning"), ((one.word, one.sort, one.meaning) for one in found))
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


def time_text(text: str) -> str:
    """A stored time for eyes."""
    return safe(text[:19].replace("T", " ") + " UTC")


def say_json(value: object) -> None:
    """One JSON value as a line."""
    click.echo(json.dumps(value, ensure_ascii=True))


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """A table for eyes on a terminal, a block a row where that is narrow; aligned lines where output is piped. Every
    cell is made safe."""
    names = list(head)
    cells = [[safe(cell) for cell in row] for row in rows]
    if not is_rich():
        for line in columns([names, *cells]):
            click.echo(line)
        return
    screen = console()
    if screen.width < NARROW:
        for row in cells:
            screen.print(_block(names, row))
        return
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        grid.add_column(name, overflow="fold")
    for row in cells:
        grid.add_row(*(Text(cell) for cell in row))
    screen.print(grid)


def _block(names: list[str], row: list[str]) -> Text:
    """The first cell, and the others below it with their names."""
    text = Text(row[0], style="bold")
    for name, cell in zip(names[1:], row[1:], strict=True):
        if cell:
            text.append(f"\n  {name}  ", style="dim not bold")
            text.append(cell, style="not bold")
    return text
