"""`probe consent`: what one agrees to before anything is measured."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from probe.app import consent as room
from probe.model.errors import ConsentError


@click.command()
@click.argument("action", type=click.Choice(("show", "give", "withdraw")), default="show")
@click.option("--yes", is_flag=True, help="With give: agree without being asked; for who has read the text before.")
@click.option("--json", "as_json", is_flag=True, help="The state as one JSON object.")
def consent(action: str, yes: bool, as_json: bool) -> None:
    """Show the text and whether it was agreed to, give consent, or withdraw it.

    \b
    Examples:
      probe consent
      probe consent give
      probe consent withdraw
    """
    if action == "give":
        _give(yes)
    elif action == "withdraw":
        gone = room.withdraw()
        click.echo("Withdrawn; nothing will be measured." if gone else "There was no consent to withdraw.", err=True)
        click.echo("What was measured stays in its file until you delete it.", err=True)
    elif not as_json:
        click.echo(room.TEXT)
    _state(as_json)


def _give(yes: bool) -> None:
    if yes:
        click.echo(room.TEXT, err=True)
        room.record("flag")
        return
    talk = room.terminal()
    if talk is None:
        raise ConsentError("no terminal to ask at: read `probe consent show`, then run `probe consent give --yes`")
    room.ask(talk)


def _state(as_json: bool) -> None:
    given = room.read_consent()
    if as_json:
        state = {"given": given is not None and given.current, "record": asdict(given) if given else None}
        click.echo(json.dumps({**state, "version": room.VERSION, "digest": room.TEXT_DIGEST}))
    elif given is None:
        click.echo("Not agreed. `probe consent give` asks you.")
    elif given.current:
        click.echo(f"Agreed on {given.given_at} (text {given.version}, {given.digest[:12]}).")
    else:
        click.echo(f"Agreed on {given.given_at} to an older text ({given.version}); you will be asked again.")
