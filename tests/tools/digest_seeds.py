"""Re-digest the reference data, or check that the manifest still tells the truth.

`python -m tests.tools.digest_seeds` writes the SHA-256 of every file of `seeds/` into `seeds/manifest.toml`;
with `--check` it writes nothing and exits with 1 when a digest is stale, a file is not listed or a listed file is gone.

Only the `sha256` values are touched: everything else in the manifest is written by hand, comments included. The
manifest and the folder's README are not listed: the first cannot hold its own digest, the second is no data.
"""

import argparse
import hashlib
import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

SEEDS = Path(__file__).resolve().parents[2] / "seeds"
MANIFEST = "manifest.toml"
UNLISTED = frozenset({MANIFEST, "README.md"})
DATA_SUFFIXES = frozenset({".toml", ".csv"})

# One row of the manifest: its `path`, and further down, before the next row, its `sha256`.
_ROW = re.compile(r'(?ms)^path = "(?P<path>[^"]+)"$(?P<between>(?:(?!^\[\[).)*?)^sha256 = "(?P<sha256>[^"]*)"$')


def digest(path: Path) -> str:
    """Lower-case hexadecimal SHA-256 of the file's bytes, the way `sha256sum` prints it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def data_files(seeds: Path) -> set[str]:
    """Paths of the reference files below `seeds`, relative and with forward slashes."""
    found = (path.relative_to(seeds).as_posix() for path in seeds.rglob("*") if path.suffix in DATA_SUFFIXES)
    return set(found) - UNLISTED


def listed_digests(manifest: str) -> dict[str, str]:
    """What the manifest says: path to digest. Raises `tomllib.TOMLDecodeError` or `KeyError` on a malformed one."""
    return {row["path"]: row["sha256"] for row in tomllib.loads(manifest)["file"]}


def complaints(seeds: Path) -> list[str]:
    """Every way in which the manifest and the folder disagree, one plain line each, sorted by path."""
    listed = listed_digests((seeds / MANIFEST).read_text(encoding="utf-8"))
    present = data_files(seeds)
    lines = {path: f"{path}: not in the manifest" for path in present - set(listed)}
    lines |= {path: f"{path}: in the manifest, not in the folder" for path in set(listed) - present}
    stale = (path for path in present & set(listed) if digest(seeds / path) != listed[path])
    lines |= {path: f"{path}: changed since it was digested" for path in stale}
    return [lines[path] for path in sorted(lines)]


def redigest(manifest: str, seeds: Path) -> str:
    """The manifest's text with fresh digests. A row whose file is gone keeps the old one, for `complaints` to name."""

    def fresh(row: re.Match[str]) -> str:
        path = seeds / row["path"]
        value = digest(path) if path.is_file() else row["sha256"]
        return f'path = "{row["path"]}"{row["between"]}sha256 = "{value}"'

    return _ROW.sub(fresh, manifest)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when folder and manifest agree, 1 when they do not; complaints go to stderr."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.digest_seeds", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if anything is stale")
    parser.add_argument("--seeds", type=Path, default=SEEDS, help="another seeds folder (for tests)")
    options = parser.parse_args(arguments)
    manifest = options.seeds / MANIFEST
    if not options.check:
        text = manifest.read_text(encoding="utf-8")
        manifest.write_text(redigest(text, options.seeds), encoding="utf-8")
    left = complaints(options.seeds)
    sys.stderr.writelines(f"{line}\n" for line in left)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
