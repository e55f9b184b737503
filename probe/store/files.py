"""Files of ours that are there whole or not at all, and are nobody else's to read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from probe.model.errors import StoreError


@contextmanager
def whole_file(out: Path) -> Iterator[BinaryIO]:
    """A file to write that appears at `out` (mode 0600) when the block ends well, on the disk and not only on its way
    there. Raises StoreError for what the system refuses, inside the block, too."""
    part = out.with_name(out.name + ".part")
    try:
        with open(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, out)
    except OSError as error:
        raise StoreError(f"{out}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
