"""`probe doctor`: what is wrong here, in words, and what to do."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from probe.app.checkup import ask_network
from probe.app.consent import require_consent
from probe.app.doctor import examine, is_broken
from probe.cli.text import columns, safe

SIGN = {"ok": "+", "note": "!", "broken": "X"}


@click.command()
@click.option("--network", is_flag=True, help="Also look up and connect to a few canaries (needs consent).")
@click.option("--control", "helpers", multiple=True, metavar="URL", help="Is this helper reached? Implies --network.")
@click.option("--to", "collectors", multiple=True, metavar="URL", help="Is this collector reached? Implies --network.")
@click.option("--ca-file", type=click.Path(path_type=Path), help="Trust these roots as well, for helper and collector.")
@click.option("--proxy", metavar="URL", help="Reach helper and collector through this proxy.")
@click.option("--netdb", type=click.Path(path_type=Path), help="Try this MMDB or CSV of networks.")
@click.option("--yes", is_flag=True, help="With --network: agree without being asked.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a check.")
def doctor(
    network: bool,
    helpers: tuple[str, ...],
    collectors: tuple[str, ...],
    ca_file: Path | None,
    proxy: str | None,
    netdb: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Say in words what is wrong with this machine or line, and what to do. Exit code 1 if something is broken.

    Without --network, --control or --to nothing is sent to anybody.

    \b
    Examples:
      probe doctor
      probe doctor --network
      probe doctor --control https://helper.example:8765 --to https://collector.example
    """
    network = network or bool(helpers or collectors)
    if network:
        require_consent(yes=yes)
    findings = [*examine(netdb), *(ask_network(helpers, collectors, ca_file, proxy) if network else [])]
    if as_json:
        for one in findings:
            click.echo(json.dumps(asdict(one)))
    else:
        rows = [(f"{SIGN[one.state]} {one.name}", one.state, safe(one.words)) for one in findings]
        for line, one in zip(columns(rows), findings, strict=True):
            click.echo(line)
            if one.do:
                click.echo(f"    -> {safe(one.do)}")
    if is_broken(findings):
        raise click.exceptions.Exit(1)
