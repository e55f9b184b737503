"""A launchd agent of macOS: a property list in ~/Library/LaunchAgents. launchd.plist(5).

launchd has no jitter, so a shell waits before the run.
"""

from __future__ import annotations

import plistlib
import shlex
from typing import Any

from probe.app.schedule.job import Job

LABEL = "org.vantage-probe.run"
FILE = f"{LABEL}.plist"


def plist(job: Job) -> str:
    """The agent's property list."""
    command = " ".join(shlex.quote(word) for word in job.command)
    value: dict[str, Any] = {
        "Label": LABEL,
        "ProgramArguments": ["/bin/sh", "-c", f"sleep $((RANDOM % {max(1, job.jitter_s)})); exec {command}"],
        "EnvironmentVariables": dict(job.environment),
        "StartCalendarInterval": intervals(job),
        "StandardOutPath": str(job.log),
        "StandardErrorPath": str(job.log),
        "ProcessType": "Background",
        "LowPriorityIO": True,
        "Nice": 10,
        "Umask": 0o077,
    }
    return plistlib.dumps(value).decode()


def intervals(job: Job) -> list[dict[str, int]]:
    """The moments of a day or week at which it starts."""
    if job.every_h == 1:
        return [{"Minute": job.minute}]
    if job.every_h < 24:
        return [{"Hour": h, "Minute": job.minute} for h in range(job.hour % job.every_h, 24, job.every_h)]
    day = {"Weekday": job.weekday} if job.every_h >= 168 else {}
    return [{**day, "Hour": job.hour, "Minute": job.minute}]
