"""Network and country of an address, from a file that the person names: MMDB, or CSV or TSV of ranges or prefixes.

None is shipped: licences forbid it, and a stale copy would speak with false certainty. So every answer says which file
gave it, by build date and digest.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import maxminddb
from maxminddb.const import MODE_FD

from probe.inputs.folders import digest, read_bounded
from probe.inputs.ranges import RangeTable, read_ranges
from probe.model.errors import UsageError

MAX_BYTES = 1_000_000_000
_MMDB_MARK = b"\xab\xcd\xefMaxMind.com"
# What a damaged file makes the reader raise, beside its own error.
_BROKEN = (maxminddb.InvalidDatabaseError, ValueError, IndexError, KeyError, TypeError, OverflowError, RecursionError)
# Where the makers of such files put what we look for; the first that is there counts.
_CC_KEYS = ("country.iso_code", "country_code", "registered_country.iso_code", "country", "cc")
_ASN_KEYS = ("autonomous_system_number", "asn", "as_number", "traits.autonomous_system_number")
_NAME_KEYS = (
    "autonomous_system_organization",
    "as_name",
    "organization",
    "name",
    "as_org",
    "traits.autonomous_system_organization",
)
# Spread over the address space, so that a cut-off or scrambled tree shows itself when the file is opened.
_TRIALS = (
    "1.1.1.1",
    "8.8.8.8",
    "45.64.0.1",
    "101.50.64.1",
    "192.0.32.7",
    "203.82.48.1",
    "2001:4860:4860::8888",
    "2606:4700::1",
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the file says of an address: `cc` in upper case or empty, `says` is `netdb:<built>:<digest>`."""

    cc: str = ""
    asn: int | None = None
    name: str = ""
    says: str = ""


@dataclass(frozen=True)
class NetDb:
    """An opened file. `built` is its build date (YYYY-MM-DD; of a CSV, which has none inside, the day it was last
    written), `digest` the SHA-256 of its bytes."""

    path: Path
    built: str
    digest: str
    find: Callable[[str], Seen | None]

    @classmethod
    def open(cls, path: Path | str) -> NetDb:
        """Read a file whole and try it. Raises UsageError with the reason: unreadable, damaged, of another kind."""
        path = Path(path)
        data = read_bounded(path, MAX_BYTES)
        if _MMDB_MARK in data[-131_072:]:
            return _open_mmdb(path, data)
        try:
            table = read_ranges(data)
        except ValueError as error:
            raise UsageError(f"{path}: neither an MMDB file nor a CSV of address ranges: {error}") from None
        return cls(path, _day(path.stat().st_mtime), digest(data), _range_finder(table))

    @property
    def says(self) -> str:
        """How answers name this file (`who_says` of a vantage point)."""
        return f"netdb:{self.built}:{self.digest}"

    def lookup(self, ip: str) -> Seen | None:
        """What the file says of an address; None for one that it does not know or that is none. A single damaged
        record counts as not known: the file as a whole was tried when it was opened."""
        try:
            found = self.find(str(ipaddress.ip_address(ip.partition("%")[0])))
        except _BROKEN:
            return None
        if found is None or not _says_something(found):
            return None
        return Seen(found.cc, found.asn, found.name, self.says)


def _day(unix_s: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(unix_s))


def _range_finder(table: RangeTable) -> Callable[[str], Seen | None]:
    def find(ip: str) -> Seen | None:
        found = table.lookup(ip)
        return Seen(found.cc, found.asn, found.name) if found else None

    return find


def _open_mmdb(path: Path, data: bytes) -> NetDb:
    try:
        # From memory: a file that is replaced while it is mapped would end the process.
        reader = maxminddb.open_database(BytesIO(data), MODE_FD)
        built = _day(reader.metadata().build_epoch)
        finder = _mmdb_finder(reader)
        known = any(found is not None and _says_something(found) for found in map(finder, _TRIALS))
    except _BROKEN as error:
        raise UsageError(f"{path}: a damaged MMDB file: {error}") from None
    if not known and next(iter(_records(reader, path)), None) is None:
        raise UsageError(f"{path}: an MMDB file that holds no countries and no networks")
    return NetDb(path, built, digest(data), finder)


def _records(reader: maxminddb.Reader, path: Path, tries: int = 1000) -> Iterable[Seen]:
    """The usable ones among the first records. Raises UsageError when one of them is damaged."""
    try:
        for _, (_, record) in zip(range(tries), reader, strict=False):
            seen = _seen(record)
            if _says_something(seen):
                yield seen
    except _BROKEN as error:
        raise UsageError(f"{path}: a damaged MMDB file: {error}") from None


def _mmdb_finder(reader: maxminddb.Reader) -> Callable[[str], Seen | None]:
    only_v4 = reader.metadata().ip_version == 4

    def find(ip: str) -> Seen | None:
        if only_v4 and ":" in ip:
            return None
        record = reader.get(ip)
        return None if record is None else _seen(record)

    return find


def _seen(record: object) -> Seen:
    if not isinstance(record, Mapping):
        return Seen()
    cc = str(_first(record, _CC_KEYS) or "").upper()
    return Seen(
        cc if _is_cc(cc) else "", _number(_first(record, _ASN_KEYS)), str(_first(record, _NAME_KEYS) or "")[:100]
    )


def _says_something(seen: Seen) -> bool:
    return bool(seen.cc or seen.asn)


def _first(record: Mapping[str, Any], keys: Iterable[str]) -> str | int | None:
    for key in keys:
        value: object = record
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if isinstance(value, str | int) and value:
            return value
    return None


def _is_cc(text: str) -> bool:
    return len(text) == 2 and text.isascii() and text.isalpha()


def _number(value: str | int | None) -> int | None:
    digits = str(value or "").upper().removeprefix("AS")
    return int(digits) if digits.isascii() and digits.isdigit() and 0 < int(digits) < 2**32 else None
