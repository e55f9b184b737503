"""A collector over real sockets, whoever sends to it, and lines that are cut on the way."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe.app import upload
from probe.app.outbox import Outbox
from probe.app.send import Sender
from probe.app.way import Way
from probe.collector.intake import DEFAULT_INTAKE, Intake, IntakeLimits
from probe.collector.invitations import Invitations
from probe.collector.server import SERVE_LIMITS, collector_app
from probe.collector.spool import Spool, SpoolLimits
from probe.model.collector import Collector
from probe.serve import Bound, Listen, serve
from tests.unit.store.facts import sitting

ROOT = str(Path(upload.__file__).parents[2])
KEY = Ed25519PrivateKey.from_private_bytes(b"c" * 32)
ROOMY = SpoolLimits()
FACTS = sitting(range(1, 20), note="".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(40)))


def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and no waiting between attempts."""
    monkeypatch.setenv("PROBE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(upload, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(upload, "LONGEST_WAIT_S", 0.05)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@asynccontextmanager
async def collecting(
    home: Path, spool: SpoolLimits = ROOMY, intake: IntakeLimits = DEFAULT_INTAKE
) -> AsyncIterator[Bound]:
    """A collector that keeps all it has in `home`."""
    with Intake(
        home / "c.db", KEY, kept=home / "kept", identity=home / "age.txt", invitations=Invitations(home), limits=intake
    ) as taking:
        app = collector_app(taking, Spool(home / "spool", spool, (home / "c.db", home / "kept")))
        async with trio.open_nursery() as nursery:
            yield await nursery.start(partial(serve, app, Listen("127.0.0.1", 0), SERVE_LIMITS))
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def cutting(target: Bound, limits: Callable[[int], int | None], hold: bool = False) -> AsyncIterator[str]:
    """A relay that cuts its nth connection after `limits(n)` bytes from the client, or, with `hold`, falls silent then;
    None: never."""
    count = 0

    async def relay(client: trio.SocketStream) -> None:
        nonlocal count
        left, count = limits(count), count + 1
        try:
            server = await trio.open_tcp_stream(target.host, target.port)
        except OSError:
            client.socket.close()
            return
        async with server, trio.open_nursery() as nursery:

            async def back() -> None:
                try:
                    async for data in server:
                        await client.send_all(data)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    pass
                # A collector that is gone is gone for its client, too, however the relay holds.
                client.socket.close()
                nursery.cancel_scope.cancel()

            nursery.start_soon(back)
            try:
                async for data in client:
                    piece = data if left is None else data[:left]
                    await server.send_all(piece)
                    if left is not None and (left := left - len(piece)) <= 0:
                        if not hold:
                            break
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
            client.socket.close()
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
        nursery.start_soon(partial(trio.serve_listeners, relay, [listener]))
        yield f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


def sending(*urls: str, pin: str = "", tell: Callable[[str], None] = lambda line: None) -> Sender:
    """A sender to these addresses."""
    return Sender(Way(), tuple(Collector((url,), pin) for url in urls), Outbox(Path("outbox")), tell)


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The program itself, in a process of its own that is gone afterwards."""
    environ = {**os.environ, "PYTHONPATH": ROOT}
    process = subprocess.Popen([sys.executable, "-m", "probe", *arguments], env=environ, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def wait_arrived(spool: Path) -> None:
    """Wait until some bytes of an upload are on the collector's disk."""
    # Another process does it, so there is no event to wait for.
    while not spool.exists() or not any(path.stat().st_size for path in list(spool.iterdir())):  # noqa: ASYNC110, ASYNC240
        await trio.sleep(0.02)


@asynccontextmanager
async def recording(target: Bound, seen: list[bytes]) -> AsyncIterator[str]:
    """A relay that keeps what clients say."""

    async def relay(client: trio.SocketStream) -> None:
        async with await trio.open_tcp_stream(target.host, target.port) as server, trio.open_nursery() as nursery:

            async def back() -> None:
                async for data in server:
                    await client.send_all(data)

            nursery.start_soon(back)
            async for data in client:
                seen.append(bytes(data))
                await server.send_all(data)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
        nursery.start_soon(partial(trio.serve_listeners, relay, [listener]))
        yield f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()
