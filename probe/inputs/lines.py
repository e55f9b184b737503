"""The text of a list into rows: CSV with a header that names a `url` column, or one URL a line.

Lists come from spreadsheets, editors and other tools: byte-order marks, CRLF, columns in any order, stray quotes. A
stray quote makes a CSV reader swallow the rest of the file as one field, silently; here a record may span few lines,
and what does not close within them is one bad line.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass

from probe.model.errors import TargetError

# A record may span this many lines: room for a note of some paragraphs.
MAX_RECORD_LINES = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One usable line; `line` counts from 1."""

    line: int
    url: str
    category: str = ""
    notes: str = ""


def read_rows(data: bytes, max_lines: int) -> tuple[list[Row], list[TargetError]]:
    """Rows and bad lines. Raises ValueError with a reason when the whole is no list."""
    lines = _lines(data)
    if len(lines) > max_lines:
        raise ValueError(f"more than {max_lines} lines")
    errors: list[TargetError] = []
    columns, begin = _header(lines)
    if columns is None:
        return [row for n, line in enumerate(lines, 1) if (row := _plain(n, line, errors))], errors
    return list(_table(lines, begin, columns, errors)), errors


def _lines(data: bytes) -> list[str]:
    if b"\0" in data:
        raise ValueError("not a text file (or UTF-16: save it as UTF-8)")
    # What is not UTF-8 comes through as lone surrogates, so that one bad line is one bad line.
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _header(lines: list[str]) -> tuple[dict[str, int] | None, int]:
    """Column name to place, and the index of the first row after it; None for a list without columns."""
    first = next((n for n, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise ValueError("empty")
    names = [name.strip().lower() for name in next(csv.reader([lines[first]]), [])]
    if "url" in names:
        return {name: n for n, name in reversed(list(enumerate(names)))}, first + 1
    if len(names) > 2 and "://" not in lines[first] and not lines[first].lstrip().startswith("#"):
        raise ValueError("its header names no column `url`")
    return None, first


def _plain(number: int, line: str, errors: list[TargetError]) -> Row | None:
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    # A comment may follow the URL; a fragment has no space before it.
    text = text.partition(" #")[0].rstrip()
    if _is_broken(text):
        errors.append(TargetError(_shown(text), "not UTF-8", number))
        return None
    return Row(number, text)


def _table(lines: list[str], begin: int, columns: dict[str, int], errors: list[TargetError]) -> Iterator[Row]:
    at = begin
    while at < len(lines):
        fields, used = _record(lines, at)
        number, at = at + 1, at + used
        if fields is None:
            errors.append(TargetError(_shown(lines[number - 1]), "not a row of CSV (a quote is not closed?)", number))
        elif any(fields) and not fields[0].startswith("#"):
            row = _row(number, fields, columns)
            bad = "no url in this row" if not row.url else "not UTF-8" if _is_broken("".join(fields)) else ""
            if bad:
                errors.append(TargetError(_shown(",".join(fields)), bad, number))
            else:
                yield row


def _record(lines: list[str], at: int) -> tuple[list[str] | None, int]:
    """The fields of the record that begins at a line, and how many lines it takes; None when it is malformed."""
    quotes = 0
    for used, line in enumerate(lines[at : at + MAX_RECORD_LINES], 1):
        quotes += line.count('"')
        if quotes % 2 == 0:
            try:
                return next(csv.reader([part + "\n" for part in lines[at : at + used]], strict=True), []), used
            except csv.Error:
                return None, 1
    return None, 1


def _row(number: int, fields: list[str], columns: dict[str, int]) -> Row:
    def cell(name: str) -> str:
        place = columns.get(name)
        return fields[place].strip() if place is not None and place < len(fields) else ""

    return Row(number, cell("url"), cell("category_code") or cell("category"), cell("notes"))


def _is_broken(text: str) -> bool:
    return not text.isascii() and any("\udc80" <= c <= "\udcff" for c in text)


def _shown(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
