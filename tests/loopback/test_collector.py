"""Sender and collector over real sockets: whole, cut at any byte, refused, full, killed; receipts to be trusted."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from probe.app import upload
from probe.app.pack import seal_all
from probe.app.upload import Uploader
from probe.app.way import SendError, Way, collector_url
from probe.collector.intake import Intake, IntakeLimits
from probe.collector.spool import FORGET_S, Spool, SpoolLimits
from probe.model.errors import BundleError, ProbeError, RefusedError, UsageError
from probe.serve import Listen, serve
from probe.store.bundle import Sealed, cuts, file_digest
from probe.store.sqlite import Store
from probe.wire.bundle import read_receipt
from probe.wire.signed import public_hex
from tests.loopback.posting import FACTS, KEY, at_home, collecting, cutting, sending, started, wait_arrived
from tests.unit.store.attacks import ATTACKS
from tests.unit.store.facts import contents, fill, measured


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and no waiting between attempts."""
    return at_home(tmp_path, monkeypatch)


@pytest.fixture
def db(home: Path) -> Path:
    """A volunteer's database."""
    return fill(home / "results.db", FACTS)


@pytest.fixture
def bundle(db: Path) -> Sealed:
    """Its bundle."""
    with Store.open(db) as store:
        return seal_all(store, Path("x.vpb"))[0]


async def test_facts_travel_and_count_as_sent_once_acknowledged(home: Path, db: Path) -> None:
    async with collecting(home) as bound:
        sender = sending(bound.url)
        (one,) = [d async for d in sender.send_database(db)]
        assert one.receipt.taken == len(FACTS) and one.receipt.key == public_hex(KEY)
        assert [d async for d in sender.send_database(db)] == []
    assert contents(home / "c.db") == contents(db)
    with Store.open(db) as store:
        assert cuts(store) == []
        assert store.query("SELECT count(*) FROM receipt") == [(1,)]
    assert len(list((home / "kept").iterdir())) == 1


async def test_the_same_bundle_again_gives_the_same_receipt(home: Path, bundle: Sealed) -> None:
    async with collecting(home) as bound, Way().open() as client:
        sender = sending(bound.url)
        first = await sender.send_file(bundle.path, None)
        again = await sender.send_file(bundle.path, None)
        put = await client.put(f"{bound.url}/v1/bundle/{bundle.name}", content=bundle.path.read_bytes())
    assert first.receipt == again.receipt == read_receipt(put.content)


async def test_an_upload_goes_on_wherever_it_was_cut(
    home: Path, bundle: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "PIECE", 400)
    cuts_at, made = iter(range(1, 4000, 61)), []

    def next_cut(connection: int) -> int | None:
        made.append(next(cuts_at, None))
        return made[-1]

    async with collecting(home) as bound:
        async with cutting(bound, next_cut) as url, Way().open() as client:
            receipt = await Uploader(client, url, attempts=1000).send(bundle.path, "bundle", bundle.name)
    assert receipt.taken == len(FACTS)
    assert len(made) > 30, "most requests were cut, each elsewhere"


async def test_a_sender_killed_midway_is_gone_on_with(home: Path, db: Path) -> None:
    async with collecting(home) as bound:
        async with cutting(bound, lambda n: 2500 if n == 0 else None, hold=True) as url:
            with started("send", str(db), "--to", url), trio.fail_after(20):
                await wait_arrived(home / "spool")
        with Store.open(db) as store:
            assert store.query("SELECT count(*) FROM sent") == [(0,)]
        assert [d.receipt.taken async for d in sending(bound.url).send_database(db)] == [len(FACTS)]
    assert not any((home / "spool").iterdir())


async def test_a_spoiled_beginning_is_begun_again(home: Path, bundle: Sealed) -> None:
    (home / "spool").mkdir()
    (home / "spool" / f"bundle-{bundle.name}").write_bytes(b"rubbish under our name")
    async with collecting(home) as bound, Way().open() as client:
        assert (await Uploader(client, bound.url).send(bundle.path, "bundle", bundle.name)).taken == len(FACTS)


