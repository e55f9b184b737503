"""The helper's door: `POST /v1/measure`, `GET /v1/bytes/N` and `GET /v1/health` (probe.wire.control has the words of
both sides).

A measurement is told line by line while it goes on, so that an asker knows early which address of its own to scrub. It
ends when nothing is left to ask, when its time or size is used up, or when the asker leaves. Whoever asks is known
by address for as long as the request lasts: the address goes into line 1 of the answer and nowhere else.
"""

from __future__ import annotations

import math
import secrets
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import trio

from probe.engine import AskLineState, Stop, measure
from probe.helper.limits import BYTES_A_TOKEN, HelperLimits, cost_of, question_for
from probe.model.errors import BundleError, ProbeError, RefusedError
from probe.model.measurement import Measurement
from probe.model.observation import Blob
from probe.model.target import Target, parse_target
from probe.model.vantage import Run, Vantage
from probe.perform.world import World
from probe.serve import App, Meter, Places, answer_json, too_many
from probe.serve.guard import Receive, Scope, Send
from probe.wire.codec import encode
from probe.wire.control import (
    BYTES_PATH,
    CERTIFICATE_TYPE,
    ENDPOINTS_CHECK,
    HEALTH_PATH,
    LINES_TYPE,
    MAX_BYTES,
    MEASURE_PATH,
    PROTOCOL,
    WHOLE_CHECK,
    HelperHead,
    HelperRequest,
    SeenClient,
    end_line,
    head_line,
    parse_request,
)
from probe.wire.facts import Row, canonical, fact_line

Keep = Callable[[Row], None]
# Country, autonomous system number and the name of the database that says so, for an address; None where it has none.
See = Callable[[str], tuple[str, int | None, str] | None]
_GZIP = 31  # zlib's wbits for a gzip wrapper


# `probe.engine.measure`, or a stand-in.
Engine = Callable[..., Awaitable[Any]]


def see_nothing(address: str) -> None:
    """Without a database there is nothing to say of an address."""


@dataclass(frozen=True)
class Helper:
    """Everything the door needs. `new_id` gives 128 random bits in hex, `now_text` the time as RFC 3339 UTC; `keep`
    takes this helper's own copy of the facts, bodies included; `line` is what it knows of its own line."""

    world: World
    vantage: Vantage
    resolvers: tuple[str, ...]
    new_id: Callable[[], str]
    now_text: Callable[[], str]
    see: See = see_nothing
    keep: Keep | None = None
    line: AskLineState | None = None
    health: Callable[[], dict[str, Any]] = dict
    engine: Engine = measure
    limits: HelperLimits = HelperLimits()


