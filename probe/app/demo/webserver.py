"""A small web server over a stream we hold: HTTP/1.1 by h11, HTTP/2 by h2, one handler for both.

The handler is a plain function from a request to a response. Its oddities (pauses, drips, a cut, a reset) are fields of
the response, so that a censor's answer and a slow site's are data too. A peer that breaks the rules ends its own
connection only.
"""

from __future__ import annotations

import email.utils
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h11
import trio

_CHUNK = 8192
_MAX_BODY = 65536
IDLE_S = 30.0

# What a peer may do to us: hang up, time out, or speak nonsense. None of it is a fault of the world.
PEER_FAULTS = (
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    trio.TooSlowError,
    ssl.SSLError,
    OSError,
    h11.RemoteProtocolError,
    h2.exceptions.ProtocolError,
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `host` is lower case without a port; `peer` and `local` are the two ends' addresses."""

    method: str
    path: str
    host: str
    cookie: str
    accept_encoding: str
    body: bytes
    peer: str
    local: str
    secure: bool


@dataclass(frozen=True, slots=True)
class Response:
    """One response. `pause_s` passes before the head, `drip_s` between chunks; `cut_after` body bytes the connection
    ends though more was announced; `chunked` leaves the length out; `reset` answers with a TCP reset and no byte."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    pause_s: float = 0.0
    drip_s: float = 0.0
    cut_after: int | None = None
    chunked: bool = False
    reset: bool = False

    def all_headers(self) -> list[tuple[str, str]]:
        """Date, type and length, then the response's own; lower case, as HTTP/2 demands."""
        typed = any(name == "content-type" for name, _ in self.headers)
        basic = [("server", "demo-httpd"), ("date", email.utils.formatdate(usegmt=True))]
        if not typed:
            basic.append(("content-type", "text/html; charset=utf-8"))
        if not self.chunked:
            basic.append(("content-length", str(len(self.body))))
        return [*basic, *self.headers]


Handler = Callable[[Request], Response]


@dataclass(frozen=True, slots=True)
class Ends:
    """The addresses of a connection's two ends, and whether TLS is spoken on it."""

    peer: str
    local: str
    secure: bool

    def request(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Request:
        """A request that came over this connection; `headers` has lower-case names."""
        host = headers.get(":authority") or headers.get("host", "")
        bare = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        cookie, encodings = headers.get("cookie", ""), headers.get("accept-encoding", "")
        return Request(method, path, bare.lower(), cookie, encodings, body, self.peer, self.local, self.secure)


async def _chunks(response: Response) -> AsyncIterator[bytes]:
    """The body as it goes out, dripping and cut as the response says."""
    body = response.body if response.cut_after is None else response.body[: response.cut_after]
    for start in range(0, len(body), _CHUNK):
        if start and response.drip_s:
            await trio.sleep(response.drip_s)
        yield body[start : start + _CHUNK]


async def _receive(stream: trio.abc.Stream) -> bytes:
    with trio.fail_after(IDLE_S):
        return bytes(await stream.receive_some(65536))


async def serve_http1(stream: trio.abc.Stream, ends: Ends, handler: Handler) -> bool:
    """Serve requests until either side has enough. True when the connection is to end with a reset."""
    conn = h11.Connection(h11.SERVER, max_incomplete_event_size=32768)
    while True:
        request = await _read_http1(conn, stream, ends)
        if request is None:
            return False
        response = handler(request)
        await trio.sleep(response.pause_s)
        if response.reset:
            return True
        head = h11.Response(status_code=response.status, headers=response.all_headers())
        await stream.send_all(conn.send(head) or b"")
        if request.method != "HEAD":
            async for chunk in _chunks(response):
                await stream.send_all(conn.send(h11.Data(data=chunk)) or b"")
        if response.cut_after is not None:
            return False
        await stream.send_all(conn.send(h11.EndOfMessage()) or b"")
        if conn.our_state is not h11.DONE or conn.their_state is not h11.DONE:
            return False
        conn.start_next_cycle()


async def _read_http1(conn: h11.Connection, stream: trio.abc.Stream, ends: Ends) -> Request | None:
    """The next whole request; None when the peer has closed or sent too much."""
    head: h11.Request | None = None
    body = b""
    while True:
        event = conn.next_event()
        if event is h11.NEED_DATA:
            conn.receive_data(await _receive(stream))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _MAX_BODY:
                return None
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
            return ends.request(head.method.decode("latin-1"), head.target.decode("latin-1"), headers, body)
        else:
            return None


async def serve_http2(stream: trio.abc.Stream, ends: Ends, handler: Handler) -> None:
    """Serve HTTP/2 until the peer leaves."""
    await _Http2(stream, ends, handler).serve()


class _Http2:
    """One HTTP/2 connection: requests gathered by stream, bodies sent as far as the peer's windows allow."""

    def __init__(self, stream: trio.abc.Stream, ends: Ends, handler: Handler) -> None:
        self._stream, self._ends, self._handler = stream, ends, handler
        self._conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self._heads: dict[int, dict[str, str]] = {}
        self._bodies: dict[int, bytes] = {}
        self._unsent: dict[int, bytes] = {}

    async def serve(self) -> None:
        self._conn.initiate_connection()
        await self._push()
        while data := await _receive(self._stream):
            for event in self._conn.receive_data(data):
                await self._handle(event)
                if isinstance(event, h2.events.ConnectionTerminated):
                    return
            self._fill_windows()
            await self._push()

    async def _push(self) -> None:
        if data := self._conn.data_to_send():
            await self._stream.send_all(data)

    async def _handle(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived) and event.stream_id and event.headers:
            self._heads[event.stream_id] = {_text(name): _text(value) for name, value in event.headers}
            self._bodies[event.stream_id] = b""
        elif isinstance(event, h2.events.DataReceived) and event.stream_id in self._bodies:
            self._take_body(event)
        elif isinstance(event, h2.events.StreamReset) and event.stream_id:
            self._forget(event.stream_id)
        elif isinstance(event, h2.events.StreamEnded) and event.stream_id in self._heads:
            await self._answer(event.stream_id)

    def _take_body(self, event: h2.events.DataReceived) -> None:
        self._bodies[event.stream_id] += event.data or b""
        self._conn.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
        if len(self._bodies[event.stream_id]) > _MAX_BODY:
            self._conn.reset_stream(event.stream_id, h2.errors.ErrorCodes.CANCEL)
            self._forget(event.stream_id)

    def _forget(self, stream_id: int) -> None:
        for held in (self._heads, self._bodies, self._unsent):
            held.pop(stream_id, None)

    async def _answer(self, stream_id: int) -> None:
        headers, body = self._heads.pop(stream_id), self._bodies.pop(stream_id)
        method = headers.get(":method", "GET")
        response = self._handler(self._ends.request(method, headers.get(":path", "/"), headers, body))
        await trio.sleep(response.pause_s)
        self._conn.send_headers(stream_id, [(":status", str(response.status)), *response.all_headers()])
        self._unsent[stream_id] = b"" if method == "HEAD" else response.body

    def _fill_windows(self) -> None:
        for stream_id, left in list(self._unsent.items()):
            while left and (room := self._room(stream_id)):
                self._conn.send_data(stream_id, left[:room])
                left = left[room:]
            self._unsent[stream_id] = left
            if not left:
                self._conn.end_stream(stream_id)
                del self._unsent[stream_id]

    def _room(self, stream_id: int) -> int:
        return min(self._conn.local_flow_control_window(stream_id), self._conn.max_outbound_frame_size)


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
