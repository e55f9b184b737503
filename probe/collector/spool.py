"""Uploads on their way in: one file a name, appended as bytes arrive; an upload cut anywhere can go on from there."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from probe.model.errors import RefusedError, UsageError

Kind = Literal["bundle", "envelope", "database"]
KINDS: tuple[Kind, ...] = ("bundle", "envelope", "database")
_NAME = re.compile(r"[0-9a-f]{64}")
# An upload that nobody went on with for this long is forgotten. Seconds.
FORGET_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """Bytes of one bundle, of one database, and of all that the collector keeps on its disk; uploads begun at once."""

    bundle: int = 64 * 1024 * 1024
    database: int = 256 * 1024 * 1024
    quota: int = 20 * 1024 * 1024 * 1024
    uploads: int = 1000


class QuotaError(RefusedError):
    """No room: the collector's disk quota is used up."""


class BusyError(RefusedError):
    """Somebody is sending this very upload at the moment."""


class Spool:
    """The folder of unfinished uploads. `others` are further files and folders that count into the quota."""

    def __init__(self, folder: Path, limits: SpoolLimits, others: tuple[Path, ...] = ()) -> None:
        self.folder, self.limits, self._others = folder, limits, others
        self._open: set[Path] = set()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, kind: Kind, name: str) -> Path:
        """Where an upload is gathered. Raises UsageError for what is no digest (it becomes a file name)."""
        if not _NAME.fullmatch(name):
            raise UsageError("the name of an upload is the SHA-256 of its content, in hex")
        return self.folder / f"{kind}-{name}"

    def offset(self, kind: Kind, name: str) -> int:
        """How many bytes of it are here."""
        path = self.path(kind, name)
        return path.stat().st_size if path.exists() else 0

    def most(self, kind: Kind) -> int:
        """The largest upload of a kind, bytes."""
        return self.limits.database if kind == "database" else self.limits.bundle

    @contextmanager
    def hold(self, kind: Kind, name: str) -> Iterator[Upload]:
        """The upload, for one request at a time. Raises BusyError, QuotaError."""
        path = self.path(kind, name)
        if path in self._open:
            raise BusyError("this upload is being sent already; try again soon")
        self._open.add(path)
        try:
            self._make_room(path)
            with open(os.open(path, os.O_CREAT | os.O_RDWR, 0o600), "r+b") as file:
                file.seek(0, os.SEEK_END)
                yield Upload(path, file, self.most(kind))
        finally:
            self._open.discard(path)

    def _make_room(self, path: Path) -> None:
        self.forget_old()
        uploads = list(self.folder.iterdir())
        if not path.exists() and len(uploads) >= self.limits.uploads:
            raise QuotaError("too many unfinished uploads; try again tomorrow")
        if self.used() >= self.limits.quota:
            raise QuotaError("this collector's disk quota is used up")

    def used(self) -> int:
        """Bytes on disk that count."""
        return sum(_size(path) for path in (self.folder, *self._others))

    def forget_old(self, now: float | None = None) -> None:
        """Remove uploads that nobody goes on with."""
        now = time.time() if now is None else now
        for path in self.folder.iterdir():
            if path not in self._open and now - path.stat().st_mtime > FORGET_S:
                path.unlink(missing_ok=True)


@dataclass
class Upload:
    """One upload while a request adds to it."""

    path: Path
    file: BinaryIO
    most: int

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self.file.tell()

    def add(self, data: bytes) -> None:
        """Append. Raises QuotaError when the disk is full, RefusedError when it grows too large."""
        if self.size + len(data) > self.most:
            raise RefusedError(f"larger than {self.most} bytes")
        before = self.size
        try:
            self.file.write(data)
            self.file.flush()
        except OSError as error:
            self.file.truncate(before)
            self.file.seek(before)
            raise QuotaError(f"cannot be written: {error.strerror}") from None

    def drop(self) -> None:
        """Forget it: what came is not what its name says."""
        self.path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(entry.stat().st_size for entry in os.scandir(path) if entry.is_file())
    return path.stat().st_size if path.exists() else 0
