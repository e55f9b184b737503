"""The way to a collector: nothing it does can hold a sender for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import trio
import trio.testing

from probe.app.way import exchange


class _Drip(httpx.AsyncByteStream):
    """A byte a minute, without end: each read is well within its own deadline."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await trio.sleep(60)
            yield b" "


async def test_an_answer_that_drips_ends(autojump_clock: trio.testing.MockClock) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=_Drip()))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.TransportError), trio.fail_after(3600):
            await exchange(client, "GET", "https://collector.example/v1/card")