def helper_app(helper: Helper) -> App:
    """The ASGI app. Raises ProbeError when the extra that serves is not installed."""
    try:
        from starlette.applications import Starlette
        from starlette.exceptions import HTTPException
        from starlette.requests import ClientDisconnect, Request
        from starlette.responses import JSONResponse, Response
        from starlette.routing import Route
    except ImportError:
        raise ProbeError("serving needs more packages: pip install 'vantage-probe[collector]'") from None
    door = _Door(helper)

    async def ask(request: Request) -> Response:
        client = request.client.host if request.client else ""
        try:
            body = await request.body()
        except ClientDisconnect:
            return Response(status_code=400)
        packed = "gzip" in request.headers.get("accept-encoding", "")
        # Starlette calls whatever a handler returns as an ASGI app.
        return _AsResponse(partial(door.answer, client, body, packed))  # type: ignore[return-value]

    async def health(request: Request) -> Response:
        client = request.client.host if request.client else ""
        seen = encode(SeenClient(client, *(helper.see(client) or ("", None, ""))))
        word = {"ok": True, "helper": PROTOCOL, "version": helper.vantage.version, "client": seen}
        return JSONResponse({**word, **helper.health()})

    async def fill(request: Request) -> Response:
        size, client = int(request.path_params["size"]), request.client.host if request.client else ""
        if not 0 < size <= MAX_BYTES:
            return JSONResponse({"error": f"1 to {MAX_BYTES} bytes"}, 400)
        if wait_s := door.wait_s(client, 1 + size // BYTES_A_TOKEN):
            status, text, headers = too_many(wait_s)
            return JSONResponse({"error": text}, status, dict(headers))
        # Without meaning, so that nothing on the way can make them fewer.
        return Response(secrets.token_bytes(size), 200, {"cache-control": "no-store"}, "application/octet-stream")

    async def refuse(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return JSONResponse({"error": f"no such thing here; ask POST {MEASURE_PATH}"}, status)

    return Starlette(
        routes=[
            Route(MEASURE_PATH, ask, methods=["POST"]),
            Route(HEALTH_PATH, health, methods=["GET"]),
            Route(f"{BYTES_PATH}/{{size:int}}", fill, methods=["GET"]),
        ],
        exception_handlers={404: refuse, 405: refuse},
    )


@dataclass(frozen=True)
class _AsResponse:
    app: Callable[[Receive, Send], Awaitable[None]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(receive, send)


class _Door:
    """Who may come in, and what is refused before anything is measured."""

    def __init__(self, helper: Helper) -> None:
        self._helper = helper
        limits = helper.limits
        self._meter = Meter(limits.rate_per_min, limits.burst)
        self._places = Places(limits.each, limits.most)

    def wait_s(self, client: str, cost: float) -> float:
        """Take so many tokens of the client's rate; 0.0, or how long it must wait for them."""
        return self._meter.wait_s(client, cost)

    async def answer(self, client: str, body: bytes, packed: bool, receive: Receive, send: Send) -> None:
        """Answer one request, with a measurement or with one line that says why not."""
        try:
            request = parse_request(body)
            target = parse_target(request.url)
            self._check(target)
        except BundleError as error:
            await answer_json(send, 400, {"error": str(error)})
            return
        except RefusedError as error:
            await answer_json(send, 403, {"error": str(error)})
            return
        with self._places.hold(client) as free:
            wait_s = self.wait_s(client, cost_of(request)) if free else 1.0
            if wait_s:
                status, text, headers = too_many(wait_s)
                await answer_json(send, status, {"error": text}, headers)
                return
            telling = _Telling(self._helper, request, target, client, packed)
            await telling.run(receive, send)

    def _check(self, target: Target) -> None:
        """Say no early to what no walk would be allowed. Names are judged when they are dialled: what a name led to
        here may be another address by then (DNS rebinding)."""
        policy = self._helper.world.policy
        if target.port not in policy.ports:
            raise RefusedError(f"port {target.port} is not asked from here")
        why_not = policy.allows(target.host, target.port) if target.is_address else None
        if why_not:
            raise RefusedError(f"{target.host} is not asked from here ({why_not})")


@dataclass
class _Telling:
    """One measurement and the telling of it."""

    helper: Helper
    request: HelperRequest
    target: Target
    client: str
    packed: bool
    stop: Stop = field(default_factory=Stop)
    _lines: int = 0
    _facts: int = 0
    _plain: int = 0
    _sent: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._mouth, self._ear = trio.open_memory_channel[str](math.inf)
        self._packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP) if self.packed else None

    async def run(self, receive: Receive, send: Send) -> None:
        """Measure and tell. Returns when the answer is out, or the asker gone."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_leaving, receive)
            nursery.start_soon(self._time_out)
            nursery.start_soon(self._send_all, send, nursery.cancel_scope)
            self._begin()
            await self._measure()
            self._say(end_line(self._facts))
            self._mouth.close()

    def _begin(self) -> None:
        seen = self.helper.see(self.client) or ("", None, "")
        vantage = self.helper.vantage
        head = HelperHead(
            PROTOCOL, vantage.software, vantage.version, vantage.vantage_id, SeenClient(self.client, *seen)
        )
        self._say(head_line(head))

    async def _measure(self) -> None:
        helper, now = self.helper, self.helper.now_text()
        # A run of its own for every question: the asker stores it, and must not meet it twice.
        run = Run(helper.new_id(), helper.vantage.vantage_id, now, config=canonical({"for": "helper"}))
        checks = ENDPOINTS_CHECK if self.request.endpoints else WHOLE_CHECK
        measurement = Measurement(helper.new_id(), run.run_id, self.target.url, checks, now)
        for row in (helper.vantage, run, measurement):
            self._keep(row)
        question = question_for(self.request, self.target, helper.resolvers, helper.limits)
        await helper.engine(
            question, measurement, helper.world, self._keep, vantage=helper.vantage, line=helper.line, stop=self.stop
        )

    def _keep(self, row: Row) -> None:
        if self.helper.keep is not None:
            self.helper.keep(row)
        if isinstance(row, Blob):
            # Bodies and DNS messages stay here, their features are in the facts; a certificate is told once.
            if row.media != CERTIFICATE_TYPE or row.sha256 in self._sent:
                return
            self._sent.add(row.sha256)
        line = fact_line(row)
        limits = self.helper.limits
        too_much = self._lines >= limits.lines or self._plain + len(line.encode()) > limits.plain
        if too_much:
            self.stop.halt("budget")
        if too_much or len(line.encode()) > limits.line:
            return
        self._facts += 1
        self._say(line)

    def _say(self, line: str) -> None:
        self._lines += 1
        self._plain += len(line.encode()) + 1
        self._mouth.send_nowait(line)

    async def _watch_leaving(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.stop.halt("interrupted")

    async def _time_out(self) -> None:
        await trio.sleep(self.helper.limits.total_s)
        self.stop.halt("budget")

    async def _send_all(self, send: Send, all_done: trio.CancelScope) -> None:
        headers = [(b"content-type", LINES_TYPE.encode()), (b"cache-control", b"no-store")]
        if self._packer:
            headers.append((b"content-encoding", b"gzip"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for line in self._ear:
            lines = [line]
            while self._ear.statistics().current_buffer_used:
                lines.append(self._ear.receive_nowait())
            body = self._pack("".join(line + "\n" for line in lines).encode())
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": self._packer.flush() if self._packer else b""})
        all_done.cancel()

    def _pack(self, data: bytes) -> bytes:
        return self._packer.compress(data) + self._packer.flush(zlib.Z_SYNC_FLUSH) if self._packer else data
