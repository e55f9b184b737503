"""`probe run`: measure."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from probe.app.announce import announce, announced_text
from probe.app.campaign import Opened, campaign_of, open_campaign, refuse_if_over, require_agreement
from probe.app.candidates import find_candidates, in_words
from probe.app.consent import require_consent
from probe.app.diff import chain_of, news, outcome_of
from probe.app.link import is_link
from probe.app.lock import BusyError
from probe.app.look import looking
from probe.app.prepare import Prepared, own_deny_file, prepare
from probe.app.run import carry_out
from probe.app.unfinished import conclude, go_on
from probe.app.wanted import Wanted
from probe.cli.params import amount, concurrency, duration
from probe.cli.progress import watcher_for
from probe.cli.text import safe
from probe.inputs.deny import read_denied
from probe.inputs.language import line

PATH = click.Path(path_type=Path)
OPTIONS = tuple(f.name for f in fields(Wanted))


@click.command()
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option("--list", "lists", multiple=True, metavar="FILE|NAME", help="A target list, ours by name or a file.")
@click.option("--campaign", metavar="FILE|NAME|LINK", help="Targets, canaries and helper of a dossier.")
@click.option("--category", "categories", multiple=True, metavar="CODE", help="Only these; opens a sensitive one.")
@click.option("--deny", multiple=True, type=PATH, help="Names never to contact, beside deny.txt in PROBE_HOME.")
@click.option("--control", "controls", multiple=True, metavar="URL|DB|none", help="A helper, a database, or none.")
@click.option("--resolver", "resolvers", multiple=True, metavar="URL", help="udp://, tcp://, tls://, https://IP...")
@click.option("--db", type=PATH, help="Result database (default: under PROBE_HOME).")
@click.option("--resume", is_flag=True, help="Go on with the run that was cut off, however that came.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per target, as it finishes.")
@click.option("--plain", is_flag=True, help="Calm lines instead of a live view: logs, screen readers.")
@click.option("--quiet", is_flag=True, help="Say only what is new since earlier runs; for schedules.")
@click.option("--concurrency", default="auto", callback=concurrency, metavar="N|auto", help="Targets at once.")
@click.option("--max-time", "max_time_s", callback=duration, metavar="TIME", help="Stop after this long, such as 15m.")
@click.option("--max-data", callback=amount, metavar="SIZE", help="Never move more than this and one page: 20M.")
@click.option("--max-rate", callback=amount, metavar="SIZE", help="Bytes a second on average, such as 50k.")
@click.option("--seed", type=click.IntRange(0, 2**53 - 1), help="Order of the targets and choice of canaries.")
@click.option("--ca-file", "ca_files", multiple=True, type=PATH, help="More trusted roots (PEM).")
@click.option("--proxy", metavar="URL", help="Reach the helper through this proxy (targets are dialled directly).")
@click.option("--canaries", metavar="FILE|none", help="Innocent sites that tell whether this line lives.")
@click.option("--country", metavar="CC", help="Where you are, ISO code such as PK.")
@click.option("--network", metavar="ASN", help="Your network's number, such as AS17557.")
@click.option("--place", metavar="NAME", default="", help="City or region; only if you want it known.")
@click.option("--access", type=click.Choice(["fixed", "mobile"]), help="Kind of line.")
@click.option("--netdb", type=PATH, help="MMDB or CSV that tells network and country.")
@click.option("--allow-net", "allow_nets", multiple=True, metavar="CIDR", help="Also dial these special addresses.")
@click.option("--allow-port", "allow_ports", multiple=True, type=click.IntRange(1, 65535), help="Also dial this port.")
@click.option("--dry-run", is_flag=True, help="Say who would be contacted, and stop.")
@click.option("--yes", is_flag=True, help="Agree to measuring without being asked.")
@click.pass_context
def run(
    ctx: click.Context,
    /,
    resume: bool,
    as_json: bool,
    plain: bool,
    quiet: bool,
    dry_run: bool,
    yes: bool,
    **options: Any,
) -> None:
    """Measure URLS, or the lists for your country.

    Each target is looked up, connected to, shaken hands with and fetched, step by step. Facts go to one SQLite file
    on this machine; nothing is sent to anybody but the targets, the resolvers and the helper you name.

    Ctrl-C begins nothing new and lets what is under way finish; a second one stops at once. Every fact is kept, and
    --resume goes on with what is left, in a run of its own that names the first.

    \b
    Examples:
      probe run https://example.org
      probe run --list pk --country PK --network AS17557 --max-time 15m
      probe run example.org --control https://helper.example:8765 --json
      probe run --list my-list.csv --deny never.txt --dry-run
      probe run --max-data 20M --max-rate 50k
      probe run --campaign wsws-pakistan-2024 --country PK --place Lahore
      probe run --resume
    """
    wanted = Wanted(**{**options, "max_data": int(options["max_data"]), "access": options["access"] or ""})
    earlier = go_on(wanted, _typed(ctx)) if resume else None
    if earlier is not None and not earlier.left:
        conclude(earlier)
        click.echo("probe: nothing was left to measure; the run is finished", err=True)
        return
    opened = _campaign(earlier.plan.wanted if earlier else wanted, yes, quiet)
    campaign = campaign_of(opened.read, wanted.categories) if opened else None
    prepared = prepare(wanted, earlier=earlier, campaign=campaign)
    for note in (*(() if quiet else prepared.notes), *prepared.problems):
        click.echo(f"probe: {note}", err=True)
    if dry_run:
        plan = announce(prepared)
        click.echo(json.dumps(plan, indent=2) if as_json else "\n".join(announced_text(plan)))
        return
    require_consent(yes=yes)
    if opened:
        require_agreement(opened, yes=yes)
    watcher = watcher_for(prepared, as_json=as_json, plain=plain, quiet=quiet)
    try:
        with watcher:
            outcome = carry_out(prepared, watcher)
    except BusyError:
        # A timer that meets a run under way has nothing to report: the other one measures.
        if quiet:
            ctx.exit(1)
        raise
    if quiet:
        _tell_news(prepared.db, outcome.run_id)
    else:
        watcher.summarise(outcome)
        if not as_json:
            _tell_unknown(prepared, outcome.run_id)
    sys.stdout.flush()
    ctx.exit(130 if outcome.interrupted else 1 if prepared.problems or outcome.incomplete else 0)


def _tell_unknown(prepared: Prepared, run_id: str) -> None:
    """Unknown pages that came in the place of several sites, if there were any."""
    with looking(prepared.db) as store:
        unknown = in_words(find_candidates(store, prepared.reference, run_id))
    if unknown:
        click.echo(safe(unknown), err=True)


def _campaign(wanted: Wanted, yes: bool, quiet: bool) -> Opened | None:
    """The campaign that was asked for; one behind a link is fetched only after consent."""
    if wanted.campaign is None:
        return None
    if is_link(wanted.campaign):
        require_consent(yes=yes)

    def tell(text: str) -> None:
        if not quiet:
            click.echo(line(text), err=True)

    denies = read_denied((*wanted.deny, *own_deny_file())).covers
    opened = open_campaign(wanted.campaign, ca_files=wanted.ca_files, proxy=wanted.proxy, denies=denies, tell=tell)
    refuse_if_over(opened)
    return opened


def _tell_news(db: Path, run_id: str) -> None:
    """A line for each target that changed; nothing where nothing did, so that a timer's mail means something."""
    with looking(db) as store:
        changes = news(store, chain_of(store, run_id))
    for change in changes:
        before = outcome_of(change.first) or "not measured before"
        click.echo(f"{safe(change.target)}: {outcome_of(change.second)} (before: {before})")


def _typed(ctx: click.Context) -> frozenset[str]:
    """The options of `Wanted` that stand on the command line."""
    return frozenset(name for name in OPTIONS if ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE)
