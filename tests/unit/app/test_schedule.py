"""Schedules: what is written for each system, read back by the system's own rules; install, look, remove."""

from __future__ import annotations

import plistlib
import random
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner

from probe.app.consent import record
from probe.app.schedule import cron, launchd, systemd, windows
from probe.app.schedule.install import KINDS, Kind, best_kind, files, install, remove, status, text_of
from probe.app.schedule.job import EVERY, Job, make_job
from probe.cli import root
from probe.model.errors import StoreError, UsageError

ODD = 'a 100% odd "place" $HOME \\ end\'s'


def job(every: str = "day", *options: str, seed: int = 4) -> Job:
    return make_job(
        options or ("--list", "pk", "--place", ODD),
        every,
        dice=random.Random(seed),
        program=("/usr/bin/python3", "-m", "probe"),
    )


def test_starts_are_spread_over_installations_and_each_time() -> None:
    minutes = {(job(seed=n).hour, job(seed=n).minute) for n in range(50)}
    assert len(minutes) > 40 and job("hour").jitter_s == 900 and job("day").jitter_s == 3600


def test_a_scheduled_run_is_quiet_and_agrees_to_nothing() -> None:
    command = job().command
    assert command[-1] == "--quiet" and "--yes" not in command and "PROBE_CONSENT" not in job().environment


@pytest.mark.parametrize("word", ["--yes", "--resume", "--json", "--dry-run"])
def test_what_has_no_place_in_a_timer_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="cannot carry"):
        make_job((word,), "day")


def test_files_are_named_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.csv").write_text("https://a.example/")
    monkeypatch.chdir(tmp_path)
    assert str(tmp_path / "mine.csv") in job("day", "--list", "mine.csv").command
    assert "pk" in job("day", "--list", "pk").command


