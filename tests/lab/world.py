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
from tests.lab.atlas import (
    ABROAD,
    BOX_NETS,
    CA_FILE,
    CONTROL,
    ISP,
    PORTAL,
    VOLUNTEER,
    WEB_NETS,
    Atlas,
    canary_name,
    survey,
)
from tests.lab.cases import LabCase
from tests.lab.controls import control_url, start_controls
from tests.lab.network import HOMES
from tests.lab.real import start_real_servers
from tests.lab.rules import rule_json

_ROOT = Path(__file__).parent.parent.parent
START_S = 30.0
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
        return self.folder / CA_FILE

    def command(self, end: str, *words: str) -> list[str]:
        """A command line that runs in the namespace of one of the ends."""
        return ["ip", "netns", "exec", f"{self.prefix}{end}", *words]

    def volunteer(self, *words: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run any program as the volunteer; its output is kept."""
        return subprocess.run(
            self.command("volunteer", *words), capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def start(self, end: str, words: Sequence[str], log: str) -> subprocess.Popen[str]:
        """Start a server in a namespace (`""`: in none). It goes before those who measure: wires and servers that wait
        for a processor would look like a slow network."""
        with (self.folder / log).open("w") as errors:
            line = ["nice", "-n", "-10", *(self.command(end, *words) if end else words)]
            process = subprocess.Popen(
                line, stdout=subprocess.PIPE, stderr=errors, text=True, env=self.environment(), cwd=_ROOT
            )
        self._processes.append(process)
        return process

    def start_ready(self, end: str, words: Sequence[str], log: str) -> None:
        """Start one of our own programs and wait until it says `ready`. Raises LabError with its log."""
        process = self.start(end, (sys.executable, *words), log)
        assert process.stdout is not None
        heard, _, _ = select.select([process.stdout], [], [], START_S)
        if not heard or process.stdout.readline().strip() != "ready":
            raise LabError(f"{log}: {(self.folder / log).read_text()[-2000:]}")

    def wait_listening(self, end: str, process: subprocess.Popen[str], port: int, log: str, at: str = "") -> None:
        """Wait until something listens at a TCP port of an end. Raises LabError with the log of what should."""
        until = time.monotonic() + START_S
        while time.monotonic() < until and process.poll() is None:
            found = subprocess.run(self.command(end, "ss", "-Hltn"), capture_output=True, text=True, check=False)
            if f"{at}:{port} " in found.stdout:
                return
            time.sleep(0.1)
        raise LabError(f"{log}: {(self.folder / log).read_text()[-2000:]}")

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
        canaries = self.folder / "canaries.csv"
        rows = [f"https://{canary_name(n)}/,HOST" for n in range(run.canaries)]
        canaries.write_text("\n".join(["url,category_code", *rows]) + "\n")
        trust = {"ok": self.ca_file, "old": None}.get(run.trust, self.folder / f"trust-{run.trust}.pem")
        controls = [word for url in self.controls() for word in ("--control", url)]
        return [
            "run", *urls, "--json", "--yes", "--db", str(db), *(("--ca-file", str(trust)) if trust else ()), *controls,
            "--country", "PK", "--network", "AS64500", "--canaries", str(canaries) if rows[:1] else "none",
            "--access", "fixed", *run.args,
        ]  # fmt: skip

    def controls(self) -> list[str]:
        """What is given as `--control`."""
        first = self.cases[0]
        return [control_url(word, over_ipv6=first.line.nat64) for word in first.run.control]

    def run_probe(
        self, urls: Sequence[str], timeout_s: float = 420, db: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`probe run` over the URLs, as the volunteer; the machine may sleep in between."""
        db = db or self.folder / f"run-{time.monotonic_ns()}.db"
        run = self.cases[0].run
        program = ("-m", "tests.lab.shifted", str(run.clock_s)) if run.clock_s else ("-m", "probe")
        if run.lacks:
            program = ("-m", "tests.lab.lacking", ",".join(run.lacks))
        line = self.command("volunteer", sys.executable, *program, *self.probe_arguments(urls, db))
        with subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment(), cwd=_ROOT
        ) as process:
            try:
                if run.asleep:
                    _send_to_sleep(process, *run.asleep)
                out, errors = process.communicate(timeout=timeout_s)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(line, process.returncode, out, errors)

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
        "prefix": lab.prefix, "folder": str(lab.folder), "line": line, "seed": seed,
        "resolver": lab.cases[0].run.resolver,
        "rules": [rule_json(rule) for rule in lab.atlas.rules], **lab.atlas.servers_json(),
    }  # fmt: skip
    path = lab.folder / "lab.json"
    path.write_text(json.dumps(config))
    lab.start_ready("", ("-m", "tests.lab.routers", str(path)), "routers.log")
    _configure(lab, ipv6)
    lab.start_ready("", ("-m", "tests.lab.services", str(path)), "services.log")
    start_real_servers(lab)
    start_controls(lab, lab.cases[0].run.control, lab.cases[0].line.nat64)


def _configure(lab: Lab, ipv6: bool) -> None:
    line = lab.cases[0].line
    volunteer = VOLUNTEER[1:] if line.nat64 else VOLUNTEER if ipv6 else VOLUNTEER[:1]
    spaces.configure(f"{lab.prefix}volunteer", volunteer, (), ISP[1] if line.nat64 else ISP[0])
    spaces.configure(f"{lab.prefix}isp", ISP, (), "")
    spaces.configure(f"{lab.prefix}box", PORTAL, BOX_NETS, "")
    spaces.configure(f"{lab.prefix}servers", ("45.60.255.254", "2a0d:5600:ffff::1"), WEB_NETS, "")
    for end, addresses in (("control", CONTROL), ("abroad", ABROAD)):
        spaces.configure(f"{lab.prefix}{end}", addresses, (), "8.8.8.8")


def _send_to_sleep(process: subprocess.Popen[str], after_s: float, for_s: float) -> None:
    time.sleep(after_s)
    process.send_signal(signal.SIGSTOP)
    time.sleep(for_s)
    process.send_signal(signal.SIGCONT)


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
