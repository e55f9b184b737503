"""The docs are what the code says, lead where they say, and name no machine of ours."""

import re
import subprocess
from pathlib import Path

import pytest

from probe.checks import RULES
from probe.cli import COMMANDS
from probe.model.failure import FAILURES
from probe.model.kinds import KINDS
from probe.store.schema import TABLES
from tests.tools.render_docs import PAGES, stale

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"\[[^\]]*\]\((?!https?://|mailto:|#)([^)#\s]+)")
# Paths of the machine that something was written on, and hosts that only one workplace knows. Spelled in pieces, so
# that this file does not find itself.
MACHINE = re.compile(
    "|".join(
        [r"/wo" r"rk/", r"/ro" r"ot/", r"/ho" r"me/(?!you\b)\w+", r"/op" r"t/wheels", r"\.py" r"env", r"C:\\Users\\"]
    )
)
REGISTRY = re.compile(
    "|".join(
        [
            r"pypi\.o" r"rg",
            r"files\.python" r"hosted",
            r"artif" r"actory",
            r"proxy\.gol" r"ang",
            r"npm" r"js\.(?:org|com)",
            r"jf" r"rog",
        ]
    ),
    re.IGNORECASE,
)


def ours() -> list[Path]:
    """Every text file that belongs to the project: tracked, or new and not ignored."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, check=True, timeout=30,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:4096]]


def test_made_pages_are_fresh() -> None:
    assert stale() == [], "run `make docs`"


@pytest.mark.parametrize("pattern", [MACHINE, REGISTRY], ids=["machine paths", "registry hosts"])
def test_no_file_names_a_machine_of_ours(pattern: re.Pattern[str]) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in ours()
        # Lists and seeds name public hosts on purpose; locked dependencies name none.
        if path.relative_to(ROOT).parts[0] not in ("targets", "seeds")
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*DOCS.rglob("*.md"), *ROOT.glob("*.md"), ROOT / "targets" / "README.md", ROOT / "seeds" / "README.md"]
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages
        for link in LINK.findall(page.read_text("utf-8"))
        if not (page.parent / link).exists()
    ]
    assert broken == []


def test_the_index_names_every_page() -> None:
    index = (DOCS / "README.md").read_text("utf-8")
    missing = [p.name for p in DOCS.glob("*.md") if p.name != "README.md" and f"({p.name})" not in index]
    assert missing == []


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("commands.md", [f"## probe {name}\n" for name, _, _ in COMMANDS]),
        ("database.md", [f"## {table.name}\n" for table in TABLES]),
        ("failures.md", [f"| `{row.word}` |" for row in FAILURES]),
        ("kinds.md", [f"## {cls.kind}\n" for cls in KINDS]),
        ("rules.md", [rule.id for rule in RULES]),
    ],
)
def test_everything_is_told(page: str, words: list[str]) -> None:
    text = (DOCS / page).read_text("utf-8")
    assert [word for word in words if word not in text] == []
    assert page == "rules.md" or page in PAGES
