"""Facts on their way out: `bundle`, `send`, `receipts`."""

from __future__ import annotations

import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import click
import trio

from probe.app.campaign import collector_of
from probe.app.home import default_db
from probe.app.invite import Redeemer, default_wallet
from probe.app.outbox import default_outbox
from probe.app.own import local_scrubber
from probe.app.pack import seal_all
from probe.app.send import Delivered, Sender, hand_in, pending
from probe.app.way import Way, check_proxy, collectors_of, recipient_from
from probe.model.errors import UsageError
from probe.store.bundle import Sealed, cuts, preview
from probe.store.foreign import is_database
from probe.store.schema import BY_NAME
from probe.store.sqlite import Store

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT = click.Path(dir_okay=False, path_type=Path)
_DB = click.option("--db", type=_FILE, metavar="FILE", help="Database (default: the one that `probe run` writes).")
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON lines on stdout.")


_VOUCHED = {
    "accepted": "yes", "unknown": "no, this collector invited nobody that it knows of", "invalid": "no, malformed",
    "spent": "no, the token serves another network already",
}  # fmt: skip


def _say(line: str) -> None:
    click.echo(line, err=True)


# ---- bundle ----


@click.command()
@_DB
@click.option("-o", "--out", type=_OUT, metavar="FILE", help="Where to write (default: named after its content).")
@click.option(
    "--to", "to", metavar="KEY|CARD", help="Encrypt to this key (age1...), or to the collector of a card file."
)
@click.option("--show", is_flag=True, help="Print every line that would leave; write nothing.")
@click.option("--all", "everything", is_flag=True, help="Also what was sent before, and what was cut off.")
@_JSON
def bundle(db: Path | None, out: Path | None, to: str | None, show: bool, everything: bool, as_json: bool) -> None:
    """Cut what has not been sent yet into a signed bundle, and show what is in it.

    Nothing is sent. Addresses and names of this machine are taken out once more. Several vantage points, or very many
    measurements, give several bundles. With --to the file can be read by the collector only, and may travel by
    messenger, e-mail or stick; anybody can also bring it with `probe send FILE`.

    \b
    Examples:
      probe bundle --show | less           read every fact before it leaves
      probe bundle -o today.vpb            then: probe send today.vpb --to https://collector.example
      probe bundle -o today.vpb.age --to collector.json
    """
    recipient = recipient_from(to) if to else ""
    with Store.open(db or default_db(), create=False) as store:
        if show:
            for cut in cuts(store, everything=everything):
                for line in preview(store, cut, local_scrubber()):
                    click.echo(line)
            return
        sealed = seal_all(store, out, everything=everything, recipient=recipient)
    if not sealed:
        _say("Nothing to send: every finished measurement has been acknowledged (--all cuts them again).")
    for one in sealed:
        default_outbox().carried(one)
        click.echo(json.dumps(_sealed_object(one, recipient)) if as_json else _sealed_text(one, recipient))


def _sealed_object(one: Sealed, recipient: str) -> dict[str, Any]:
    m = one.manifest
    return {
        "file": str(one.path), "bundle": one.name, "bytes": one.size, "measurements": len(one.measurements),
        "counts": dict(m.counts), "key": m.key, "created_at": m.created_at, "recipient": recipient or None,
    }  # fmt: skip


def _sealed_text(one: Sealed, recipient: str) -> str:
    lines = [f"{one.path}: {one.size:,} bytes, {len(one.measurements)} measurements"]
    for table, count in one.manifest.counts.items():
        columns = ", ".join(column.name for column in BY_NAME[table].columns)
        lines.append(f"  {count:>7,} {table:<12} {columns}")
    lines += [f"  signed by {one.manifest.key}", f"  bundle    {one.name}"]
    return "\n".join([*lines, f"  for       {recipient}"] if recipient else lines)


# ---- send ----


