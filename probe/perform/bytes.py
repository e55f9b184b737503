"""Taking bytes without meaning from a test helper, as one fact: how fast our own line is at this moment."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx
import trio

from probe.model.kinds import HelperTransfer, TcpInfo
from probe.model.observation import Draft
from probe.model.step import AskBytes
from probe.net.base import Clock, Failure
from probe.net.classify import classify
from probe.net.tcpinfo import read_tcp_info
from probe.perform.world import Emit, World
from probe.wire.control import BYTES_PATH

# A line on which a hundred kilobytes take longer than this is slow by itself. Seconds.
PATIENCE_S = 30.0
TIMELINE_POINTS = 64


@dataclass(slots=True)
class _Taking:
    """One transfer under way."""

    clock: Clock
    wanted: int
    began_us: int
    status: int | None = None
    timeline: list[tuple[int, int]] = field(default_factory=list)
    info: TcpInfo | None = None

    async def run(self, client: httpx.AsyncClient, url: str) -> Failure | None:
        """Take them all; nothing is raised but a cancellation."""
        try:
            with trio.fail_after(PATIENCE_S):
                async with client.stream("GET", url, headers={"accept-encoding": "identity"}) as response:
                    self.status = response.status_code
                    await self._read(response)
        except Exception as error:  # noqa: BLE001 - whatever a hostile answer makes the libraries raise is its failure
            return classify(error)
        whole = self.status == 200 and bool(self.timeline) and self.timeline[-1][1] == self.wanted
        return None if whole else Failure("http_request_failed", f"status {self.status}")

    async def _read(self, response: httpx.Response) -> None:
        size = 0
        self._mark(0)
        async for chunk in response.aiter_raw():
            size += len(chunk)
            if size <= self.wanted:
                self._mark(size)
        stream = response.extensions.get("network_stream")
        sock = stream.get_extra_info("socket") if stream is not None else None
        # A trio socket has the one method that is asked of it.
        self.info = read_tcp_info(sock) if sock is not None else None

    def _mark(self, size: int) -> None:
        self.timeline.append((self.clock.mono_us() - self.began_us, size))
        if len(self.timeline) > TIMELINE_POINTS:
            del self.timeline[1 : TIMELINE_POINTS - 1 : 2]


async def perform_bytes(step: AskBytes, world: World, emit: Emit) -> None:
    """Take the bytes and emit one `helper.transfer`, cancelled or not."""
    clock = world.net.clock
    at_us, began_us = clock.now_us(), clock.mono_us()
    taking = _Taking(clock, step.size, began_us)
    failure: Failure | None = Failure("interrupted", "cancelled")
    try:
        if world.helper_client is None:
            failure = Failure("http_request_failed", "no client")
        else:
            url = f"{step.helper.rstrip('/')}{BYTES_PATH}/{step.size}"
            failure = await taking.run(world.helper_client, url)
    finally:
        detail = HelperTransfer(
            helper=step.helper,
            wanted=step.size,
            status=taking.status,
            timeline=tuple(taking.timeline),
            info=taking.info,
            lag_us=clock.lag_us(began_us),
            raw=failure.raw if failure else None,
        )
        draft = Draft(
            HelperTransfer.kind, detail, failure=failure.word if failure else None, at_us=at_us,
            took_us=clock.mono_us() - began_us, attempt=step.attempt, why=step.why, parent=step.parent,
        )  # fmt: skip
        emit(draft, ())
