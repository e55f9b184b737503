"""Write the pages that are made from code: `python -m tests.tools.render_docs`; `--check` writes nothing and exits with
1 when a page is stale. docs/rules.md has a tool of its own.
"""

from __future__ import annotations

import dataclasses
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from probe.app.explain import FAULT
from probe.app.explore import QUERIES
from probe.cli import HELP, root
from probe.model.failure import FAILURES
from probe.model.kinds import KINDS, Icmp, PageFeatures, PageMet, Record, TcpInfo
from probe.store.schema import FACT_TABLES, SCHEMA_VERSION, TABLES, VIEWS
from tests.tools.man import man_page

FOLDER = Path(__file__).resolve().parents[2] / "docs"
MADE = "<!-- Made by `make docs` from {source}; do not edit. -->\n"
Lines = Iterator[str]


def database() -> Lines:
    """docs/database.md."""
    yield "# The database\n"
    yield MADE.format(source="probe/store/schema.py")
    facts = ", ".join(f"`{table.name}`" for table in FACT_TABLES)
    yield (
        "One SQLite file, the same schema for probe, helper, collector and merge; usable with `sqlite3`, Datasette or\n"
        "pandas without our code. `SELECT * FROM about` tells this page from inside the file. `PRAGMA user_version` is "
        f"{SCHEMA_VERSION}:\nnewer versions read every older file, older ones refuse a newer file.\n"
    )
    yield (
        f"**Facts** ({facts}) refuse UPDATE and DELETE by trigger, whoever asks. **Opinions** are derived\n"
        "from them and can be derived again: `probe judge`. **Ledgers** are our own bookkeeping.\n"
    )
    for table in TABLES:
        yield f"## {table.name}\n"
        yield f"{table.shelf.capitalize()}: {table.meaning}. Key: {_code(', '.join(table.key))}.\n"
        rows = ((_code(c.name), c.type, "yes" if c.null else "", c.meaning) for c in table.columns)
        yield from _table(("column", "type", "may be null", "meaning"), rows)
    yield "## Views\n"
    yield "The envelope of an observation beside named fields of its kind's JSON.\n"
    yield from _table(
        ("view", "kind", "fields"), ((_code(name), _code(kind), _codes(fields)) for name, kind, fields in VIEWS)
    )
    yield "## Questions\n"
    yield (
        "Plain `sqlite3 results.db` answers them, `probe explore` has them ready to click, and a test runs each one.\n"
        "The file is in WAL mode: reading while a run goes on is fine.\n"
    )
    for query in QUERIES:
        yield f"{query.asks}:\n"
        yield "".join(f"    {line}\n" for line in query.sql.splitlines())


def kinds() -> Lines:
    """docs/kinds.md."""
    yield "# Kinds of observations\n"
    yield MADE.format(source="probe/model/kinds/")
    yield (
        "An observation is one operation and what happened: an envelope (see [database](database.md#observation))\n"
        "and a JSON detail by kind. A field that holds its default is left out. Kinds grow by optional fields only; a\n"
        "changed meaning is a new kind, and kinds that a version does not know are kept as they came.\n"
    )
    for cls in KINDS:
        yield f"## {cls.kind}\n"
        yield from _fields(cls)
    yield "## Parts\n"
    for cls in (Record, TcpInfo, Icmp, PageFeatures, PageMet):
        yield f"### {cls.__name__}\n"
        yield from _fields(cls)


def failures() -> Lines:
    """docs/failures.md."""
    yield "# Failure words\n"
    yield MADE.format(source="probe/model/failure.py")
    yield (
        "What an operation met, in the words of OONI's df-007 and the few that the field's tools added. A word is\n"
        "no verdict. `raw` in the detail keeps the exact origin: errno, TLS alert, rcode. A fault of this machine is\n"
        "never evidence about a target.\n"
    )
    yield from _table(
        ("word", "may be due to", "meaning"), ((_code(row.word), FAULT[row.fault], row.meaning) for row in FAILURES)
    )


def commands() -> Lines:
    """docs/commands.md: the help of every command, as it prints it."""
    import click

    yield "# Commands\n"
    yield MADE.format(source="probe/cli")
    yield (
        "Data goes to stdout, talk to stderr; every command that tells something takes `--json`. Exit codes: 0\n"
        "done (whatever was found), 1 some of the work could not be done, 2 wrong usage, 3 consent missing,\n"
        "130 interrupted.\n"
    )
    for path, command in every_command():
        yield f"## {path}\n"
        context = click.Context(
            command, info_name=path, terminal_width=100, max_content_width=100, help_option_names=[*HELP]
        )
        text = command.get_help(context)
        yield "\n".join(f"    {line}".rstrip() for line in text.splitlines()) + "\n"


def every_command() -> Iterator[tuple[str, Any]]:
    """(path, click command) of every command, groups before what is in them."""
    import click

    assert isinstance(root, click.Group)
    yield from _commands(root, "probe")


def _commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    import click

    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")


def _fields(cls: type[Any]) -> Lines:
    yield " ".join((cls.__doc__ or "").split()) + "\n"
    hints = get_type_hints(cls)
    yield from _table(
        ("field", "type", "default"),
        ((_code(f.name), type_name(hints[f.name]), _default(f)) for f in dataclasses.fields(cls)),
    )


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return "(always there)"
    return {None: "null", True: "true", False: "false", "": '""', (): "[]"}.get(field.default, str(field.default))


def type_name(hint: Any) -> str:
    """A type in JSON's words: `text`, `number`, `list of Record`, `text or null`."""
    plain = {str: "text", int: "number", bool: "true or false", type(None): "null"}
    if hint in plain:
        return plain[hint]
    args = get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(type_name(arg) for arg in args)
    if get_origin(hint) is tuple:
        inner = type_name(args[0]) if args[-1] is Ellipsis else "[" + ", ".join(map(type_name, args)) + "]"
        return f"list of {inner}" if args[-1] is Ellipsis else inner
    return str(hint.__name__)


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Lines:
    lines = [head, tuple("---" for _ in head), *rows]
    yield "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines) + "\n"


def _code(text: str) -> str:
    return f"`{text}`"


def _codes(names: tuple[str, ...]) -> str:
    return ", ".join(map(_code, names))


PAGES: dict[str, Callable[[], Lines]] = {
    "probe.1": lambda: man_page(every_command()),
    "commands.md": commands,
    "database.md": database,
    "failures.md": failures,
    "kinds.md": kinds,
}


def stale() -> list[str]:
    """Pages that are missing or differ from what the code says."""
    return [
        n for n, page in PAGES.items() if not (FOLDER / n).exists() or (FOLDER / n).read_text("utf-8") != _text(page)
    ]


def _text(page: Callable[[], Lines]) -> str:
    return "\n".join(page())


def main(arguments: list[str]) -> int:
    """0 when all is written (or, with --check, was up to date)."""
    if "--check" in arguments:
        sys.stderr.writelines(f"stale: docs/{name}; run `make docs`\n" for name in stale())
        return 1 if stale() else 0
    for name, page in PAGES.items():
        (FOLDER / name).write_text(_text(page), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
