"""`probe consent`: what one agrees to before anything is measured."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from probe.app import consent as room
from probe.app.consent_text import VERSION, consent_digest, consent_text
from probe.app.talk import terminal
from probe.cli.language import language_option
from probe.inputs.language import _, latin, line, name_of, spoken
from probe.model.errors import ConsentError


@click.command()
@click.argument("action", type=click.Choice(("show", "give", "withdraw")), default="show")
@click.option("--yes", is_flag=True, help="With give: agree without being asked; for who has read the text before.")
@click.option("--json", "as_json", is_flag=True, help="The state as one JSON object.")
@language_option
def consent(action: str, yes: bool, as_json: bool) -> None:
    """Show the text and whether it was agreed to, give consent, or withdraw it.

    \b
    Examples:
      probe consent
      probe consent give --lang ur
      probe consent withdraw
    """
    if action == "give":
        _give(yes)
    elif action == "withdraw":
        _withdraw()
    elif not as_json:
        click.echo(consent_text())
    click.echo(_state_json() if as_json else line(_state()))


def _give(yes: bool) -> None:
    if yes:
        click.echo(consent_text(), err=True)
        room.record("flag")
        return
    talk = terminal()
    if talk is None:
        ways = {"show": latin("probe consent show"), "give": latin("probe consent give --yes")}
        raise ConsentError(_("no terminal to ask at: read {show}, then run {give}").format(**ways))
    room.ask(talk)


def _withdraw() -> None:
    gone = room.withdraw()
    said = _("Withdrawn; nothing will be measured.") if gone else _("There was no consent to withdraw.")
    click.echo(line(said), err=True)
    click.echo(line(_("What was measured stays in its file until you delete it.")), err=True)


def _state_json() -> str:
    given = room.read_consent()
    state = {"given": given is not None and given.current, "record": asdict(given) if given else None}
    return json.dumps({**state, "version": VERSION, "digest": consent_digest(spoken()), "language": spoken()})


def _state() -> str:
    given = room.read_consent()
    if given is None:
        return _("Not agreed. {give} asks you.").format(give=latin("probe consent give"))
    when = latin(given.given_at)
    if not given.current:
        return _("Agreed on {when} to an older text ({version}); you will be asked again.").format(
            when=when, version=given.version
        )
    return _("Agreed on {when} (text {version} in {language}, {digest}).").format(
        when=when, version=given.version, language=name_of(given.language), digest=latin(given.digest[:12])
    )
