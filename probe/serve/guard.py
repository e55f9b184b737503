"""Limits around an ASGI app: size of a request, its time, its rate. Crossing one is answered in the app's place."""

from __future__ import annotations

import json
import logging
import math
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import trio

from probe.serve.limits import LINGER_BYTES, LINGER_S, Meter, Places, ServeLimits

LOG = logging.getLogger("probe.serve")
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


async def answer_json(send: Send, status: int, value: object, headers: tuple[tuple[str, str], ...] = ()) -> None:
    """A whole JSON answer through an ASGI `send`."""
    for message in json_messages(status, value, headers):
        await send(message)


def json_messages(status: int, value: object, headers: tuple[tuple[str, str], ...] = ()) -> tuple[Message, Message]:
    """The two ASGI messages of a JSON answer."""
    body = json.dumps(value, ensure_ascii=False).encode()
    fields = (("content-type", "application/json"), ("content-length", str(len(body))), *headers)
    raw = [(name.encode(), text.encode()) for name, text in fields]
    start = {"type": "http.response.start", "status": status, "headers": raw}
    return start, {"type": "http.response.body", "body": body}


def too_many(wait_s: float) -> tuple[int, str, tuple[tuple[str, str], ...]]:
    """Status, text and headers of a 429."""
    return 429, "too many requests; see Retry-After", (("retry-after", str(max(1, math.ceil(wait_s)))),)


class Guard:
    """The limits of requests, around an app."""

    def __init__(self, app: App, limits: ServeLimits) -> None:
        self._app, self._limits = app, limits
        self._meter = Meter(limits.rate_per_min, limits.burst)
        self._inside = Places(limits.requests, limits.requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _refuse_websocket(scope, receive, send)
            return
        client = scope["client"][0] if scope.get("client") else ""
        wait_s = self._meter.wait_s(client)
        if wait_s:
            status, text, headers = too_many(wait_s)
            await answer_json(send, status, {"error": text}, headers)
            return
        with self._inside.hold("") as free:
            if free:
                await _Request(self._limits, receive, send).run(self._app, scope)
            else:
                await answer_json(send, 503, {"error": "too busy"}, (("retry-after", "5"),))


async def _refuse_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})


class _Request:
    """One request under its limits. Crossing one cancels the app and answers in its place, if nothing was sent yet."""

    def __init__(self, limits: ServeLimits, receive: Receive, send: Send) -> None:
        self._limits, self._receive, self._send = limits, receive, send
        self._scope = trio.CancelScope()
        self._size = 0
        self._started = False
        self._refusal: tuple[int, str] = (408, "the request took too long to arrive")

    async def run(self, app: App, scope: Scope) -> None:
        """Let the app answer, within the limits."""
        if _declared(scope) > self._limits.body:
            await self._refuse(413, f"larger than {self._limits.body} bytes")
            return
        began = trio.current_time()
        self._end = began + self._limits.request_s
        self._scope.deadline = min(self._end, began + self._limits.body_s)
        with self._scope:
            await self._app(app, scope)
        if self._scope.cancelled_caught and not self._started:
            await self._refuse(*self._refusal)

    async def _app(self, app: App, scope: Scope) -> None:
        try:
            await app(scope, self._take, self._give)
        except Exception as error:  # noqa: BLE001 - a bug ends one request, and is told without what the request held
            where = "".join(traceback.format_tb(error.__traceback__))
            LOG.error("a bug ended a request: %s\n%s", type(error).__qualname__, where)
            if not self._started:
                await answer_json(self._send, 500, {"error": "a fault of this server's"})

    async def _take(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > self._limits.body:
            self._refusal = 413, f"larger than {self._limits.body} bytes"
            self._scope.cancel()
            await trio.lowlevel.checkpoint()
        if not message.get("more_body", False):
            self._refusal = 504, "the answer took too long"
            self._scope.deadline = self._end
        return message

    async def _give(self, message: Message) -> None:
        self._started = True
        await self._send(message)

    async def _refuse(self, status: int, text: str) -> None:
        """Answer, and read on for a moment before the answer ends: many clients look only once they have sent all."""
        start, body = json_messages(status, {"error": text}, (("connection", "close"),))
        await self._send(start)
        await self._send({**body, "more_body": True})
        with trio.move_on_after(LINGER_S):
            while self._size <= LINGER_BYTES and (message := await self._receive()).get("more_body", False):
                self._size += len(message.get("body", b""))
        await self._send({"type": "http.response.body", "body": b""})


def _declared(scope: Scope) -> int:
    """The Content-Length, or 0; h11 and h2 have refused what is no number."""
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
