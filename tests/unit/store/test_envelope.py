"""Envelopes: only their collector opens them, whole and unchanged, and nobody makes it work or swell for nothing."""

from __future__ import annotations

import gzip
import os
import stat
import sys
from pathlib import Path

import pytest

from probe.collector.intake import Intake
from probe.model.errors import BundleError, ProbeError, StoreError, UsageError
from probe.store.envelope import can_encrypt, check_recipient, decrypt, encrypt, is_envelope, recipient_of
from tests.loopback.posting import KEY
from tests.unit.store.facts import contents

PLAIN = os.urandom(200_000)
MOST = 1_000_000


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The file of a secret key."""
    recipient_of(tmp_path / "age.txt")
    return tmp_path / "age.txt"


@pytest.fixture
def envelope(tmp_path: Path, key: Path) -> Path:
    """An envelope of PLAIN."""
    (tmp_path / "plain").write_bytes(PLAIN)
    encrypt(tmp_path / "plain", recipient_of(key), tmp_path / "x.age")
    return tmp_path / "x.age"


def test_what_goes_in_comes_out_for_its_collector_alone(tmp_path: Path, key: Path, envelope: Path) -> None:
    decrypt(envelope, key, tmp_path / "out", MOST)
    assert (tmp_path / "out").read_bytes() == PLAIN
    assert is_envelope(envelope) and not is_envelope(tmp_path / "out")
    recipient_of(tmp_path / "other.txt")
    with pytest.raises(BundleError, match="not for this collector"):
        decrypt(envelope, tmp_path / "other.txt", tmp_path / "again", MOST)
    assert not (tmp_path / "again").exists()


def test_nothing_in_it_tells_whose_it_is(tmp_path: Path, key: Path, envelope: Path) -> None:
    encrypt(tmp_path / "plain", recipient_of(key), tmp_path / "y.age")
    one, other = envelope.read_bytes(), (tmp_path / "y.age").read_bytes()
    assert one[60:500] != other[60:500], "no part of the header comes back"
    assert recipient_of(key).encode() not in one


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_keys_and_envelopes_are_nobody_elses(key: Path, envelope: Path) -> None:
    assert {stat.S_IMODE(path.stat().st_mode) for path in (key, envelope)} == {0o600}
    key.chmod(0o644)
    with pytest.raises(StoreError, match="others can read"):
        recipient_of(key)


@pytest.mark.parametrize("place", [0.0, 0.0005, 0.001, 0.3, 0.66, 0.9999])
def test_one_changed_bit_spoils_it(place: float, tmp_path: Path, key: Path, envelope: Path) -> None:
    data = bytearray(envelope.read_bytes())
    data[int(place * len(data))] ^= 1
    envelope.write_bytes(data)
    with pytest.raises(BundleError):
        decrypt(envelope, key, tmp_path / "out", MOST)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("size", [0, 10, 150, 300, 65_536, 150_000, 200_200])
def test_cut_anywhere_it_is_refused(size: int, tmp_path: Path, key: Path, envelope: Path) -> None:
    envelope.write_bytes(envelope.read_bytes()[:size])
    with pytest.raises(BundleError):
        decrypt(envelope, key, tmp_path / "out", MOST)
    assert not list(tmp_path.glob("out*"))


def test_bytes_after_its_end_are_refused(tmp_path: Path, key: Path, envelope: Path) -> None:
    with envelope.open("ab") as file:
        file.write(b"x" * 70_000)
    with pytest.raises(BundleError):
        decrypt(envelope, key, tmp_path / "out", MOST)


def test_a_large_one_is_refused_before_the_disk_is_full(tmp_path: Path, key: Path, envelope: Path) -> None:
    with pytest.raises(BundleError, match="too much"):
        decrypt(envelope, key, tmp_path / "out", len(PLAIN) - 1)
    assert not list(tmp_path.glob("out*"))


def test_a_header_of_a_million_recipients_is_not_parsed(tmp_path: Path, key: Path) -> None:
    stanza = b"-> X25519 " + b"A" * 43 + b"\n" + b"A" * 43 + b"\n"
    (tmp_path / "bomb").write_bytes(b"age-encryption.org/v1\n" + stanza * 200_000 + b"--- " + b"A" * 43 + b"\n" + b"x")
    with pytest.raises(BundleError, match="header"):
        decrypt(tmp_path / "bomb", key, tmp_path / "out", MOST)


def test_a_bomb_in_an_envelope_is_a_bomb_still(tmp_path: Path) -> None:
    (tmp_path / "bomb").write_bytes(gzip.compress(bytes(300_000_000), 9))
    with Intake(tmp_path / "c.db", KEY, identity=tmp_path / "age.txt") as intake:
        encrypt(tmp_path / "bomb", intake.recipient, tmp_path / "bomb.age")
        with pytest.raises(BundleError):
            intake.take(tmp_path / "bomb.age")
    assert not any(contents(tmp_path / "c.db").values())
    assert not list(tmp_path.glob(".open-*"))


def test_a_collector_without_a_key_says_so(tmp_path: Path, envelope: Path) -> None:
    with Intake(tmp_path / "c.db", KEY) as intake, pytest.raises(BundleError, match="opens no envelopes"):
        intake.take(envelope)


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrage", None)
    assert not can_encrypt()
    with pytest.raises(ProbeError, match=r"vantage-probe\[encrypt\]"):
        check_recipient("age1" + "q" * 58)
    with Intake(tmp_path / "c.db", KEY) as intake:
        assert intake.recipient == ""


@pytest.mark.parametrize("text", ["", "age1", "age1qqqq", "AGE-SECRET-KEY-1QQQ", "ssh-ed25519 AAAA", "x" * 500])
def test_what_is_no_recipient(text: str) -> None:
    with pytest.raises(UsageError):
        check_recipient(text)


def test_a_file_that_holds_no_key(tmp_path: Path) -> None:
    (tmp_path / "age.txt").write_text("AGE-SECRET-KEY-1NONSENSE\n")
    (tmp_path / "age.txt").chmod(0o600)
    with pytest.raises(StoreError, match="no age secret key"):
        recipient_of(tmp_path / "age.txt")
