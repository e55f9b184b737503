"""`seeds/` into one frozen `Reference`. Only files that the manifest lists are read, and only if they are what it says.

The digest names what judging may depend on: dossiers are not part of it, so a new campaign does not change what a
verdict rests on.
"""

from __future__ import annotations

import csv
import io
import ipaddress
import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from probe.inputs.folders import data_folder, digest, read_bounded
from probe.model.errors import SeedError, UsageError
from probe.verdict.reference import Canary, Fingerprint, PublicResolver, Reference, SpecialBlock
from probe.wire.codec import CodecError, decode

SCHEMA = 1
MANIFEST = "manifest.toml"
MAX_SEED = 20_000_000
RESOLVERS, SPECIAL = "resolvers.toml", "special_addresses.csv"
FINGERPRINTS, CANARIES = "fingerprints.toml", "canaries.toml"
NEEDED = frozenset({RESOLVERS, SPECIAL, FINGERPRINTS, CANARIES})
NETWORKS = "networks/"
_REACHABLE = {"true": True, "false": False, "na": None}
T = TypeVar("T", Fingerprint, PublicResolver, Canary)
V = TypeVar("V")


def load_reference(folder: Path | None = None) -> Reference:
    """The reference data of `folder`, or of the installation; the same folder gives the same object. Raises SeedError
    for a file that is missing, malformed, of a newer schema, or not what the manifest's digest says."""
    return _load(folder or data_folder("seeds"))


@cache
def _load(folder: Path) -> Reference:
    files = read_seeds(folder)
    missing = NEEDED - set(files)
    if missing:
        raise SeedError(str(folder / MANIFEST), f"does not list {', '.join(sorted(missing))}")
    resolvers = _toml(folder / RESOLVERS, files[RESOLVERS])
    networks = [_networks(folder / name, files[name]) for name in sorted(files) if _is_network(name)]
    reference = Reference(
        digest=_digest(files),
        special=_special(folder / SPECIAL, files[SPECIAL]),
        fingerprints=_fingerprints(folder / FINGERPRINTS, files[FINGERPRINTS]),
        resolvers=_rows(PublicResolver, folder / RESOLVERS, resolvers, "resolver"),
        default_resolvers=tuple(str(name) for name in resolvers.get("default", ())),
        canaries=_rows(Canary, folder / CANARIES, _toml(folder / CANARIES, files[CANARIES]), "canary"),
        networks=tuple(row for table in networks for row in table),
    )
    strangers = set(reference.default_resolvers) - {r.id for r in reference.resolvers}
    if strangers:
        raise SeedError(str(folder / RESOLVERS), f"default names unknown resolvers: {', '.join(sorted(strangers))}")
    return reference


def read_seeds(folder: Path) -> dict[str, bytes]:
    """Every file that the manifest lists, by its path there, each checked against its digest. Raises SeedError."""
    return {path: _checked(folder, path, sha256) for path, sha256 in listed(folder).items()}


def listed(folder: Path) -> dict[str, str]:
    """What the manifest lists: path to SHA-256. Raises SeedError."""
    path = folder / MANIFEST
    rows = _toml(path, _bytes(path)).get("file", [])
    try:
        return {str(row["path"]): str(row["sha256"]) for row in rows}
    except (KeyError, TypeError):
        raise SeedError(str(path), "each [[file]] needs path and sha256") from None


def _checked(folder: Path, name: str, sha256: str) -> bytes:
    # A manifest must not reach out of its folder.
    if name.startswith("/") or ".." in Path(name).parts:
        raise SeedError(str(folder / MANIFEST), f"lists {name!r}, which is outside")
    data = _bytes(folder / name)
    if digest(data) != sha256:
        raise SeedError(str(folder / name), "is not what the manifest's digest says")
    return data


def _bytes(path: Path) -> bytes:
    try:
        return read_bounded(path, MAX_SEED)
    except UsageError as error:
        raise SeedError(str(path), str(error).removeprefix(f"{path}: ")) from None


def _digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 over path and digest of each file that fills a `Reference`."""
    used = [name for name in sorted(files) if name in NEEDED or _is_network(name)]
    return digest("".join(f"{digest(files[name])}  {name}\n" for name in used).encode())


def _is_network(name: str) -> bool:
    return name.startswith(NETWORKS) and name.endswith(".csv")


def _toml(path: Path, data: bytes) -> dict[str, Any]:
    try:
        value = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SeedError(str(path), f"not TOML: {error}") from None
    if value.get("schema") != SCHEMA:
        raise SeedError(str(path), f"schema {value.get('schema')!r} is not known here (known: {SCHEMA})")
    return value


def _rows(cls: type[T], path: Path, table: Mapping[str, Any], key: str) -> tuple[T, ...]:
    """The tables under `key`, each decoded strictly; ids must be unique."""
    found: dict[str, T] = {}
    for number, row in enumerate(table.get(key, ()), 1):
        try:
            value = decode(cls, row)
        except CodecError as error:
            raise SeedError(str(path), f"{key} {number}: {error}") from None
        if value.id in found:
            raise SeedError(str(path), f"{key} {value.id!r} stands there twice")
        found[value.id] = value
    return tuple(found.values())


def _fingerprints(path: Path, data: bytes) -> tuple[Fingerprint, ...]:
    rows = _rows(Fingerprint, path, _toml(path, data), "fingerprint")
    for row in rows:
        if row.where == "header" and (not row.header or row.header != row.header.lower()):
            raise SeedError(str(path), f"{row.id}: `header` must name a header in lower case")
        try:
            re.compile(row.pattern if row.regex else "")
        except re.error as error:
            raise SeedError(str(path), f"{row.id}: pattern does not compile: {error}") from None
    return rows


def _special(path: Path, data: bytes) -> tuple[SpecialBlock, ...]:
    def block(row: Mapping[str, str]) -> SpecialBlock:
        # The registry writes some names in quotation marks of its own; in a sentence they only disturb.
        name = row["name"].strip('"')
        return SpecialBlock(ipaddress.ip_network(row["block"]), name, _REACHABLE[row["globally_reachable"]])

    return _csv(path, data, block)


def _networks(path: Path, data: bytes) -> tuple[tuple[int, str, str], ...]:
    return _csv(path, data, lambda row: (int(row["asn"]), row["name"], row["kind"]))


def _csv(path: Path, data: bytes, make: Callable[[Mapping[str, str]], V]) -> tuple[V, ...]:
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8"), newline=""), strict=True)
    except UnicodeDecodeError as error:
        raise SeedError(str(path), f"not UTF-8: {error.reason}") from None
    try:
        return tuple(make(row) for row in reader)
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise SeedError(str(path), f"line {reader.line_num} is malformed: {error}") from None
