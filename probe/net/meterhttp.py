"""Counting what goes to helpers over httpx."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

from probe.net.meter import Meter, on_the_wire


class MeteredTransport(httpx.AsyncBaseTransport):
    """httpx's way to a helper, counted: bodies to the byte, headers and TLS by a round figure."""

    # A request's and an answer's headers over HTTP/2, compressed, and TLS records.
    AROUND = 600

    def __init__(self, inner: httpx.AsyncBaseTransport, meter: Meter) -> None:
        self._inner, self._meter = inner, meter

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        size = int(request.headers.get("content-length", 0))
        self._meter.charge(on_the_wire(size) + self.AROUND)
        response = await self._inner.handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Counted(response.stream, self._meter)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Counted(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, meter: Meter) -> None:
        self._stream, self._meter = stream, meter

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._meter.charge(on_the_wire(len(chunk)))
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
