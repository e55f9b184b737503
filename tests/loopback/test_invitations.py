"""Invitations over real sockets: one vote each, whoever asks twice, cuts, copies or makes things up."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from probe.app.invite import Redeemer, Token, Wallet, default_wallet
from probe.app.pack import seal_all
from probe.app.way import SendError, Way
from probe.collector.intake import Intake
from probe.collector.invitations import Invitations
from probe.model.collector import Collector
from probe.model.errors import BundleError, ProbeError, RefusedError
from probe.store.bundle import Sealed, cuts, seal_cut
from probe.store.foreign import read_foreign
from probe.store.keys import signing_key
from probe.store.ledger import Vouched
from probe.store.scrub import Scrubber
from probe.store.sqlite import Store
from probe.store.union import Source, merge
from probe.wire.signed import public_hex
from probe.wire.voucher import Voucher
from tests.loopback.posting import KEY, at_home, collecting, cutting, sending
from tests.unit.store.facts import fill, sitting

THIEF = Ed25519PrivateKey.from_private_bytes(b"m" * 32)


@cache
def issuer_pem() -> bytes:
    """One issuer for all tests; making a key takes a while."""
    return generate_private_key(65_537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "issuer.pem").write_bytes(issuer_pem())
    (tmp_path / "issuer.pem").chmod(0o600)
    return at_home(tmp_path, monkeypatch)


@pytest.fixture
def db(home: Path) -> Path:
    """A volunteer's database with two vantage points."""
    return fill(home / "results.db", [*sitting([1, 2]), *sitting([11, 12], vantage=2, run=2)])


def code(home: Path, networks: int = 1) -> str:
    return Invitations(home).invite(1, networks)[0]


def redeemer(*urls: str, wallet: Wallet | None = None) -> Redeemer:
    return Redeemer(Way(), (Collector(urls, public_hex(KEY)),), wallet or default_wallet())


def asked(home: Path, sql: str, db: str = "c.db") -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(home / db)) as conn:
        return conn.execute(sql).fetchall()


# ---- asking for a token ----


async def test_one_invitation_vouches_for_one_vantage_point(home: Path, db: Path) -> None:
    async with collecting(home) as bound:
        assert await redeemer(bound.url).redeem(code(home)) == 1
        words = [d.receipt.voucher async for d in sending(bound.url).send_database(db)]
    assert words == ["accepted", ""], "one vote; the facts of the other are kept all the same"
    assert len(asked(home, "SELECT DISTINCT signer FROM origin")) == 2
    assert len(asked(home, "SELECT DISTINCT signer FROM vouched")) == 1
    assert len(asked(home, "SELECT measurement_id FROM vouched")) == 4
    assert len(asked(home, "SELECT measurement_id FROM measurement")) == 8


async def test_an_invitation_for_two_networks(home: Path, db: Path) -> None:
    async with collecting(home) as bound:
        assert await redeemer(bound.url).redeem(code(home, networks=2)) == 2
        words = [d.receipt.voucher async for d in sending(bound.url).send_database(db)]
    assert words == ["accepted", "accepted"]
    assert len(asked(home, "SELECT DISTINCT token FROM voucher")) == 2, "nothing ties the two together"


async def test_an_answer_that_is_lost_costs_nothing(home: Path) -> None:
    invitation = code(home)
    async with collecting(home) as bound:
        # The request for the card takes some 300 bytes, that for the token 900: it arrives, and its answer does not.
        async with cutting(bound, lambda n: 900 if n == 0 else None) as url:
            with pytest.raises(SendError):
                await redeemer(url).redeem(invitation)
            assert len(list(default_wallet().tokens())) == 1
            assert await redeemer(url).redeem(invitation) == 1
    ((_, token),) = default_wallet().tokens()
    assert token.proof and not (token.code or token.r or token.salt)


