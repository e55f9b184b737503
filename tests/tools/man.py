"""A manual page from click's commands, in man(7)'s macros: one page for the program, a section for each command."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any

import click

from probe import __version__
from probe.app.doctor import CLOCK_FROM
from probe.cli import HELP, root

_EXIT = (
    ("0", "done, whatever was found"),
    ("1", "some of the work could not be done"),
    ("2", "wrong usage"),
    ("3", "consent missing"),
    ("130", "interrupted; every fact so far is kept"),
)
_ENVIRONMENT = (
    ("PROBE_HOME", "where database, consent, keys and deny list are kept"),
    ("PROBE_CONSENT", "yes agrees to measuring, for unattended use"),
    ("NO_COLOR", "no colour, and calm lines instead of a live view"),
    ("SSL_CERT_FILE", "more trusted roots (PEM)"),
)
_FILES = (
    ("results.db", "the facts of your runs, one SQLite file, under PROBE_HOME unless --db says otherwise"),
    ("deny.txt", "names never to contact, under PROBE_HOME"),
)


def man_page(commands: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """The page's lines."""
    yield '.\\" Made by `make docs` from probe/cli; do not edit.'
    yield f'.TH PROBE 1 "{CLOCK_FROM}" "vantage-probe {__version__}" "User Commands"'
    yield ".SH NAME\nprobe \\- measure whether, how and where websites are blocked"
    yield ".SH SYNOPSIS\n.B probe\n.I command\n.RI [ options ]"
    yield ".SH DESCRIPTION"
    yield from _paragraphs(root.help or "")
    yield ".SH COMMANDS"
    for path, command in commands:
        yield from _command(path, command)
    yield from _list("EXIT STATUS", _EXIT)
    yield from _list("ENVIRONMENT", _ENVIRONMENT)
    yield from _list("FILES", _FILES)
    yield ".SH SEE ALSO\n.BR sqlite3 (1),\n.BR systemd.timer (5),\n.BR crontab (5)\n"


def _list(title: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield f".SH {title}"
    for name, meaning in rows:
        yield f".TP\n.B {roff(name)}\n{roff(meaning)}"


def _command(path: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=path, help_option_names=[*HELP])
    yield f".SS {roff(path)} {roff(' '.join(command.collect_usage_pieces(context)))}"
    yield from _paragraphs(command.help or "")
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and "--help" not in record[0]:
            yield f".TP\n.B {roff(record[0])}\n{roff(record[1])}"


def _paragraphs(text: str) -> Iterator[str]:
    """click's paragraphs: those that begin with a backspace keep their lines."""
    for number, part in enumerate(re.split(r"\n\s*\n", inspect.cleandoc(text))):
        lines = part.strip("\n").splitlines()
        # Right after a heading man(7) has begun a paragraph already.
        break_line = ".PP\n" if number else ""
        if lines and lines[0].strip() == "\b":
            yield f"{break_line}.nf\n" + "\n".join(roff(line) for line in lines[1:]) + "\n.fi"
        elif part.strip():
            yield f"{break_line}{roff(' '.join(line.strip() for line in lines))}"


def roff(text: str) -> str:
    """Text that roff reads back as it is: backslashes and hyphens escaped, no line taken for a macro."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped
