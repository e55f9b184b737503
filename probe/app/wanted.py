"""The options of `probe run`, as typed: what a plan is made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from probe.app.home import default_db


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of `probe run`, as typed. Zero and empty mean not given."""

    urls: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    campaign: str | None = None
    categories: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    resolvers: tuple[str, ...] = ()
    db: Path | None = None
    concurrency: int = 0
    max_time_s: float = 0
    max_data: int = 0
    max_rate: float = 0
    seed: int | None = None
    deny: tuple[Path, ...] = ()
    ca_files: tuple[Path, ...] = ()
    proxy: str | None = None
    canaries: str | None = None
    country: str | None = None
    network: str | None = None
    place: str = ""
    access: str = ""
    netdb: Path | None = None
    allow_nets: tuple[str, ...] = ()
    allow_ports: tuple[int, ...] = ()

    @property
    def database(self) -> Path:
        """Where the results go."""
        return self.db or default_db()
