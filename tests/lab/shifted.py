"""The prober on a machine whose clock is wrong: `python -m tests.lab.shifted SECONDS run ...`.

Only the wall clock is moved, and only for this process: namespaces do not have one of their own.
"""

from __future__ import annotations

import sys
import time


def shift(by_s: int) -> None:
    """Move `time.time` and `time.time_ns`."""
    true_s, true_ns = time.time, time.time_ns
    time.time = lambda: true_s() + by_s
    time.time_ns = lambda: true_ns() + by_s * 1_000_000_000


def main() -> None:
    shift(int(sys.argv.pop(1)))
    from probe.cli import main as command

    command()


if __name__ == "__main__":
    main()
