"""`probe diff`: what changed between two runs."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import click

from probe.app.diff import SAID, Change, Difference, chain_of, difference, latest_runs
from probe.app.look import Found, looking, verdict_object, whole_id
from probe.cli.look import DB, SHORT, how, say_json, sign, table
from probe.cli.text import safe
from probe.model.errors import UsageError
from probe.store.sqlite import Store
from probe.wire.codec import encode


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN RUN]")
@DB
@click.option("--all", "whole", is_flag=True, help="Also what is the same in both.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a target.")
def diff(runs: tuple[str, ...], db: Path | None, whole: bool, as_json: bool) -> None:
    """What changed between two runs: first, second. Without RUN, between the last two.

    A run that was cut off and those that went on with it count as one. A change may be the censor's, the line's or the
    control's: what else differs between the runs is said first.

    \b
    Examples:
      probe diff
      probe diff 3fa9 77c1 --json
    """
    with looking(db) as store:
        found = difference(store, *_two(store, runs))
    changes = [c for c in found.changes if whole or c.sort != "same"]
    if as_json:
        for change in changes:
            say_json(_object(change))
        return
    _tell(found, changes)


def _two(store: Store, runs: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Two chains, the earlier one first where none is named."""
    if not runs:
        chains = latest_runs(store)
        if len(chains) < 2:
            raise UsageError(f"{store.path}: fewer than two runs to compare")
        return chains[1], chains[0]
    if len(runs) != 2:
        raise UsageError("name two runs, or none for the last two; `probe list` prints them")
    first, second = (chain_of(store, whole_id(store, "run", run)) for run in runs)
    return first, second


def _tell(found: Difference, changes: list[Change]) -> None:
    click.echo(f"first   {_names(found.first)}\nsecond  {_names(found.second)}")
    for line in found.apart:
        click.echo(f"note    {safe(line)}")
    for sort, group in groupby(changes, key=lambda change: change.sort):
        rows = list(group)
        click.echo(f"\n{SAID[sort][0].upper()}{SAID[sort][1:]} ({len(rows)})")
        table(("target", "first", "second"), ((c.target, _word(c.first), _word(c.second)) for c in rows))
    same = sum(change.sort == "same" for change in found.changes)
    click.echo(f"\n{same} the same in both." if changes else f"No difference in {same} targets.")


def _names(chain: tuple[str, ...]) -> str:
    return " + ".join(run[:SHORT] for run in chain)


def _word(found: Found | None) -> str:
    return "-" if found is None else f"{sign(found.headline)} {how(found.headline)}".rstrip()


def _object(change: Change) -> dict[str, Any]:
    return {
        "target": change.target,
        "change": change.sort,
        "first": _side(change.first),
        "second": _side(change.second),
    }


def _side(found: Found | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {**encode(found.measurement), "headline": verdict_object(found.headline) if found.headline else None}
