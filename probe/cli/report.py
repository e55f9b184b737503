"""`probe report`: judged databases to a blocking report. Options in, files out."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import click

import probe
from probe.app.home import default_db
from probe.app.report import make_report
from probe.cli.language import language_option
from probe.model.errors import UsageError
from probe.report.build import Wish
from probe.report.formats import FORMATS, render, render_json, write_files
from probe.warehouse.cells import FLOOR
from probe.warehouse.networks import seed_tables

_SUFFIX = {".html": "html", ".htm": "html", ".md": "md", ".json": "json"}
_TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?Z)?")


@click.command("report")
@click.argument("databases", nargs=-1, metavar="[DB|DIR]...", type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Directory or file.  [default: results/report]")
@click.option("--format", "form", type=click.Choice(FORMATS), help="What to write.  [default: as -o is named, or all]")
@click.option("--since", default="", metavar="TIME", help="Only measurements from this UTC time on.")
@click.option("--until", default="", metavar="TIME", help="Only measurements before this UTC time.")
@click.option("--title", default="", help="Title of the report.  [default: Blocking report]")
@click.option(
    "--bin", "span", type=click.Choice(("hour", "day")), default="hour", show_default=True, help="Length of cells."
)
@click.option("--floor", type=click.IntRange(1), default=FLOOR, show_default=True, help="Vantage points a state needs.")
@click.option("--networks", multiple=True, type=click.Path(exists=True, path_type=Path), help="CSV naming networks.")
@click.option("--now", default="", metavar="TIME", help="Time of the report; equal inputs and times give equal bytes.")
@click.option("--json", "as_json", is_flag=True, help="Print report.json; write files only if -o is given.")
@language_option
def report(
    databases: tuple[Path, ...],
    output: Path | None,
    form: str | None,
    since: str,
    until: str,
    title: str,
    span: str,
    floor: int,
    networks: tuple[Path, ...],
    now: str,
    as_json: bool,
) -> None:
    """Write a blocking report from databases, or from directories of *.db.

    Without any, the report is of your own runs: of the database that `probe run` writes.

    Verdicts are taken as they lie in the databases: the ruleset greatest in text order. Databases with measurements
    nobody has judged yet (collected and merged ones) are judged in a copy; the files themselves are not touched.

    \b
    Examples:
      probe report
      probe report results.db
      probe report collected/ -o report/ --since 2026-11-01
      probe report all.db --json > report.json
      probe report all.db --lang ur -o report-ur.html
    """
    made = make_report(databases or (_own(),), _wish(title, since, until, now), networks or seed_tables(), span, floor)
    if as_json:
        click.echo(render_json(made), nl=False)
    if output or not as_json:
        where = output or Path("results") / "report"
        for path in write_files(render(made, form or _SUFFIX.get(where.suffix, "all")), where):
            click.echo(f"wrote {path}", err=True)
    broken = [one for one in made.inputs if one.error]
    for one in broken:
        click.echo(f"not read: {one.error}", err=True)
    if not as_json:
        click.echo(made.summary.sentence)
    if made.summary.not_judged:
        click.echo(f"{made.summary.not_judged} measurements are not judged; run `probe judge` first", err=True)
    if broken:
        raise click.exceptions.Exit(1)


def _own() -> Path:
    path = default_db()
    if not path.exists():
        raise UsageError(f"no runs of yours at {path}: measure first (probe run), or name a database")
    return path


def _wish(title: str, since: str, until: str, now: str) -> Wish:
    at = _time(now) or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    # Without its Z, a bound to the minute sorts before every time within that minute.
    return Wish(at, title, _time(since).rstrip("Z"), _time(until).rstrip("Z"), probe.__version__)


def _time(text: str) -> str:
    """A bound as it compares with stored times. Raises UsageError for what is no UTC time."""
    if text and not _TIME.fullmatch(text):
        raise UsageError(f"{text!r} is no UTC time; write 2024-11-29 or 2024-11-29T18:00Z")
    return text