async def test_a_result_database_itself_is_taken(home: Path, db: Path) -> None:
    async with collecting(home) as bound:
        sender = sending(bound.url)
        assert (await sender.send_raw(db)).receipt.taken == len(FACTS)
        with Store.open(db) as store:
            assert cuts(store) == []
            for row in measured(77):
                store.append(row)
        assert (await sender.send_raw(db)).receipt.taken == len(measured(77))
    assert contents(home / "c.db") == contents(db)


@pytest.mark.parametrize("what", ["endless view under our name", "blob that is a bomb", "text", "cut in half"])
async def test_a_hostile_database_is_refused(what: str, home: Path, db: Path) -> None:
    ATTACKS[what](db)
    name = file_digest(db)
    async with collecting(home) as bound, Way().open() as client:
        with pytest.raises(SendError, match="422"):
            await Uploader(client, bound.url).send(db, "database", name)
    assert not any(contents(home / "c.db").values())
    assert not any((home / "spool").iterdir())


async def test_a_bundle_under_another_name_is_refused(home: Path, bundle: Sealed) -> None:
    async with collecting(home) as bound, Way().open() as client:
        with pytest.raises(SendError, match="422"):
            await Uploader(client, bound.url).send(bundle.path, "bundle", "0" * 64)
    assert not any(contents(home / "c.db").values())


async def test_odd_requests(home: Path, bundle: Sealed) -> None:
    async with collecting(home) as bound, Way().open() as client:
        url = f"{bound.url}/v1/bundle/{bundle.name}"
        whole = {"upload-offset": "0", "upload-length": "9"}
        answers = [
            await client.get(f"{bound.url}/v1/bundle/..%2f..%2fetc"),
            await client.get(f"{bound.url}/v1/verdict/{bundle.name}"),
            await client.get(f"{bound.url}/nothing"),
            await client.delete(url),
            await client.patch(url, content=b"x"),
            await client.patch(url, content=b"x", headers={"upload-offset": "-1", "upload-length": "9"}),
            await client.patch(url, content=b"x", headers={**whole, "upload-offset": "5"}),
            await client.patch(url, content=b"x" * 10, headers=whole),
            await client.patch(url, content=b"x", headers={**whole, "upload-length": "999999999999"}),
            await client.put(url, content=b"x" * 100),
            await client.get(url),
        ]
        assert [a.status_code for a in answers] == [404, 404, 404, 405, 400, 400, 409, 413, 413, 422, 404]
        key = await client.get(f"{bound.url}/v1/key")
        assert key.json() == {"key": public_hex(KEY)}


async def test_no_room_is_said_and_loses_nothing(home: Path, db: Path) -> None:
    async with collecting(home, SpoolLimits(quota=10)) as bound:
        with pytest.raises(RefusedError, match="quota"):
            _ = [d async for d in sending(bound.url).send_database(db)]
    with Store.open(db) as store:
        assert len(cuts(store)) == 1


async def test_a_full_database_takes_all_or_nothing(home: Path, db: Path) -> None:
    async with collecting(home, intake=IntakeLimits(database=110_000)) as bound:
        with pytest.raises(RefusedError, match="507"):
            _ = [d async for d in sending(bound.url).send_database(db)]
    assert not any(contents(home / "c.db").values())
    async with collecting(home) as bound:
        assert [d.receipt.taken async for d in sending(bound.url).send_database(db)] == [len(FACTS)]


async def test_another_collector_takes_what_the_first_cannot(home: Path, db: Path) -> None:
    told: list[str] = []
    async with collecting(home) as bound:
        sender = sending("http://127.0.0.1:9", bound.url, tell=told.append)
        (one,) = [d async for d in sender.send_database(db)]
    assert one.collector == bound.url
    assert any("gave up" in line for line in told)


