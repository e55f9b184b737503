"""One HTTP exchange over a stream that is already held: httpx on top, httpcore's connection in between, ours below.

Laws. Deadlines live in the stream's own reads and writes, so nothing is cancelled inside the libraries. They go by
progress: a slow line is not a dead one. Reading ends because the stream says so, never by walking away from a
half-read body: each generator on the way up then ends with it. Whatever arrives is kept raw first, because the parsers
refuse what middleboxes write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import h2.exceptions
import h11
import httpcore
import httpx
import trio

from probe.net.base import Clock, Failure, Stream
from probe.net.classify import DEADLINE, classify
from probe.perform.world import Limits
from probe.wire.http1 import LENIENT_BYTES

EOF = Failure("eof_error", "EOF")
TOO_LARGE = Failure("http_body_too_large", "header or framing")
# The whole time was used up while bytes were still coming.
TIME_UP = Failure("generic_timeout_error", "time")
# How often a silent connection is looked at, and for how long before the end of our patience the far end's kernel is
# asked whether it is still there. Seconds.
TICK_S, NUDGE_S = 1.0, 4.0
TIMELINE_POINTS = 64
# What may come with a head, beside it: the beginning of the body in the same read, settings and frames of HTTP/2.
BESIDE_HEAD = 131_072
# Chunks and frames may take this many times a body's cap on the wire; more is empty frames without end.
FRAMING = 8


class HeldStream(httpcore.AsyncNetworkStream):
    """Our stream as httpcore wants it. Remembers how it ended (`failure`, or `fin`), the first bytes raw, and when the
    first one came. `stop()` makes every further read end at once."""

    def __init__(self, stream: Stream, clock: Clock, stall_s: float, total_s: float, header_cap: int) -> None:
        self._stream, self._clock, self._stall_s = stream, clock, stall_s
        self._end_s = trio.current_time() + total_s
        # How many more bytes may come: before the head of the response is complete, then in all.
        self.room = header_cap + BESIDE_HEAD
        self.raw = bytearray()
        self.first_byte_mono_us: int | None = None
        self.read_failure: Failure | None = None
        self.write_failure: Failure | None = None
        self.fin = False
        self.stopped = False

    @property
    def failure(self) -> Failure | None:
        """How the stream failed. A failed write is only the reason where reading gave none: the peer may have
        answered and hung up before it had read everything."""
        return self.read_failure or self.write_failure

    def stop(self) -> None:
        """No more reading from here on."""
        self.stopped = True

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - the library's name
        """Bytes, or b"" at the end. Raises httpcore's ReadError for everything else."""
        if self.stopped:
            raise httpcore.ReadError("stopped")
        data = await self._receive(max_bytes)
        if isinstance(data, bytes):
            return self._received(data)
        self.read_failure = data
        raise httpcore.ReadError(data.raw)

    async def _receive(self, max_bytes: int) -> bytes | Failure:
        """What comes, or DEADLINE once the connection was still for `stall_s`. A TLS record gives nothing until it is
        whole, which takes its time on a slow line: so what counts is the bytes below."""
        moved_s, seen = trio.current_time(), self._stream.wire_in
        while True:
            now = trio.current_time()
            with trio.move_on_at(min(now + TICK_S, moved_s + self._stall_s, self._end_s)):
                return await self._stream.receive(max_bytes)
            now = trio.current_time()
            if self._stream.wire_in != seen:
                moved_s, seen = now, self._stream.wire_in
            if now >= self._end_s:
                return TIME_UP if now - moved_s < self._stall_s / 2 else DEADLINE
            if now - moved_s >= self._stall_s:
                return DEADLINE
            if now - moved_s >= self._stall_s - NUDGE_S:
                self._stream.nudge()

    def _received(self, data: bytes) -> bytes:
        if not data:
            self.fin = True
            return data
        if self.first_byte_mono_us is None:
            self.first_byte_mono_us = self._clock.mono_us()
        self.raw += data[: max(0, LENIENT_BYTES - len(self.raw))]
        self.room -= len(data)
        if self.room < 0:
            self.read_failure = TOO_LARGE
            raise httpcore.ReadError(TOO_LARGE.raw)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as above
        """Send all of it. Raises httpcore's WriteError."""
        if not buffer:
            return
        failure: Failure | None = DEADLINE
        with trio.move_on_at(min(trio.current_time() + self._stall_s, self._end_s)):
            failure = await self._stream.send(buffer)
        if failure is not None:
            self.write_failure = failure
            raise httpcore.WriteError(failure.raw)

    async def aclose(self) -> None:
        """Nothing: the stream belongs to the walk, which still wants to ask the kernel about it."""

    def get_extra_info(self, info: str) -> Any:
        """Nothing to tell; httpcore asks for TLS only when it connects by itself."""
        return None


