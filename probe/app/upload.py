"""Bringing one file to one collector, whatever the line does: it goes on where the last byte arrived.

The collector is asked how much it has, then gets the rest in pieces. An attempt that moved the upload forward does not
count as a failure. Only an answer that cannot get better (malformed, too large, not a collector) ends it at once.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import httpx
import trio

from probe.app.way import SendError, UnreachedError, exchange
from probe.model.errors import BundleError, ProbeError, RefusedError
from probe.wire.bundle import Receipt, read_receipt

# Small enough to be through in half a minute on 70 kbit/s, so that a cut costs little.
PIECE = 256 * 1024
ATTEMPTS = 6
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
Kind = Literal["bundle", "envelope", "database"]


class _Again(Exception):
    """Not now. `offset`: what the collector was known to have; `wait_s`: what it asked for."""

    def __init__(self, because: str, offset: int = 0, wait_s: float = 0.0) -> None:
        super().__init__(because)
        self.because, self.offset, self.wait_s = because, offset, wait_s


class Uploader:
    """Uploads to one collector. `key` is the public key that its receipts must be signed with, if known."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        *,
        key: str | None = None,
        tell: Callable[[str], None] = lambda line: None,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._client, self.url, self._key, self._tell, self._attempts = client, url, key, tell, attempts

    async def send(self, path: Path, kind: Kind, name: str, bundle: str | None = None) -> Receipt:
        """Upload a file until there is a receipt for it. `bundle` is the name that the receipt must give: the upload's
        own, but for an envelope, of which only its maker knows what is inside ("": anything). Raises UnreachedError,
        SendError, RefusedError; BundleError for a receipt that is none."""
        expected = name if bundle is None else bundle
        failed, furthest, wait_s = 0, 0, FIRST_WAIT_S
        while True:
            try:
                return self._checked(await self._go_on(path, f"{self.url}/v1/{kind}/{name}"), expected)
            except _Again as again:
                # A request that was cut brought some bytes, too: the next one is told how many.
                moved, furthest = again.offset > furthest, max(again.offset, furthest)
                failed = 1 if moved else failed + 1
                if failed >= self._attempts:
                    raise UnreachedError(f"{self.url}: {again.because}; gave up after {failed} attempts") from None
                wait_s = FIRST_WAIT_S if moved else min(LONGEST_WAIT_S, wait_s * 2)
                # A random part, so that everybody who was cut by one outage does not come back in one moment.
                pause = max(again.wait_s, wait_s * random.uniform(0.5, 1.0))
                self._tell(f"{self.url}: {again.because}; again in {pause:.0f} s")
                await trio.sleep(pause)

    def _checked(self, answer: bytes, name: str) -> Receipt:
        receipt = read_receipt(answer)
        if name and receipt.bundle != name:
            raise BundleError(f"{self.url}: the receipt is for another upload")
        if self._key is not None and receipt.key != self._key:
            raise BundleError(f"{self.url}: the receipt is signed with another key than this collector's")
        return receipt

    async def _go_on(self, path: Path, url: str) -> bytes:
        """One attempt; returns the text of the receipt."""
        status, headers, _ = await self._ask("HEAD", url)
        if headers.get("upload-complete") == "?1":
            return (await self._ask("GET", url))[2]
        if "upload-offset" not in headers:
            raise _problem(self.url, status, headers, b"")
        offset = start = _offset(headers)
        while True:
            piece, size = _piece(path, offset)
            given = {"upload-offset": str(offset), "upload-length": str(size)}
            try:
                status, headers, answer = await self._ask("PATCH", url, piece, given)
            except _Again as again:
                raise _Again(again.because, offset, again.wait_s) from None
            if status == 200:
                return answer
            if status == 202 and _offset(headers) > offset:
                offset = _offset(headers)
                self._tell(f"{self.url}: {offset * 100 // max(1, size)} % of {size} bytes")
            elif status == 422 and start:
                # What lay there under our name was not ours: begin again, once.
                offset = start = 0
            elif status in (202, 409):
                raise _Again("the collector was elsewhere in the upload", offset)
            else:
                raise _problem(self.url, status, headers, answer)

    async def _ask(
        self, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, httpx.Headers, bytes]:
        try:
            status, given, answer = await exchange(self._client, method, url, body, headers)
        except httpx.TransportError as error:
            raise _Again(f"{type(error).__name__} {error}".strip()) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SendError(f"{self.url}: {error}") from None
        if status in (429, 503, 500, 502, 504):
            raise _Again(f"answered {status}", wait_s=_retry_after(given))
        return status, given, answer


def _piece(path: Path, offset: int) -> tuple[bytes, int]:
    """The next piece of a file, and the file's size."""
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(PIECE), path.stat().st_size


def _offset(headers: httpx.Headers) -> int:
    text = headers.get("upload-offset", "")
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise _Again("the collector did not say where to go on")
    return int(text)


def _retry_after(headers: httpx.Headers) -> float:
    text = headers.get("retry-after", "")
    return min(600.0, float(text)) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0


def _problem(url: str, status: int, headers: httpx.Headers, answer: bytes) -> ProbeError:
    try:
        said = str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        said = "no collector there" if status in (200, 301, 302, 307, 308, 404) else ""
    safe = "".join(c for c in said if c.isprintable())[:200]
    error = RefusedError if status in (413, 507) else SendError
    return error(f"{url}: answered {status}{': ' + safe if safe else ''}")
