"""A task of the Windows Task Scheduler, as XML (Task Scheduler schema 1.2) for `schtasks /Create /XML`."""

from __future__ import annotations

import subprocess
from xml.sax.saxutils import escape

from probe.app.schedule.job import Job

TASK = "Vantage Probe"
FILE = "schedule.xml"
# Any past day will do; the schema wants a beginning, and the time of day counts.
_FROM = "2026-01-0{day}T{hour:02}:{minute:02}:00"
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def task(job: Job) -> str:
    """The task. It starts late if the machine was off, never twice at once, and only while the person is logged in."""
    # A task has no environment of its own, so the shell sets it. Inside `cmd /c "..."` inner quotes stand as they are.
    sets = "".join(f'set "{name}={value}" && ' for name, value in sorted(job.environment.items()))
    arguments = f'/d /c "{sets}{subprocess.list2cmdline(job.command)} >> "{job.log}" 2>&1"'
    return (
        '<?xml version="1.0" encoding="UTF-16"?>\n'
        '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">\n'
        "  <RegistrationInfo><Description>Vantage Probe measures websites from this line</Description>"
        "</RegistrationInfo>\n"
        f"  <Triggers>{_trigger(job)}</Triggers>\n"
        "  <Settings><MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>"
        "<DisallowStartIfOnBatteries>true</DisallowStartIfOnBatteries><StartWhenAvailable>true</StartWhenAvailable>"
        "<RunOnlyIfNetworkAvailable>true</RunOnlyIfNetworkAvailable><Hidden>true</Hidden>"
        "<ExecutionTimeLimit>PT6H</ExecutionTimeLimit><Priority>8</Priority></Settings>\n"
        f"  <Actions><Exec><Command>cmd.exe</Command><Arguments>{escape(arguments)}</Arguments></Exec></Actions>\n"
        "</Task>\n"
    )


def _trigger(job: Job) -> str:
    begin = _FROM.format(day=4 + job.weekday if job.every_h >= 168 else 4, hour=job.hour, minute=job.minute)
    repeat = f"<Repetition><Interval>PT{job.every_h}H</Interval></Repetition>" if job.every_h < 24 else ""
    by = (
        f"<ScheduleByWeek><DaysOfWeek><{_DAYS[job.weekday]} /></DaysOfWeek><WeeksInterval>1</WeeksInterval>"
        "</ScheduleByWeek>"
        if job.every_h >= 168
        else "<ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay>"
    )
    start = f"<StartBoundary>{begin}</StartBoundary>"
    return f"<CalendarTrigger>{repeat}{start}<RandomDelay>PT{job.jitter_s}S</RandomDelay>{by}</CalendarTrigger>"
