"""The first words with the helpers: what they see of us, and which doors they keep for trials."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import trio

from probe.checks.question import Door
from probe.model.errors import BundleError
from probe.model.target import DEFAULT_PORTS, address_of
from probe.net.base import Net
from probe.perform.world import Policy
from probe.wire.codec import CodecError, decode
from probe.wire.control import HEALTH_PATH, MAX_TRIAL_PORTS, TRIAL_PORTS, SeenClient
from probe.wire.facts import load_object

# How long to wait for a helper's greeting, and for its addresses; without them the run goes on. Seconds.
GREETING_S = 4.0


@dataclass(frozen=True, slots=True)
class Greeting:
    """What one helper said: what it sees of us, and the ports of its trial doors."""

    helper: str
    seen: SeenClient = SeenClient()
    trial_ports: tuple[int, ...] = ()


async def greet(
    client: httpx.AsyncClient, helpers: tuple[str, ...], learn: Callable[[str], None]
) -> tuple[Greeting, ...]:
    """The greetings of those helpers that answer in time, in their order. Asked before anything is kept, so that our
    address can be scrubbed from the first fact on; `learn` is told it, and it stays in memory."""
    heard: dict[str, Greeting] = {}

    async def ask(helper: str) -> None:
        with trio.move_on_after(GREETING_S):
            try:
                answer = await client.get(f"{helper}{HEALTH_PATH}")
                said = load_object(answer.content[:65536])
                seen = decode(SeenClient, said.get("client", {}))
            except (httpx.HTTPError, BundleError, CodecError, ValueError):
                return
            learn(seen.address)
            heard[helper] = Greeting(helper, seen, _ports(said.get(TRIAL_PORTS)))

    async with trio.open_nursery() as nursery:
        for helper in helpers:
            nursery.start_soon(ask, helper)
    return tuple(heard[helper] for helper in helpers if helper in heard)


def _ports(said: object) -> tuple[int, ...]:
    """Those of the ports a helper claims that are ports."""
    claimed = said[:MAX_TRIAL_PORTS] if isinstance(said, list) else ()
    return tuple(port for port in claimed if type(port) is int and 0 < port < 65_536)


def seen_by(greetings: Iterable[Greeting]) -> SeenClient:
    """What the first helper that answered sees of us; empty when none did."""
    return next((g.seen for g in greetings), SeenClient())


async def find_doors(greetings: Iterable[Greeting], net: Net, policy: Policy) -> tuple[Door, ...]:
    """Where the helpers take any name: their trial ports, and where questions go if that is TLS. An
    address that may not be dialled is none: a helper cannot send us into somebody's private network."""
    found: list[Door] = []
    for greeting in greetings:
        parts = urlsplit(greeting.helper)
        asks = parts.port or DEFAULT_PORTS[parts.scheme]
        ports = [*greeting.trial_ports, *([asks] if parts.scheme == "https" else ())]
        for ip in await _addresses(parts.hostname or "", net) if ports else ():
            found += [door for port in dict.fromkeys(ports) if _may_be_dialled(door := Door(ip, port, asks), policy)]
    return tuple(found)


def opened(doors: Iterable[Door]) -> frozenset[tuple[str, int]]:
    """What of the doors a walk must be allowed to dial."""
    return frozenset((d.ip, port) for d in doors for port in (d.port, d.asks))


async def _addresses(host: str, net: Net) -> tuple[str, ...]:
    """The first address of each family, as the system resolves it."""
    literal = address_of(host)
    if literal is not None:
        return (literal,)
    found = [await net.resolve(host, ipv6, GREETING_S) for ipv6 in (False, True)]
    return tuple(ip for answer in found for ip in answer.addresses[:1])


def _may_be_dialled(door: Door, policy: Policy) -> bool:
    # Any port of our own helper's may be: what counts is the address.
    return policy.allows(door.ip, min(policy.ports)) is None
