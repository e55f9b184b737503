"""The collector's door. Everything it answers is in this table, and none of it carries code, targets or settings:

    GET   /v1/key                     {"key": hex}: with which receipts are signed
    GET   /v1/card                    the same and more, signed (probe.wire.card); without addresses
    POST  /v1/token                   an invitation and a blinded token; its signature (probe.wire.voucher)
    HEAD  /v1/bundle/NAME             Upload-Offset: how many bytes are here (404: none yet; Upload-Complete: ?1: taken)
    PATCH /v1/bundle/NAME             bytes from Upload-Offset on, of Upload-Length in all; {"offset": n} or the receipt
    PUT   /v1/bundle/NAME             a whole small bundle in one request (`curl -T`); the receipt
    GET   /v1/bundle/NAME             the receipt again
    .../v1/envelope/NAME              the same for a bundle that is encrypted to this collector
    .../v1/database/NAME              the same for a result database

NAME is the bundle's content address, or the SHA-256 of the envelope's or database's file. 409: go on from the offset
given; 413: too large; 422: malformed or hostile, forgotten; 429: too fast; 507: no room. Bytes are kept as they arrive:
a cut request loses nothing of what came through. Who sends is known by address while its connection lasts, and is
written nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from probe.collector.intake import Intake
from probe.collector.invitations import UsedError
from probe.collector.spool import KINDS, BusyError, Kind, QuotaError, Spool, Upload
from probe.model.errors import BundleError, ProbeError, RefusedError, StoreError, UsageError
from probe.serve import App, ServeLimits
from probe.wire.bundle import Receipt
from probe.wire.card import CARD_FORMAT, Card
from probe.wire.codec import encode
from probe.wire.signed import public_hex, signed
from probe.wire.voucher import TokenAnswer, read_token_request

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

# One request brings at most this much, in at most this long: a line of 20 kbit/s still gets 256 KiB through.
SERVE_LIMITS = ServeLimits(body=4 * 1024 * 1024, body_s=120.0, request_s=900.0, rate_per_min=1200.0, burst=400)


@dataclass(frozen=True)
class Door:
    """The collector behind HTTP."""

    intake: Intake
    spool: Spool
    # Intakes write one at a time, in a thread.
    turn: trio.Lock

    def state(self, kind: Kind, name: str) -> tuple[int, Receipt | None]:
        """(bytes here, receipt if it was taken)."""
        return self.spool.offset(kind, name), self.intake.receipt(name)

    async def add(self, request: Request, kind: Kind, name: str, offset: int | None, length: int | None) -> Response:
        """Append the request's body; when all is there, take it in. `offset` None means from the start."""
        from starlette.responses import JSONResponse

        if receipt := self.intake.receipt(name):
            return JSONResponse(encode(receipt))
        if length is not None and length > self.spool.most(kind):
            raise RefusedError(f"larger than {self.spool.most(kind)} bytes")
        with self.spool.hold(kind, name) as upload:
            if offset is None or (offset == 0 and upload.size):
                upload.file.truncate(0)
                upload.file.seek(0)
            elif offset != upload.size:
                return JSONResponse(
                    {"error": "go on from the offset", "offset": upload.size}, 409, {"upload-offset": str(upload.size)}
                )
            whole = await _gather(request, upload, length)
            if not whole or (length is not None and upload.size < length):
                return JSONResponse({"offset": upload.size}, 202, {"upload-offset": str(upload.size)})
            return JSONResponse(encode(await self._take(kind, name, upload)))

    async def _take(self, kind: Kind, name: str, upload: Upload) -> Receipt:
        take = self.intake
        work: Callable[[Path, str], Receipt] = {
            "bundle": take.take_bundle, "envelope": take.take_envelope, "database": take.take_database,
        }[kind]  # fmt: skip
        async with self.turn:
            try:
                # Not abandoned when the client leaves: it will ask for the receipt again.
                receipt = await trio.to_thread.run_sync(work, upload.path, name)
            except BundleError:
                upload.drop()
                raise
        upload.drop()
        return receipt


