"""Putting a schedule in place with the system's own tools, looking at it, and taking it away again.

Nothing needs a privilege: all of them are timers of the person's own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from probe.app.home import home_dir, make_home
from probe.app.schedule import cron, launchd, systemd, windows
from probe.app.schedule.job import Job
from probe.model.errors import StoreError, UsageError

Kind = Literal["systemd", "cron", "launchd", "windows"]
KINDS: tuple[Kind, ...] = ("systemd", "cron", "launchd", "windows")
_PATIENCE_S = 30.0


class Run(Protocol):
    """Runs a command of the system: (exit code, what it said)."""

    def __call__(self, words: Sequence[str], given: str | None = None) -> tuple[int, str]: ...


def run_command(words: Sequence[str], given: str | None = None) -> tuple[int, str]:
    """The command itself; 127 where it is not there."""
    try:
        done = subprocess.run(
            words, input=given, capture_output=True, text=True, timeout=_PATIENCE_S, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 127, str(error)
    return done.returncode, (done.stdout if done.returncode == 0 else done.stdout + done.stderr).strip()


@dataclass(frozen=True, slots=True)
class Status:
    """Whether a schedule is there, and what the system tells of it."""

    kind: Kind
    installed: bool
    words: str


def best_kind(platform: str = sys.platform, run: Run = run_command) -> Kind:
    """What this system offers: its own timers first, then cron. Raises UsageError when there is neither."""
    if platform == "darwin":
        return "launchd"
    if platform == "win32":
        return "windows"
    if run(["systemctl", "--user", "show-environment"])[0] == 0:
        return "systemd"
    if shutil.which("crontab"):
        return "cron"
    raise UsageError("this system has neither systemd for users nor cron; `probe schedule show` prints what to set up")


def files(kind: Kind, job: Job) -> dict[Path, str]:
    """What is written where; empty for cron, whose table is the person's own."""
    if kind == "systemd":
        return {unit_folder() / name: text for name, text in systemd.units(job).items()}
    if kind == "launchd":
        return {Path.home() / "Library" / "LaunchAgents" / launchd.FILE: launchd.plist(job)}
    if kind == "windows":
        return {home_dir() / windows.FILE: windows.task(job)}
    return {}


def text_of(kind: Kind, job: Job) -> str:
    """Everything that an installation would write, for reading first."""
    if kind == "cron":
        return cron.line(job)
    return "\n".join(f"# {path}\n{text}" for path, text in files(kind, job).items())


def unit_folder() -> Path:
    """Where a person's own units lie: systemd.unit(5)."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".config") / "systemd" / "user"


def install(kind: Kind, job: Job, run: Run = run_command) -> None:
    """Write and start it; an earlier one is replaced. Raises StoreError with what the system said."""
    make_home()
    for path, text in files(kind, job).items():
        _write(path, text, "utf-16" if kind == "windows" else "utf-8")
    for words in _STARTS[kind](run, job):
        _must(run, words)


def remove(kind: Kind, run: Run = run_command) -> bool:
    """Stop and delete it; False when there was none. Raises StoreError."""
    if not status(kind, run).installed:
        return False
    _STOPS[kind](run)
    for path in _paths(kind):
        path.unlink(missing_ok=True)
    if kind == "systemd":
        run(["systemctl", "--user", "daemon-reload"])
    return True


def status(kind: Kind, run: Run = run_command) -> Status:
    """What is there."""
    if kind == "cron":
        found = cron.entry(run(["crontab", "-l"])[1])
        return Status(kind, found is not None, found or "")
    there = all(path.exists() for path in _paths(kind))
    if kind == "systemd":
        return Status(kind, there, run(["systemctl", "--user", "list-timers", systemd.TIMER, "--no-pager"])[1])
    if kind == "launchd":
        return Status(kind, there, run(["launchctl", "list", launchd.LABEL])[1])
    code, said = run(["schtasks", "/Query", "/TN", windows.TASK, "/V", "/FO", "LIST"])
    return Status(kind, code == 0, said)


def _paths(kind: Kind) -> list[Path]:
    if kind == "systemd":
        return [unit_folder() / systemd.SERVICE, unit_folder() / systemd.TIMER]
    if kind == "launchd":
        return [Path.home() / "Library" / "LaunchAgents" / launchd.FILE]
    return [home_dir() / windows.FILE] if kind == "windows" else []


def _start_systemd(run: Run, job: Job) -> list[list[str]]:
    return [["systemctl", "--user", "daemon-reload"], ["systemctl", "--user", "enable", "--now", systemd.TIMER]]


def _start_launchd(run: Run, job: Job) -> list[list[str]]:
    path = str(_paths("launchd")[0])
    run(["launchctl", "unload", path])
    return [["launchctl", "load", "-w", path]]


def _start_windows(run: Run, job: Job) -> list[list[str]]:
    return [["schtasks", "/Create", "/TN", windows.TASK, "/XML", str(_paths("windows")[0]), "/F"]]


def _start_cron(run: Run, job: Job) -> list[list[str]]:
    code, table = run(["crontab", "-l"])
    _write_table(run, cron.without(table if code == 0 else "") + cron.line(job))
    return []


def _write_table(run: Run, table: str) -> None:
    code, said = run(["crontab", "-"], table)
    if code != 0:
        raise StoreError(f"crontab: {said}")


def _stop_cron(run: Run) -> None:
    _write_table(run, cron.without(run(["crontab", "-l"])[1]))


_STARTS: dict[Kind, Callable[[Run, Job], list[list[str]]]] = {
    "systemd": _start_systemd,
    "cron": _start_cron,
    "launchd": _start_launchd,
    "windows": _start_windows,
}
_STOPS: dict[Kind, Callable[[Run], object]] = {
    "systemd": lambda run: run(["systemctl", "--user", "disable", "--now", systemd.TIMER]),
    "cron": _stop_cron,
    "launchd": lambda run: run(["launchctl", "unload", "-w", str(_paths("launchd")[0])]),
    "windows": lambda run: run(["schtasks", "/Delete", "/TN", windows.TASK, "/F"]),
}


def _must(run: Run, words: Sequence[str]) -> None:
    code, said = run(words)
    if code != 0:
        raise StoreError(f"{words[0]}: {said or f'exit code {code}'}")


def _write(path: Path, text: str, encoding: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding=encoding)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
