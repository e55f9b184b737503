"""One lab, opened and closed: namespaces, routers, servers, the helper; and commands run as the volunteer.

    with open_lab(cases) as lab:
        lab.volunteer("curl", "https://...")          any program, in the volunteer's namespace
        lab.run_probe([case.url for case in cases])   the prober itself

Opening removes what a killed lab left behind. Nothing outside the lab's own namespaces is touched.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.lab import spaces
from tests.lab.atlas import CONTROL, HELPER_PORT, ISP, PORTAL, VOLUNTEER, WEB_NETS, Atlas, canary_name, survey
from tests.lab.cases import LabCase
from tests.lab.network import HOMES
from tests.lab.rules import rule_json

_ROOT = Path(__file__).parent.parent.parent
_START_S = 30.0
_numbers = itertools.count(1)


class LabError(Exception):
    """The lab could not be made."""


@dataclass
class Lab:
    """An open lab. `folder` holds its files: configuration, root certificate, databases, logs."""

    prefix: str
    folder: Path
    atlas: Atlas
    cases: tuple[LabCase, ...]
    _processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def ca_file(self) -> Path:
        return self.folder / "lab-ca.pem"

    def command(self, end: str, *words: str) -> list[str]:
        """A command line that runs in the namespace of one of the ends."""
        return ["ip", "netns", "exec", f"{self.prefix}{end}", *words]

    def volunteer(self, *words: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run any program as the volunteer; its output is kept."""
        return subprocess.run(
            self.command("volunteer", *words), capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def start(self, end: str, words: Sequence[str], log: str) -> subprocess.Popen[str]:
        """Start a server in a namespace (`""`: in none)."""
        with (self.folder / log).open("w") as errors:
            line = self.command(end, *words) if end else list(words)
            process = subprocess.Popen(
                line, stdout=subprocess.PIPE, stderr=errors, text=True, env=self.environment(), cwd=_ROOT
            )
        self._processes.append(process)
        return process

    def environment(self) -> dict[str, str]:
        """The environment without whatever the developer's machine says about proxies and certificates."""
        kept = {
            k: v
            for k, v in os.environ.items()
            if "proxy" not in k.lower() and k not in ("SSL_CERT_FILE", "PROBE_CONSENT")
        }
        return kept | {"PROBE_HOME": str(self.folder / "home"), "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}

    def probe_arguments(self, urls: Sequence[str], db: Path) -> list[str]:
        """The prober's command line, after the program's name."""
        run = self.cases[0].run
        control = "none" if run.control == "none" else f"http://{CONTROL[0]}:{HELPER_PORT}"
        canaries = self.folder / "canaries.csv"
        rows = [f"https://{canary_name(n)}/,HOST" for n in range(run.canaries)]
        canaries.write_text("\n".join(["url,category_code", *rows]) + "\n")
        return [
            "run", *urls, "--json", "--yes", "--db", str(db), "--ca-file", str(self.ca_file), "--control", control,
            "--country", "PK", "--network", "AS64500", "--canaries", str(canaries) if rows[:1] else "none",
            "--access", "fixed", *run.args,
        ]  # fmt: skip

    def run_probe(self, urls: Sequence[str], timeout_s: float = 420) -> subprocess.CompletedProcess[str]:
        """`probe run` over the URLs, as the volunteer."""
        db = self.folder / f"run-{time.monotonic_ns()}.db"
        clock = self.cases[0].run.clock_s
        program = ("-m", "tests.lab.shifted", str(clock)) if clock else ("-m", "probe")
        line = self.command("volunteer", sys.executable, *program, *self.probe_arguments(urls, db))
        return subprocess.run(
            line, capture_output=True, text=True, timeout=timeout_s, check=False, env=self.environment(), cwd=_ROOT
        )

    def close(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        spaces.remove(self.prefix)


@contextlib.contextmanager
def open_lab(cases: Sequence[LabCase], seed: int = 1) -> Iterator[Lab]:
    """Open a lab for cases of one group. Raises LabError with the log of the part that failed."""
    if reason := spaces.missing():
        raise LabError(reason)
    with tempfile.TemporaryDirectory(prefix="vplab-") as folder, _signals_as_exceptions():
        lab = Lab(spaces.prefix(next(_numbers)), Path(folder), survey(cases, cases[0].run.canaries), tuple(cases))
        try:
            _build(lab, seed)
            yield lab
        finally:
            lab.close()


def _build(lab: Lab, seed: int) -> None:
    for end in HOMES:
        spaces.make(f"{lab.prefix}{end}")
    line = asdict(lab.cases[0].line)
    ipv6 = line.pop("ipv6")
    config: dict[str, Any] = {
        "prefix": lab.prefix, "folder": str(lab.folder), "ca_file": str(lab.ca_file), "line": line, "seed": seed,
        "rules": [rule_json(rule) for rule in lab.atlas.rules], **lab.atlas.servers_json(),
    }  # fmt: skip
    path = lab.folder / "lab.json"
    path.write_text(json.dumps(config))
    _wait_ready(
        lab, lab.start("", (sys.executable, "-m", "tests.lab.routers", str(path)), "routers.log"), "routers.log"
    )
    _configure(lab, ipv6)
    services = lab.start("", (sys.executable, "-m", "tests.lab.services", str(path)), "services.log")
    _wait_ready(lab, services, "services.log")
    if lab.cases[0].run.control == "helper":
        _start_helper(lab)


def _configure(lab: Lab, ipv6: bool) -> None:
    volunteer = VOLUNTEER if ipv6 else VOLUNTEER[:1]
    spaces.configure(f"{lab.prefix}volunteer", volunteer, (), ISP[0])
    spaces.configure(f"{lab.prefix}isp", ISP, (), "")
    spaces.configure(f"{lab.prefix}box", PORTAL, WEB_NETS, "")
    spaces.configure(f"{lab.prefix}servers", ("45.60.255.254", "2a0d:5600:ffff::1"), WEB_NETS, "")
    spaces.configure(f"{lab.prefix}control", CONTROL, (), "8.8.8.8")


def _start_helper(lab: Lab) -> None:
    words = (
        sys.executable, "-m", "probe", "helper", "--listen", f"{CONTROL[0]}:{HELPER_PORT}",
        "--ca-file", str(lab.ca_file), "--no-system-resolver",
        "--country", "DE", "--network", "AS64501", "--rate", "6000",
    )  # fmt: skip
    process = lab.start("control", words, "helper.log")
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        # Its readiness is a listening socket, seen from its own namespace.
        found = subprocess.run(lab.command("control", "ss", "-ltn"), capture_output=True, text=True, check=False)
        if f":{HELPER_PORT}" in found.stdout:
            return
        time.sleep(0.1)
    raise LabError(f"the helper did not start: {(lab.folder / 'helper.log').read_text()[-2000:]}")


def _wait_ready(lab: Lab, process: subprocess.Popen[str], log: str) -> None:
    assert process.stdout is not None
    heard, _, _ = select.select([process.stdout], [], [], _START_S)
    if not heard or process.stdout.readline().strip() != "ready":
        raise LabError(f"{log}: {(lab.folder / log).read_text()[-2000:]}")


@contextlib.contextmanager
def _signals_as_exceptions() -> Iterator[None]:
    """SIGTERM becomes SystemExit, so that the lab is taken down on the way out."""

    def leave(signum: int, frame: object) -> None:
        raise SystemExit(128 + signum)

    try:
        before = signal.signal(signal.SIGTERM, leave)
    except ValueError:  # not the main thread: whoever owns that one looks after signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
