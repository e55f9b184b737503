"""Facts on the move: `bundle`, `send`, `receipts`, `merge`, `facts`. (`collector` is in `probe.cli.collector`.)"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import click
import trio

from probe.app.home import default_db
from probe.app.own import local_scrubber
from probe.app.send import Delivered, Sender, seal_all
from probe.app.upload import collector_url, http_client
from probe.cli.collector import collector as collector
from probe.model.errors import BundleError, UsageError
from probe.store.bundle import Sealed, cuts, preview
from probe.store.foreign import is_database, read_foreign
from probe.store.schema import BY_NAME
from probe.store.sqlite import Store
from probe.store.union import Added, Source, add_rows, every_fact
from probe.store.union import merge as merge_databases
from probe.wire.facts import Row, fact_line, parse_fact

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT = click.Path(dir_okay=False, path_type=Path)
_DB = click.option("--db", type=_FILE, metavar="FILE", help="Database (default: the one that `probe run` writes).")
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON lines on stdout.")
# One line of `probe facts import`; a blob of 4 MiB in base64 fits.
_LINE = 6 * 1024 * 1024


def _say(line: str) -> None:
    click.echo(line, err=True)


# ---- bundle ----


@click.command()
@_DB
@click.option("-o", "--out", type=_OUT, metavar="FILE", help="Where to write (default: named after its content).")
@click.option("--show", is_flag=True, help="Print every line that would leave; write nothing.")
@click.option("--all", "everything", is_flag=True, help="Also what was sent before, and what was cut off.")
@_JSON
def bundle(db: Path | None, out: Path | None, show: bool, everything: bool, as_json: bool) -> None:
    """Cut what has not been sent yet into a signed bundle, and show what is in it.

    Nothing is sent. Addresses and names of this machine are taken out once more. Several vantage points, or very many
    measurements, give several bundles.

    \b
    Examples:
      probe bundle --show | less      read every fact before it leaves
      probe bundle -o today.vpb       then: probe send today.vpb --to https://collector.example
    """
    with Store.open(db or default_db(), create=False) as store:
        if show:
            for cut in cuts(store, everything=everything):
                for line in preview(store, cut, local_scrubber()):
                    click.echo(line)
            return
        sealed = seal_all(store, out, everything=everything)
    if not sealed:
        _say("Nothing to send: every finished measurement has been acknowledged (--all cuts them again).")
    for one in sealed:
        click.echo(json.dumps(_sealed_object(one)) if as_json else _sealed_text(one))


def _sealed_object(one: Sealed) -> dict[str, Any]:
    m = one.manifest
    return {
        "file": str(one.path), "bundle": one.name, "bytes": one.size, "measurements": len(one.measurements),
        "counts": dict(m.counts), "key": m.key, "created_at": m.created_at,
    }  # fmt: skip


def _sealed_text(one: Sealed) -> str:
    lines = [f"{one.path}: {one.size:,} bytes, {len(one.measurements)} measurements"]
    for table, count in one.manifest.counts.items():
        columns = ", ".join(column.name for column in BY_NAME[table].columns)
        lines.append(f"  {count:>7,} {table:<12} {columns}")
    return "\n".join([*lines, f"  signed by {one.manifest.key}", f"  bundle    {one.name}"])


# ---- send ----


@click.command()
@click.argument("source", required=False, type=_FILE, metavar="[DB|BUNDLE]")
@click.option(
    "--to", "collectors", multiple=True, required=True, metavar="URL", help="A collector. Repeatable: tried in turn."
)
@click.option("--db", type=_FILE, metavar="FILE", help="Where the receipt of a BUNDLE is kept.")
@click.option("--raw", is_flag=True, help="Send the database file as it is, instead of a scrubbed bundle.")
@click.option("--key", "pin", metavar="HEX", help="Public key that the receipt must be signed with.")
@click.option("--ca-file", type=_FILE, metavar="PEM", help="Trust these roots as well.")
@click.option("--proxy", metavar="URL", help="socks5://, http:// or https:// proxy to go through.")
@click.option("--insecure-http", is_flag=True, help="Allow http:// to other machines. For laboratories.")
@_JSON
def send(
    source: Path | None,
    collectors: tuple[str, ...],
    db: Path | None,
    raw: bool,
    pin: str | None,
    ca_file: Path | None,
    proxy: str | None,
    insecure_http: bool,
    as_json: bool,
) -> None:
    """Send a database's unsent facts (default: the one that `probe run` writes), or a bundle, to a collector.

    An upload that was cut goes on where it stopped, today or tomorrow. Facts count as sent when the collector's signed
    receipt is here, not before. The collector and the network on the way see this machine's address; see --proxy.

    \b
    Examples:
      probe send --to https://collector.example
      probe send today.vpb --to https://one.example --to https://two.example
    """
    path = source or default_db()
    urls = tuple(collector_url(url, allow_http=insecure_http) for url in collectors)

    def told(one: Delivered) -> None:
        r = one.receipt
        value = {
            "bundle": r.bundle, "collector": one.collector, "received_at": r.received_at, "taken": r.taken,
            "known": r.known, "quarantined": r.quarantined, "bytes": one.size, "measurements": one.measurements,
        }  # fmt: skip
        text = f"{one.collector}: {one.measurements} measurements in {one.size:,} bytes; {r.taken} facts new there"
        text += f", {r.known} known" * bool(r.known) + f", {r.quarantined} contradicted" * bool(r.quarantined)
        click.echo(json.dumps(value) if as_json else f"{text}; receipt {r.bundle[:16]}")

    async def go() -> int:
        count = 0
        async with http_client(ca_file, proxy) as client:
            sender = Sender(client, urls, pin, _say)
            if not is_database(path):
                told(await sender.send_bundle(path, db or (default_db() if default_db().exists() else None)))
                return 1
            if raw:
                told(await sender.send_raw(path))
                return 1
            async for one in sender.send_database(path):
                told(one)
                count += 1
        return count

    if not path.exists():
        raise UsageError(f"{path}: nothing has been measured yet")
    if not trio.run(go):
        _say("Nothing to send: every finished measurement has been acknowledged.")


# ---- receipts ----


@click.command()
@_DB
@_JSON
def receipts(db: Path | None, as_json: bool) -> None:
    """What collectors acknowledged, oldest first.

    \b
    Example:
      probe receipts --json
    """
    sql = (
        "SELECT bundle, collector, received_at, (SELECT count(*) FROM sent s WHERE s.bundle = r.bundle), receipt "
        "FROM receipt r ORDER BY received_at, bundle"
    )
    with Store.open(db or default_db(), create=False, writable=False) as store:
        for name, url, when, count, text in store.query(sql):
            value = {"bundle": name, "collector": url, "received_at": when, "measurements": count}
            if as_json:
                click.echo(json.dumps({**value, "receipt": json.loads(text)}))
            else:
                click.echo(f"{when[:19]}Z  {count:>6} measurements  {name[:16]}  {url}")


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
