"""Sending where somebody is in the way: through proxies that cut, to several addresses, in envelopes, in a queue."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe.app.outbox import Outbox
from probe.app.pack import seal_all
from probe.app.send import Sender
from probe.app.upload import Uploader
from probe.app.way import SendError, UnreachedError, Way
from probe.collector.intake import Intake
from probe.collector.server import SERVE_LIMITS, collector_app
from probe.collector.spool import Spool, SpoolLimits
from probe.model.collector import Collector
from probe.model.errors import BundleError, ProbeError
from probe.serve import Bound, Listen, Tls, serve
from probe.store.bundle import cuts
from probe.store.envelope import recipient_of
from probe.store.sqlite import Store
from probe.wire.bundle import Receipt
from probe.wire.card import Card
from probe.wire.codec import encode
from probe.wire.facts import Row, canonical
from probe.wire.signed import public_hex, signed
from tests.loopback.net_peers import authority
from tests.loopback.posting import KEY, at_home, collecting, cutting, recording, started, wait_arrived
from tests.loopback.proxies import Proxy, proxying
from tests.unit.store.facts import contents, fill, sitting

NAME = "collector.example"
STRANGER = Ed25519PrivateKey.from_private_bytes(b"m" * 32)


def large(vantage: int = 1) -> list[Row]:
    """Facts that do not shrink: a bundle of some 300 kB. All but the first measurement come without their vantage."""
    dice = random.Random(vantage)
    rows: list[Row] = []
    for n in range(1, 20):
        note = "".join(dice.choices("ghijklmnopqrstuvwyz", k=16_000))
        rows += sitting([n + 50 * vantage], vantage=vantage, run=vantage, note=note)[0 if n == 1 else 4 :]
    return rows


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return at_home(tmp_path, monkeypatch)


@pytest.fixture
def db(home: Path) -> Path:
    """A volunteer's database whose bundle takes a while to send."""
    return fill(home / "results.db", large())