# ---- systemd ----


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd")
@pytest.mark.parametrize("every", EVERY)
def test_systemd_accepts_the_units(every: str, tmp_path: Path) -> None:
    written = job(every)
    for name, text in systemd.units(
        Job(**{**vars(written), "command": (sys.executable, *written.command[1:])})
    ).items():
        (tmp_path / name).write_text(text)
    paths = [str(tmp_path / name) for name in (systemd.SERVICE, systemd.TIMER)]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True, timeout=60, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "vantage-probe" in line]
    assert done.returncode == 0 and ours == [], done.stderr
    when = subprocess.run(
        ["systemd-analyze", "calendar", "--iterations=3", systemd.calendar(job(every))],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert when.returncode == 0, when.stderr


@pytest.mark.parametrize(
    ("word", "there"), [("plain", '"plain"'), ("a b", '"a b"'), ("50%", '"50%%"'), ("$x", '"$$x"'), ('q"', '"q\\""')]
)
def test_systemd_words_are_quoted(word: str, there: str) -> None:
    assert systemd.quoted(word) == there


@pytest.mark.parametrize(
    ("every", "calendar"),
    [("hour", r"*-*-* *:15:00"), ("6h", "*-*-* 01/6:15:00"), ("day", "*-*-* 07:15:00"), ("week", "Tue *-*-* 07:15:00")],
)
def test_systemd_calendar(every: str, calendar: str) -> None:
    assert systemd.calendar(Job((), EVERY[every], 15, 7, 60, Path("/h"), weekday=2)) == calendar


def test_the_timer_has_jitter_and_catches_up() -> None:
    text = systemd.timer(job())
    assert "RandomizedDelaySec=3600\n" in text and "Persistent=true\n" in text


# ---- cron ----


@pytest.mark.parametrize("every", EVERY)
def test_a_cron_line_has_five_fields_within_their_bounds(every: str) -> None:
    fields = cron.when(job(every)).split()
    assert len(fields) == 5
    for text, most in zip(fields, (59, 23, 31, 12, 6), strict=True):
        assert text == "*" or all(0 <= int(n) <= most for n in text.split(","))
    if every == "6h":
        assert len(fields[1].split(",")) == 4


def test_a_shell_reads_the_words_back_from_a_cron_line(tmp_path: Path) -> None:
    """Cron turns \\% into %, then a shell runs the rest: here with an echo in the place of the program."""
    written = Job(**{**vars(job()), "command": ("printf", "%s\\n", "--place", ODD), "jitter_s": 0})
    text = cron.line(written).splitlines()[1]
    shell = text.split(" ", 5)[5].replace("\\%", "%")
    done = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout.splitlines() == ["--place", ODD], done.stderr
    assert not any(c == "%" and text[n - 1] != "\\" for n, c in enumerate(text))


def test_only_our_entry_is_taken_out_of_a_crontab() -> None:
    table = f"MAILTO=me\n{cron.line(job())}5 4 * * * backup\n"
    assert cron.without(table) == "MAILTO=me\n5 4 * * * backup\n"
    assert cron.entry(table) == cron.line(job()).splitlines()[1] and cron.entry("") is None


# ---- launchd and Windows ----


@pytest.mark.parametrize("every", EVERY)
def test_launchd_reads_its_list(every: str) -> None:
    value = plistlib.loads(launchd.plist(job(every)).encode())
    shell, flag, line = value["ProgramArguments"]
    assert (shell, flag) == ("/bin/sh", "-c") and "RANDOM" in line
    assert shlex.split(line.partition("exec ")[2]) == list(job(every).command)
    assert len(value["StartCalendarInterval"]) == {"hour": 1, "6h": 4, "12h": 2}.get(every, 1)


@pytest.mark.parametrize("every", EVERY)
def test_the_task_is_well_formed_and_spread(every: str) -> None:
    space = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
    tree = ET.fromstring(windows.task(job(every)).encode("utf-16"))
    trigger = tree.find(f"{space}Triggers/{space}CalendarTrigger")
    assert trigger is not None and trigger.findtext(f"{space}RandomDelay") == f"PT{job(every).jitter_s}S"
    assert tree.findtext(f"{space}Settings/{space}MultipleInstancesPolicy") == "IgnoreNew"
    arguments = tree.findtext(f"{space}Actions/{space}Exec/{space}Arguments") or ""
    assert "--quiet" in arguments and f'set "PROBE_HOME={job().home}"' in arguments
    # The schema wants its elements in this order.
    order = [child.tag.removeprefix(space) for child in trigger]
    assert order in (["Repetition", "StartBoundary", "RandomDelay", "ScheduleByDay"],
                     ["StartBoundary", "RandomDelay", "ScheduleByDay"],
                     ["StartBoundary", "RandomDelay", "ScheduleByWeek"])  # fmt: skip


# ---- putting it in place ----


@dataclass
class System:
    """A system that remembers what it was told; its crontab works."""

    table: str | None = None
    fails: str = ""
    told: list[list[str]] = field(default_factory=list)

    def __call__(self, words: Sequence[str], given: str | None = None) -> tuple[int, str]:
        self.told.append(list(words))
        if self.fails and self.fails in words:
            return 1, "no bus"
        if list(words) == ["crontab", "-l"]:
            return (0, self.table) if self.table is not None else (1, "no crontab for you")
        if list(words) == ["crontab", "-"]:
            self.table = given
        return 0, "fine"


@pytest.fixture(autouse=True)
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_installed_can_be_seen_and_removed(kind: Kind) -> None:
    system = System("5 4 * * * backup\n")
    install(kind, job(), system)
    install(kind, job("hour"), system)
    assert status(kind, system).installed and all(path.exists() for path in files(kind, job()))
    assert remove(kind, system)
    assert system.table == "5 4 * * * backup\n" and not any(path.exists() for path in files(kind, job()))


def test_without_a_crontab_one_is_made() -> None:
    system = System()
    install("cron", job(), system)
    assert system.table is not None and system.table.count(cron.MARK) == 1
    assert remove("cron", system) and not remove("cron", system)


def test_what_the_system_refuses_is_said() -> None:
    with pytest.raises(StoreError, match="systemctl: no bus"):
        install("systemd", job(), System(fails="--now"))


def test_the_best_timer_of_each_system(monkeypatch: pytest.MonkeyPatch) -> None:
    assert best_kind("darwin") == "launchd" and best_kind("win32") == "windows"
    assert best_kind("linux", System()) == "systemd"
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/crontab")
    assert best_kind("linux", System(fails="--user")) == "cron"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UsageError, match="neither systemd"):
        best_kind("linux", System(fails="--user"))


def test_nothing_is_installed_without_consent_and_slips_show_at_once() -> None:
    call = CliRunner().invoke
    assert "probe consent" in str(call(root, ["schedule", "install", "--using", "cron"]).exception)
    record("flag")
    said = call(root, ["schedule", "install", "--using", "cron", "--", "--no-such-option"])
    assert said.exit_code == 2
    said = call(root, ["schedule", "show", "--using", "cron", "--every", "week", "--", "--list", "pk"])
    assert said.exit_code == 0 and said.stdout.startswith(cron.MARK) and " run --list pk --quiet" in said.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_what_would_be_written_can_be_read_first(kind: Kind) -> None:
    assert "--quiet" in text_of(kind, job())
