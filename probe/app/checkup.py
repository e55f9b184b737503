"""The part of `probe doctor` that asks the network: names, connections over both families, the clock, and whether
helper and collector can be reached from here.

A short look by this machine's own means, for a person who wonders why nothing works. It is no measurement: nothing is
kept, and nothing follows from it about any site.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import trio

from probe import __version__
from probe.app.finding import Finding
from probe.app.way import Way
from probe.inputs.reference import load_reference
from probe.model.target import parse_target
from probe.wire.control import HEALTH_PATH

WAIT_S = 8.0
CANARIES = 3
# Certificates are judged by the clock, and some are new by minutes.
CLOCK_NOTE_S, CLOCK_BROKEN_S = 60, 3600
KEY_PATH = "/v1/key"
_FAMILIES = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6}
# (what was asked, how many answered): names by any family, connections by family.
Tally = Counter[str]


def ask_network(
    helpers: Sequence[str] = (), collectors: Sequence[str] = (), ca_file: Path | None = None, proxy: str | None = None
) -> list[Finding]:
    """Names and connections from a few canaries abroad, then the servers that were named. The caller has seen to
    consent."""
    abroad = [c for c in load_reference().canaries if not c.home][:CANARIES]
    hosts = [parse_target(c.url).host for c in abroad]
    tally, servers = trio.run(_ask, hosts, [*_doors(helpers, collectors)], ca_file, proxy)
    return [*_line(tally, len(hosts)), *servers]


def _line(tally: Tally, asked: int) -> list[Finding]:
    names = _share("names", tally["names"], asked, "look-ups of canaries answered", _NO_NAMES)
    no_way = _NO_CONNECTION if tally["names"] else _NO_NAMES
    four = _share("connections", tally["IPv4"], asked, "canaries connected over IPv4", no_way)
    if tally["IPv6"]:
        six = Finding("IPv6 connections", "ok", f"{tally['IPv6']} of {asked} canaries connected over IPv6")
    else:
        # No harm by itself: what has no IPv6 here is judged over IPv4 alone.
        six = Finding("IPv6 connections", "note", "none: only IPv4 can be judged on this line")
    return [names, four, six]


_NO_NAMES = "is the line up? Try another resolver in the network settings, or ask whoever runs this network"
_NO_CONNECTION = "names work but nothing connects: open a browser and look for a login page, then for a firewall"


def _share(name: str, good: int, asked: int, what: str, do: str) -> Finding:
    words = f"{good} of {asked} {what}"
    if good == asked:
        return Finding(name, "ok", words)
    return Finding(name, "note" if good else "broken", words, do)


def _doors(helpers: Sequence[str], collectors: Sequence[str]) -> list[tuple[str, str, str]]:
    """(sort, address as it was named, what is asked for) of each server."""
    found = [("helper", url, url.rstrip("/") + HEALTH_PATH) for url in helpers]
    return found + [("collector", url, url.rstrip("/") + KEY_PATH) for url in collectors]


async def _ask(
    hosts: list[str], doors: list[tuple[str, str, str]], ca_file: Path | None, proxy: str | None
) -> tuple[Tally, list[Finding]]:
    tally: Tally = Counter()
    servers: list[Finding] = []
    async with Way(proxy or "", ca_file).open() as client, trio.open_nursery() as nursery:
        for host in hosts:
            nursery.start_soon(_canary, host, tally)
        for door in doors:
            nursery.start_soon(_server, client, *door, servers)
    return tally, sorted(servers, key=lambda finding: finding.name)


async def _canary(host: str, tally: Tally) -> None:
    named: set[str] = set()

    async def family(name: str) -> None:
        with trio.move_on_after(WAIT_S):
            address = await _look_up(host, _FAMILIES[name])
            if address is not None:
                named.add(host)
                tally[name] += await _connects(address)

    async with trio.open_nursery() as nursery:
        for name in _FAMILIES:
            nursery.start_soon(family, name)
    tally["names"] += len(named)


async def _look_up(host: str, family: socket.AddressFamily) -> str | None:
    try:
        found = await trio.socket.getaddrinfo(host, 443, family=family, type=socket.SOCK_STREAM)
    except OSError:
        return None
    return str(found[0][4][0]) if found else None


async def _connects(address: str) -> bool:
    try:
        await (await trio.open_tcp_stream(address, 443)).aclose()
    except OSError:
        return False
    return True


# ---- servers ----


async def _server(client: httpx.AsyncClient, sort: str, named: str, url: str, found: list[Finding]) -> None:
    try:
        with trio.fail_after(WAIT_S):
            answer = await client.get(url)
    except (httpx.HTTPError, trio.TooSlowError) as error:
        words = f"{named} was not reached: {type(error).__name__}"
        found.append(
            Finding(sort, "broken", words, "check the address; it may be blocked here: try --proxy, or another")
        )
        return
    if answer.status_code != 200:
        words = f"{named} answers with status {answer.status_code}"
        found.append(Finding(sort, "broken", words, f"is this the address of a {sort}? Ask whoever gave it to you"))
        return
    found.append(_reached(sort, named, answer))
    offset = clock_offset_s(answer.headers.get("date", ""), datetime.now(UTC))
    if offset is not None:
        found.append(_clock(offset, sort))


def _reached(sort: str, named: str, answer: httpx.Response) -> Finding:
    try:
        value = answer.json()
    except ValueError:
        value = None
    if not isinstance(value, dict):
        return Finding(sort, "broken", f"{named} answers, but not as a {sort} does", "check the address")
    version = value.get("version")
    if isinstance(version, str) and version.split(".")[:2] != __version__.split(".")[:2]:
        return Finding(sort, "note", f"{named} was reached; it is of version {version[:20]}, this one of {__version__}")
    return Finding(sort, "ok", f"{named} was reached")


def clock_offset_s(date: str, now: datetime) -> int | None:
    """Seconds by which this clock is ahead of a server's Date header (RFC 9110 section 6.6.1); None when it tells
    none."""
    try:
        return round((now - parsedate_to_datetime(date).astimezone(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _clock(offset_s: int, sort: str) -> Finding:
    ahead = "ahead of" if offset_s > 0 else "behind"
    words = f"{abs(offset_s)} s {ahead} the {sort}'s"
    if abs(offset_s) >= CLOCK_BROKEN_S:
        return Finding(
            "clock beside others", "broken", words, "set the clock: good certificates look expired or forged"
        )
    if abs(offset_s) >= CLOCK_NOTE_S:
        return Finding("clock beside others", "note", words, "set the clock")
    return Finding("clock beside others", "ok", words)
