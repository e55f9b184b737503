"""`probe` as a process of its own, and a plain site on loopback for it to measure."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PAGE = b"<html><title>A page</title><body>" + b"words and words " * 400 + b"</body></html>"
OPEN = ("--allow-net", "127.0.0.0/8", "--canaries", "none", "--resolver", "udp://127.0.0.1:9")


class Site(ThreadingHTTPServer):
    """A site over plain HTTP. Paths under /never get no answer; those under /gated none before `gate` is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.gate = threading.Event()
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Site)
        self.server.asked.append(self.path)
        if self.path.startswith("/never"):
            time.sleep(30)
            return
        if self.path.startswith("/gated"):
            self.server.gate.wait(30)
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        try:
            self.wfile.write(PAGE)
        except OSError:  # whoever asked has been killed
            pass

    def log_message(self, format: str, *args: object) -> None:
        pass


def command(home: Path, *args: str, yes: bool = True) -> subprocess.Popen[str]:
    env = {**os.environ, "PROBE_HOME": str(home), "NO_COLOR": "1", **({"PROBE_CONSENT": "yes"} if yes else {})}
    return subprocess.Popen(
        [sys.executable, "-m", "probe", *args],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=env,
    )  # fmt: skip


def probe(home: Path, *args: str, yes: bool = True) -> tuple[int, str, str]:
    process = command(home, *args, yes=yes)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def wait_for_fact(db: Path, kind: str) -> None:
    """Until another process has written a fact: polling its file is the only way to know."""
    for _ in range(600):
        if db.exists():
            try:
                with sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True) as conn:
                    if conn.execute("SELECT 1 FROM observation WHERE kind = ?", (kind,)).fetchone():
                        return
            except sqlite3.Error:
                pass
        time.sleep(0.02)
    raise AssertionError(f"no {kind} fact came")
