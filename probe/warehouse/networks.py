"""Names of networks, from the tables in seeds/networks: a CSV per country, named by its code, with asn and name."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from probe.model.errors import SeedError


@dataclass(frozen=True, slots=True)
class Networks:
    """`names` by AS number; `known` are (country, "AS<number> name") of all networks listed."""

    names: Mapping[int, str]
    known: tuple[tuple[str, str], ...] = ()


def seed_tables() -> tuple[Path, ...]:
    """The tables that came with the package, or those of a source tree; none when neither is there."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_data" / "seeds" / "networks", package.parent / "seeds" / "networks"):
        found = tuple(sorted(folder.glob("*.csv")))
        if found:
            return found
    return ()


def read_networks(paths: Iterable[Path]) -> Networks:
    """Names from tables; the first to name a number wins. Raises SeedError for a table without asn and name."""
    names: dict[int, str] = {}
    known: set[tuple[str, str]] = set()
    for path in sorted(paths):
        country = path.stem.upper()
        for asn, name in _rows(path):
            names.setdefault(asn, name)
            known.add((country, f"AS{asn} {name}"))
    return Networks(names, tuple(sorted(known)))


def _rows(path: Path) -> list[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            # What stands in brackets explains; it would make a long name for a column.
            return [(int(row["asn"]), row["name"].split(" (")[0].strip()) for row in csv.DictReader(lines)]
    except OSError as error:
        raise SeedError(str(path), error.strerror or "cannot be read") from None
    except (KeyError, ValueError, AttributeError) as error:
        raise SeedError(str(path), f"not a table of networks ({error!r})") from None