async def test_a_used_or_invented_invitation_gives_nothing(home: Path, tmp_path: Path) -> None:
    invitation = code(home)
    async with collecting(home) as bound:
        assert await redeemer(bound.url).redeem(invitation) == 1
        for wrong in (invitation, "invite1-" + "a" * 26):
            with pytest.raises(BundleError, match="not known there"):
                await redeemer(bound.url, wallet=Wallet(tmp_path / "thief")).redeem(wrong)
        with pytest.raises(BundleError):
            await redeemer(bound.url).redeem("nonsense")
    assert not list(Wallet(tmp_path / "thief").tokens())
    assert Invitations(home).counts() == (1, 1)


async def test_two_at_once_with_one_invitation(home: Path, tmp_path: Path) -> None:
    invitation, got = code(home), []

    async def try_one(number: int, url: str) -> None:
        try:
            got.append(await redeemer(url, wallet=Wallet(tmp_path / str(number))).redeem(invitation))
        except ProbeError:
            got.append(0)

    async with collecting(home) as bound, trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(try_one, number, bound.url)
        with trio.fail_after(20):
            while len(got) < 5:  # noqa: ASYNC110
                await trio.sleep(0.02)
    assert sorted(got) == [0, 0, 0, 0, 1]


async def test_the_issuer_of_the_card_is_the_only_one_believed(home: Path) -> None:
    other = Invitations(home / "elsewhere")
    (home / "elsewhere").mkdir()
    other.invite(1)
    async with collecting(home) as bound:
        tagging = Redeemer(Way(), (Collector((bound.url,), public_hex(KEY), issuer=other.issuer),), default_wallet())
        with pytest.raises(ProbeError):
            await tagging.redeem(code(home))
        stranger = Redeemer(Way(), (Collector((bound.url,), public_hex(THIEF)),), default_wallet())
        with pytest.raises(BundleError, match="another key"):
            await stranger.redeem(code(home))
    assert not [token for _, token in default_wallet().tokens() if token.proof]


async def test_odd_requests(home: Path) -> None:
    invitation = code(home)
    async with collecting(home) as bound, Way().open() as client:
        url = f"{bound.url}/v1/token"
        good: dict[str, object] = {"code": invitation, "blinded": "12" * 256}
        bodies: tuple[object, ...] = (
            {}, {**good, "number": 1}, {**good, "number": -1}, {**good, "blinded": "12"}, {**good, "code": "x"}, [],
            {**good, "blinded": "00" * 256}, good, good, {**good, "blinded": "13" * 256},
        )  # fmt: skip
        statuses = [(await client.post(url, content=json.dumps(body))).status_code for body in bodies]
        assert statuses == [422, 403, 403, 422, 422, 422, 422, 200, 200, 409]
        assert (await client.get(url)).status_code in (404, 405)


async def test_no_time_and_no_token_is_written_where_invitations_are(home: Path, db: Path) -> None:
    async with collecting(home) as bound:
        await redeemer(bound.url).redeem(code(home))
        _ = [d async for d in sending(bound.url).send_database(db)]
    with closing(sqlite3.connect(home / "invites.db")) as conn:
        columns = {row[1] for table in ("invitation", "signed") for row in conn.execute(f"PRAGMA table_info({table})")}
    assert columns == {"code", "networks", "number", "blinded"}
    ((token,),) = asked(home, "SELECT token FROM voucher")
    assert str(token).encode() not in (home / "invites.db").read_bytes()
    assert bytes.fromhex(str(token)) not in (home / "invites.db").read_bytes()


# ---- using one ----


def bundled(home: Path, key: Ed25519PrivateKey, voucher: Voucher | None, numbers: list[int]) -> Path:
    """A bundle that its maker sealed as they liked."""
    path = home / f"{numbers[0]}.vpb"
    with Store.open(fill(home / f"{numbers[0]}.db", sitting(numbers, vantage=numbers[0], run=numbers[0]))) as store:
        seal_cut(store, cuts(store)[0], key, Scrubber(), path, voucher)
    return path


@pytest.fixture
async def token(home: Path) -> Token:
    """A token that serves nobody yet."""
    async with collecting(home) as bound:
        await redeemer(bound.url).redeem(code(home))
    ((path, token),) = default_wallet().tokens()
    path.unlink()
    return token


