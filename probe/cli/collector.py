"""`probe collector`: serve the intake, or import files by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click
import trio

from probe.app.collector import Wish, open_intake, serve_collector
from probe.app.home import home_dir
from probe.model.errors import BundleError, ProbeError, UsageError
from probe.serve import Bound, Tls, parse_listen

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_PLACE = click.Path(path_type=Path)
_DB = click.option(
    "--db", "place", type=_PLACE, metavar="FILE|DIR", help="Database, or a folder for it (default: in PROBE_HOME)."
)


@click.group(invoke_without_command=True)
@_DB
@click.option(
    "--listen", default="127.0.0.1:8770", show_default=True, metavar="HOST:PORT", help="Port 0: any free one."
)
@click.option("--tls-cert", type=_FILE, metavar="PEM", help="Certificate chain; needs --tls-key.")
@click.option("--tls-key", type=_FILE, metavar="PEM", help="Its key.")
@click.option("--quota-gb", type=click.FloatRange(0.001), default=20.0, show_default=True, help="Disk, all together.")
@click.option("--no-keep", is_flag=True, help="Do not keep the bundles themselves beside the database.")
@click.pass_context
def collector(
    ctx: click.Context,
    place: Path | None,
    listen: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    quota_gb: float,
    no_keep: bool,
) -> None:
    """Take bundles and databases in over HTTP, until Ctrl-C; or, with `import`, from files.

    Everything is checked before it counts; addresses of senders are neither stored nor logged. Behind plain http on
    another address than loopback, put a TLS proxy in front or give --tls-cert and --tls-key.

    \b
    Examples:
      probe collector --listen 127.0.0.1:8770 --db intake/
      probe collector import --db intake/ results.db today.vpb
    """
    ctx.obj = Wish(place or home_dir() / "collector", int(quota_gb * 1024**3), keep=not no_keep)
    if ctx.invoked_subcommand is not None:
        return
    if (tls_cert is None) != (tls_key is None):
        raise UsageError("--tls-cert and --tls-key go together")
    tls = Tls(tls_cert, tls_key) if tls_cert and tls_key else None

    def tell(bound: Bound, key: str, db: Path) -> None:
        click.echo(f"Collector on {bound.url}, into {db}\nReceipts are signed with {key}", err=True)

    trio.run(serve_collector, ctx.obj, parse_listen(listen), tls, tell)


@collector.command("import")
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
@_DB
@click.option("--json", "as_json", is_flag=True, help="JSON lines on stdout.")
@click.pass_obj
def import_(wish: Wish, files: tuple[Path, ...], place: Path | None, as_json: bool) -> None:
    """Take in bundles and result databases that came some other way. Each is believed as little as an upload.

    \b
    Example:
      probe collector import --db intake/ stick/*.vpb results.db
    """
    refused = 0
    with open_intake(replace(wish, place=place or wish.place)) as intake:
        for path in files:
            try:
                r = intake.take(path)
            except ProbeError as error:
                refused += 1
                click.echo(f"{path}: {error}", err=True)
                continue
            value: dict[str, object] = {"file": str(path), "bundle": r.bundle}
            value |= {"taken": r.taken, "known": r.known, "quarantined": r.quarantined}
            text = f"{path}: {r.taken} facts new, {r.known} known, {r.quarantined} quarantined"
            click.echo(json.dumps(value) if as_json else text)
    if refused:
        raise BundleError(f"{refused} of {len(files)} files were not taken")
