"""`python -m tests.lab`: run the cases in the lab and print the confusion table. Root and Linux."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from pathlib import Path

from tests.lab import score, spaces
from tests.lab.cases import LabCase, load
from tests.lab.runner import run_all, work


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="ID", help="only these cases; PREFIX* too")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="the whole set N times")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="labs at once")
    parser.add_argument("--largest", type=int, default=40, metavar="N", help="cases in one lab at most; 1: each alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="results as JSON")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep databases and logs there")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _chosen(cases: tuple[LabCase, ...], only: list[str]) -> list[LabCase]:
    def wanted(case: LabCase) -> bool:
        return any(case.id == word or (word.endswith("*") and case.id.startswith(word[:-1])) for word in only)

    return [case for case in cases if not case.skip and (not only or wanted(case))]


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main() -> int:
    arguments = _arguments()
    if reason := spaces.missing():
        _say(f"no lab here: {reason}")
        return 2
    cases = _chosen(load(), arguments.only)
    if arguments.worker:
        work(cases, arguments.worker, arguments.keep)
        return 0
    if arguments.list:
        sys.stdout.write("".join(f"{c.id:32} {c.kind:9} {' '.join(c.truth.outcome)}\n" for c in cases))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    spaces.remove_orphans()
    began, results, broken = time.monotonic(), [], []
    for number in range(arguments.repeat):
        keep = arguments.keep / str(number) if arguments.keep and arguments.repeat > 1 else arguments.keep
        pool = run_all(cases, arguments.jobs, _say, keep, arguments.largest)
        results += pool.results
        broken += pool.broken
    _report(results, broken, time.monotonic() - began, arguments.json)
    alarms = any(r.false_alarm for r in results)
    return 1 if broken or alarms or not results else 0


def _report(results: list[score.Result], broken: list[str], took_s: float, out: Path | None) -> None:
    write = sys.stdout.write
    write(score.confusion(results) + "\n\n")
    for paragraph in score.misses(results):
        write(paragraph + "\n")
    for line in score.imprecise(results):
        write(f"technique: {line}\n")
    for line in score.misplaced(results):
        write(f"place: {line}\n")
    for line in broken:
        write(f"LAB BROKEN: {line}\n")
    numbers = score.summary(results) | {"took_s": round(took_s)}
    write("\n" + "  ".join(f"{key} {value}" for key, value in numbers.items()) + "\n")
    if out is not None:
        out.write_text(
            json.dumps({"summary": numbers, "results": [r.json() for r in results], "broken": broken}, indent=1)
        )


if __name__ == "__main__":
    sys.exit(main())
