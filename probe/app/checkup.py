"""The part of `probe doctor` that asks the network: can names of canaries be looked up, and do they connect?

A short look by this machine's own means, for a person who wonders why nothing works. It is no measurement: nothing is
kept, and nothing follows from it about any site.
"""

from __future__ import annotations

import socket

import trio

from probe.app.doctor import Finding
from probe.inputs.reference import load_reference
from probe.model.target import parse_target

WAIT_S = 8.0
CANARIES = 3


def ask_network() -> list[Finding]:
    """One finding for names and one for connections, from a few canaries abroad. The caller has seen to consent."""
    abroad = [c for c in load_reference().canaries if not c.home][:CANARIES]
    named, reached = trio.run(_ask, [parse_target(c.url).host for c in abroad])
    return [
        _finding(
            "names", named, len(abroad), "look-ups of canaries answered", "check the resolver, or the line itself"
        ),
        _finding("connections", reached, len(abroad), "canaries connected", "check for a login page or a firewall"),
    ]


def _finding(name: str, good: int, asked: int, what: str, do: str) -> Finding:
    words = f"{good} of {asked} {what}"
    if good == 0:
        return Finding(name, "broken", words, do)
    return Finding(name, "ok" if good == asked else "note", words, "" if good == asked else do)


async def _ask(hosts: list[str]) -> tuple[int, int]:
    named: list[str] = []
    reached: list[str] = []

    async def one(host: str) -> None:
        with trio.move_on_after(WAIT_S):
            address = await _look_up(host)
            if address is not None:
                named.append(host)
                if await _connects(address):
                    reached.append(host)

    async with trio.open_nursery() as nursery:
        for host in hosts:
            nursery.start_soon(one, host)
    return len(named), len(reached)


async def _look_up(host: str) -> str | None:
    try:
        found = await trio.socket.getaddrinfo(host, 443, family=socket.AF_INET, type=socket.SOCK_STREAM)
    except OSError:
        return None
    return str(found[0][4][0]) if found else None


async def _connects(address: str) -> bool:
    try:
        await (await trio.open_tcp_stream(address, 443)).aclose()
    except OSError:
        return False
    return True
