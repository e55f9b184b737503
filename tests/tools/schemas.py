"""Write the JSON Schemas that are made from dataclasses: `python -m tests.tools.schemas`; `--check` writes nothing."""

import json
import sys
from pathlib import Path

from probe.wire.jsonschema import schemas

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "schema"


def texts() -> dict[str, str]:
    """File name -> the text it must hold."""
    return {name: json.dumps(body, indent=1, ensure_ascii=False) + "\n" for name, body in schemas().items()}


def stale() -> list[str]:
    """Names of files that are missing or differ from what the code says."""
    wanted = texts().items()
    return [n for n, text in wanted if not (FOLDER / n).exists() or (FOLDER / n).read_text("utf-8") != text]


def main(arguments: list[str]) -> int:
    """0 when all is written (or, with --check, was up to date)."""
    if "--check" in arguments:
        sys.stderr.writelines(f"stale: {name}\n" for name in stale())
        return 1 if stale() else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
