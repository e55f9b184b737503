"""`probe targets`: the lists of what can be measured, checked without any traffic."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import click

from probe.cli.text import columns, safe
from probe.inputs.categories import CATEGORIES
from probe.inputs.folders import data_folder
from probe.inputs.targets import TargetList, open_list, own_lists, whole_list

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@click.group()
def targets() -> None:
    """The lists of what can be measured. Nothing here touches the network."""


@targets.command("list")
@JSON
def list_(as_json: bool) -> None:
    """Our lists, how many targets each holds, and how many of those wait behind the gate."""
    rows = []
    for name in own_lists():
        one = open_list(name)
        held = sum(number for _, number in one.held)
        if as_json:
            value = {"list": name, "targets": len(one.targets), "held": dict(one.held), "digest": one.digest}
            click.echo(json.dumps(value))
        rows.append((name, f"{len(one.targets)} targets", f"{held} held back", one.digest[:12]))
    if not as_json:
        for line in columns(rows):
            click.echo(line)
        click.echo(f"They lie in {data_folder('targets')}.", err=True)


@targets.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@JSON
def check(files: tuple[Path, ...], as_json: bool) -> None:
    """Read FILEs as lists and name every line that cannot be used. Exit code 1 if there is one.

    \b
    Examples:
      probe targets check mylist.csv
      probe targets check targets/*.csv --json
    """
    bad = False
    for path in files:
        whole = whole_list(path)
        bad = bad or bool(whole.errors)
        if as_json:
            click.echo(json.dumps(_object(path, whole)))
            continue
        for error in whole.errors:
            click.echo(f"{path}: {safe(str(error))}", err=True)
        click.echo(f"{path}: {_summary(open_list(str(path.absolute())), whole)}")
    if bad:
        raise click.exceptions.Exit(1)


def _object(path: Path, whole: TargetList) -> dict[str, object]:
    return {
        "file": str(path),
        "targets": len(whole.targets),
        "categories": dict(sorted(Counter(p.category for p in whole.targets).items())),
        "held": dict(open_list(str(path.absolute())).held),
        "errors": [{"line": e.line, "text": e.text, "reason": e.reason} for e in whole.errors],
        "digest": whole.digest,
    }


def _summary(default: TargetList, whole: TargetList) -> str:
    held = ", ".join(f"{number} {code}" for code, number in default.held)
    waiting = f"; held back unless chosen with --category: {held}" if held else ""
    errors = len(whole.errors)
    bad = f"; {errors} line{'s' * (errors != 1)} cannot be used" if errors else ""
    return f"{len(whole.targets)} targets{bad}{waiting}"


@targets.command()
@JSON
def categories(as_json: bool) -> None:
    """The category codes, and why some are off until you choose them."""
    for c in CATEGORIES:
        if as_json:
            click.echo(json.dumps({"code": c.code, "description": c.description, "gated": c.gated or None}))
    if not as_json:
        rows = [(c.code, c.description, f"off until chosen: {c.gated}" if c.gated else "") for c in CATEGORIES]
        for line in columns(rows):
            click.echo(line)