@click.command()
@click.argument("source", required=False, type=_FILE, metavar="[DB|BUNDLE]")
@click.option("--to", "to", multiple=True, metavar="URL|CARD", help="A collector. Repeatable: tried in turn.")
@click.option("--campaign", metavar="ID", help="The collector of a campaign that you agreed to.")
@click.option("--db", type=_FILE, metavar="FILE", help="Where the receipt of a BUNDLE is kept.")
@click.option("--invite", "invitation", metavar="CODE", help="Turn an invitation into tokens; send nothing else.")
@click.option("--queue", is_flag=True, help="Only what is due, one vantage point at a time. For timers.")
@click.option("--raw", is_flag=True, help="Send the database file as it is, instead of a scrubbed bundle.")
@click.option("--key", "pin", metavar="HEX", help="Public key that the receipt must be signed with.")
@click.option("--ca-file", type=_FILE, metavar="PEM", help="Trust these roots as well.")
@click.option("--proxy", metavar="URL", help="tor, or a socks5h:// or http:// proxy to go through.")
@click.option("--insecure-http", is_flag=True, help="Allow http:// to other machines. For laboratories.")
@_JSON
def send(
    source: Path | None,
    to: tuple[str, ...],
    campaign: str | None,
    db: Path | None,
    invitation: str | None,
    queue: bool,
    raw: bool,
    pin: str | None,
    ca_file: Path | None,
    proxy: str | None,
    insecure_http: bool,
    as_json: bool,
) -> None:
    """Send a database's unsent facts (default: the one that `probe run` writes), or a bundle, to a collector.

    An upload that was cut goes on where it stopped, today or tomorrow. Facts count as sent when the collector's signed
    receipt is here, not before; nothing is deleted because sending failed. The collector and the network on the way see
    this machine's address: --proxy tor hides it from both. The proxy looks up the collector's name; nobody else does.

    A card is the file that a collector's owner hands out: its addresses, and the keys to check and to encrypt with.
    With --invite the code that an organiser gave you becomes a token, once, without anybody learning which one it is.
    From then on your facts are vouched for. Send them later rather than at once, so that the time does not tell.

    \b
    Examples:
      probe send --to https://collector.example
      probe send --to collector.json --proxy tor
      probe send --to https://one.example --to https://two.example --proxy socks5h://127.0.0.1:1080
      probe send today.vpb.age --to https://collector.example
      probe send --invite invite1-... --to collector.json --proxy tor
      probe send --campaign my-city
      probe send --queue --to collector.json       from a timer: what is due, and politely
    """
    path = source or default_db()
    way = Way(check_proxy(proxy) if proxy else "", ca_file)
    collectors = collectors_of(to, pin or "", allow_http=insecure_http, proxy=way.proxy)
    collectors += (collector_of(campaign),) if campaign else ()
    if not collectors:
        raise UsageError("say where to send: --to URL|CARD, or --campaign ID")
    if invitation:
        count = trio.run(Redeemer(way, collectors, default_wallet()).redeem, invitation)
        click.echo(json.dumps({"tokens": count}) if as_json else _REDEEMED.format(count))
        return
    sender = Sender(way, collectors, default_outbox(), _say)

    async def go() -> int:
        count = 0
        if not is_database(path):
            _told(await sender.send_file(path, db or (default_db() if default_db().exists() else None)), as_json)
            return 1
        if raw:
            _told(await sender.send_raw(path), as_json)
            return 1
        async with aclosing(sender.send_database(path, queue=queue)) as delivered:
            async for one in delivered:
                _told(one, as_json)
                count += 1
        return count

    if not path.exists():
        raise UsageError(f"{path}: nothing has been measured yet")
    if not trio.run(go):
        _say("Nothing is due." if queue else "Nothing to send: every finished measurement has been acknowledged.")


_REDEEMED = """{} tokens. Your facts are vouched for from now on, and nobody can tell from that who you are.
Do not send in the same hour, nor by the same way if there is another: time and address would tell."""


def _told(one: Delivered, as_json: bool) -> None:
    r = one.receipt
    value = {
        "bundle": r.bundle, "collector": one.collector, "received_at": r.received_at, "taken": r.taken,
        "known": r.known, "quarantined": r.quarantined, "bytes": one.size,
        "measurements": one.measurements, "voucher": r.voucher or None,
    }  # fmt: skip
    what = "an envelope" if one.measurements is None else f"{one.measurements} measurements"
    text = f"{one.collector}: {what} in {one.size:,} bytes; {r.taken} facts new there"
    text += f"; vouched for: {_VOUCHED[r.voucher]}" if r.voucher else ""
    text += f", {r.known} known" * bool(r.known) + f", {r.quarantined} contradicted" * bool(r.quarantined)
    click.echo(json.dumps(value) if as_json else f"{text}; receipt {r.bundle[:16]}")


# ---- receipts ----


@click.command()
@_DB
@click.option("--add", "added", multiple=True, type=_FILE, metavar="FILE", help="A receipt that came back by hand.")
@click.option("--key", "pin", metavar="HEX", help="Public key that added receipts must be signed with.")
@click.option("--pending", "is_pending", is_flag=True, help="What waits to be sent, instead.")
@_JSON
def receipts(db: Path | None, added: tuple[Path, ...], pin: str | None, is_pending: bool, as_json: bool) -> None:
    """What collectors acknowledged, oldest first; or what still waits.

    \b
    Examples:
      probe receipts --json
      probe receipts --pending
      probe receipts --add stick/*.receipt.json
    """
    path = db or default_db()
    if added:
        for file in added:
            marked = hand_in(path, file, pin or "", default_outbox())
            _say(f"{file}: {marked} measurements are acknowledged")
    if is_pending:
        for waiting in pending(path, default_outbox()):
            click.echo(json.dumps(waiting) if as_json else _pending_text(waiting))
        return
    sql = (
        "SELECT bundle, collector, received_at, (SELECT count(*) FROM sent s WHERE s.bundle = r.bundle), receipt "
        "FROM receipt r ORDER BY received_at, bundle"
    )
    with Store.open(path, create=False, writable=False) as store:
        for name, url, when, count, text in store.query(sql):
            value = {"bundle": name, "collector": url, "received_at": when, "measurements": count}
            if as_json:
                click.echo(json.dumps({**value, "receipt": json.loads(text)}))
            else:
                click.echo(f"{when[:19]}Z  {count:>6} measurements  {name[:16]}  {url}")


def _pending_text(value: dict[str, Any]) -> str:
    text = f"vantage point {value['vantage_id'][:8]}: {value['measurements']} measurements wait"
    if value["not_before"]:
        text += f", until {value['not_before']}"
    return text + (f"; {value['tries']} tries failed: {value['problem']}" if value["tries"] else "")
