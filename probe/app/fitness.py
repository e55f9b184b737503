"""More of `probe doctor`, without a packet: what optional experiments may do here, and what lies about from before."""

from __future__ import annotations

import socket
import sys
from datetime import UTC, datetime

from probe.app.finding import Finding
from probe.app.home import default_db, home_dir
from probe.app.prepare import DENY_FILE
from probe.app.schedule.install import best_kind, status
from probe.app.unfinished import plan_files, recall
from probe.inputs.deny import read_denied
from probe.model.errors import UsageError
from probe.net.tcpinfo import read_tcp_info

# A plan older than this describes another network and another time.
PLAN_OLD_DAYS = 14


def rights() -> Finding:
    """What the ordinary check gains from this kernel, and whether experiments with raw packets could run."""
    told = []
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        told.append("the kernel's account of connections" if read_tcp_info(trial) else "no account of connections")
    told.append("ICMP errors are read" if sys.platform == "linux" else "ICMP errors cannot be read here")
    words = ", ".join(told)
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    except (OSError, ValueError):
        # Not worth a warning: an ordinary account is safer, and nothing of the default run needs more.
        return Finding("rights", "ok", f"{words}; no raw sockets: optional experiments with them are skipped")
    return Finding("rights", "ok", f"{words}; raw sockets are allowed, so optional experiments could run")


def unfinished() -> Finding:
    """A run that was cut off."""
    db = default_db()
    try:
        plan = recall(db)
    except UsageError as error:
        return Finding("unfinished run", "note", str(error), "delete that file")
    if plan is None:
        return Finding("unfinished run", "ok", "none")
    age = datetime.now(UTC) - datetime.fromtimestamp(plan_files(db)[0].stat().st_mtime, UTC)
    words = f"{len(plan.items)} targets planned {age.days} days ago, cut off"
    if age.days > PLAN_OLD_DAYS:
        return Finding("unfinished run", "note", words, "begin a new run: too much has changed since")
    return Finding("unfinished run", "note", words, "probe run --resume")


def denied() -> Finding:
    """The deny list of this home."""
    path = home_dir() / DENY_FILE
    if not path.exists():
        return Finding("deny list", "ok", f"none; {path} would hold names never to contact")
    try:
        found = read_denied([path])
    except UsageError as error:
        return Finding("deny list", "broken", str(error), "mend that line: no run begins while it cannot be understood")
    return Finding("deny list", "ok", f"{len(found.hosts)} names and {len(found.nets)} address ranges")


def scheduled() -> Finding:
    """Whether a timer measures by itself."""
    try:
        found = status(best_kind())
    except UsageError:
        return Finding("schedule", "ok", "this system has no timer that could be used")
    if not found.installed:
        return Finding("schedule", "ok", "none: only you start runs")
    return Finding("schedule", "ok", f"installed with {found.kind}; `probe schedule remove` ends it")
