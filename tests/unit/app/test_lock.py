"""One run at a time, and a lock that a dead process cannot hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from probe.app.lock import BusyError, lock_of, only_run

HOLD = """
import sys
from pathlib import Path
from probe.app.lock import only_run
with only_run(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_is_told_who_holds_it(tmp_path: Path) -> None:
    with only_run(tmp_path / "a.db"), pytest.raises(BusyError, match=r"process \d+ since"):
        with only_run(tmp_path / "a.db"):
            pass
    with only_run(tmp_path / "a.db"):
        pass


def test_another_database_of_the_same_home_waits_too(tmp_path: Path) -> None:
    with only_run(tmp_path / "a.db"), pytest.raises(BusyError), only_run(tmp_path / "b.db"):
        pass


def test_the_same_database_from_another_home_waits_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with only_run(tmp_path / "a.db"):
        monkeypatch.setenv("PROBE_HOME", str(tmp_path / "elsewhere"))
        with pytest.raises(BusyError), only_run(tmp_path / "a.db"):
            pass
        with only_run(tmp_path / "b.db"):
            pass


def test_what_kill_9_leaves_behind_is_no_obstacle(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(db)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None and other.stdin is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(BusyError, match=str(other.pid)), only_run(db):
        pass
    other.kill()
    other.wait(10)
    other.stdin.close()
    other.stdout.close()
    assert lock_of(db).exists()
    with only_run(db):
        pass
