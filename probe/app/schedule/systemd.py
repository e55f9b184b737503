"""systemd user units: a service that runs once and a timer that starts it. systemd.service(5), systemd.timer(5)."""

from __future__ import annotations

from probe.app.schedule.job import NAME, Job

SERVICE, TIMER = f"{NAME}.service", f"{NAME}.timer"
_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
# An exit of 1 means that some of the work could not be done, such as a run that was under way: no failure of the unit.
_WELL = "1"


def units(job: Job) -> dict[str, str]:
    """File name to content."""
    return {SERVICE: service(job), TIMER: timer(job)}


def service(job: Job) -> str:
    """The unit that measures, as little in the way of the rest of the machine as can be."""
    environment = "".join(f"Environment={quoted(f'{k}={v}')}\n" for k, v in sorted(job.environment.items()))
    return (
        "[Unit]\nDescription=Vantage Probe measures websites from this line\n"
        "Documentation=man:probe(1)\n\n"
        "[Service]\nType=oneshot\n"
        f"{environment}"
        f"ExecStart={' '.join(quoted(word) for word in job.command)}\n"
        f"SuccessExitStatus={_WELL}\nNice=10\nIOSchedulingClass=idle\n"
        # Room for Ctrl-C's grace; then systemd kills, which loses nothing either.
        "KillSignal=SIGINT\nTimeoutStopSec=20\nUMask=0077\nNoNewPrivileges=yes\n"
    )


def timer(job: Job) -> str:
    """The timer. Persistent, so that a machine that slept measures when it wakes."""
    return (
        "[Unit]\nDescription=When Vantage Probe measures\n\n"
        f"[Timer]\nOnCalendar={calendar(job)}\nRandomizedDelaySec={job.jitter_s}\nPersistent=true\n"
        f"AccuracySec=1min\nUnit={SERVICE}\n\n"
        "[Install]\nWantedBy=timers.target\n"
    )


def calendar(job: Job) -> str:
    """An OnCalendar expression, systemd.time(7)."""
    at = f"{job.minute:02}:00"
    if job.every_h == 1:
        return f"*-*-* *:{at}"
    if job.every_h < 24:
        return f"*-*-* {job.hour % job.every_h:02}/{job.every_h}:{at}"
    day = f"{_DAYS[job.weekday]} " if job.every_h >= 168 else ""
    return f"{day}*-*-* {job.hour:02}:{at}"


def quoted(word: str) -> str:
    """A word as systemd reads it back: specifiers and variables doubled, quotes and backslashes escaped."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
