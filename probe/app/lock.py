"""One run at a time: two at once on one line measure each other, and two on one database wait for each other.

The lock is the operating system's, on an open file, so it ends with the process however that ends; what kill -9 leaves
behind is a file that nobody holds. The file is never removed: between removing and locking another run could slip in.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from probe.app.home import make_home
from probe.model.errors import ProbeError, StoreError

HOME_LOCK = "run.lock"
SUFFIX = ".lock"
# Windows locks bytes, and nobody may read locked ones: so one far behind the words that say who holds the lock.
_BYTE = 1 << 20


class BusyError(ProbeError):
    """Another run is going on."""


@contextmanager
def only_run(db: Path) -> Iterator[None]:
    """Hold this home and this database for one run. Raises BusyError when another run holds one of them, StoreError
    when the lock cannot be made."""
    with ExitStack() as stack:
        for path in (make_home() / HOME_LOCK, lock_of(db)):
            stack.enter_context(_held(path))
        yield


def lock_of(db: Path) -> Path:
    """The lock file of a database."""
    return db.with_name(db.name + SUFFIX)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    try:
        if not _take(file):
            raise BusyError(f"another run is under way ({_holder(path)}); wait for it, or stop it with Ctrl-C there")
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, f"process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n".encode())
        yield
    finally:
        os.close(file)


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()[:80] or "just begun"
    except OSError:
        return "unknown"


if sys.platform == "win32":
    import msvcrt

    def _take(file: int) -> bool:
        os.lseek(file, _BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _take(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
