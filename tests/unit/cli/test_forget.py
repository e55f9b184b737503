"""`probe forget`: asks, tells, and leaves nothing of what it was told to forget."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from probe.app import campaign
from probe.app.consent import record
from probe.app.home import default_db
from probe.app.invite import Token, default_wallet
from probe.app.lock import only_run
from probe.app.outbox import default_outbox
from probe.app.pack import key_of_vantage
from probe.app.sitting import Item
from probe.app.unfinished import Unfinished, plan_files, recall, remember
from probe.app.wanted import Wanted
from probe.cli import root
from probe.model.measurement import Measurement
from probe.model.target import parse_target
from probe.model.vantage import Run, Vantage
from probe.store.keys import signing_key
from probe.store.sqlite import Store
from probe.wire.facts import ObservationRow
from probe.wire.signed import public_hex

NOW = "2026-01-01T00:00:00.000000Z"
URLS = ("https://www.shy.example/one", "https://www.shy.example/two", "https://other.example/")


@pytest.fixture
def db(own_home: Path) -> Path:
    path = default_db()
    with Store.open(path) as store:
        for vantage, run, urls in (("1", "a", URLS), ("2", "b", URLS[2:])):
            store.append(Vantage(vantage * 32, "field"))
            store.append(Run(run * 32, vantage * 32, NOW))
            for n, url in enumerate(urls):
                name = f"{run}{n:031x}"
                store.append(Measurement(name, run * 32, url, "web", NOW))
                store.append(ObservationRow(name, 0, "tcp.connect", "{}", host=parse_target(url).host))
            signing_key(key_of_vantage(vantage * 32))
    items = tuple(Item(parse_target(url), (url,)) for url in URLS)
    remember(path, Unfinished(Wanted(urls=URLS), items, 1, ("a" * 32,)))
    record("flag")
    outbox = default_outbox()
    outbox.failed("1" * 32, "no")
    (outbox.folder / "x.vpb.age").write_bytes(b"facts that nobody here can look into")
    for name, vantage in (("mine", "1"), ("other", "2"), ("free", "")):
        bearer = public_hex(signing_key(key_of_vantage(vantage * 32))) if vantage else ""
        default_wallet().put(own_home / "tokens" / f"{name}.json", Token("issuer", "a" * 64, bearer=bearer))
    return path


def tokens() -> set[str]:
    return {path.stem for path, _ in default_wallet().tokens()}


def forget(*args: str) -> Result:
    return CliRunner().invoke(root, ["forget", *args])


def everything_kept(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_without_a_terminal_it_does_not_guess(db: Path) -> None:
    said = forget("run", "aaaa")
    assert said.exit_code != 0 and "--yes" in str(said.exception)
    with Store.open(db) as store:
        assert store.query("SELECT count(*) FROM measurement") == [(4,)]


def test_a_run_goes_with_its_key_and_its_plan(db: Path) -> None:
    said = forget("run", "aaaa", "--yes", "--json")
    assert said.exit_code == 0, said.output
    told = json.loads(said.stdout)
    assert told["rows"]["measurements"] == 3 and told["rows"]["runs"] == 1
    assert "flash disk" in said.stderr and "This cannot" not in said.stderr
    assert not key_of_vantage("1" * 32).exists() and key_of_vantage("2" * 32).exists()
    assert plan_files(db) == []
    assert tokens() == {"other", "free"} and default_outbox().files() == ()


@pytest.mark.parametrize(
    ("text", "gone"), [("shy.example", 2), ("https://www.shy.example/one", 1), ("other.example", 2)]
)
def test_a_target_goes_from_every_run_and_every_plan(db: Path, own_home: Path, text: str, gone: int) -> None:
    said = forget("target", text, "--yes", "--json")
    assert json.loads(said.stdout)["rows"]["measurements"] == gone
    assert parse_target(text).normal.removeprefix("https://").rstrip("/").encode() not in everything_kept(own_home)
    plan = recall(db)
    assert plan is not None and len(plan.items) == (1 if gone == 2 and "shy" in text else 2)


def test_everything_means_everything(db: Path, own_home: Path) -> None:
    (own_home / "deny.txt").write_text("secret.example")
    campaign.remember(campaign.open_campaign("wsws-pakistan-2024"), "asked")
    (own_home / "notes.txt").write_text("mine")
    said = forget("everything", "--yes")
    assert said.exit_code == 0
    assert [path.name for path in own_home.rglob("*") if path.is_file()] == ["notes.txt"]
    assert f"left in place: {own_home / 'notes.txt'}" in said.stderr


def test_what_is_not_there_cannot_be_forgotten(db: Path) -> None:
    for args in (("run", "ffff"), ("target", "nobody.example"), ("target", "ftp://x")):
        assert forget(*args, "--yes").exit_code != 0


def test_not_while_a_run_goes_on(db: Path) -> None:
    with only_run(db):
        said = forget("target", "shy.example", "--yes")
    assert said.exit_code != 0 and "another run" in str(said.exception)
