"""A line in the person's crontab, marked so that it can be found again. crontab(5).

Cron has no jitter of its own, so the line waits by itself; it mails what a command says, and a quiet run says nothing
unless something is new.
"""

from __future__ import annotations

import shlex

from probe.app.schedule.job import NAME, Job

MARK = f"# {NAME} (written by `probe schedule`)"


def line(job: Job) -> str:
    """The entry with its mark above it."""
    command = " ".join(shlex.quote(word) for word in job.command)
    environment = " ".join(f"{k}={shlex.quote(v)}" for k, v in sorted(job.environment.items()))
    # $RANDOM is not everywhere; awk is (POSIX). Seeded by time and process, or all machines throw the same.
    wait = f'sleep "$(awk -v s="$$$(date +\\%s)" \'BEGIN {{ srand(s); print int(rand() * {job.jitter_s}) }}\')"'
    whole = f"{wait}; {environment} {command}".replace("\\%", "%").replace("%", "\\%")
    return f"{MARK}\n{when(job)} {whole}\n"


def when(job: Job) -> str:
    """Minute, hour, day of month, month, day of week."""
    if job.every_h == 1:
        return f"{job.minute} * * * *"
    if job.every_h < 24:
        hours = ",".join(str(h) for h in range(job.hour % job.every_h, 24, job.every_h))
        return f"{job.minute} {hours} * * *"
    return f"{job.minute} {job.hour} * * {job.weekday if job.every_h >= 168 else '*'}"


def without(table: str) -> str:
    """A crontab without our entry: the mark and the line below it."""
    kept: list[str] = []
    lines = iter(table.splitlines())
    for text in lines:
        if text == MARK:
            next(lines, None)
        else:
            kept.append(text)
    return "".join(f"{text}\n" for text in kept)


def entry(table: str) -> str | None:
    """Our line in a crontab, or None."""
    lines = table.splitlines()
    place = next((n for n, text in enumerate(lines) if text == MARK), None)
    return lines[place + 1] if place is not None and place + 1 < len(lines) else None
