"""`probe campaign`: dossiers of incidents, to write, sign, read and agree to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from probe.app import campaign as room
from probe.app.campaign_author import begin, sign_file
from probe.app.consent import require_consent
from probe.app.link import is_link
from probe.app.prepare import own_deny_file
from probe.cli.language import language_option
from probe.inputs.deny import read_denied
from probe.inputs.dossier import DossierError
from probe.inputs.language import _, line
from probe.model.errors import UsageError
from probe.report.words import day

_ca_files = click.option(
    "--ca-file",
    "ca_files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="More trusted roots (PEM), for a link.",
)
_proxy = click.option("--proxy", metavar="URL", help="Fetch a link through this proxy.")
_yes = click.option("--yes", is_flag=True, help="Agree to fetching a link without being asked.")


def _where(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of commands that open a dossier."""
    return _ca_files(_proxy(_yes(command)))


@click.group()
@language_option
def campaign() -> None:
    """Campaigns: what is claimed to be blocked, and what is to be measured about it.

    A dossier is one TOML file; where it is asked for, the name of one of ours, a file, or an https link will do. None
    is measured for before you have read it and agreed: `probe run --campaign FILE`.

    \b
    Examples:
      probe campaign list
      probe campaign show wsws-pakistan-2024
      probe campaign new my-city-2026.toml
      probe campaign check my-city-2026.toml
      probe campaign sign my-city-2026.toml
    """


@campaign.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@language_option
def list_(as_json: bool) -> None:
    """Campaigns that came with the program, and those that you agreed to."""
    agreed = {one.id: one for one in room.all_agreed()}
    for name in dict.fromkeys((*room.own_campaigns(), *agreed)):
        given = agreed.get(name)
        if as_json:
            row = {"id": name, "ours": name in room.own_campaigns(), "agreed_at": given.agreed_at if given else None}
            click.echo(json.dumps({**row, "digest": given.digest if given else None}))
        else:
            said = _("agreed on {day}").format(day=day(given.agreed_at)) if given else _("not agreed to")
            click.echo(line(f"{name}: {said}"))


@campaign.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--id", "name", default="", help="Its id.  [default: as the file is named]")
@language_option
def new(file: Path, name: str) -> None:
    """Begin a dossier: a file to fill in."""
    click.echo(begin(file, name))


@campaign.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE|NAME|LINK...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each.")
@_where
@language_option
@click.pass_context
def check(
    ctx: click.Context, files: tuple[str, ...], as_json: bool, ca_files: tuple[Path, ...], proxy: str | None, yes: bool
) -> None:
    """Say everything that is wrong with dossiers, a line each; exit code 1 when something is."""
    broken = False
    for name in files:
        try:
            opened = _open(name, ca_files, proxy, yes)
            room.refuse_if_over(opened)
            problems: tuple[str, ...] = ()
        except DossierError as error:
            opened, problems = None, error.problems
        except UsageError as error:
            opened, problems = None, (str(error).removeprefix(f"{name}: "),)
        broken = broken or bool(problems)
        if as_json:
            click.echo(json.dumps({"file": name, "problems": problems, **_facts(opened)}))
        else:
            _say(name, problems, opened)
    ctx.exit(1 if broken else 0)


@campaign.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--key", type=click.Path(path_type=Path), help="Your private key (PEM).  [default: made under PROBE_HOME]"
)
@language_option
def sign(file: Path, key: Path | None) -> None:
    """Sign a dossier that is right: key and signature are written into the file."""
    read = sign_file(file, key)
    click.echo(line(_("signed by the key {key}").format(key=read.dossier.key)))
    click.echo(line(_("digest {digest}").format(digest=read.digest)))
    said = _("Tell volunteers key or digest by another way than the file; they compare them with what they are shown.")
    click.echo(line(said), err=True)


@campaign.command()
@click.argument("file", metavar="FILE|NAME|LINK")
@click.option("--json", "as_json", is_flag=True, help="The dossier as one JSON object.")
@click.option("--diff", is_flag=True, help="Only what changed since you agreed to it.")
@_where
@language_option
def show(file: str, as_json: bool, diff: bool, ca_files: tuple[Path, ...], proxy: str | None, yes: bool) -> None:
    """Show a dossier in full, and what changed since you agreed to it."""
    opened = _open(file, ca_files, proxy, yes)
    if as_json:
        click.echo(json.dumps({**_facts(opened), "dossier": opened.read.table}, ensure_ascii=False))
    elif diff:
        click.echo(room.difference(opened) or line(_("Nothing changed since you agreed, or you never did.")))
    else:
        click.echo(room.introduction(opened))


@campaign.command()
@click.argument("file", metavar="FILE|NAME|LINK")
@click.option("--digest", metavar="SHA256", help="Agree unasked to the dossier of this digest, and to no other.")
@_where
@language_option
def agree(file: str, digest: str | None, ca_files: tuple[Path, ...], proxy: str | None, yes: bool) -> None:
    """Agree to measure for a campaign: asked at the terminal, or by its digest."""
    opened = _open(file, ca_files, proxy, yes)
    if digest is None:
        room.require_agreement(opened, yes=False)
    else:
        room.refuse_if_over(opened)
        if digest.lower() != opened.read.digest:
            raise UsageError(f"{file}: its digest is {opened.read.digest}, not the one that you gave")
        room.remember(opened, "digest")
    click.echo(line(_("Agreed to campaign {id}.").format(id=opened.read.dossier.id)), err=True)


@campaign.command()
@click.argument("name", metavar="ID")
@language_option
def leave(name: str) -> None:
    """Take your yes to a campaign back."""
    gone = room.forget_agreement(name)
    said = _("Left campaign {id}.") if gone else _("You had not agreed to campaign {id}.")
    click.echo(line(said.format(id=name)), err=True)


def _open(name: str, ca_files: tuple[Path, ...], proxy: str | None, yes: bool) -> room.Opened:
    if is_link(name):
        require_consent(yes=yes)
    denies = read_denied(own_deny_file()).covers
    return room.open_campaign(
        name, ca_files=ca_files, proxy=proxy, denies=denies, tell=lambda text: click.echo(line(text), err=True)
    )


def _facts(opened: room.Opened | None) -> dict[str, object]:
    if opened is None:
        return {"id": None, "digest": None, "key": None, "signed": False, "agreed": False}
    read = opened.read
    key = read.dossier.key or None
    return {"id": read.dossier.id, "digest": read.digest, "key": key, "signed": read.signed, "agreed": opened.agreed}


def _say(name: str, problems: tuple[str, ...], opened: room.Opened | None) -> None:
    for problem in problems:
        click.echo(f"{name}: {problem}", err=True)
    if opened is not None and not problems:
        signed = _("signed by the key {key}").format(key=opened.read.dossier.key)
        click.echo(
            line(
                _("{name}: fine, {signed}").format(name=name, signed=signed if opened.read.signed else _("not signed"))
            )
        )