@pytest.fixture
def no_lookups(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Looking up any name on this machine fails the test."""
    real = socket.getaddrinfo

    def only_numbers(host: Any, *rest: Any, **more: Any) -> Any:
        assert host in ("127.0.0.1", b"127.0.0.1"), f"{host!r} was looked up on this machine"
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", only_numbers)
    yield


def sender(*collectors: Collector, way: Way | None = None) -> Sender:
    return Sender(way or Way(), collectors, Outbox(Path("outbox")))


async def sent(by: Sender, db: Path, **how: bool) -> list[int]:
    """How many facts were new, a bundle each."""
    return [d.receipt.taken async for d in by.send_database(db, **how)]


def unsent(db: Path) -> int:
    with Store.open(db) as store:
        return sum(len(cut.measurements) for cut in cuts(store))


# ---- proxies ----


async def test_a_socks_proxy_that_cuts_every_50_kb(home: Path, db: Path, no_lookups: None) -> None:
    async with collecting(home) as bound, proxying(Proxy({NAME: bound}, cut_after=50_000)) as proxy:
        by = sender(Collector((f"http://{NAME}",), public_hex(KEY)), way=Way(proxy.url))
        assert await sent(by, db) == [len(large())]
    assert set(proxy.asked) == {NAME} and len(proxy.asked) > 5
    assert contents(home / "c.db") == contents(db)


@pytest.mark.parametrize("scheme", ["socks5h", "socks5", "http"])
async def test_tls_ends_at_the_collector_whatever_proxy_is_between(
    scheme: str, home: Path, db: Path, no_lookups: None
) -> None:
    cert = authority().issue_cert(NAME)
    cert.private_key_and_cert_chain_pem.write_to_path("tls.pem")
    authority().cert_pem.write_to_path("ca.pem")
    with Intake(home / "c.db", KEY) as intake:
        app = collector_app(intake, Spool(home / "spool", SpoolLimits()))
        async with trio.open_nursery() as nursery:
            tls = Tls(Path("tls.pem"), Path("tls.pem"))
            bound: Bound = await nursery.start(partial(serve, app, Listen("127.0.0.1", 0), SERVE_LIMITS, tls))
            async with proxying(Proxy({NAME: bound}), scheme) as proxy:
                way = Way(proxy.url, Path("ca.pem"))
                with pytest.raises(SendError):
                    await sent(sender(Collector((f"https://{NAME}",)), way=Way(proxy.url)), db)
                assert await sent(sender(Collector((f"https://{NAME}",)), way=way), db) == [len(large())]
            nursery.cancel_scope.cancel()
    assert set(proxy.asked) == {NAME}


@pytest.mark.parametrize("trouble", ["refuses", "wants a password", "is not there", "is no proxy"])
async def test_a_proxy_that_fails_is_never_gone_round(trouble: str, home: Path, db: Path) -> None:
    async with collecting(home) as bound:
        proxy = Proxy({"127.0.0.1": bound}, wants_user=trouble == "wants a password", reply=5 * (trouble == "refuses"))
        async with proxying(proxy):
            url = {"is not there": "socks5h://127.0.0.1:9", "is no proxy": f"socks5h://127.0.0.1:{bound.port}"}
            way = Way(url.get(trouble, proxy.url))
            with pytest.raises(UnreachedError):
                await sent(sender(Collector((f"http://{NAME}:{bound.port}",)), way=way), db)
    assert not any(contents(home / "c.db").values()) and not any((home / "spool").iterdir())
    assert unsent(db) == 38


async def test_with_tor_each_vantage_point_has_a_circuit_of_its_own(
    home: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(db, large(2))
    async with collecting(home) as bound, proxying(Proxy({NAME: bound}, wants_user=True, cut_after=200_000)) as proxy:
        monkeypatch.setattr("probe.app.way.TOR_PORTS", (9, int(proxy.url.rpartition(":")[2])))
        await sent(sender(Collector((f"http://{NAME}",)), way=Way("tor")), db)
    assert len(proxy.asked) > 2 and len(set(proxy.users)) == 2, "some connections, two names"
    assert proxy.users == sorted(proxy.users, key=proxy.users.index)


# ---- addresses ----


async def test_a_dead_address_and_one_that_dies_midway(home: Path, db: Path) -> None:
    async with collecting(home) as bound:
        async with cutting(bound, lambda n: 120_000 if n == 0 else 0) as dying:
            by = sender(Collector(("http://127.0.0.1:9", dying, bound.url), public_hex(KEY)))
            assert await sent(by, db) == [len(large())]


async def test_the_collector_is_killed_midway_and_comes_back(home: Path, db: Path) -> None:
    bound = free_address()
    arguments = ("collector", "--listen", f"127.0.0.1:{bound.port}", "--db", str(home / "in"))
    with Store.open(db) as store:
        bundle = seal_all(store, Path("x.vpb"))[0]
    received: list[int] = []

    async def upload(url: str, done: trio.Event) -> None:
        async with Way().open() as client:
            uploader = Uploader(client, url, attempts=2_000)
            received.append((await uploader.send(bundle.path, "bundle", bundle.name)).taken)
        done.set()

    async with cutting(bound, lambda n: 100_000 if n == 0 else None, hold=True) as url, trio.open_nursery() as nursery:
        done = trio.Event()
        with started(*arguments), trio.fail_after(30):
            await wait_listening(bound)
            nursery.start_soon(upload, url, done)
            await wait_arrived(home / "in" / "spool")
        with started(*arguments), trio.fail_after(30):
            await done.wait()
    assert received == [len(large())]
    assert contents(home / "in" / "collector.db") == contents(db)


def free_address() -> Bound:
    """Where nobody listens at the moment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return Bound("127.0.0.1", port, f"http://127.0.0.1:{port}")


async def wait_listening(at: Bound) -> None:
    """Wait until somebody listens there."""
    while True:
        try:
            await (await trio.open_tcp_stream(at.host, at.port)).aclose()
            return
        except OSError:
            await trio.sleep(0.05)


# ---- envelopes ----


def card(home: Path, *urls: str) -> Collector:
    return Collector(urls, public_hex(KEY), recipient_of(home / "age.txt"))


def write(path: Path, text: str) -> None:
    path.write_text(text)


def card_text(home: Path, *urls: str) -> str:
    fields = {"card": 1, "urls": urls, "recipient": recipient_of(home / "age.txt")}
    return canonical(encode(signed(Card, fields, KEY)))


async def test_only_envelopes_go_to_a_collector_with_a_key(home: Path, db: Path) -> None:
    async with collecting(home) as bound:
        seen: list[bytes] = []
        async with recording(bound, seen) as url:
            assert await sent(sender(card(home, url)), db) == [len(large())]
            assert await sent(sender(card(home, url)), db) == []
    assert contents(home / "c.db") == contents(db)
    assert b"age-encryption.org/v1" in b"".join(seen)
    assert b"\x1f\x8b\x08" not in b"".join(seen)[:2000] and b"/v1/bundle/" not in b"".join(seen)
    assert not any(name.endswith(".age") for name in os.listdir("outbox"))
    assert list((home / "kept").iterdir()), "kept as it was sealed, so that its signature can be checked"


async def test_a_sender_killed_midway_goes_on_with_the_same_envelope(home: Path, db: Path) -> None:
    async with collecting(home) as bound:
        async with cutting(bound, lambda n: 150_000 if n == 0 else None, hold=True) as url:
            write(Path("card.json"), card_text(home, url))
            with started("send", str(db), "--to", "card.json"), trio.fail_after(30):
                await wait_arrived(home / "spool")
        begun = next((home / "spool").iterdir()).stat().st_size
        seen: list[bytes] = []
        async with recording(bound, seen) as url:
            by = Sender(Way(), (card(home, url),), Outbox(home / "home" / "outbox"))
            assert await sent(by, db) == [len(large())]
    kept = next((home / "kept").iterdir()).stat().st_size
    assert 0 < begun and sum(map(len, seen)) < kept - begun + 20_000, "what had arrived was not sent again"


async def test_an_envelope_for_another_collector_is_refused_and_nothing_is_lost(home: Path, db: Path) -> None:
    async with collecting(home) as bound:
        wrong = Collector((bound.url,), public_hex(KEY), recipient_of(home / "other.txt"))
        with pytest.raises(SendError, match="422"):
            await sent(sender(wrong), db)
        assert unsent(db) == 38
        assert await sent(sender(card(home, bound.url)), db) == [len(large())]


async def test_a_friend_brings_an_envelope_that_only_the_collector_can_open(home: Path, db: Path) -> None:
    async with collecting(home) as bound:
        with Store.open(db) as store:
            (one,) = seal_all(store, Path("x.vpb.age"), recipient=recipient_of(home / "age.txt"))
        delivered = await sender(Collector((bound.url,))).send_file(one.path, None)
        again = await sender(Collector((bound.url,))).send_file(one.path, None)
    assert delivered.receipt == again.receipt and delivered.receipt.bundle == one.name
    assert delivered.measurements is None and delivered.receipt.taken == len(large())


# ---- receipts ----


def receipt_for(bundle: str, by: Ed25519PrivateKey, **other: Any) -> str:
    fields = {"receipt": 1, "bundle": bundle, "received_at": "2026-11-25T00:00:00Z", "taken": 1, "known": 0}
    return canonical({**encode(signed(Receipt, {**fields, "quarantined": 0}, by)), **other})


FORGERIES = {
    "another key": lambda name: receipt_for(name, STRANGER),
    "another bundle": lambda name: receipt_for("0" * 64, KEY),
    "changed afterwards": lambda name: receipt_for(name, KEY, taken=7),
    "no bundle": lambda name: receipt_for("*", KEY),
    "more than a receipt": lambda name: receipt_for(name, KEY, run="this"),
    "somebody's signature under our key": lambda name: receipt_for(name, STRANGER, **{"key": public_hex(KEY)}),
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forged_receipt_acknowledges_nothing(forgery: str, home: Path, db: Path) -> None:
    async def liar(scope: Any, receive: Any, send: Any) -> None:
        text = FORGERIES[forgery](scope["path"].rpartition("/")[2]).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"upload-complete", b"?1")]})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else text})

    async with trio.open_nursery() as nursery:
        bound = await nursery.start(partial(serve, liar, Listen("127.0.0.1", 0)))
        with pytest.raises(BundleError):
            await sent(sender(Collector((bound.url,), public_hex(KEY))), db)
        nursery.cancel_scope.cancel()
    assert unsent(db) == 38
    with Store.open(db) as store:
        assert store.query("SELECT count(*) FROM receipt") == [(0,)]


# ---- the queue ----


async def test_the_queue_sends_one_vantage_point_at_a_time_and_waits_after_failing(home: Path, db: Path) -> None:
    fill(db, large(2))
    clock = [1_000_000.0]
    outbox = Outbox(Path("outbox"), now=lambda: clock[0], chance=lambda low, high: high)
    async with collecting(home) as bound:
        dead = Sender(Way(), (Collector(("http://127.0.0.1:9",)),), outbox)
        with pytest.raises(ProbeError):
            await sent(dead, db, queue=True)
        assert await sent(dead, db, queue=True) == [], "neither is due: one failed, the other was put off"
        assert unsent(db) == 76
        live = Sender(Way(), (Collector((bound.url,)),), outbox)
        clock[0] += 16 * 60
        assert len(await sent(live, db, queue=True)) == 1
        assert await sent(live, db, queue=True) == []
        clock[0] += 4 * 3600
        assert len(await sent(live, db, queue=True)) == 1
        assert unsent(db) == 0 and outbox.waiting() == {}