def voucher_of(token: Token, bearer: Ed25519PrivateKey) -> Voucher:
    wallet = Wallet(Path("one"))
    wallet.put(Path("one/x.json"), replace(token, bearer=""))
    voucher = wallet.voucher_for(public_hex(bearer))
    assert voucher is not None
    return voucher


async def test_copies_second_uses_and_inventions_are_kept_and_not_vouched_for(home: Path, token: Token) -> None:
    mine = signing_key(home / "mine.pem")
    good = voucher_of(token, mine)
    with Intake(home / "c.db", KEY, invitations=Invitations(home)) as intake:
        words = [
            intake.take(bundled(home, mine, good, [1])).voucher,
            intake.take(bundled(home, mine, good, [2])).voucher,
            intake.take(bundled(home, THIEF, good, [3])).voucher,
            intake.take(bundled(home, THIEF, replace(good, bearer=public_hex(THIEF)), [4])).voucher,
            intake.take(bundled(home, THIEF, voucher_of(token, THIEF), [5])).voucher,
            intake.take(bundled(home, THIEF, None, [6])).voucher,
        ]
    assert words == ["accepted", "accepted", "invalid", "invalid", "spent", ""]
    assert len(asked(home, "SELECT DISTINCT signer FROM vouched")) == 1
    assert asked(home, "SELECT count(*) FROM measurement") == [(12,)], "every fact is kept"
    with Intake(home / "other.db", KEY, invitations=Invitations(home / "nobody")) as elsewhere:
        assert elsewhere.take(home / "1.vpb").voucher == "unknown"


async def test_a_token_that_vouched_twice_in_two_places_vouches_for_nobody(home: Path, token: Token) -> None:
    mine = signing_key(home / "mine.pem")
    for name, key, number in (("a", mine, 1), ("b", THIEF, 2)):
        with Intake(home / f"{name}.db", KEY, invitations=Invitations(home)) as intake:
            assert intake.take(bundled(home, key, voucher_of(token, key), [number])).voucher == "accepted"

    def source(name: str) -> Source:
        return name, lambda: read_foreign(home / f"{name}.db", with_ledger=True)

    merge([source("a"), source("b")], home / "all.db")
    assert asked(home, "SELECT count(*) FROM voucher", "all.db") == [(2,)]
    assert asked(home, "SELECT * FROM vouched", "all.db") == []
    merge([source("a")], home / "one.db")
    assert len(asked(home, "SELECT * FROM vouched", "one.db")) == 2


async def test_a_made_up_row_of_vouchers_is_refused_with_its_file(home: Path, token: Token) -> None:
    good = Vouched.of(voucher_of(token, signing_key(home / "mine.pem")))
    assert good.is_sound()
    for bad in (replace(good, signer="0" * 64), replace(good, issuer="0" * 64), replace(good, proof="{}")):
        assert not bad.is_sound()
    with Store.open(home / "fake.db") as store:
        store.write("INSERT INTO voucher VALUES (?, ?, ?, ?)", [(good.token, "0" * 64, good.issuer, good.proof)])
    with pytest.raises(BundleError, match="malformed"):
        list(read_foreign(home / "fake.db", with_ledger=True))


def test_a_wallet_serves_each_key_with_one_token(home: Path, db: Path) -> None:
    wallet = default_wallet()
    with Store.open(db) as store:
        before = seal_all(store, Path("x.vpb"))[0]
        assert before.manifest.voucher is None
    assert wallet.voucher_for("a" * 64) is None
    with pytest.raises(RefusedError):
        Invitations(home / "nobody").sign("invite1-" + "a" * 26, 0, b"\1" * 256)


async def test_the_same_facts_and_token_give_the_same_bytes(home: Path, db: Path) -> None:
    async with collecting(home) as bound:
        await redeemer(bound.url).redeem(code(home))

    def sealed() -> Sealed:
        with Store.open(db) as store:
            return seal_all(store, Path("x.vpb"))[0]

    assert sealed().name == sealed().name and sealed().manifest.voucher is not None
