"""Facts between databases: `merge`, `facts`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import click

from probe.app.home import default_db
from probe.model.errors import BundleError
from probe.store.foreign import read_foreign
from probe.store.sqlite import Store
from probe.store.union import Added, Source, add_rows, every_fact
from probe.store.union import merge as merge_databases
from probe.wire.facts import Row, fact_line, parse_fact

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT = click.Path(dir_okay=False, path_type=Path)
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON lines on stdout.")
# One line of `probe facts import`; a blob of 4 MiB in base64 fits.
_LINE = 6 * 1024 * 1024


def _say(line: str) -> None:
    click.echo(line, err=True)


# ---- merge ----


@click.command()
@click.argument("databases", nargs=-1, required=True, type=_FILE, metavar="DB...")
@click.option("-o", "--out", required=True, type=_OUT, metavar="FILE", help="The new database; must not exist.")
@_JSON
def merge(databases: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """The union of databases, as a new one. Order and repetition do not matter.

    Each file is read by a locked-down process, so files of strangers may be given. Rows that contradict each other go
    to the table `quarantine`, except the one with the smallest digest. Verdicts are not merged: `probe judge` makes
    them again.

    \b
    Example:
      probe merge lahore.db karachi.db collector.db -o all.db && probe judge all.db && probe report all.db
    """
    sources: list[Source] = [(path.name, _reading(path)) for path in databases]
    added = merge_databases(sources, out)
    _tell_added(out, added, as_json)
    if not as_json and added.quarantined:
        _say(f"{added.quarantined} rows contradict others; see the table quarantine")


def _reading(path: Path) -> Any:
    return lambda: read_foreign(path, with_ledger=True)


def _tell_added(path: Path, added: Added, as_json: bool) -> None:
    value = {"database": str(path), "taken": added.taken, "known": added.known, "quarantined": added.quarantined}
    text = f"{path}: {added.taken} facts new, {added.known} known, {added.quarantined} quarantined"
    click.echo(json.dumps(value) if as_json else text)


# ---- facts ----


@click.group()
def facts() -> None:
    """Facts as documented JSON lines (docs/schema/fact.schema.json), out of a database and into one."""


@facts.command("export")
@click.argument("db", required=False, type=_FILE)
@click.option("--no-blobs", is_flag=True, help="Leave out page bodies, certificates and DNS messages.")
def export_(db: Path | None, no_blobs: bool) -> None:
    """Every fact of DB as a JSON line on stdout.

    \b
    Example:
      probe facts export results.db --no-blobs | jq 'select(.kind == "tls.handshake")'
    """
    with Store.open(db or default_db(), create=False, writable=False) as store:
        for row in every_fact(store, blobs=not no_blobs):
            click.echo(fact_line(row))


@facts.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--db", required=True, type=_OUT, metavar="FILE", help="Database to add to; made if it is missing.")
@_JSON
def import_(file: Any, db: Path, as_json: bool) -> None:
    """Add the facts in FILE (`-`: stdin), checked line by line; all of them or none.

    \b
    Example:
      probe facts export old.db | probe facts import - --db new.db
    """
    name = Path(str(getattr(file, "name", "stdin"))).name
    with Store.open(db) as store:
        added = add_rows(store, _parsed(file), name, trusted=True)
    _tell_added(db, added, as_json)


def _parsed(file: Any) -> Iterator[Row]:
    number = 0
    while line := cast(bytes, file.readline(_LINE + 1)):
        number += 1
        try:
            if len(line) > _LINE:
                raise BundleError("too long")
            yield parse_fact(line)
        except BundleError as error:
            raise BundleError(f"line {number}: {error}") from None
