"""`python -m tests.lab`: run the cases in the lab and print the confusion table. Root and Linux."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

from tests.lab import score, spaces
from tests.lab.cases import LARGEST, LabCase, load
from tests.lab.real import lacking
from tests.lab.runner import run_all, work
from tests.lab.timing import Timings, sample, take_times
from tests.lab.world import LabError


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="ID", help="only these cases; PREFIX* too")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="the whole set N times")
    parser.add_argument("--jobs", type=int, default=12, metavar="N", help="labs at once (most of the time they wait)")
    parser.add_argument(
        "--largest", type=int, default=LARGEST, metavar="N", help="cases in one lab at most; 1: each alone"
    )
    parser.add_argument(
        "--timing", action=argparse.BooleanOptionalAction, help="time healthy pages too (default: for the whole set)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="results as JSON")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep databases and logs there")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _chosen(cases: tuple[LabCase, ...], only: list[str]) -> list[LabCase]:
    def wanted(case: LabCase) -> bool:
        return any(case.id == word or (word.endswith("*") and case.id.startswith(word[:-1])) for word in only)

    return [case for case in cases if not only or wanted(case)]


def _able(cases: list[LabCase]) -> list[LabCase]:
    """Those that can be run here; says of the others why not."""
    reasons: dict[str, list[str]] = {}
    for case in cases:
        reasons.setdefault(case.skip or lacking(case.needs), []).append(case.id)
    for reason, ids in reasons.items():
        if reason:
            _say(f"skipped, {reason}: {' '.join(ids)}")
    return [case for case in cases if case.id in reasons.get("", ())]


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
    cases = _able(cases)
    _warn_of_load()
    began, results, broken = time.monotonic(), [], []
    for number in range(arguments.repeat):
        keep = arguments.keep / str(number) if arguments.keep and arguments.repeat > 1 else arguments.keep
        pool = run_all(cases, arguments.jobs, _say, keep, arguments.largest)
        results += pool.results
        broken += pool.broken
    took_s = time.monotonic() - began
    timings = _timings(arguments, broken)
    _report(results, broken, timings, took_s, arguments.json)
    alarms = any(r.false_alarm for r in results)
    return 1 if broken or alarms or not results else 0


def _warn_of_load() -> None:
    load, processors = os.getloadavg()[0], os.cpu_count() or 1
    if load > processors:
        _say(f"this machine is busy already (load {load:.1f} on {processors} processors): what is late may be its own")


def _timings(arguments: argparse.Namespace, broken: list[str]) -> Timings | None:
    wanted = arguments.timing if arguments.timing is not None else not arguments.only
    if not wanted:
        return None
    if reason := lacking(("curl",)):
        _say(f"no timing, {reason}")
        return None
    try:
        return take_times(_able(sample(load())))
    except LabError as error:
        broken.append(f"timing: {error}")
        return None


def _report(
    results: list[score.Result], broken: list[str], timings: Timings | None, took_s: float, out: Path | None
) -> None:
    numbers = score.summary(results) | {"took_s": round(took_s)}
    blocks = [score.confusion(results), "\n".join(score.misses(results)), score.by_technique(results)]
    blocks.append("\n".join(f"technique: {line}" for line in score.imprecise(results)))
    blocks.append("\n".join(f"place: {line}" for line in score.misplaced(results)))
    blocks.append("\n".join(f"LAB BROKEN: {line}" for line in broken))
    blocks.append(timings.text() if timings else "")
    blocks.append("  ".join(f"{key} {value}" for key, value in numbers.items()))
    sys.stdout.write("\n\n".join(block for block in blocks if block) + "\n")
    if out is not None:
        rows = [result.json() for result in results]
        timing = timings.json() if timings else None
        out.write_text(json.dumps({"summary": numbers, "timing": timing, "results": rows, "broken": broken}, indent=1))


if __name__ == "__main__":
    sys.exit(main())
