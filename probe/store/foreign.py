"""Databases from outside, hostile until proven otherwise: read by a jailed child, believed line by line.

Nothing of the file is opened by SQLite in this process. Rows come out one by one while the child still reads, so
whoever takes them must be able to take them back: an error at the last row means that nothing of the file counts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import probe
from probe.model.errors import BundleError
from probe.store.ledger import Ledger, parse_ledger
from probe.wire.facts import Row, load_object, parse_fact

# The child finds this package where the parent found it: -I keeps the working directory and PYTHON* variables out.
_START = "import sys; sys.path.insert(0, {!r}); from probe.store.jail import main; sys.exit(main(*sys.argv[1:]))"
_ROOT = str(Path(probe.__file__).resolve().parents[1])
# Marks the lines of the ledger among the facts, between child and parent only.
LEDGER_MARK = b"#"
_MAGIC = b"SQLite format 3\x00"


@dataclass(frozen=True, slots=True)
class ForeignLimits:
    """Bounds on a foreign database: bytes of the file, lines and bytes that the child may say, seconds for all."""

    file: int = 2 * 1024 * 1024 * 1024
    lines: int = 20_000_000
    out: int = 16 * 1024 * 1024 * 1024
    line: int = 8 * 1024 * 1024
    seconds: int = 600


DEFAULT_FOREIGN = ForeignLimits()


def is_database(path: Path) -> bool:
    """True when the file begins like an SQLite database (it may still be anything). Raises BundleError."""
    try:
        with path.open("rb") as file:
            return file.read(16) == _MAGIC
    except OSError as error:
        raise BundleError(f"{path.name}: {error.strerror}") from None


def read_foreign(
    path: Path, limits: ForeignLimits = DEFAULT_FOREIGN, *, with_ledger: bool = False
) -> Iterator[Row | Ledger]:
    """The facts of a foreign database in bundle order, strictly typed; with `with_ledger` then its origins and
    quarantine. Raises BundleError at the first thing wrong."""
    if not is_database(path):
        raise BundleError(f"{path.name}: not an SQLite database")
    if path.stat().st_size > limits.file:
        raise BundleError(f"{path.name}: larger than {limits.file} bytes")
    with _whole(path) as whole, _child(whole, limits, with_ledger) as child:
        try:
            yield from _rows(child, limits, with_ledger)
        except BundleError as error:
            raise BundleError(f"{path.name}: {error}") from None


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """The file to read: itself, or a copy together with its -wal, where the newest rows of a live database are."""
    wal = path.with_name(path.name + "-wal")
    try:
        if not wal.exists() or wal.stat().st_size == 0:
            yield path
            return
        with tempfile.TemporaryDirectory(prefix="probe-") as folder:
            shutil.copyfile(path, Path(folder, "db"))
            shutil.copyfile(wal, Path(folder, "db-wal"))
            yield Path(folder, "db")
    except OSError as error:
        raise BundleError(f"{path.name}: {error.strerror or error}") from None


@contextmanager
def _child(path: Path, limits: ForeignLimits, with_ledger: bool) -> Iterator[Child]:
    process = subprocess.Popen(
        [sys.executable, "-I", "-X", "utf8", "-c", _START.format(_ROOT),
         str(path), str(int(with_ledger)), str(limits.seconds)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment(),
    )  # fmt: skip
    timer = threading.Timer(limits.seconds + 5, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield Child(process)
    finally:
        timer.cancel()
        process.kill()
        process.communicate()


def _environment() -> dict[str, str]:
    """Nothing of ours; Windows' loader needs its root."""
    return {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}


@dataclass(frozen=True)
class Child:
    """The jailed process."""

    process: subprocess.Popen[bytes]

    def lines(self, limits: ForeignLimits) -> Iterator[bytes]:
        """What it says, within bounds, without newlines. Raises BundleError."""
        assert self.process.stdout is not None
        count = size = 0
        while line := self.process.stdout.readline(limits.line + 1):
            count, size = count + 1, size + len(line)
            if not line.endswith(b"\n") or count > limits.lines or size > limits.out:
                raise BundleError("holds more than is taken, or was cut off")
            yield line[:-1]

    def complaint(self) -> str:
        """Why it gave up, as one safe line."""
        assert self.process.stderr is not None
        said = self.process.stderr.read(10_000).decode("ascii", "replace").strip().splitlines()
        code = self.process.wait()
        if code == 1 and said:
            return "".join(c for c in said[-1] if c.isprintable())[:200]
        return "reading it took too much time or memory" if code else ""


def _rows(child: Child, limits: ForeignLimits, with_ledger: bool) -> Iterator[Row | Ledger]:
    count = 0
    lines = child.lines(limits)
    for line in lines:
        if line.startswith(b'{"end":'):
            if load_object(line) != {"end": count} or next(lines, None) is not None:
                raise BundleError("its reader miscounted")
            return
        count += 1
        if with_ledger and line.startswith(LEDGER_MARK):
            yield parse_ledger(line[1:])
        else:
            yield parse_fact(line)
    raise BundleError(child.complaint() or "its reader stopped early")
