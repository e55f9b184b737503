"""The exceptions of ours. A network failure is never one of them: that is data (an observation's `failure`).

    ProbeError              something we can say in one line; the command line turns it into an exit code
      UsageError            the caller asked for something impossible (exit 2)
        TargetError         a URL or list line that cannot be measured
        SeedError           reference data that is missing, malformed or not what its digest says
      ConsentError          nothing may touch the network yet (exit 3)
      StoreError            the database cannot be read or written as asked (exit 1)
      BundleError           a bundle or foreign database is malformed, hostile or damaged (exit 1)
      RefusedError          a policy of ours forbids it: special address, port, rate (exit 1)

Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations


class ProbeError(Exception):
    """Base of all; `str()` is one line for a person."""

    exit_code = 1


class UsageError(ProbeError):
    """The request itself is wrong; nothing was done."""

    exit_code = 2


class TargetError(UsageError):
    """`text` is no measurable URL; `reason` says why; `line` is its line in a list, if it came from one."""

    def __init__(self, text: str, reason: str, line: int | None = None) -> None:
        where = f"line {line}: " if line is not None else ""
        shown = text if len(text) <= 120 else text[:117] + "..."
        super().__init__(f"{where}{shown!r}: {reason}")
        self.text, self.reason, self.line = text, reason, line


class SeedError(UsageError):
    """A reference file cannot be used; `path` names it."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


class ConsentError(ProbeError):
    """The person has not agreed yet."""

    exit_code = 3


class StoreError(ProbeError):
    """A database of ours cannot be opened, read or written."""


class BundleError(ProbeError):
    """Rows from outside that break the format's rules; nothing of them was taken."""


class RefusedError(ProbeError):
    """Allowed by the protocol, refused by policy (special address, port, rate)."""
