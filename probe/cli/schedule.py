"""`probe schedule`: measure on a schedule, with the timer that this system has."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from probe.app.consent import how_to, read_consent
from probe.app.schedule.install import KINDS, Kind, best_kind, install, remove, status, text_of
from probe.app.schedule.job import EVERY, Job, make_job
from probe.cli import HELP
from probe.cli.params import duration
from probe.cli.run import run as run_command
from probe.cli.text import safe
from probe.model.errors import ConsentError

USING = click.option("--using", type=click.Choice(KINDS), help="Timer to use.  [default: what this system has]")
EVERY_OPTION = click.option(
    "--every", type=click.Choice(tuple(EVERY)), default="day", show_default=True, help="How often."
)
JITTER = click.option("--jitter", callback=duration, metavar="TIME", help="Spread each start by up to this.")
OPTIONS = click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[-- RUN OPTIONS]")


@click.group()
def schedule() -> None:
    """Measure on a schedule, with the system's own timer: systemd, cron, launchd or the Task Scheduler.

    No privilege is needed. Every start is spread by chance, two runs never overlap, and a scheduled run says something
    only when something is new. A withdrawn consent stops it.

    \b
    Examples:
      probe schedule install --every day -- --list pk --country PK --max-data 20M
      probe schedule status
      probe schedule remove
    """


@schedule.command("install")
@EVERY_OPTION
@JITTER
@USING
@OPTIONS
def install_(every: str, jitter: float, using: Kind | None, options: tuple[str, ...]) -> None:
    """Set the timer up, in place of an earlier one. What stands after `--` are options of `probe run`.

    \b
    Example:
      probe schedule install --every 6h -- --list my-list.csv --max-rate 50k
    """
    given = read_consent()
    if given is None or not given.current:
        raise ConsentError(f"a timer cannot ask: {how_to()}")
    kind = using or best_kind()
    install(kind, _job(every, jitter, options))
    click.echo(
        f"Installed with {kind}. See it with `probe schedule status`, end it with `probe schedule remove`.", err=True
    )


@schedule.command("show")
@EVERY_OPTION
@JITTER
@USING
@OPTIONS
def show(every: str, jitter: float, using: Kind | None, options: tuple[str, ...]) -> None:
    """Print what would be set up, and touch nothing.

    \b
    Example:
      probe schedule show --using cron
    """
    click.echo(text_of(using or best_kind(), _job(every, jitter, options)), nl=False)


@schedule.command("status")
@USING
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def status_(using: Kind | None, as_json: bool) -> None:
    """Tell whether a schedule is set up, and what the system knows of it."""
    found = status(using or best_kind())
    if as_json:
        click.echo(json.dumps(asdict(found)))
        return
    click.echo(f"{'Installed' if found.installed else 'Nothing is installed'} ({found.kind}).")
    for line in found.words.splitlines() if found.installed else ():
        click.echo(f"  {safe(line)}")


@schedule.command("remove")
@USING
def remove_(using: Kind | None) -> None:
    """Take the timer away. What was measured stays."""
    kind = using or best_kind()
    click.echo("Removed." if remove(kind) else f"Nothing was installed with {kind}.", err=True)


def _job(every: str, jitter: float, options: tuple[str, ...]) -> Job:
    # The words are read as `probe run` will read them, so that a slip shows now and not at night.
    run_command.make_context("run", list(options), help_option_names=[*HELP])
    return make_job(options, every, jitter_s=int(jitter) or None)
