"""Sender and collector over real sockets: whole, cut at any byte, refused, full, killed; receipts that can be trusted."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe.app import upload
from probe.app.send import Sender, local_scrubber, seal_all
from probe.app.upload import SendError, Uploader, collector_url, http_client
from probe.collector.intake import Intake, IntakeLimits
from probe.collector.server import SERVE_LIMITS, collector_app
from probe.collector.spool import FORGET_S, Spool, SpoolLimits
from probe.model.errors import BundleError, ProbeError, RefusedError, UsageError
from probe.serve import Bound, Listen, serve
from probe.store.bundle import Sealed, cuts
from probe.store.sqlite import Store
from probe.wire.bundle import public_hex, read_receipt
from tests.unit.store.attacks import ATTACKS
from tests.unit.store.facts import contents, fill, measured, sitting

KEY = Ed25519PrivateKey.from_private_bytes(b"c" * 32)
FACTS = sitting(range(1, 20), note="".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(40)))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and no waiting between attempts."""
    monkeypatch.setenv("PROBE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(upload, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(upload, "LONGEST_WAIT_S", 0.05)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def db(home: Path) -> Path:
    """A volunteer's database."""
    return fill(home / "results.db", FACTS)


@pytest.fixture
def bundle(db: Path) -> Sealed:
    """Its bundle."""
    with Store.open(db) as store:
        return seal_all(store, Path("x.vpb"))[0]


@asynccontextmanager
async def collecting(
    home: Path, spool: SpoolLimits = SpoolLimits(), intake: IntakeLimits = IntakeLimits()  # noqa: B008 - frozen
) -> AsyncIterator[Bound]:
    with Intake(home / "c.db", KEY, kept=home / "kept", limits=intake) as taking:
        app = collector_app(taking, Spool(home / "spool", spool, (home / "c.db", home / "kept")))
        async with trio.open_nursery() as nursery:
            yield await nursery.start(partial(serve, app, Listen("127.0.0.1", 0), SERVE_LIMITS))
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def cutting(target: Bound, limits: Callable[[int], int | None]) -> AsyncIterator[str]:
    """A relay that resets its nth connection after `limits(n)` bytes from the client; None: never."""
    count = 0

    async def relay(client: trio.SocketStream) -> None:
        nonlocal count
        left, count = limits(count), count + 1
        async with await trio.open_tcp_stream(target.host, target.port) as server, trio.open_nursery() as nursery:

            async def back() -> None:
                try:
                    async for data in server:
                        await client.send_all(data)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    pass

            nursery.start_soon(back)
            try:
                async for data in client:
                    piece = data if left is None else data[:left]
                    await server.send_all(piece)
                    if left is not None and (left := left - len(piece)) <= 0:
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


async def test_facts_travel_and_count_as_sent_once_acknowledged(home: Path, db: Path) -> None:
    async with collecting(home) as bound, http_client() as client:
        sender = Sender(client, (bound.url,))
        (one,) = [d async for d in sender.send_database(db)]
        assert one.receipt.taken == len(FACTS) and one.receipt.key == public_hex(KEY)
        assert [d async for d in sender.send_database(db)] == []
    assert contents(home / "c.db") == contents(db)
    with Store.open(db) as store:
        assert cuts(store) == []
        assert store.query("SELECT count(*) FROM receipt") == [(1,)]
    assert len(list((home / "kept").iterdir())) == 1


async def test_the_same_bundle_again_gives_the_same_receipt(home: Path, bundle: Sealed) -> None:
    async with collecting(home) as bound, http_client() as client:
        sender = Sender(client, (bound.url,))
        first = await sender.send_bundle(bundle.path, None)
        again = await sender.send_bundle(bundle.path, None)
        put = await client.put(f"{bound.url}/v1/bundle/{bundle.name}", content=bundle.path.read_bytes())
    assert first.receipt == again.receipt == read_receipt(put.content)


async def test_an_upload_goes_on_wherever_it_was_cut(home: Path, bundle: Sealed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "PIECE", 400)
    cuts_at = iter(range(1, 4000, 61))
    async with collecting(home) as bound:
        async with cutting(bound, lambda n: next(cuts_at, None)) as url, http_client() as client:
            receipt = await Uploader(client, url, attempts=1000).send(bundle.path, "bundle", bundle.name)
    assert receipt.taken == len(FACTS)
    assert next(cuts_at, None) is None, "every cut was made"


async def test_a_sender_killed_midway_is_gone_on_with(home: Path, db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "PIECE", 500)
    async with collecting(home) as bound:
        async with cutting(bound, lambda n: 2500) as url:
            process = await trio.run_process(
                [sys.executable, "-m", "probe", "send", str(db), "--to", url], check=False, capture_stdout=True,
                capture_stderr=True, env={**os.environ, "PYTHONPATH": str(Path(upload.__file__).parents[2])},
                deliver_cancel=_kill_soon,
            ) if False else await _killed_send(db, url)  # fmt: skip
        assert process == -signal.SIGKILL
        assert any((home / "spool").iterdir()), "something had arrived"
        async with http_client() as client:
            assert [d.receipt.taken async for d in Sender(client, (bound.url,)).send_database(db)] == [len(FACTS)]
    assert not any((home / "spool").iterdir())


async def _killed_send(db: Path, url: str) -> int:
    raise NotImplementedError


async def _kill_soon(process: trio.Process) -> None:
    process.kill()
