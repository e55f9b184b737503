"""The commands that move facts, as a person types them: `bundle`, `facts`, `merge`, `receipts`, `collector import`."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from probe.cli.collector import collector
from probe.cli.exchange import facts, merge
from probe.cli.send import bundle, receipts, send
from probe.model.errors import BundleError, StoreError, UsageError
from tests.unit.store.attacks import ATTACKS
from tests.unit.store.facts import contents, fill, sitting


@pytest.fixture(autouse=True)
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A default database, in a home of its own."""
    monkeypatch.setenv("PROBE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return fill(tmp_path / "results.db", sitting([1, 2]))


def run(command: click.Command, *arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(command, arguments, input=stdin)


def test_bundle_shows_before_it_writes(tmp_path: Path) -> None:
    shown = run(bundle, "--show").stdout.splitlines()
    assert [json.loads(line)["fact"] for line in shown][:3] == ["vantage", "vantage", "run"]
    assert not list(tmp_path.glob("*.vpb"))
    (value,) = [json.loads(line) for line in run(bundle, "--json", "-o", "x.vpb").stdout.splitlines()]
    assert value["file"] == "x.vpb" and sum(value["counts"].values()) == len(shown)
    assert "observation" in run(bundle).stdout


def test_facts_out_and_in_again(tmp_path: Path, db: Path) -> None:
    lines = run(facts, "export").stdout
    done = run(facts, "import", "-", "--db", "new.db", "--json", stdin=lines)
    assert json.loads(done.stdout)["taken"] == len(lines.splitlines())
    assert contents(tmp_path / "new.db") == contents(db)
    assert '"fact":"blob"' not in run(facts, "export", "--no-blobs").stdout


def test_a_bad_line_takes_the_others_with_it(tmp_path: Path) -> None:
    lines = run(facts, "export").stdout + '{"fact":"sent"}\n'
    done = run(facts, "import", "-", "--db", "new.db", stdin=lines)
    assert isinstance(done.exception, BundleError) and str(done.exception).startswith("line 29:")
    assert not any(contents(tmp_path / "new.db").values())


def test_merge_makes_a_new_file_or_none(tmp_path: Path) -> None:
    fill(tmp_path / "b.db", sitting([2, 3], note="otherwise"))
    done = json.loads(run(merge, "results.db", "b.db", "-o", "all.db", "--json").stdout)
    back = json.loads(run(merge, "b.db", "results.db", "-o", "back.db", "--json").stdout)
    assert done["quarantined"] == back["quarantined"] > 0
    assert contents(tmp_path / "all.db") == contents(tmp_path / "back.db")
    assert isinstance(run(merge, "results.db", "-o", "all.db").exception, StoreError)
    ATTACKS["endless view beside"](tmp_path / "b.db")
    assert isinstance(run(merge, "results.db", "b.db", "-o", "bad.db").exception, BundleError)
    assert not list(tmp_path.glob("bad.db*"))


def test_collector_import_takes_the_good_and_names_the_bad(tmp_path: Path) -> None:
    run(bundle, "-o", "x.vpb")
    (tmp_path / "bad.vpb").write_text("rubbish")
    done = run(collector, "import", "--db", "in", "--json", "bad.vpb", "x.vpb", "results.db")
    assert [json.loads(line)["taken"] for line in done.stdout.splitlines()] == [28, 0]
    assert "bad.vpb" in done.stderr and isinstance(done.exception, BundleError)
    assert (tmp_path / "in" / "collector.db").exists()


def test_by_hand_there_and_the_receipt_back(tmp_path: Path) -> None:
    run(collector, "key", "--db", "in", "--url", "https://collector.example", "-o", "card.json")
    card = json.loads((tmp_path / "card.json").read_text())
    assert json.loads(run(collector, "key", "--db", "in", "--json").stdout)["key"] == card["key"]
    made = json.loads(run(bundle, "--to", "card.json", "-o", "x.vpb.age", "--json").stdout)
    assert made["recipient"] == card["recipient"] and b"age-encryption" in (tmp_path / "x.vpb.age").read_bytes()[:20]
    assert json.loads(run(receipts, "--pending", "--json").stdout)["measurements"] == 4
    (tmp_path / "back").mkdir()
    taken = json.loads(run(collector, "import", "--db", "in", "--receipts", "back", "--json", "x.vpb.age").stdout)
    assert (taken["taken"], taken["bundle"]) == (28, made["bundle"])
    (back,) = (tmp_path / "back").iterdir()
    assert isinstance(run(receipts, "--add", str(back)).exception, UsageError), "whose receipt is it?"
    assert isinstance(run(receipts, "--add", str(back), "--key", "0" * 64).exception, BundleError)
    run(receipts, "--add", str(back), "--key", card["key"])
    assert run(receipts, "--pending").stdout == ""
    assert json.loads(run(receipts, "--json").stdout)["measurements"] == 4


def test_invitations_are_written_for_their_owner_alone(tmp_path: Path) -> None:
    done = run(collector, "invite", "--db", "in", "-n", "3", "--networks", "2", "-o", "codes.txt")
    codes = (tmp_path / "codes.txt").read_text().split()
    assert len(set(codes)) == 3 and all(code.startswith("invite1-") for code in codes)
    assert "6 tokens" in done.stderr and done.stdout == ""
    assert (tmp_path / "codes.txt").stat().st_mode & 0o077 == 0
    assert all(code.encode() not in (tmp_path / "in" / "invites.db").read_bytes() for code in codes)
    assert json.loads(run(collector, "key", "--db", "in", "--json").stdout)["issuer"]


def test_a_bundle_is_encrypted_for_whom_one_says(tmp_path: Path) -> None:
    for wrong in ("age1nonsense", "missing.json", "results.db"):
        done = run(bundle, "--to", wrong, "-o", "x.vpb.age")
        assert isinstance(done.exception, UsageError | BundleError) and not (tmp_path / "x.vpb.age").exists()


@pytest.mark.parametrize(
    "proxy", ["nonsense", "ftp://127.0.0.1:1", "socks4://127.0.0.1:1", "socks5h://", "http://a:99999"]
)
def test_what_is_no_proxy(proxy: str) -> None:
    assert isinstance(run(send, "--to", "https://c.example", "--proxy", proxy).exception, UsageError)


def test_an_onion_is_not_looked_up() -> None:
    done = run(send, "--to", "http://abcdefabcdef.onion")
    assert isinstance(done.exception, UsageError) and "tor" in str(done.exception)


def test_receipts_of_a_database_that_has_sent_nothing() -> None:
    done = run(receipts)
    assert (done.exit_code, done.stdout) == (0, "")


def test_send_refuses_what_can_be_read_on_the_way() -> None:
    assert isinstance(run(send, "--to", "http://collector.example").exception, UsageError)