async def test_a_receipt_by_another_key_is_no_receipt(home: Path, db: Path, bundle: Sealed) -> None:
    async with collecting(home) as bound, Way().open() as client:
        with pytest.raises(BundleError, match="another key"):
            await Uploader(client, bound.url, key="0" * 64).send(bundle.path, "bundle", bundle.name)
        sender = sending(bound.url, pin="0" * 64)
        with pytest.raises(BundleError):
            _ = [d async for d in sender.send_database(db)]
    with Store.open(db) as store:
        assert len(cuts(store)) == 1


async def liar(scope: Any, receive: Any, send: Any) -> None:
    """Answers yes to everything, without a receipt."""
    head = {"type": "http.response.start", "status": 200, "headers": [(b"upload-offset", b"0")]}
    await send(head)
    await send({"type": "http.response.body", "body": b'{"receipt":1,"run":"this"}'})


async def test_a_collector_that_lies_acknowledges_nothing(db: Path) -> None:
    async with trio.open_nursery() as nursery:
        bound = await nursery.start(partial(serve, liar, Listen("127.0.0.1", 0)))
        with pytest.raises(BundleError):
            _ = [d async for d in sending(bound.url).send_database(db)]
        nursery.cancel_scope.cancel()
    with Store.open(db) as store:
        assert len(cuts(store)) == 1


def collected_bytes(home: Path) -> int:
    """The size of all that the collector keeps; no file of it may hold the sender's address."""
    files = [home / "c.db", *(home / "kept").iterdir(), *(home / "spool").iterdir()]
    texts = [gzip.decompress(f.read_bytes()) if f.suffix == ".vpb" else f.read_bytes() for f in files]
    assert not any(b"127.0.0.1" in text or b"\x7f\0\0\1" in text for text in texts)
    return sum(map(len, texts))


async def test_no_address_of_a_sender_is_kept(home: Path, db: Path) -> None:
    async with collecting(home) as bound:
        _ = [d async for d in sending(bound.url).send_database(db)]
    assert collected_bytes(home) > 10_000


def test_old_uploads_are_forgotten(home: Path) -> None:
    spool = Spool(home / "spool", SpoolLimits())
    with spool.hold("bundle", "a" * 64) as kept:
        kept.add(b"x")
        spool.forget_old(kept.path.stat().st_mtime + FORGET_S + 1)
        assert kept.path.exists(), "not while it is being sent"
    spool.forget_old(kept.path.stat().st_mtime + FORGET_S + 1)
    assert spool.offset("bundle", "a" * 64) == 0


def test_one_upload_is_one_request_at_a_time(home: Path) -> None:
    spool = Spool(home / "spool", SpoolLimits())
    with spool.hold("bundle", "a" * 64), pytest.raises(ProbeError, match="already"), spool.hold("bundle", "a" * 64):
        pass


def test_a_file_from_a_stick_is_taken_like_an_upload(home: Path, db: Path, bundle: Sealed) -> None:
    with Intake(home / "c.db", KEY) as intake:
        assert intake.take(bundle.path).taken == len(FACTS)
        assert intake.take(db).known == len(FACTS)
        (home / "bad.vpb").write_bytes(b"rubbish")
        with pytest.raises(BundleError):
            intake.take(home / "bad.vpb")
    with closing(sqlite3.connect(home / "c.db")) as conn:
        assert {row[0] for row in conn.execute("SELECT DISTINCT signer FROM origin")} == {bundle.manifest.key}


@pytest.mark.parametrize(
    "url", ["http://example.org", "ftp://example.org", "https://", "x", "https://a@b", "http://10.0.0.1"]
)
def test_collectors_that_are_refused(url: str) -> None:
    with pytest.raises(UsageError):
        collector_url(url)


def test_collectors_that_are_fine() -> None:
    for url in (
        "https://c.example",
        "https://c.example:8443/",
        "http://127.0.0.1:8770",
        "http://[::1]:1",
        "http://localhost",
    ):
        assert collector_url(url) == url.rstrip("/")
    assert collector_url("http://c.example", allow_http=True)
