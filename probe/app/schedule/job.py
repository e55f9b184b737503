"""A scheduled run as a value: what is started, how often, and how far it may be spread.

Everybody who installs `daily` would otherwise measure at midnight: a signature to whoever watches, and a burst for the
helper. So every schedule has a minute of its own and a jitter on top of it.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from probe.app.home import home_dir
from probe.inputs.targets import own_lists
from probe.model.errors import UsageError

NAME = "vantage-probe"
# Hours between two runs, by the word for it.
EVERY: Mapping[str, int] = {"hour": 1, "6h": 6, "12h": 12, "day": 24, "week": 168}
# Options that a timer must not carry: they ask, show or belong to one sitting.
_UNFIT = ("--dry-run", "--json", "--plain", "--quiet", "--resume", "--yes", "-h", "--help")


@dataclass(frozen=True)
class Job:
    """`command` is what is started, word by word, its options included. `every_h` hours lie between two starts;
    `minute`, `hour` and `weekday` (0 is Sunday) are this installation's own; up to `jitter_s` is added by chance each
    time. `home` is PROBE_HOME."""

    command: tuple[str, ...]
    every_h: int
    minute: int
    hour: int
    jitter_s: int
    home: Path
    weekday: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """Where systems without a mail or journal of their own put what is said."""
        return self.home / "schedule.log"


def make_job(
    options: tuple[str, ...],
    every: str,
    *,
    dice: random.Random | None = None,
    program: tuple[str, ...] | None = None,
    jitter_s: int | None = None,
) -> Job:
    """A job for `probe run` with these options. Raises UsageError for options that have no place in a timer."""
    unfit = [word for word in options if word.partition("=")[0] in _UNFIT]
    if unfit:
        raise UsageError(f"a schedule cannot carry {unfit[0]}: it runs unattended, quietly and by itself")
    dice = dice or random.Random()
    hours = EVERY[every]
    command = (*(program or this_program()), "run", *map(_lasting, options), "--quiet")
    home = home_dir().absolute()
    return Job(
        command=command,
        every_h=hours,
        minute=dice.randrange(60),
        hour=dice.randrange(24),
        jitter_s=min(hours * 900, 3600) if jitter_s is None else jitter_s,
        home=home,
        weekday=dice.randrange(7),
        # Whoever installed it has agreed; the timer itself agrees to nothing, so a withdrawn consent stops it.
        environment={"PROBE_HOME": str(home)},
    )


def _lasting(word: str) -> str:
    """A file by its whole path: a timer starts in another folder."""
    return str(Path(word).absolute()) if Path(word).is_file() and word not in own_lists() else word


def this_program() -> tuple[str, ...]:
    """How to start this very installation, without a shell's search path."""
    return (sys.executable, "-m", "probe")
