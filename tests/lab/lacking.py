"""The prober on a machine where some packages are not installed: `python -m tests.lab.lacking aioquic run ...`."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from typing import Any


def main() -> None:
    absent = set(sys.argv.pop(1).split(","))
    found, version = importlib.util.find_spec, importlib.metadata.version

    def version_of(distribution_name: str) -> str:
        if distribution_name in absent:
            raise importlib.metadata.PackageNotFoundError(distribution_name)
        return version(distribution_name)

    def spec_of(name: str, package: str | None = None) -> Any:
        return None if name in absent else found(name, package)

    importlib.util.find_spec, importlib.metadata.version = spec_of, version_of
    # A module that is None there makes `import` raise ImportError.
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    from probe.cli import main as probe

    probe()


if __name__ == "__main__":
    main()
