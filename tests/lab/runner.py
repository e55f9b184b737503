"""Running cases: each group of them in a lab of its own, in a process of its own, several at once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.cases import LARGEST, LabCase, grouped
from tests.lab.score import Result, compare, result_of
from tests.lab.world import LabError, open_lab

_ROOT = Path(__file__).parent.parent.parent
IN_FLIGHT = 72


def run_group(cases: Sequence[LabCase], keep: Path | None = None, seed: int = 1) -> list[Result]:
    """One lab, one sitting over all its cases. `keep` takes databases and logs. Raises LabError."""
    with open_lab(cases, seed) as lab:
        try:
            done = lab.run_probe([url for case in cases for url in (case.url, *case.run.urls)])
        except subprocess.TimeoutExpired:
            raise LabError(f"the prober did not come to an end: {' '.join(c.id for c in cases)}") from None
        if keep is not None:
            _keep(lab.folder, keep, done)
        if done.returncode not in (0, 1):
            raise LabError(f"the prober ended with {done.returncode}: {done.stderr[-3000:]}")
        lines = [json.loads(text) for text in done.stdout.splitlines() if text.startswith("{")]
        by_url = {url: line for line in lines for url in (line["url"], *line.get("inputs", ()))}
        return [compare(case, by_url.get(case.url)) for case in cases]


def _keep(folder: Path, keep: Path, done: subprocess.CompletedProcess[str]) -> None:
    keep.mkdir(parents=True, exist_ok=True)
    for path in (*folder.glob("*.db"), *folder.glob("*.log"), *folder.glob("lab.json")):
        (keep / path.name).write_bytes(path.read_bytes())
    (keep / "stdout.jsonl").write_text(done.stdout)
    (keep / "stderr.txt").write_text(done.stderr)


@dataclass
class Pool:
    """Worker processes, one a group, `jobs` at once, with no more than `IN_FLIGHT` cases between them; all are ended
    when the pool is."""

    jobs: int
    folder: Path
    keep: Path | None
    tell: Callable[[str], None]
    _running: dict[int, tuple[subprocess.Popen[bytes], tuple[LabCase, ...]]] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def run(self, groups: Sequence[tuple[LabCase, ...]]) -> None:
        waiting = list(enumerate(groups))
        try:
            while waiting or self._running:
                while (following := self._fitting(waiting)) is not None:
                    self._start(*waiting.pop(following))
                time.sleep(0.1)
                for number in [n for n, (process, _) in self._running.items() if process.poll() is not None]:
                    self._collect(number)
        finally:
            self._end_all()

    def _fitting(self, waiting: Sequence[tuple[int, tuple[LabCase, ...]]]) -> int | None:
        """Which of those that wait may start now: the first that leaves the machine its breath. Most cases wait for
        deadlines most of the time, but a machine that is too busy measures itself."""
        if len(self._running) >= self.jobs:
            return None
        room = IN_FLIGHT - sum(len(cases) for _, cases in self._running.values())
        fits = (n for n, (_, cases) in enumerate(waiting) if len(cases) <= room or not self._running)
        return next(fits, None)

    def _start(self, number: int, cases: tuple[LabCase, ...]) -> None:
        words = [sys.executable, "-m", "tests.lab", "--worker", str(self.folder / f"{number}.json")]
        if self.keep is not None:
            words += ["--keep", str(self.keep / cases[0].id)]
        ids = [word for case in cases for word in ("--only", case.id)]
        self._running[number] = (subprocess.Popen([*words, *ids], cwd=_ROOT), cases)

    def _collect(self, number: int) -> None:
        _, cases = self._running.pop(number)
        path = self.folder / f"{number}.json"
        said: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"error": "the worker died"}
        if "error" in said:
            self.broken.append(f"{' '.join(c.id for c in cases)}: {said['error']}")
            self.results.extend(compare(case, None) for case in cases)
            return
        found = [result_of(row) for row in said["results"]]
        self.results.extend(found)
        good = sum(r.right for r in found)
        self.tell(f"{cases[0].id} and {len(cases) - 1} more: {good}/{len(found)} right, {said['took_s']:.0f} s")

    def _end_all(self) -> None:
        for process, _ in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process, _ in self._running.values():
            process.wait(30)


def run_all(
    cases: Sequence[LabCase], jobs: int, tell: Callable[[str], None], keep: Path | None = None, largest: int = LARGEST
) -> Pool:
    """Every case once."""
    with tempfile.TemporaryDirectory(prefix="vplab-results-") as folder:
        pool = Pool(jobs, Path(folder), keep, tell)
        pool.run(grouped(tuple(cases), largest))
    return pool


def work(cases: Sequence[LabCase], out: Path, keep: Path | None) -> None:
    """A worker: the cases are of one group; results or the error go to a file."""
    began = time.monotonic()
    try:
        rows = [result.json() for result in run_group(cases, keep)]
        said: dict[str, Any] = {"results": rows, "took_s": time.monotonic() - began}
    except LabError as error:
        said = {"error": str(error)}
    out.write_text(json.dumps(said))
