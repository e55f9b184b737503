"""The door: click commands, thin. Data on stdout, talk on stderr; errors are one line and one exit code.

Exit codes (CONTRACT section 3): 0 done, 1 some work could not be done, 2 wrong usage, 3 consent missing, 130
interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator

import click

from probe import __version__
from probe.cli.language import language_option
from probe.inputs.language import line
from probe.model.errors import ProbeError

# Every command and where it lives; modules are imported only when asked for, so that `probe --help` stays quick.
COMMANDS: tuple[tuple[str, str, str], ...] = (
    ("demo", "probe.cli.demo:demo", "A small censored internet on loopback: measured, stored, reported."),
    ("run", "probe.cli.run:run", "Measure URLs or lists."),
    ("list", "probe.cli.look:list_", "Runs, and what each found."),
    ("show", "probe.cli.show:show", "One measurement with its evidence."),
    ("diff", "probe.cli.diff:diff", "What changed between two runs."),
    ("explain", "probe.cli.look:explain", "What a rule, outcome, technique or failure word means."),
    ("explore", "probe.cli.explore:explore", "Open a database in Datasette (extra `explore`)."),
    ("judge", "probe.cli.judge:judge", "Derive the verdicts of a database again from its facts."),
    ("report", "probe.cli.report:report", "The blocking report of one or many databases."),
    ("bundle", "probe.cli.send:bundle", "Cut what has not been sent yet, and preview it."),
    ("send", "probe.cli.send:send", "Send a bundle or database to a collector."),
    ("receipts", "probe.cli.send:receipts", "What collectors acknowledged."),
    ("merge", "probe.cli.exchange:merge", "The union of databases."),
    ("facts", "probe.cli.exchange:facts", "Facts as JSON lines, out and in."),
    ("helper", "probe.cli.helper:helper", "Serve a control vantage point."),
    ("collector", "probe.cli.collector:collector", "Take bundles and databases in."),
    ("targets", "probe.cli.targets:targets", "The lists of what can be measured."),
    ("candidates", "probe.cli.candidates:candidates", "Unknown pages in the place of several sites."),
    ("schedule", "probe.cli.schedule:schedule", "Measure on a schedule, with the system's own timer."),
    ("forget", "probe.cli.forget:forget", "Delete a run, a target or everything from this machine."),
    ("campaign", "probe.cli.campaign:campaign", "Dossiers of incidents: read, agree, write and sign them."),
    ("consent", "probe.cli.consent:consent", "What you agree to before anything is measured."),
    ("doctor", "probe.cli.doctor:doctor", "What is wrong here, in words, and what to do."),
    ("completion", "probe.cli.completion:completion", "Completion for bash, zsh or fish."),
)

# click keeps a command's help option from its first context on, so every context of ours names the same.
HELP = ("-h", "--help")


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, _, _ in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for name, where, _ in COMMANDS:
            if name == cmd_name:
                module, attribute = where.split(":")
                command: click.Command = getattr(importlib.import_module(module), attribute)
                return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, _, short in COMMANDS])


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": [*HELP], "max_content_width": 100},
    epilog="Try `probe demo` first: it needs no network and sends nothing.",
)
@click.version_option(__version__, prog_name="probe")
@language_option
def root() -> None:
    """Measure whether, how and where websites are blocked.

    Nothing touches the network before you have agreed (probe consent), and nothing is sent to anybody unless you say
    so (probe send).
    """


def main() -> None:
    """The console script: runs a command and turns what it raises into one line and an exit code."""
    try:
        # Outside its standalone mode click gives the code of `ctx.exit` back instead of raising it.
        code = root(standalone_mode=False, prog_name="probe")
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(2 if isinstance(error, click.UsageError) else error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe has gone; point stdout elsewhere, so that the interpreter's last flush does not fail too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except BaseException as error:
        known = next(our_errors(error), None)
        if known is None:
            raise
        click.echo(f"probe: {line(str(known))}", err=True)
        sys.exit(known.exit_code)


def our_errors(error: BaseException) -> Iterator[ProbeError]:
    """The errors of ours inside an exception, which a nursery may have wrapped in groups."""
    if isinstance(error, ProbeError):
        yield error
    elif isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from our_errors(inner)
