"""Where things are kept, and whether this machine is fit to measure."""

from pathlib import Path

import pytest

from probe.app import doctor
from probe.app.consent import record
from probe.app.doctor import examine, is_broken
from probe.app.finding import Finding
from probe.app.home import default_db, home_dir, make_home


@pytest.mark.parametrize(
    ("environ", "platform", "tail"),
    [
        ({"PROBE_HOME": "/x/y"}, "linux", "/x/y"),
        ({"XDG_DATA_HOME": "/data"}, "linux", "/data/vantage-probe"),
        ({"XDG_DATA_HOME": "relative"}, "linux", ".local/share/vantage-probe"),
        ({}, "darwin", "Library/Application Support/vantage-probe"),
        ({"LOCALAPPDATA": "/l"}, "win32", "/l/vantage-probe"),
    ],
)
def test_home(environ: dict[str, str], platform: str, tail: str) -> None:
    assert home_dir(environ, platform).as_posix().endswith(tail)


def test_default_database_is_in_the_home(own_home: Path) -> None:
    assert default_db() == own_home / "results.db"
    assert make_home() == own_home


def by_name(netdb: Path | None = None) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(netdb)}


def test_a_sound_machine_has_nothing_broken() -> None:
    found = by_name()
    assert not is_broken(list(found.values()))
    assert len(found) == len(doctor.CHECKS) + 1
    assert found["consent"].state == "note"
    record("asked")
    assert by_name()["consent"].state == "ok"


def test_what_is_broken_says_what_to_do(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own_home / "results.db").write_bytes(b"no database at all, but long enough to be looked at")
    (tmp_path / "junk.mmdb").write_text("junk")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    found = by_name(tmp_path / "junk.mmdb")
    for name in ("database", "network database", "trust store"):
        assert found[name].state == "broken" and found[name].do, name
