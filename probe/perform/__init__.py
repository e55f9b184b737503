"""Steps carried out: one performer per step type. Each returns nothing and never raises for the network; what it met
it hands to `emit` the moment it is known. The table below is the only list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from probe.model.step import AskBytes, Lookup, QuicWalk, Visit, Walk
from probe.perform.bytes import perform_bytes
from probe.perform.lookup import perform_lookup
from probe.perform.quic import perform_quic
from probe.perform.visit import perform_visit
from probe.perform.walk import perform_walk
from probe.perform.world import Emit, World

__all__ = [
    "PERFORMERS",
    "Emit",
    "Performer",
    "World",
    "perform_bytes",
    "perform_lookup",
    "perform_quic",
    "perform_visit",
    "perform_walk",
]

Performer = Callable[[Any, World, Emit], Awaitable[None]]

PERFORMERS: dict[type[Any], Performer] = {
    Lookup: perform_lookup,
    Walk: perform_walk,
    QuicWalk: perform_quic,
    Visit: perform_visit,
    AskBytes: perform_bytes,
    # AskControl has one more door to go through, where the helper's facts are taken in: see `probe.engine`.
}
