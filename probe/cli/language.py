"""`--lang`: one option for the program and for each command that speaks with people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from probe.app.consent import read_consent
from probe.inputs.language import VARIABLE, choose, speak

F = TypeVar("F", bound=Callable[..., Any])


def _speak(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    # The program's own choice, made before, stands where a command was given none.
    if value is not None or ctx.parent is None:
        # Whoever agreed in a language is spoken to in it.
        given = read_consent()
        speak(choose(value, remembered=given.language if given else ""))


def language_option(command: F) -> F:
    """Add `--lang`; it is taken before all other options, so that their complaints are in that language too."""
    return click.option(
        "--lang",
        metavar="LANG",
        is_eager=True,
        expose_value=False,
        callback=_speak,
        help=f"Language, such as en or ur.  [default: {VARIABLE}, that of your consent, the system's]",
    )(command)
