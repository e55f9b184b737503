"""A CSV or TSV of address ranges into a table that answers look-ups.

Forms met in the wild, with or without header: `start,end,asn,cc,name` in any order after the addresses (iptoasn is the
same with tabs), `start,end,cc`, `cidr,asn,name`, `cidr,cc`; addresses as text or as decimal numbers; gzip. Cells are
told apart by their shape, so no column order has to be known.
"""

from __future__ import annotations

import csv
import gzip
import io
import ipaddress
import re
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

MAX_TEXT = 500_000_000
MAX_ROWS = 5_000_000
# This many bad rows at most, and only if they are fewer than the good ones.
MAX_BAD = 1000
_ASN = re.compile(r"(?:AS)?(\d{1,10})(?:\.0)?", re.IGNORECASE)
_CC = re.compile(r"[A-Z]{2}")
_NOTHING = frozenset({"", "-", "none", "not routed", "unknown", "null"})


@dataclass(frozen=True, slots=True)
class Owner:
    """What a row says of its addresses."""

    cc: str = ""
    asn: int | None = None
    name: str = ""


Span = tuple[int, int, Owner]


@dataclass
class RangeTable:
    """Disjoint spans by IP version, in order; build it with `read_ranges`."""

    starts: dict[int, list[int]] = field(default_factory=dict)
    spans: dict[int, list[Span]] = field(default_factory=dict)

    def lookup(self, ip: str) -> Owner | None:
        """The owner of an address; None where there is none. Raises ValueError for what is no address."""
        address = ipaddress.ip_address(ip)
        place = bisect_right(self.starts.get(address.version, []), int(address)) - 1
        if place < 0:
            return None
        _, end, owner = self.spans[address.version][place]
        return owner if int(address) <= end else None


def read_ranges(data: bytes) -> RangeTable:
    """Raises ValueError with a reason. A few malformed rows are passed over; a file of them is no table."""
    rows = _cells(_text(data))
    found: dict[int, list[Span]] = {4: [], 6: []}
    good = bad = 0
    for number, cells in enumerate(rows):
        span = _span(cells)
        if span is not None:
            version, start, end, owner = span
            if owner != Owner():
                found[version].append((start, end, owner))
            good += 1
        elif number:  # the first row may be a header
            bad += 1
        if bad > MAX_BAD or good > MAX_ROWS:
            raise ValueError("too many rows that hold no address range" if bad > MAX_BAD else "too many rows")
    if bad >= good:
        raise ValueError("hardly any row holds an address range")
    spans = {version: list(_disjoint(rows)) for version, rows in found.items()}
    if not any(spans.values()):
        raise ValueError("no row names a country or a network")
    return RangeTable({version: [start for start, _, _ in rows] for version, rows in spans.items()}, spans)


def _text(data: bytes) -> str:
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
                data = file.read(MAX_TEXT + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"damaged gzip: {error}") from None
    if len(data) > MAX_TEXT:
        raise ValueError(f"larger than {MAX_TEXT // 1_000_000} MB")
    if b"\0" in data[:4096]:
        raise ValueError("not text")
    return data.decode("utf-8-sig", "replace")


def _cells(text: str) -> Iterator[list[str]]:
    lines = (line for line in io.StringIO(text, newline="") if line.strip() and not line.startswith("#"))
    first = next(lines, "")
    delimiter = max("\t,;", key=first.count)
    # A name with a lone quote in a TSV is just a name.
    quoting: Literal[0, 3] = 3 if delimiter == "\t" else 0  # csv.QUOTE_NONE, csv.QUOTE_MINIMAL
    try:
        yield from csv.reader(chain([first], lines), delimiter=delimiter, quoting=quoting)
    except csv.Error as error:
        raise ValueError(str(error)) from None


def _span(cells: list[str]) -> tuple[int, int, int, Owner] | None:
    """(version, first, last, owner) of a row; None when it begins with no range."""
    cells = [cell.strip() for cell in cells]
    try:
        if "/" in cells[0]:
            network = ipaddress.ip_network(cells[0], strict=False)
            first, last, rest = network[0], network[-1], cells[1:]
        else:
            first, last, rest = _address(cells[0]), _address(cells[1]), cells[2:]
    except (ValueError, IndexError):
        return None
    if first.version != last.version or int(first) > int(last):
        return None
    return first.version, int(first), int(last), _owner(rest)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(int(text) if text.isascii() and text.isdigit() else text)


def _owner(cells: Iterable[str]) -> Owner:
    cc, asn, name = "", None, ""
    for cell in cells:
        number = _ASN.fullmatch(cell)
        if cell.lower() in _NOTHING:
            continue
        if number and asn is None:
            asn = int(number[1])
        elif not cc and _CC.fullmatch(cell):
            cc = cell
        elif not name:
            name = cell
    # 0 stands for "not routed", and is nobody's number (RFC 7607). ZZ is "unknown" in such files.
    known = asn if asn and asn < 2**32 else None
    return Owner("" if cc == "ZZ" else cc, known, name[:100] if known else "")


def _disjoint(spans: list[Span]) -> Iterator[Span]:
    """The same as spans that do not overlap: where one lies inside another, the inner one counts."""
    open_spans: list[Span] = []
    at = 0  # everything before this has been given out
    for start, end, owner in sorted(spans, key=lambda span: (span[0], -span[1])):
        while open_spans and open_spans[-1][1] < start:
            _, last, holder = open_spans.pop()
            if at <= last:
                yield at, last, holder
                at = last + 1
        if open_spans and at < start:
            yield at, start - 1, open_spans[-1][2]
        at = max(at, start)
        open_spans.append((start, end, owner))
    while open_spans:
        _, last, holder = open_spans.pop()
        if at <= last:
            yield at, last, holder
            at = last + 1
