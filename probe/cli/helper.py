"""`probe helper`: serve a control vantage point."""

from __future__ import annotations

from pathlib import Path

import click
import trio

from probe.app.helper import DEFAULT_LISTEN, HelperWish, help_until_signal, prepare_helper
from probe.helper.limits import HelperLimits
from probe.model.errors import UsageError
from probe.serve import Bound, Tls, parse_listen

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("helper")
@click.option("--listen", default=DEFAULT_LISTEN, show_default=True, metavar="HOST:PORT", help="Port 0: any free one.")
@click.option("--tls-cert", type=_FILE, metavar="PEM", help="Certificate chain; needs --tls-key.")
@click.option("--tls-key", type=_FILE, metavar="PEM", help="Its key.")
@click.option(
    "--trial-listen",
    "trial_listens",
    multiple=True,
    metavar="HOST:PORT",
    help="Take any name here (443 and 80 are best), so that askers can try a stopped name elsewhere. Repeatable.",
)
@click.option("--ca-file", "ca_files", multiple=True, type=_FILE, metavar="PEM", help="Trust these roots as well.")
@click.option("--resolver", "resolvers", multiple=True, metavar="URL", help="Instead of the public set. Repeatable.")
@click.option("--no-system-resolver", is_flag=True, help="Do not ask this machine's own resolver.")
@click.option("--db", type=click.Path(dir_okay=False, path_type=Path), help="Keep a copy of the facts here as well.")
@click.option("--netdb", type=_FILE, metavar="FILE", help="MMDB or CSV that tells an asker's country and network.")
@click.option("--country", metavar="CC", help="Country that this helper measures from.")
@click.option("--network", metavar="ASN", help="Network that it measures from.")
@click.option(
    "--allow-net", "allow_nets", multiple=True, metavar="CIDR", help="Let special addresses in it be measured."
)
@click.option(
    "--allow-port", "allow_ports", multiple=True, type=click.IntRange(1, 65535), help="Beyond 80 443 8080 8443."
)
@click.option(
    "--rate",
    type=click.FloatRange(1),
    default=HelperLimits().rate_per_min,
    show_default=True,
    help="Measurements a minute and client.",
)
@click.option("--source", metavar="ADDRESS", help="Address of this machine to measure from.")
def helper(
    listen: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    trial_listens: tuple[str, ...],
    ca_files: tuple[Path, ...],
    resolvers: tuple[str, ...],
    no_system_resolver: bool,
    db: Path | None,
    netdb: Path | None,
    country: str | None,
    network: str | None,
    allow_nets: tuple[str, ...],
    allow_ports: tuple[int, ...],
    rate: float,
    source: str | None,
) -> None:
    """Serve a control vantage point: measure on behalf of whoever asks, from this machine's network.

    The sites that are asked about see this machine's address. Addresses of askers are kept nowhere and logged nowhere.
    """
    if (tls_cert is None) != (tls_key is None):
        raise UsageError("--tls-cert and --tls-key go together")
    ready = prepare_helper(
        HelperWish(
            listen=parse_listen(listen),
            tls=Tls(tls_cert, tls_key) if tls_cert and tls_key else None,
            trial_listens=tuple(map(parse_listen, trial_listens)),
            ca_files=ca_files,
            resolvers=resolvers,
            db=db,
            netdb=netdb,
            country=country,
            network=network,
            allow_nets=allow_nets,
            allow_ports=allow_ports,
            rate_per_min=rate,
            system=not no_system_resolver,
            source=source,
        )
    )
    trio.run(help_until_signal, ready, _tell)


def _tell(bound: Bound) -> None:
    click.echo(
        f"Helper at {bound.url}: it looks up, connects to and fetches any public site that an asker names, from this "
        "machine. Sites see this machine's address; askers' addresses are neither kept nor logged. Stop with Ctrl-C.",
        err=True,
    )
