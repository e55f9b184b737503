"""The import law: rooms import downward only, pure rooms open nothing (.importlinter; STYLE section 2)."""

import ast
import configparser
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PURE = ("model", "wire", "verdict", "checks")
# Beside what import-linter forbids: ways to read a file or the clock without importing anything.
BANNED_CALLS = frozenset({"open", "input", "print", "exec", "eval", "breakpoint"})


def test_rooms() -> None:
    # A process of its own: the linter configures logging and thereby silences the loggers that other tests listen to.
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_room_has_a_place() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    layers = config["importlinter:contract:rooms"]["layers"]
    placed = set(layers.replace("|", " ").replace("(", " ").replace(")", " ").split())
    rooms = {p.stem for p in (ROOT / "probe").iterdir() if p.is_dir() or p.suffix == ".py"}
    assert {room for room in rooms if not room.startswith("_")} - placed == set()


@pytest.mark.parametrize("path", sorted(p for room in PURE for p in (ROOT / "probe" / room).rglob("*.py")), ids=str)
def test_pure_rooms_call_nothing_that_opens(path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    named = {call.func.id for call in calls if isinstance(call.func, ast.Name)}
    asked = {call.func.attr for call in calls if isinstance(call.func, ast.Attribute)}
    assert not named & BANNED_CALLS
    assert not asked & {"now", "utcnow", "today", "read_text", "read_bytes", "write_text"}


@pytest.mark.parametrize(
    "done",
    [
        "import probe.cli", "import probe.perform", "import probe.engine", "import probe.net.trionet",
        "from probe.app.resolvers import own_resolvers; own_resolvers()",
    ],
)  # fmt: skip
def test_what_few_need_is_loaded_by_none(done: str) -> None:
    """aioquic belongs to an extra, and takes a tenth of a second to load."""
    code = f"import sys\n{done}\nsys.exit('aioquic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
