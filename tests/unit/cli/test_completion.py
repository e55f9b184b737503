"""Completion as each shell does it, and a manual page that its readers accept."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from probe.cli import COMMANDS, root
from probe.cli.completion import SHELLS

PAGE = Path(__file__).parents[3] / "docs" / "probe.1"


def ask(words: str, place: int, tmp_path: Path) -> list[str]:
    """What bash would offer, with our script loaded and a `probe` in the path."""
    program = tmp_path / "probe"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m probe "$@"\n')
    program.chmod(0o755)
    script = CliRunner().invoke(root, ["completion", "bash"]).stdout
    test = f'COMP_WORDS=({words}); COMP_CWORD={place}; _probe_completion probe; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(
        ["bash", "--norc", "-c", f'PATH="{tmp_path}:$PATH"\n{script}\n{test}'],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize(
    ("words", "place", "offered"),
    [
        ("probe sche", 1, {"schedule"}),
        ("probe re", 1, {"report", "receipts"}),
        ("probe run --max", 2, {"--max-time", "--max-data", "--max-rate"}),
        ("probe run --access ''", 3, {"fixed", "mobile"}),
        ("probe schedule install --every 1", 4, {"12h"}),
    ],
)
def test_bash_offers(words: str, place: int, offered: set[str], tmp_path: Path) -> None:
    assert set(ask(words, place, tmp_path)) == offered


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_can_read_its_script(shell: str) -> None:
    said = CliRunner().invoke(root, ["completion", shell])
    assert said.exit_code == 0 and "_PROBE_COMPLETE" in said.stdout
    if shutil.which(shell):
        done = subprocess.run([shell, "-n"], input=said.stdout, capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 0, done.stderr


def test_the_manual_names_every_command_and_option() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name, _, _ in COMMANDS if f".SS probe {name} " not in page] == []
    assert r"\-\-max\-data SIZE" in page


@pytest.mark.parametrize("reader", [["mandoc", "-T", "lint", "-W", "warning"], ["groff", "-man", "-Tascii", "-ww"]])
def test_readers_of_manuals_have_no_complaint(reader: list[str]) -> None:
    if not shutil.which(reader[0]):
        pytest.skip(f"needs {reader[0]}")
    done = subprocess.run([*reader, str(PAGE)], capture_output=True, text=True, timeout=60, check=False)
    complaints = done.stderr if reader[0] == "groff" else done.stdout
    assert complaints.strip() == ""
