"""`probe run`: measure."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import trio

from probe.app.prepare import Wanted, announce, prepare
from probe.app.run import sit
from probe.cli.progress import watcher_for


def _duration(ctx: click.Context, param: click.Parameter, value: str | None) -> float:
    """Seconds from `90`, `90s`, `15m` or `2h`."""
    return _scaled(value, {"s": 1, "m": 60, "h": 3600}, "a time such as 90s, 15m or 2h")


def _size(ctx: click.Context, param: click.Parameter, value: str | None) -> float:
    """Bytes from `500000`, `500k`, `20M` or `1G`."""
    return _scaled(value, {"k": 1e3, "m": 1e6, "g": 1e9}, "a size such as 500k or 20M")


def _scaled(value: str | None, units: dict[str, float], what: str) -> float:
    if value is None:
        return 0
    text = value.strip().lower().removesuffix("b")
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        amount = float(number) * unit
    except ValueError:
        amount = -1
    if not 0 < amount < 1e15:
        raise click.BadParameter(f"{value!r} is not {what}")
    return amount


def _concurrency(ctx: click.Context, param: click.Parameter, value: str) -> int:
    if value == "auto":
        return 0
    if value.isdigit() and 1 <= int(value) <= 256:
        return int(value)
    raise click.BadParameter("a number from 1 to 256, or auto")


@click.command()
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option("--list", "lists", multiple=True, metavar="FILE|NAME", help="A target list, ours by name or a file.")
@click.option("--category", "categories", multiple=True, metavar="CODE", help="Only these; opens a sensitive one.")
@click.option("--control", "controls", multiple=True, metavar="URL|DB|none", help="A helper, a database, or none.")
@click.option("--resolver", "resolvers", multiple=True, metavar="URL", help="udp://, tcp://, tls://, https://IP...")
@click.option("--db", type=click.Path(path_type=Path), help="Result database (default: under PROBE_HOME).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per target, as it finishes.")
@click.option("--concurrency", default="auto", callback=_concurrency, metavar="N|auto", help="Targets at once.")
@click.option("--max-time", callback=_duration, metavar="TIME", help="Stop after this long, such as 15m.")
@click.option("--max-data", callback=_size, metavar="SIZE", help="Stop after about this much traffic, such as 20M.")
@click.option("--ca-file", "ca_files", multiple=True, type=click.Path(path_type=Path), help="More trusted roots (PEM).")
@click.option("--proxy", metavar="URL", help="Reach the helper through this proxy (targets are dialled directly).")
@click.option("--canaries", metavar="FILE|none", help="Innocent sites that tell whether this line lives.")
@click.option("--country", metavar="CC", help="Where you are, ISO code such as PK.")
@click.option("--network", metavar="ASN", help="Your network's number, such as AS17557.")
@click.option("--place", metavar="NAME", default="", help="City or region; only if you want it known.")
@click.option("--access", type=click.Choice(["fixed", "mobile"]), help="Kind of line.")
@click.option("--netdb", type=click.Path(path_type=Path), help="MMDB or CSV that tells network and country.")
@click.option("--allow-net", "allow_nets", multiple=True, metavar="CIDR", help="Also dial these special addresses.")
@click.option("--allow-port", "allow_ports", multiple=True, type=click.IntRange(1, 65535), help="Also dial this port.")
@click.option("--dry-run", is_flag=True, help="Say who would be contacted, and stop.")
@click.option("--yes", is_flag=True, help="Agree to measuring without being asked.")
@click.pass_context
def run(
    ctx: click.Context,
    urls: tuple[str, ...],
    lists: tuple[str, ...],
    categories: tuple[str, ...],
    controls: tuple[str, ...],
    resolvers: tuple[str, ...],
    db: Path | None,
    as_json: bool,
    concurrency: int,
    max_time: float,
    max_data: float,
    ca_files: tuple[Path, ...],
    proxy: str | None,
    canaries: str | None,
    country: str | None,
    network: str | None,
    place: str,
    access: str | None,
    netdb: Path | None,
    allow_nets: tuple[str, ...],
    allow_ports: tuple[int, ...],
    dry_run: bool,
    yes: bool,
) -> None:
    """Measure URLS, or the lists for your country.

    Each target is looked up, connected to, shaken hands with and fetched, step by step. Facts go to one SQLite file
    on this machine; nothing is sent to anybody but the targets, the resolvers and the helper you name.

    \b
    Examples:
      probe run https://example.org
      probe run --list pk --country PK --network AS17557 --max-time 15m
      probe run example.org --control https://helper.example:8765 --json
      probe run --list my-list.csv --dry-run
    """
    wanted = Wanted(
        urls, lists, categories, controls, resolvers, db, concurrency, max_time, int(max_data), ca_files, proxy,
        canaries, country, network, place, access or "", netdb, allow_nets, allow_ports,
    )  # fmt: skip
    prepared = prepare(wanted)
    for line in (*prepared.notes, *prepared.problems):
        click.echo(f"probe: {line}", err=True)
    if dry_run:
        plan = announce(prepared)
        click.echo(json.dumps(plan, indent=2) if as_json else "\n".join(_plan_text(plan)))
        return
    from probe.app.consent import require_consent

    require_consent(yes=yes)
    watcher = watcher_for(prepared, as_json=as_json)
    with watcher:
        outcome = trio.run(sit, prepared, watcher)
    if not as_json:
        watcher.summarise(outcome)
    code = 130 if outcome.interrupted else 1 if prepared.problems or outcome.incomplete else 0
    sys.stdout.flush()
    ctx.exit(code)


def _plan_text(plan: dict[str, object]) -> list[str]:
    lines = []
    for key, value in plan.items():
        if isinstance(value, list):
            lines.append(f"{key} ({len(value)}):")
            lines.extend(f"  {entry}" for entry in value)
        else:
            lines.append(f"{key}: {value}")
    return lines
