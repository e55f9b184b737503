"""Is this machine fit to measure? Each check says in words what it found and, where something is wrong, what to do.

`ok` nothing to do, `note` worth knowing, `broken` measuring will not work or cannot be believed. Not a packet is sent
from here; `probe.app.checkup` is the part that asks the network.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import sqlite3
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import certifi

from probe.app.consent import read_consent
from probe.app.finding import Finding
from probe.app.fitness import denied, rights, scheduled, unfinished
from probe.app.home import default_db, home_dir
from probe.app.resolvers import own_resolvers
from probe.inputs.folders import data_folder
from probe.inputs.netdb import NetDb
from probe.inputs.reference import listed, load_reference
from probe.inputs.targets import own_lists, whole_list
from probe.model.errors import ProbeError, UsageError
from probe.net.trust import load_trust
from probe.store.sqlite import Store

# RETURNING in SQL came with 3.35; what is older also lacks defensive settings that we lean on.
SQLITE_OLDEST = (3, 37, 0)
SPACE_LOW, SPACE_NONE = 500_000_000, 20_000_000
# certifi appears about ten times a year; after this long, roots are missing and good sites look forged.
TRUST_OLD_DAYS = 400
LIST_OLD_DAYS = 365
# Before the youngest file of ours was written, the clock is certainly wrong; far after, it probably is.
CLOCK_FROM = "2026-11-24"
CLOCK_YEARS = 8
_DATE_IN_VERSION = re.compile(r"(\d{4})\.(\d{1,2})(?:\.(\d{1,2}))?")
EXTRAS = {
    "explore": ("`probe explore`", ("datasette",)),
    "collector": ("serving a helper or collector", ("starlette", "hypercorn")),
    "encrypt": ("encrypting bundles to a collector", ("pyrage",)),
    "quic": ("measuring HTTP/3", ("aioquic",)),
    "report": ("HTML reports", ("jinja2",)),
}


Check = Callable[[], Finding]


def examine(netdb: Path | None = None) -> Iterator[Finding]:
    """Every check that needs no network, one after the other."""
    for check in CHECKS:
        yield check()
    yield _netdb(netdb)


def _python() -> Finding:
    ssl_words = f"{ssl.OPENSSL_VERSION}; SQLite {sqlite3.sqlite_version}"
    words = f"Python {sys.version.split()[0]}, {ssl_words}"
    if sqlite3.sqlite_version_info < SQLITE_OLDEST:
        return Finding("versions", "broken", words, "use a Python that was built with SQLite 3.37 or newer")
    if not ssl.HAS_TLSv1_3:
        return Finding("versions", "broken", words, "use a Python whose OpenSSL speaks TLS 1.3")
    return Finding("versions", "ok", words)


def _home() -> Finding:
    home = home_dir()
    there = next(path for path in (home, *home.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        return Finding("home", "broken", f"{there} cannot be written", "set PROBE_HOME to a folder of yours")
    free = shutil.disk_usage(there).free
    words = f"{home}, {free / 1e9:.1f} GB free"
    if free < SPACE_NONE:
        return Finding("home", "broken", words, "make room: facts cannot be kept")
    if free < SPACE_LOW:
        return Finding("home", "note", words, "make room before a long run")
    if home.exists() and os.name == "posix" and home.stat().st_mode & 0o077:
        return Finding("home", "note", f"{words}; other users can look in", f"chmod 700 {home}")
    return Finding("home", "ok", words)


def _database() -> Finding:
    path = default_db()
    if not path.exists():
        return Finding("database", "ok", "none yet; `probe run` makes it")
    try:
        with Store.open(path, create=False, writable=False) as store:
            count = store.query("SELECT count(*) FROM measurement")[0][0]
            sound = store.query("PRAGMA quick_check(1)")[0][0]
    except ProbeError as error:
        return Finding("database", "broken", str(error), "move the file away and keep it; a new one is made")
    if sound != "ok":
        return Finding("database", "broken", f"{path} is damaged: {sound}", "keep the file, start a new one with --db")
    return Finding("database", "ok", f"{path}, {count} measurements, {path.stat().st_size / 1e6:.1f} MB")


def _consent() -> Finding:
    given = read_consent()
    if given is None:
        return Finding("consent", "note", "not given: nothing will be measured", "read and decide: probe consent give")
    if not given.current:
        return Finding("consent", "note", "given to an older text", "read the new one: probe consent give")
    return Finding("consent", "ok", f"given on {given.given_at}")


def _trust() -> Finding:
    try:
        store = load_trust()
    except UsageError as error:
        return Finding("trust store", "broken", str(error), "mend or unset SSL_CERT_FILE")
    made = _date_of(store.dated or "")
    words = f"certifi {store.dated or 'of unknown date'}, {store.roots} roots, digest {store.digest[:12]}"
    if os.environ.get("SSL_CERT_FILE"):
        words += ", with those of SSL_CERT_FILE"
    if not Path(certifi.where()).is_file():
        return Finding("trust store", "broken", "certifi's file is missing", "install certifi again")
    if made and (_today() - made).days > TRUST_OLD_DAYS:
        return Finding("trust store", "note", f"{words}: old", "pip install --upgrade certifi")
    return Finding("trust store", "ok", words)


def _seeds() -> Finding:
    try:
        reference = load_reference()
        count = len(listed(data_folder("seeds")))
    except ProbeError as error:
        return Finding(
            "reference data", "broken", str(error), "install the program again, or redo the digests you changed"
        )
    words = f"{count} files as the manifest says, digest {reference.digest[:12]}"
    return Finding("reference data", "ok", words)


def _lists() -> Finding:
    try:
        read = [(name, whole_list(data_folder("targets") / f"{name}.csv")) for name in own_lists()]
    except ProbeError as error:
        return Finding("lists", "broken", str(error), "install the program again")
    bad = sum(len(one.errors) for _, one in read)
    words = ", ".join(f"{name} {len(one.targets)} targets" for name, one in read)
    newest = max((_newest_row(data_folder("targets") / f"{name}.csv") for name, _ in read), default="")
    age = (_today() - date.fromisoformat(newest)).days if newest else 0
    if bad or not read:
        return Finding("lists", "broken", f"{words}; {bad} bad lines", "probe targets check targets/*.csv")
    if age > LIST_OLD_DAYS:
        return Finding("lists", "note", f"{words}; newest row of {newest}", "upgrade the program for newer lists")
    return Finding("lists", "ok", f"{words}; newest row of {newest or 'unknown date'}")


def _newest_row(path: Path) -> str:
    return max(re.findall(r"\b\d{4}-\d\d-\d\d\b", path.read_text(encoding="utf-8")), default="")


def _netdb(path: Path | None) -> Finding:
    if path is None:
        words = "none named: network and country are as you type them"
        return Finding("network database", "ok", words)
    try:
        db = NetDb.open(path)
    except UsageError as error:
        return Finding("network database", "broken", str(error), "name an MMDB file, or a CSV of address ranges")
    age = (_today() - date.fromisoformat(db.built)).days
    words = f"{path}, built {db.built}, digest {db.digest[:12]}"
    if age > 90:
        return Finding("network database", "note", f"{words}: {age} days old", "networks move; fetch a newer one")
    return Finding("network database", "ok", words)


def _ipv6() -> Finding:
    if not socket.has_ipv6:
        return Finding("IPv6", "note", "this Python was built without it; only IPv4 is measured")
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as trial:
            # Connecting a datagram socket sends nothing; it asks the routing table. RFC 3849's prefix is nobody's.
            trial.connect(("2001:db8::1", 9))
    except OSError as error:
        return Finding("IPv6", "note", f"no route ({error.strerror}): only IPv4 can be judged on this line")
    return Finding("IPv6", "ok", "this machine has a route")


def _clock() -> Finding:
    now = datetime.now(UTC)
    words = f"{now:%Y-%m-%d %H:%M} UTC"
    if f"{now:%Y-%m-%d}" < CLOCK_FROM:
        return Finding("clock", "broken", f"{words} is before this program was written", "set the clock")
    if now.year - int(CLOCK_FROM[:4]) > CLOCK_YEARS:
        return Finding("clock", "note", f"{words}: is that right?", "set the clock, or upgrade the program")
    before, steady = time.time(), time.monotonic()
    time.sleep(0.05)
    slip = abs((time.time() - before) - (time.monotonic() - steady))
    if slip > 0.5:
        return Finding(
            "clock", "note", f"{words}; it jumped by {slip:.1f} s while being looked at", "stop what sets it"
        )
    return Finding("clock", "ok", words)


def _resolvers() -> Finding:
    found = own_resolvers()
    if not found:
        words = "the system names none: only getaddrinfo and public resolvers are asked"
        return Finding("resolvers", "note", words, "check the network settings")
    # The addresses may be the provider's or the router's: shown here, stored nowhere.
    return Finding("resolvers", "ok", f"configured by this network: {', '.join(found)}")


def _extras() -> Finding:
    missing = {name: what for name, (what, modules) in EXTRAS.items() if not all(map(_has, modules))}
    if not missing:
        return Finding("extras", "ok", "all are installed")
    words = "; ".join(f"no {what} without the extra `{name}`" for name, what in missing.items())
    return Finding("extras", "ok", words, f"if you need it: pip install 'vantage-probe[{','.join(missing)}]'")


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _program() -> Finding:
    try:
        return Finding("program", "ok", f"vantage-probe {version('vantage-probe')}")
    except PackageNotFoundError:
        return Finding("program", "note", "run from a folder, not installed", "pip install .")


def _date_of(text: str) -> date | None:
    found = _DATE_IN_VERSION.match(text)
    try:
        return date(int(found[1]), int(found[2]), int(found[3] or 1)) if found else None
    except ValueError:
        return None


def _today() -> date:
    return datetime.now(UTC).date()


def is_broken(findings: Sequence[Finding]) -> bool:
    """True when measuring makes no sense before something is mended."""
    return any(finding.state == "broken" for finding in findings)


# In the order in which one would mend things.
CHECKS: tuple[Check, ...] = (
    _program, _python, _home, _database, _consent, _clock, _trust, _seeds, _lists, denied, _ipv6, _resolvers, rights,
    _extras, unfinished, scheduled,
)  # fmt: skip
