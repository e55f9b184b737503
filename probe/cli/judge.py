"""`probe judge`: verdicts again from facts."""

from __future__ import annotations

import json
from pathlib import Path

import click

from probe.app.judge import rejudge
from probe.checks import RULESET
from probe.inputs.reference import load_reference
from probe.store.sqlite import Store


@click.command()
@click.argument("databases", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object per database.")
def judge(databases: tuple[Path, ...], as_json: bool) -> None:
    """Derive the verdicts of DATABASES again from their facts.

    Facts are not touched. Verdicts of another ruleset or reference stay beside the new ones; the same ruleset on the
    same facts gives the same verdicts, which this command tells.

    \b
    Examples:
      probe judge results.db
      probe judge a.db b.db --json
    """
    reference = load_reference()
    for path in databases:
        with Store.open(path, create=False) as store:
            done = rejudge(store, reference)
        if as_json:
            value = {
                "database": str(path), "judged": done.judged, "new": done.new, "changed": done.changed,
                "unreadable": list(done.unreadable), "ruleset": RULESET.version, "reference": reference.digest,
            }  # fmt: skip
            click.echo(json.dumps(value))
        else:
            same = done.judged - done.new - done.changed
            click.echo(
                f"{path}: {done.judged} judged by ruleset {RULESET.version}; "
                f"{same} as before, {done.changed} changed, {done.new} new"
            )
            for line in done.unreadable:
                click.echo(f"{path}: {line}", err=True)
        if done.unreadable:
            click.get_current_context().exit(1)
