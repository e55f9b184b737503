"""What an organiser does with a dossier: begin one, sign one. The file stays the author's own: layout and comments are
kept, and only the lines of key and signature are written.
"""

from __future__ import annotations

import os
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

from probe.app.home import make_home
from probe.inputs.dossier import Read, read_dossier, read_file
from probe.inputs.reference import load_reference
from probe.model.errors import StoreError, UsageError
from probe.store.keys import signing_key
from probe.wire.dossier import sign

KEY_FILE = "campaign-author.pem"
_ID = re.compile(r"[a-z0-9][a-z0-9-]{1,63}")
# A line that this program wrote before. Within a table of its own, such as [collector], a key is not the author's.
_OWN_LINE = re.compile(r'^(?:key = "[0-9a-f]*"|signature = "[0-9a-f]*")\n', re.M)
_FIRST_TABLE = re.compile(r"^\[", re.M)
_TEMPLATE = """\
# Dossier of a campaign. What each field means: docs/campaigns.md; its bounds: docs/schema/campaign.schema.json.
# Then: probe campaign check {id}.toml, probe campaign sign {id}.toml

schema = 1
id = "{id}"
title = "A sentence that names the incident"
author = "Your name, or your organisation's"
revision = "{today}"
languages = ["en"]       # the first is the one that this file is written in

# Ids of seeds/canaries.toml; empty: those that the program chooses.
canaries = []

incident = \"\"\"
What happened, as far as it is known, and what is not known. Name your sources. Say what you have read, not what you
suspect.\"\"\"

[schedule]
every = "6h"             # not more often than 15m
until = ""               # the last day, such as 2026-12-31; empty: until the volunteer stops it

[safety]
note = \"\"\"
Who may see that somebody takes part, what that can mean where your volunteers live, and who should not take part.\"\"\"

[helper]
urls = []                # test helpers to compare with; without one less can be said

[collector]
urls = []                # where results may be sent; nothing is sent before the volunteer says so
key = ""                 # its public keys, as `probe collector key --json` prints them
recipient = ""           # to encrypt to; empty: results travel under https only
issuer = ""              # of its invitations; empty: nobody was invited

[[target]]
url = "https://example.org/"
why = "what this site has to do with it"

[[claim]]
id = "unreachable"
statement = "example.org could not be reached in Example City on 1 January 2026."
targets = ["https://example.org/"]
places = ["Example City"]  # empty: everywhere
since = "2026-01-01"
until = ""
source = "who says so, and where"

[[rival]]
id = "outage"
explains = ["unreachable"]
statement = "Everything was unreachable there on that day."
excluded_by = "canaries that were reached from the same network in the same hour"
source = "no report of it; it must be excluded all the same"
"""


def begin(path: Path, name: str = "") -> Path:
    """Write a dossier to fill in. Raises UsageError when the file is there already, or the id is none."""
    identity = name or path.stem
    if not _ID.fullmatch(identity):
        raise UsageError(f"{identity[:80]!r} is no id: small letters, digits and hyphens, such as my-city-2026")
    text = _TEMPLATE.format(id=identity, today=datetime.now(UTC).date().isoformat())
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path}: is there already") from None
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    return path


def author_key(path: Path | None = None) -> Path:
    """Where the author's private key is, or will be made."""
    return path or make_home() / KEY_FILE


def sign_file(path: Path, key: Path | None = None) -> Read:
    """Sign the dossier in a file, and write key and signature into it. Raises DossierError for one that is not right,
    StoreError for a key or file that cannot be read or written."""
    reference = load_reference()
    bare = _without_own_lines(path)
    read_dossier(bare.encode(), str(path), reference)
    public, signature = sign(tomllib.loads(bare), signing_key(author_key(key)))
    text = _with_lines(bare, f'key = "{public}"\nsignature = "{signature}"\n')
    if tomllib.loads(text) != {**tomllib.loads(bare), "key": public, "signature": signature}:
        raise UsageError(f"{path}: cannot be edited; write key and signature above everything else in it")
    _replace(path, text)
    return read_file(path, reference)


def _without_own_lines(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or 'not a text file in UTF-8'}") from None
    table = _FIRST_TABLE.search(text)
    end = table.start() if table else len(text)
    return _OWN_LINE.sub("", text[:end]) + text[end:]


def _with_lines(text: str, lines: str) -> str:
    """The lines put behind the comments that a file begins with: there no table and no long text has begun."""
    head = re.match(r"(?:[ \t]*(?:#[^\n]*)?\n)*", text)
    at = head.end() if head else 0
    return text[:at] + lines + text[at:]


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
