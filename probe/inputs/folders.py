"""Where `targets/`, `seeds/` and `schema/` are: inside the installed package, or at the top of a source tree."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path

from probe.model.errors import SeedError, UsageError

# Where a source tree keeps what a wheel carries under probe/_data (pyproject.toml, force-include).
_IN_TREE = {"targets": "targets", "seeds": "seeds", "schema": "docs/schema"}


@cache
def data_folder(name: str) -> Path:
    """The folder `name` (targets, seeds or schema). Raises SeedError when it came with neither package nor tree."""
    package = Path(str(files("probe")))
    for folder in (package / "_data" / name, package.parent / _IN_TREE[name]):
        if folder.is_dir():
            return folder
    raise SeedError(name, "this folder did not come with the installation; please install the program again")


def read_bounded(path: Path, cap: int, name: str | None = None) -> bytes:
    """The bytes of a file of at most `cap` bytes. Raises UsageError, which calls the file `name`."""
    shown = name or str(path)
    try:
        with path.open("rb") as file:
            data = file.read(cap + 1)
    except OSError as error:
        raise UsageError(f"{shown}: {error.strerror or error}") from None
    if len(data) > cap:
        raise UsageError(f"{shown}: larger than {cap // 1_000_000} MB")
    return data


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()
