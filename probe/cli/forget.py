"""`probe forget`: delete from this machine what was measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from probe.app.forget import HONEST, Plan, forget_everything, forget_run, forget_target, left_in_home
from probe.app.home import default_db
from probe.app.look import looking, whole_id
from probe.cli.look import DB
from probe.cli.text import safe
from probe.model.errors import UsageError


@click.group()
def forget() -> None:
    """Delete from this machine what was measured: facts, pages, verdicts, receipts, keys that nothing needs any more.

    Asks first. What is deleted is overwritten and the database is written anew without it; what this cannot reach is
    said at the end.

    \b
    Examples:
      probe forget run 3fa9
      probe forget target example.org
      probe forget everything
    """


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="What was forgotten, as one JSON object."),
        click.option("--yes", is_flag=True, help="Do not ask."),
        DB,
    ):
        command = option(command)
    return command


@forget.command("run")
@click.argument("run_id", metavar="RUN")
@_common
def run(run_id: str, db: Path | None, yes: bool, as_json: bool) -> None:
    """Forget one run: all that it measured, and its control's answers.

    \b
    Example:
      probe forget run 3fa9
    """
    with looking(db) as store:
        whole = whole_id(store, "run", run_id)
    _carry_out(forget_run(db or default_db(), whole), yes, as_json)


@forget.command("target")
@click.argument("target", metavar="HOST|URL")
@_common
def target(target: str, db: Path | None, yes: bool, as_json: bool) -> None:
    """Forget a site in every run: a host with all below it, or one page where a path is named.

    Other sites that led to it, by a redirect, keep that in their facts.

    \b
    Examples:
      probe forget target example.org
      probe forget target https://example.org/one/page
    """
    _carry_out(forget_target(db or default_db(), target), yes, as_json)


@forget.command("everything")
@_common
def everything(db: Path | None, yes: bool, as_json: bool) -> None:
    """Forget all: the database, plans, keys, the consent, the deny list.

    \b
    Example:
      probe forget everything
    """
    _carry_out(forget_everything(db or default_db()), yes, as_json)
    for path in left_in_home():
        click.echo(f"left in place: {safe(str(path))}", err=True)


def _carry_out(plan: Plan, yes: bool, as_json: bool) -> None:
    click.echo(f"To be forgotten: {safe(plan.words)}", err=True)
    for path in plan.files:
        click.echo(f"  and the file {safe(str(path))}", err=True)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("no terminal to ask at; --yes forgets without asking")
        click.confirm("This cannot be undone. Forget it?", abort=True, err=True)
    plan.do()
    click.echo("Forgotten.\n" + HONEST, err=True)
    if as_json:
        rows = asdict(plan.erased) if plan.erased else None
        click.echo(json.dumps({"rows": rows, "files": [str(path) for path in plan.files]}))
