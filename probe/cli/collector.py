"""`probe collector`: serve the intake, or import files by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click
import trio

from probe.app.collector import Wish, card_for, invite, open_intake, serve_collector, write_text
from probe.app.home import home_dir
from probe.collector.invitations import NETWORKS_MOST
from probe.model.errors import BundleError, ProbeError, UsageError
from probe.serve import Bound, Tls, parse_listen
from probe.wire.codec import encode
from probe.wire.facts import canonical

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
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

    `key` shows the keys that senders need, and writes the card to hand out. Everything is checked before it counts;
    addresses of senders are neither stored nor logged. Behind plain http on another address than loopback, put a TLS
    proxy in front or give --tls-cert and --tls-key.

    \b
    Examples:
      probe collector --listen 127.0.0.1:8770 --db intake/
      probe collector key --db intake/ --url https://collector.example -o collector.json
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


@collector.command("key")
@_DB
@click.option("--url", "urls", multiple=True, metavar="URL", help="Where senders reach this collector. Repeatable.")
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the card.")
@click.option("--json", "as_json", is_flag=True, help="The card as JSON on stdout.")
@click.pass_obj
def key_(wish: Wish, place: Path | None, urls: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Show this collector's public keys, which are made when they are missing, and write its card.

    The card is one small signed file: addresses, the key that signs receipts, and the key that bundles are encrypted
    to. Hand it to volunteers by a way that they trust. The secret halves stay in the collector's folder; whoever has
    age.txt can read every bundle that was encrypted to it, so keep a copy where nobody else finds it.

    \b
    Examples:
      probe collector key --db intake/
      probe collector key --db intake/ --url https://collector.example --url http://abc.onion -o collector.json
    """
    card = card_for(replace(wish, place=place or wish.place), urls)
    text = canonical(encode(card))
    if out is not None:
        write_text(out, text)
    lines = [f"receipts are signed with  {card.key}", f"bundles are encrypted to  {card.recipient or 'nothing'}"]
    click.echo(text if as_json else "\n".join(lines))
    if not card.recipient:
        click.echo("To take encrypted bundles: pip install 'vantage-probe[encrypt]'", err=True)


@collector.command("invite")
@_DB
@click.option("-n", "count", type=click.IntRange(1, 10_000), default=1, show_default=True, help="How many people.")
@click.option(
    "--networks",
    type=click.IntRange(1, NETWORKS_MOST),
    default=1,
    show_default=True,
    help="For how many of their networks each person may vouch.",
)
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write them there.")
@click.pass_obj
def invite_(wish: Wish, place: Path | None, count: int, networks: int, out: Path | None) -> None:
    """Make invitations, one a line: give each to one person that you know, by a way that you trust.

    Anybody can make keys, so a hundred keys may be one person. Whoever holds an invitation can show that somebody
    invited stands behind a key, and nobody, you included, can tell from that who it is. Facts of other keys are kept,
    and shown apart.

    \b
    Examples:
      probe collector invite -n 20 -o invitations.txt
      probe collector invite -n 5 --networks 2        people who measure at home and by mobile
    """
    codes, allowed, used = invite(replace(wish, place=place or wish.place), count, networks)
    click.echo(f"In all {allowed} tokens can be asked for; {used} were.", err=True)
    if out is not None:
        write_text(out, "\n".join(codes))
    else:
        click.echo("\n".join(codes))


@collector.command("import")
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
@_DB
@click.option("--receipts", type=_FOLDER, metavar="DIR", help="Write receipts there, to be carried back.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines on stdout.")
@click.pass_obj
def import_(wish: Wish, files: tuple[Path, ...], place: Path | None, receipts: Path | None, as_json: bool) -> None:
    """Take in bundles, encrypted or not, and result databases that came some other way. Each is believed as little as
    an upload.

    \b
    Examples:
      probe collector import --db intake/ stick/*.vpb results.db
      probe collector import --db intake/ mail/*.vpb.age --receipts back/    then, there: probe receipts --add FILE
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
            if receipts is not None:
                write_text(receipts / f"{r.bundle[:16]}.receipt.json", canonical(encode(r)))
            value: dict[str, object] = {"file": str(path), "bundle": r.bundle}
            value |= {"taken": r.taken, "known": r.known, "quarantined": r.quarantined}
            text = f"{path}: {r.taken} facts new, {r.known} known, {r.quarantined} quarantined"
            click.echo(json.dumps(value) if as_json else text)
    if refused:
        raise BundleError(f"{refused} of {len(files)} files were not taken")
