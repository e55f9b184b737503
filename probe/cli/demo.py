"""`probe demo`: see it work before trusting it with a real line."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path

import click
import trio
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

import probe
from probe.app.demo.show import Shown, show
from probe.app.report import make_report
from probe.cli.progress import SIGNS, watcher_for
from probe.report.build import Wish
from probe.report.formats import render, write_files


@click.command()
@click.option(
    "-o", "--output", default="results", type=click.Path(path_type=Path), help="Folder for database and report."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per site, as `probe run --json` prints.")
def demo(output: Path, as_json: bool) -> None:
    """Measure a small internet on loopback that is censored on purpose.

    Two dozen sites on 127.0.0.0/8, real DNS, TLS and HTTP: some fine, some censored in different ways, some merely
    broken, and a control helper that sees the truth. The same code as `probe run`; no root, no network, nothing
    leaves this machine.

    \b
    Examples:
      probe demo
      probe demo -o /tmp/demo --json
    """
    output.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    watch = partial(watcher_for, as_json=as_json, lines=as_json)
    seen = trio.run(show, output, watch)
    shown = [
        Shown(p, j.outcome, j.layer, j.techniques, j.explanation)
        for p in seen.world.places
        if (j := seen.watcher.judged.get(p.url)) is not None
    ]
    prepared, outcome = seen.prepared, seen.outcome
    report = make_report([prepared.db], Wish(_now(), "Demo: a small censored internet", "", "", probe.__version__))
    paths = write_files(render(report, "all"), output / "demo-report")
    if as_json:
        right = sum(s.right for s in shown)
        click.echo(json.dumps({"sites": len(shown), "as_expected": right, "database": str(prepared.db)}), err=True)
    else:
        _tell(shown, prepared.db, paths, time.monotonic() - began)
    if outcome.interrupted:
        raise click.exceptions.Exit(130)
    if not all(s.right for s in shown):
        raise click.exceptions.Exit(1)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _tell(shown: list[Shown], db: Path, paths: tuple[Path, ...], took_s: float) -> None:
    console = Console(highlight=False)
    for s in shown:
        sign, style = SIGNS[s.outcome]
        line = Text(f"{sign} {s.outcome:<15}", style=style)
        line.append(f"{s.place.site.name:<20}", style="bold")
        line.append(f"{' '.join(s.techniques):<26}")
        line.append("as expected" if s.right else "NOT as expected", style="dim" if s.right else "bold red")
        console.print(line, soft_wrap=True)
        console.print(Padding(Text(f"done:   {s.place.told}"), (0, 0, 0, 4)))
        console.print(Padding(Text(f"found:  {s.explanation}"), (0, 0, 0, 4)))
    right = sum(s.right for s in shown)
    page = next((p for p in paths if p.suffix == ".html"), paths[0])
    console.print(f"\n{right} of {len(shown)} sites judged as expected, in {took_s:.0f} s.")
    console.print(f"Report:   {page}   (open it in a browser; it asks nothing of any network)", soft_wrap=True)
    console.print(f"Facts:    {db}   (sqlite3 {db} 'SELECT * FROM about')", soft_wrap=True)
    console.print(f"Next:     probe list --db {db}   |   probe run https://example.org", soft_wrap=True)
