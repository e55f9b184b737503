"""A visit to a helper's door: innocent names, the name that is stopped, innocent names again; one visitor at a time.

One step although it is several walks, because they only mean something together and undisturbed: whoever else sent a
stopped name in between could have shut the door to the innocent ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import trio

from probe.model.kinds import HttpFetch, Skipped, TlsHandshake
from probe.model.observation import Blob, Draft
from probe.model.step import Fetch, Visit, Walk
from probe.perform.walk import perform_walk
from probe.perform.world import Emit, World
from probe.verdict.read import ALIVE_THERE, HOST_THERE, INNOCENT_HOST_THERE, INNOCENT_THERE, NAMED_THERE

# Between two tries of the stopped name, and before the innocent one after it. Seconds.
GAP_S = 1.5
# How long a connect and a handshake may take: others wait for their turn. Seconds.
STAGE_S = 5.0


async def perform_visit(step: Visit, world: World, emit: Emit) -> None:
    """Take the walks of a visit as far as they lead. Never raises for the network."""
    usual = world.limits
    limits = replace(usual, connect_s=min(STAGE_S, usual.connect_s), handshake_s=min(STAGE_S, usual.handshake_s))
    async with world.turns.wait_turn(step.ip) as door:
        if door is None:
            detail = Skipped(Visit.__name__.lower(), "budget", "the helper's door was taken or shut by others' names")
            at_us = world.net.clock.now_us()
            emit(Draft(detail.kind, detail, step.host, step.ip, step.port, "skipped", at_us, why=step.why), ())
            return
        visitor = _Visitor(step, replace(world, limits=limits), emit)
        if await visitor.run():
            door.found_shut()


class _Visitor:
    """One visit under way."""

    def __init__(self, step: Visit, world: World, emit: Emit) -> None:
        self._step, self._world, self._emit = step, world, emit
        self._named, self._innocent = (HOST_THERE, INNOCENT_HOST_THERE) if step.url else (NAMED_THERE, INNOCENT_THERE)

    async def run(self) -> bool:
        """All stages; True when the door was left shut."""
        for name in self._step.innocent:
            if not await self._try(name, 1, self._innocent):
                return False
        # In the clear an answer may be anybody's, so that all tries are made; a handshake that passes ends it.
        if not await self._all_fail() and not self._step.url:
            return False
        await trio.sleep(GAP_S)
        if await self._try(self._step.innocent[0], 2, self._innocent):
            return False
        # Shut, or gone? The helper's other port tells.
        await self._walk(Walk(self._step.host, self._step.ip, self._step.asks, why=ALIVE_THERE), lambda draft: None)
        return True

    async def _all_fail(self) -> bool:
        """The stopped name, several times, each a little later than the one before; at once, since a handshake that is
        dropped takes all its time."""
        passed: list[bool] = []

        async def one(attempt: int) -> None:
            await trio.sleep((attempt - 1) * GAP_S)
            if self._step.url or not any(passed):
                passed.append(await self._try(self._step.host, attempt, self._named))

        async with trio.open_nursery() as nursery:
            for attempt in range(1, self._step.tries + 1):
                nursery.start_soon(one, attempt)
        return not any(passed)

    async def _try(self, name: str, attempt: int, why: str) -> bool:
        """Whether a handshake for that name succeeds here, or a request is answered."""
        passed = False

        def look(draft: Draft) -> None:
            nonlocal passed
            shaken = isinstance(draft.detail, TlsHandshake) and draft.failure is None
            passed = passed or shaken or (isinstance(draft.detail, HttpFetch) and draft.detail.status is not None)

        sni, page = (None, Fetch(self._url(name))) if self._step.url else (name, None)
        await self._walk(Walk(self._step.host, self._step.ip, self._step.port, sni, page, attempt, why), look)
        return passed

    def _url(self, name: str) -> str:
        return self._step.url if name == self._step.host else f"http://{name}/"

    async def _walk(self, walk: Walk, look: Callable[[Draft], None]) -> None:
        def emit(draft: Draft, blobs: tuple[Blob, ...]) -> int:
            look(draft)
            return self._emit(draft, blobs)

        await perform_walk(walk, self._world, emit)
