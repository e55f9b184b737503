"""A translator's catalogue (a .po file of GNU gettext) as the standard library's translations.

The text file itself is read, so a language is one file that a person can write, correct and try at once; there is
nothing to compile. Entries marked fuzzy, and those without a translation, are left out: English stands in.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterable, Iterator
from gettext import GNUTranslations
from pathlib import Path

from probe.inputs.folders import read_bounded
from probe.model.errors import SeedError, UsageError

MAX_CATALOGUE = 4_000_000
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_FIELD = re.compile(r"(msgctxt|msgid|msgid_plural|msgstr|msgstr\[[0-9]\])\s+(?=\")")
_ESCAPE = re.compile(r"\\(.)")
_MEANS = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
# The GNU gettext manual, section "The Format of GNU MO Files".
_MAGIC, _HEADER = 0x950412DE, 28
Entry = dict[str, str]


def read_catalogue(path: Path) -> GNUTranslations:
    """The translations of a file. Raises SeedError for one that is missing or malformed."""
    try:
        text = read_bounded(path, MAX_CATALOGUE).decode("utf-8")
        return GNUTranslations(io.BytesIO(_compiled(_messages(_entries(text.splitlines())))))
    except (UsageError, ValueError) as error:
        raise SeedError(str(path), f"no catalogue: {error}") from None


def _entries(lines: Iterable[str]) -> Iterator[Entry]:
    """Entries with their fields joined. Raises ValueError that names the line."""
    entry: Entry = {}
    field, fuzzy = "", False
    for number, line in enumerate((*lines, ""), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            if entry and not fuzzy:
                yield entry
            fuzzy = (fuzzy and not entry) or (text.startswith("#,") and "fuzzy" in text)
            entry, field = {}, ""
            continue
        named = _FIELD.match(text)
        if named:
            field = named[1]
            entry[field] = ""
        quoted = _STRING.fullmatch(text, named.end() if named else 0)
        if quoted is None or not field:
            raise ValueError(f"line {number} is malformed")
        entry[field] += _ESCAPE.sub(lambda m: _MEANS.get(m[1], m[1]), quoted[1])


def _messages(entries: Iterable[Entry]) -> dict[str, str]:
    """Keys and values as a .mo file has them: a context before EOT, plural forms parted by NUL."""
    found: dict[str, str] = {}
    for entry in entries:
        key = entry.get("msgid", "")
        if "msgctxt" in entry:
            key = f"{entry['msgctxt']}\x04{key}"
        if "msgid_plural" in entry:
            forms = [entry[name] for name in sorted(entry) if name.startswith("msgstr[")]
            key, value = f"{key}\0{entry['msgid_plural']}", "\0".join(forms if all(forms) else [])
        else:
            value = entry.get("msgstr", "")
        if value:
            found[key] = value
    if "charset=utf-8" not in found.get("", "").lower():
        raise ValueError("its header does not say charset=UTF-8")
    return found


def _compiled(messages: dict[str, str]) -> bytes:
    keys = sorted(key.encode() for key in messages)
    values = [messages[key.decode()].encode() for key in keys]
    tables = _HEADER + 16 * len(keys)
    texts = b"".join(text + b"\0" for text in (*keys, *values))
    places, at = [], tables
    for text in (*keys, *values):
        places += [len(text), at]
        at += len(text) + 1
    header = struct.pack("<7I", _MAGIC, 0, len(keys), _HEADER, _HEADER + 8 * len(keys), 0, tables)
    return header + struct.pack(f"<{len(places)}I", *places) + texts