class HeldTransport(httpx.AsyncBaseTransport):
    """httpx's way to one held stream; good for one request."""

    def __init__(self, held: HeldStream, http2: bool, limits: Limits) -> None:
        self._held, self._http2, self._limits = held, http2, limits

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it, read the head of the answer."""
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.extensions.get("target", request.url.raw_path),
        )
        inner = httpcore.Request(request.method, url, headers=request.headers.raw, content=request.stream)
        response = await self._connection(url.origin).handle_async_request(inner)
        self._held.room = FRAMING * self._limits.body_cap
        return httpx.Response(
            response.status, headers=response.headers, stream=_Body(response.stream), extensions=response.extensions
        )

    def _connection(self, origin: httpcore.Origin) -> httpcore.AsyncHTTP11Connection | httpcore.AsyncHTTP2Connection:
        if self._http2:
            return httpcore.AsyncHTTP2Connection(origin, self._held)
        connection = httpcore.AsyncHTTP11Connection(origin, self._held)
        # No argument for it, and the class's own bound is not ours.
        connection._h11_state = h11.Connection(h11.CLIENT, max_incomplete_event_size=self._limits.header_cap)
        return connection


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


@dataclass(slots=True)
class Exchange:
    """One request and what came of it so far; readable at any moment, also after a cancellation. `ended` is None when
    the answer came whole, or when we stopped at the cap or at the end of our time; `timeline` as in `HttpFetch`."""

    held: HeldStream
    clock: Clock
    http2: bool
    limits: Limits
    at_us: int = 0
    began_us: int = 0
    response: httpx.Response | None = None
    body: bytearray = field(default_factory=bytearray)
    first_byte_us: int | None = None
    timeline: list[tuple[int, int]] = field(default_factory=list)
    capped: bool = False
    timed: bool = False
    ended: Failure | None = None
    took_us: int = 0

    async def run(self, request: httpx.Request) -> None:
        """Send it and read all that comes, within the limits. Raises nothing but a cancellation."""
        self.at_us, self.began_us = self.clock.now_us(), self.clock.mono_us()
        try:
            async with self._client() as client:
                self.response = await client.send(request, stream=True)
                await self._read(self.response)
        except Exception as error:  # noqa: BLE001 - whatever a hostile answer makes the libraries raise is evidence
            # Cut off by our own clock amid a body that was coming: slow, and no failure.
            self.timed = self.held.read_failure is TIME_UP and self.response is not None and bool(self.body)
            self.ended = None if self.capped or self.timed else self._failure(error)
        finally:
            self.took_us = self.clock.mono_us() - self.began_us
            self.first_byte_us = self._first_byte_us()

    def _client(self) -> httpx.AsyncClient:
        # A jar that takes no cookies: the chain's are carried by the steps. No environment: no proxy, no .netrc.
        jar = CookieJar(DefaultCookiePolicy(netscape=False, rfc2965=False))
        transport = HeldTransport(self.held, self.http2, self.limits)
        return httpx.AsyncClient(transport=transport, cookies=jar, trust_env=False, follow_redirects=False)

    async def _read(self, response: httpx.Response) -> None:
        self._mark()
        async for chunk in response.aiter_raw():
            room = self.limits.body_cap - len(self.body)
            self.body += chunk[:room]
            self._mark()
            if len(self.body) >= self.limits.body_cap and not self._is_whole(response):
                self.capped = True
                self.held.stop()

    def _is_whole(self, response: httpx.Response) -> bool:
        return bool(response.headers.get("content-length") == str(len(self.body)))

    def _mark(self) -> None:
        mark(self.timeline, self.clock.mono_us() - self.began_us, len(self.body))

    def _first_byte_us(self) -> int | None:
        """When the answer began. Over HTTP/2 the peer's settings come unasked, so there it is the head that counts."""
        if self.http2:
            return self.timeline[0][0] if self.timeline else None
        first = self.held.first_byte_mono_us
        return None if first is None else first - self.began_us

    def _failure(self, error: Exception) -> Failure:
        links = list(_chain(error))
        if any(isinstance(link, h11.RemoteProtocolError) and link.error_status_hint == 431 for link in links):
            return TOO_LARGE
        if any(isinstance(link, h2.exceptions.DenialOfServiceError) for link in links):
            return TOO_LARGE
        if self.held.read_failure:
            return self.held.read_failure
        if self.held.fin and not self._is_nonsense():
            return EOF
        if self.held.write_failure:
            return self.held.write_failure
        return next((told for link in links if (told := _http2_reason(link))), None) or classify(error)

    def _is_nonsense(self) -> bool:
        """Whether the peer said something that is no HTTP, rather than nothing, or the beginning of some."""
        begun = bytes(self.held.raw[:5]).upper()
        if self.http2:
            # No frame begins so: its first three bytes are a length far above what we allow.
            return self.response is None and begun.startswith((b"HTTP/", b"<"))
        return self.response is None and bool(begun) and not b"HTTP/".startswith(begun)


def mark(points: list[tuple[int, int]], after_us: int, size: int) -> None:
    """A point on a timeline. When there are too many, the one goes whose neighbours are nearest to each other."""
    points.append((after_us, size))
    if len(points) > TIMELINE_POINTS:
        del points[min(range(1, len(points) - 1), key=lambda i: points[i + 1][0] - points[i - 1][0])]


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    for _ in range(16):
        if link is None:
            return
        yield link
        link = link.__cause__ or link.__context__


def _http2_reason(error: BaseException) -> Failure | None:
    """A stream reset or a GOAWAY of the peer: httpcore raises it as an error around the event."""
    event = error.args[0] if isinstance(error, httpcore.RemoteProtocolError) and error.args else None
    code = getattr(event, "error_code", None)
    if code is None:
        return None
    return Failure("http_request_failed", f"h2:{event.__class__.__name__}:{getattr(code, 'name', code)}")
