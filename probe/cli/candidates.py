"""`probe candidates`: unknown pages that came in the place of several sites. Reads a database, touches no network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from probe.app.candidates import Candidate, candidate, find_candidates, fingerprint_of, toml_row
from probe.app.look import looking
from probe.cli.look import DB
from probe.cli.text import columns, safe
from probe.inputs.reference import load_reference

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@click.group()
def candidates() -> None:
    """Unknown pages that came in the place of several unrelated sites, in one network, and were given to no control.

    Perhaps block pages, perhaps something quite innocent: no verdict rests on them before a person has looked and a
    fingerprint has been added.
    """


@candidates.command("list")
@DB
@JSON
def list_(db: Path | None, as_json: bool) -> None:
    """All of them, the most widely seen first.

    \b
    Examples:
      probe candidates list
      probe candidates list --db results/run.db --json
    """
    with looking(db) as store:
        found = find_candidates(store, load_reference())
    for one in found if as_json else ():
        click.echo(json.dumps(_object(one), ensure_ascii=False))
    if as_json:
        return
    for line in columns([(one.id, f"{len(one.sites)} sites", _network(one), safe(one.title, 60)) for one in found]):
        click.echo(line)
    if not found:
        click.echo("No unknown page came in the place of several sites.", err=True)


@candidates.command()
@click.argument("candidate_id", metavar="ID")
@DB
@JSON
def show(candidate_id: str, db: Path | None, as_json: bool) -> None:
    """One of them: where it came, when, and its text.

    ID may be abbreviated to its first digits, 4 or more.

    \b
    Examples:
      probe candidates show 5e01
    """
    with looking(db) as store:
        one = candidate(store, load_reference(), candidate_id)
    if as_json:
        click.echo(json.dumps(_object(one), ensure_ascii=False))
        return
    click.echo(f"{safe(one.title)}  ({_network(one)}, {len(one.sites)} unrelated sites)")
    rows = [
        (
            s.measurement.started_at[:16],
            s.measurement.measurement_id[:8],
            safe(s.measurement.url, 80),
            s.stranger.walk.ip,
        )
        for s in one.sightings
    ]
    for line in columns(rows):
        click.echo(f"  {line}")
    first = one.sightings[0]
    click.echo(f"\nstatus {first.page.status}" + (f", to {safe(first.page.location)}" if first.page.location else ""))
    for line in first.text[:4000].splitlines():
        click.echo(f"  {safe(line, 160)}")


@candidates.command()
@click.argument("candidate_id", metavar="ID")
@DB
def export(candidate_id: str, db: Path | None) -> None:
    """One of them as a row for seeds/fingerprints.toml, to be looked over by a person.

    \b
    Examples:
      probe candidates export 5e01 >> seeds/fingerprints.toml
    """
    reference = load_reference()
    with looking(db) as store:
        one = candidate(store, reference, candidate_id)
    click.echo(toml_row(fingerprint_of(one, reference)))
    click.echo("Find out whose page this is, and name a public source, before it is added.", err=True)


def _network(one: Candidate) -> str:
    return " ".join([one.cc or "??", f"AS{one.asn}" if one.asn else ""]).strip()


def _object(one: Candidate) -> dict[str, Any]:
    page = one.sightings[0].page
    return {
        "id": one.id,
        "cc": one.cc,
        "asn": one.asn,
        "title": one.title,
        "status": page.status,
        "location": page.location,
        "body": page.body,
        "sites": list(one.sites),
        "sightings": [
            {
                "measurement_id": s.measurement.measurement_id,
                "url": s.measurement.url,
                "started_at": s.measurement.started_at,
                "ip": s.stranger.walk.ip,
                "address_of_its_own": s.stranger.home,
            }
            for s in one.sightings
        ],
    }
