"""`probe explore`: the database in a browser."""

from __future__ import annotations

import json
from pathlib import Path

import click

from probe.app.explore import explore as open_database
from probe.app.explore import metadata
from probe.app.home import default_db
from probe.cli.look import DB


@click.command()
@DB
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1.  [default: any free one]")
@click.option("--no-browser", is_flag=True, help="Only print the link.")
@click.option("--metadata", "show", is_flag=True, help="Print Datasette's metadata as JSON and stop.")
@click.pass_context
def explore(ctx: click.Context, /, db: Path | None, port: int, no_browser: bool, show: bool) -> None:
    """Open the database in Datasette, with questions ready to ask and columns explained, until Ctrl-C.

    Needs the extra: pip install 'vantage-probe[explore]'. Read only, on this machine only, and only for who opens the
    link that it prints.

    \b
    Examples:
      probe explore
      probe explore --db results/demo.db --no-browser
    """
    path = db or default_db()
    if show:
        click.echo(json.dumps(metadata(path), indent=2))
        return
    ctx.exit(open_database(path, port, browser=not no_browser))