async def _gather(request: Request, upload: Upload, length: int | None) -> bool:
    """Append the body; False when the client left before its end."""
    from starlette.requests import ClientDisconnect

    try:
        async with aclosing(request.stream()) as pieces:
            async for piece in pieces:
                if length is not None and upload.size + len(piece) > length:
                    raise RefusedError("more bytes than Upload-Length")
                # A write of one network piece into the page cache; a thread for each would cost more than it saves.
                upload.add(piece)
    except ClientDisconnect:
        return False
    return True


def collector_app(intake: Intake, spool: Spool) -> App:
    """The ASGI app. Raises ProbeError when the extra that serves is not installed."""
    try:
        from starlette.applications import Starlette
        from starlette.responses import JSONResponse
        from starlette.routing import Route
    except ImportError:
        raise ProbeError("serving needs more packages: pip install 'vantage-probe[collector]'") from None
    door, signing = Door(intake, spool, trio.Lock()), trio.CapacityLimiter(1)

    async def key(request: Request) -> Response:
        return JSONResponse({"key": public_hex(intake.key)})

    async def card(request: Request) -> Response:
        return JSONResponse(encode(card_of(intake)))

    async def token(request: Request) -> Response:
        try:
            wanted = read_token_request(await request.body())
            if intake.invitations is None:
                raise RefusedError("nobody was invited here")
            sign = intake.invitations.sign
            blinded = bytes.fromhex(wanted.blinded)
            # One at a time: a thread each would be a way to keep this machine busy.
            answer = await trio.to_thread.run_sync(sign, wanted.code, wanted.number, blinded, limiter=signing)
            return JSONResponse(encode(TokenAnswer(answer.hex())))
        except UsedError as error:
            return JSONResponse({"error": str(error)}, 409)
        except RefusedError as error:
            return JSONResponse({"error": str(error)}, 403)
        except (BundleError, StoreError) as error:
            return JSONResponse({"error": str(error)}, _status(error))

    async def upload(request: Request) -> Response:
        kind: Kind = request.path_params["kind"]
        name: str = request.path_params["name"]
        try:
            if kind not in KINDS:
                return JSONResponse({"error": "no such thing here"}, 404)
            if request.method in ("GET", "HEAD"):
                return _state(door, kind, name)
            if request.method == "PUT":
                return await door.add(request, kind, name, None, _number(request, "content-length"))
            offset, length = _number(request, "upload-offset"), _number(request, "upload-length")
            if offset is None or length is None:
                return JSONResponse({"error": "needs Upload-Offset and Upload-Length"}, 400)
            return await door.add(request, kind, name, offset, length)
        except ProbeError as error:
            return JSONResponse({"error": str(error)}, _status(error))

    methods = ["GET", "HEAD", "PUT", "PATCH"]
    return Starlette(
        routes=[
            Route("/v1/key", key, methods=["GET"]),
            Route("/v1/card", card, methods=["GET"]),
            Route("/v1/token", token, methods=["POST"]),
            Route("/v1/{kind}/{name}", upload, methods=methods),
        ]
    )


def card_of(intake: Intake, urls: tuple[str, ...] = ()) -> Card:
    """The collector's card, for those who reach it at `urls`."""
    return signed(
        Card, {"card": CARD_FORMAT, "urls": urls, "recipient": intake.recipient, "issuer": intake.issuer}, intake.key
    )


def _state(door: Door, kind: Kind, name: str) -> Response:
    from starlette.responses import JSONResponse

    offset, receipt = door.state(kind, name)
    if receipt is not None:
        return JSONResponse(encode(receipt), 200, {"upload-complete": "?1"})
    status = 200 if offset else 404
    return JSONResponse({"offset": offset}, status, {"upload-complete": "?0", "upload-offset": str(offset)})


def _number(request: Request, name: str) -> int | None:
    text: str = request.headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _status(error: ProbeError) -> int:
    match error:
        case QuotaError() | StoreError():
            return 507
        case UsageError():
            return 400
        case BusyError():
            return 409
        case BundleError():
            return 422
        case _:
            return 413
