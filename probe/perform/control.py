"""Asking a test helper to measure the same URL, and taking its facts home.

Whatever a helper does (refuse, lie, break off, never end) is a failure with a word, never an exception. Nothing of an
answer is handed on before the whole of it was read and found to belong to the question: half a control measurement
would look like a control to which things fail.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import trio

import probe
from probe.model.errors import BundleError
from probe.model.kinds import ControlAsk
from probe.model.observation import Draft
from probe.model.step import AskControl
from probe.model.target import address_of
from probe.net.base import Failure
from probe.net.classify import classify
from probe.perform.world import Emit, World
from probe.wire.control import LINES_TYPE, MAX_ENDPOINTS, MEASURE_PATH, AnswerReader, HelperRequest, request_body
from probe.wire.facts import Row

# The helper gives itself 45 s; the rest is the way there and back. Seconds.
EXCHANGE_S = 60.0
# A helper that is busy says when to come again. In all, an ask waits and tries no longer than this. Seconds.
PATIENCE_S = 90.0
RETRY_S = 2.0
BUSY = (429, 503)

KeepControl = Callable[[tuple[Row, ...]], None]


@dataclass(slots=True)
class _Ask:
    """One ask under way: what is known of it so far."""

    request: HelperRequest
    world: World
    status: int | None = None
    reader: AnswerReader | None = None
    rows: tuple[Row, ...] = ()
    peer: tuple[str, int] | None = None

    async def run(self, client: httpx.AsyncClient, url: str) -> Failure | None:
        """Ask until it is answered, or patience ends."""
        end = trio.current_time() + PATIENCE_S
        while True:
            failure, again_s = await self._once(client, url)
            if again_s is None or trio.current_time() + again_s > end:
                return failure
            await trio.sleep(again_s)

    async def _once(self, client: httpx.AsyncClient, url: str) -> tuple[Failure | None, float | None]:
        """What came of it, and after how many seconds to ask again."""
        self.status, self.reader = None, None
        try:
            with trio.fail_after(EXCHANGE_S):
                return await self._exchange(client, url)
        except BundleError as error:
            return _malformed(error), None
        except Exception as error:  # noqa: BLE001 - whatever a hostile answer makes the libraries raise is its failure
            return _classified(error), None

    async def _exchange(self, client: httpx.AsyncClient, url: str) -> tuple[Failure | None, float | None]:
        body = request_body(self.request)
        headers = {"content-type": "application/json", "accept": LINES_TYPE, "accept-encoding": "gzip"}
        async with client.stream("POST", url, content=body, headers=headers, follow_redirects=False) as response:
            self.status = response.status_code
            self.peer = _peer(response) if self.world.helper_direct else None
            if response.status_code != 200:
                again_s = _retry_after(response) if response.status_code in BUSY else None
                return Failure("http_request_failed", f"status {response.status_code}"), again_s
            coding = response.headers.get("content-encoding", "").strip().lower()
            if coding not in ("", "identity", "gzip"):
                return Failure("http_request_failed", "content-encoding"), None
            self.reader = AnswerReader(self.request, gzipped=coding == "gzip")
            await self._read(response, self.reader)
            self.rows = self.reader.close()
        return None, None

    async def _read(self, response: httpx.Response, reader: AnswerReader) -> None:
        """Feed the reader. What it refuses closes the stream below, so that the library's generators come to their own
        end: walking away from them half-read would leave them to the garbage collector."""
        refused: BundleError | None = None
        try:
            # Raw, because httpx would decompress a chunk to any size before we could look at it.
            async for chunk in response.aiter_raw():
                if refused is not None:
                    continue
                try:
                    reader.feed(chunk)
                    self._learn(reader)
                except BundleError as error:
                    refused = error
                    await response.aclose()
        except Exception:
            if refused is None:
                raise
        if refused is not None:
            raise refused

    def _learn(self, reader: AnswerReader) -> None:
        """Tell the scrubber which address of ours the helper sees; once, and before any fact of the answer is kept."""
        learn = self.world.learn_address
        if reader.head is None or learn is None or not reader.head.client.address:
            return
        address = reader.head.client.address
        # A liar could name the target's address here, to have the evidence scrubbed away.
        if address not in {ip for _, ip, _ in self.request.endpoints}:
            learn(address)


async def perform_control(step: AskControl, world: World, emit: Emit, keep_control: KeepControl) -> None:
    """Ask, give the rows to `keep_control` when they are whole, and emit one `control.ask`, cancelled or not."""
    clock = world.net.clock
    at_us, began_us = clock.now_us(), clock.mono_us()
    request = HelperRequest(step.url, step.endpoints[:MAX_ENDPOINTS], probe.__version__, step.quic)
    ask = _Ask(request, world)
    failure: Failure | None = Failure("interrupted", "cancelled")
    try:
        if world.helper_client is None:
            failure = Failure("http_request_failed", "no client")
        else:
            failure = await ask.run(world.helper_client, step.helper.rstrip("/") + MEASURE_PATH)
        if failure is None:
            keep_control(ask.rows)
    except BundleError as error:
        failure = _malformed(error)
    finally:
        draft = Draft(
            ControlAsk.kind,
            _detail(step, ask, failure),
            ip=ask.peer[0] if ask.peer else None,
            port=ask.peer[1] if ask.peer else None,
            failure=failure.word if failure else None,
            at_us=at_us,
            took_us=clock.mono_us() - began_us,
            attempt=step.attempt,
            why=step.why,
            parent=step.parent,
        )
        emit(draft, ())


def _classified(error: BaseException) -> Failure:
    """As `classify`. Where a connect fails, httpcore cuts the chain of causes but keeps the cause as its argument."""
    link: BaseException | None = error
    while link is not None:
        for inner in link.args:
            told = classify(inner) if isinstance(inner, BaseException) else None
            if told is not None and told.word != "unknown_failure":
                return told
        link = link.__cause__ or link.__context__
    return classify(error)


def _malformed(error: BundleError) -> Failure:
    return Failure("json_parse_error", str(error)[:200])


def _detail(step: AskControl, ask: _Ask, failure: Failure | None) -> ControlAsk:
    head = ask.reader.head if ask.reader else None
    measurement = ask.reader.measurement if ask.reader and failure is None else None
    return ControlAsk(
        helper=step.helper,
        url=step.url,
        endpoints=ask.request.endpoints,
        measurement=measurement.measurement_id if measurement else None,
        status=ask.status,
        seen_cc=(head.client.cc or None) if head else None,
        seen_asn=head.client.asn if head else None,
        raw=failure.raw if failure else None,
        seen_says=(head.client.says or None) if head else None,
        quic=step.quic,
    )


def _peer(response: httpx.Response) -> tuple[str, int] | None:
    """Address and port at which the helper was reached; None for one of a private network, which is nobody's
    business."""
    stream = response.extensions.get("network_stream")
    found = stream.get_extra_info("server_addr") if stream is not None else None
    if not isinstance(found, tuple) or len(found) < 2:
        return None
    ip = address_of(str(found[0]))
    return (ip, int(found[1])) if ip is not None and ipaddress.ip_address(ip).is_global else None


def _retry_after(response: httpx.Response) -> float:
    """Seconds that the helper asks us to wait; dates and nonsense count as `RETRY_S`."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else RETRY_S
