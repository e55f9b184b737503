"""Text from outside on a terminal: whatever a database holds, it must not move the cursor, ring, or forge a line."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Sequence

from rich.console import Console

# Cc control, Cf format (direction overrides, zero width), Cs surrogate, Zl and Zp line separators, Co private use.
_HOSTILE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Co"})


def safe(text: str, cap: int = 500) -> str:
    """`text` with everything that steers a terminal shown as an escape, cut after `cap` characters."""
    cut = text if len(text) <= cap else text[: cap - 3] + "..."
    if cut.isascii() and cut.isprintable():
        return cut
    return "".join(_escaped(c) if unicodedata.category(c) in _HOSTILE else c for c in cut)


def _escaped(c: str) -> str:
    return f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}" if ord(c) < 65536 else f"\\U{ord(c):08x}"


def is_rich() -> bool:
    """True where a person looks on: a terminal that can do more than print lines."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"


def console() -> Console:
    """Stdout for tables. Rich itself honours NO_COLOR; markup is off, since brackets in a URL are no markup."""
    return Console(highlight=False, markup=False, emoji=False)


def columns(rows: Sequence[Sequence[str]], gap: str = "  ") -> list[str]:
    """Rows as lines with aligned columns; the last column is as long as it is."""
    if not rows:
        return []
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]) - 1)]
    return [
        gap.join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[-1]]).rstrip() for row in rows
    ]
