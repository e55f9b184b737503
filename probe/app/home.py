"""Where this program keeps what is the person's own: the database, the consent, keys.

PROBE_HOME                                    wins, wherever set
Linux and other Unix                          $XDG_DATA_HOME/vantage-probe, else ~/.local/share/vantage-probe
macOS                                         ~/Library/Application Support/vantage-probe
Windows                                       %LOCALAPPDATA%\\vantage-probe
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from probe.model.errors import StoreError

NAME = "vantage-probe"
DATABASE = "results.db"


def home_dir(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """The folder; it need not exist yet."""
    if environ.get("PROBE_HOME"):
        return Path(environ["PROBE_HOME"]).expanduser()
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / NAME
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support" / NAME
    # The XDG specification: a relative path is to be ignored.
    base = environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "share") / NAME


def default_db(environ: Mapping[str, str] = os.environ) -> Path:
    """The database of `probe run` where none is named."""
    return home_dir(environ) / DATABASE


def make_home() -> Path:
    """The folder, made if need be, closed to other users. Raises StoreError."""
    home = home_dir()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{home}: cannot be made: {error.strerror}") from None
    return home
