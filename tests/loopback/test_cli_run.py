"""`probe run` as a person runs it: a process of its own, real sockets on loopback, its output and exit codes."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from probe.store.sqlite import Store
from tests.loopback.commands import OPEN, command, lines, probe, wait_for_fact

FIELDS = {
    "measurement_id", "url", "target", "host", "outcome", "reason", "layer", "techniques", "locus", "hop", "scope",
    "layers", "layer_reasons", "siblings", "rules", "ruleset", "control", "control_age_s", "attempts", "started_at",
    "took_ms", "explanation",
}  # fmt: skip


def test_a_target_is_one_line_with_every_field(tmp_path: Path, site: str) -> None:
    code, out, _ = probe(tmp_path, "run", site, *OPEN, "--json")
    (line,) = lines(out)
    assert code == 0 and set(line) >= FIELDS
    assert (line["url"], line["outcome"], line["reason"]) == (site, "insufficient", "no_control")
    assert line["layers"] == {"tcp": "ok", "http": "insufficient"}


def test_spellings_of_one_target_are_one_measurement(tmp_path: Path, site: str) -> None:
    _, out, _ = probe(tmp_path, "run", site, site + "/", *OPEN, "--json")
    (line,) = lines(out)
    assert line["inputs"] == [site, site + "/"]


def test_a_database_of_another_vantage_point_serves_as_control(tmp_path: Path, site: str) -> None:
    other = tmp_path / "other.db"
    probe(tmp_path, "run", site, *OPEN, "--db", str(other))
    code, out, _ = probe(
        tmp_path, "run", site, *OPEN, "--control", str(other), "--json", "--db", str(tmp_path / "a.db")
    )
    (line,) = lines(out)
    assert (code, line["outcome"], line["control"]) == (0, "ok", "db")
    code, out, _ = probe(tmp_path, "judge", str(tmp_path / "a.db"), "--json")
    assert json.loads(out)["changed"] == 0


def test_an_unreachable_helper_is_said_and_nothing_is_lost(tmp_path: Path, site: str) -> None:
    code, out, _ = probe(tmp_path, "run", site, *OPEN, "--control", "http://127.0.0.1:9", "--json")
    (line,) = lines(out)
    assert (code, line["control"], line["reason"]) == (0, "unreachable", "no_control")


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("run", "ftp://x"), 2),
        (("run", "https://user:pw@example.org/"), 2),
        (("run", "--list", "no-such-list"), 2),
        (("run", "https://x.example", "--resolver", "8.8.8.8"), 2),
        (("run", "https://x.example", "--allow-net", "everything"), 2),
        (("run", "https://x.example", "--control", "/no/such.db"), 2),
        (("run", "https://x.example", "--max-time", "soon"), 2),
        (("run", "https://x.example", "--concurrency", "0"), 2),
        (("nonsense",), 2),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(tmp_path: Path, args: tuple[str, ...], code: int) -> None:
    got, out, err = probe(tmp_path, *args)
    assert (got, out) == (code, "")
    assert "Traceback" not in err and err.strip()
    assert not (tmp_path / "results.db").exists()


def test_without_consent_nothing_is_tried(tmp_path: Path, site: str) -> None:
    code, out, err = probe(tmp_path, "run", site, *OPEN, yes=False)
    assert (code, out) == (3, "") and "probe consent" in err
    assert not (tmp_path / "results.db").exists()


def test_a_bad_line_is_named_and_the_rest_runs(tmp_path: Path, site: str) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text(f"{site}\nnot a url at all\n")
    code, out, err = probe(tmp_path, "run", "--list", str(listed), *OPEN, "--json")
    assert code == 1 and len(lines(out)) == 1
    assert "line 2" in err


def test_special_addresses_are_facts_and_not_dialled(tmp_path: Path, site: str) -> None:
    probe(tmp_path, "run", site, "--canaries", "none", "--resolver", "udp://127.0.0.1:9", "--json")
    with Store.open(tmp_path / "results.db", create=False) as store:
        kinds = [row[0] for row in store.query("SELECT kind FROM observation")]
    assert "skipped" in kinds and "tcp.connect" not in kinds


def test_ctrl_c_ends_with_a_line_for_every_target(tmp_path: Path, site: str) -> None:
    urls = [f"{site}/never/{n}" for n in range(4)]
    process = command(tmp_path, "run", *urls, *OPEN, "--json", "--concurrency", "2")
    wait_for_fact(tmp_path / "results.db", "tcp.connect")
    process.send_signal(signal.SIGINT)
    # The first one lets what is under way finish; these never would.
    assert process.stderr is not None and "Ctrl-C again stops at once" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in err
    assert {(line["outcome"], line["reason"]) for line in lines(out)} == {("insufficient", "interrupted")}
    assert len(lines(out)) == 4


def test_max_time_ends_with_a_line_for_every_target(tmp_path: Path, site: str) -> None:
    urls = [f"{site}/never/{n}" for n in range(3)]
    code, out, _ = probe(tmp_path, "run", *urls, *OPEN, "--json", "--max-time", "1s")
    assert code == 1
    assert [line["reason"] for line in lines(out)] == ["budget"] * 3


def test_kill_9_keeps_the_facts_and_the_file_opens_clean(tmp_path: Path, site: str) -> None:
    process = command(tmp_path, "run", f"{site}/never", *OPEN)
    wait_for_fact(tmp_path / "results.db", "tcp.connect")
    process.kill()
    process.communicate(timeout=30)
    with Store.open(tmp_path / "results.db", create=False) as store:
        assert store.query("PRAGMA integrity_check") == [("ok",)]
        assert store.query("SELECT count(*) FROM observation WHERE kind = 'tcp.connect'")[0][0] >= 1
    code, out, _ = probe(tmp_path, "judge", str(tmp_path / "results.db"), "--json")
    assert code == 0 and json.loads(out)["judged"] == 1


def test_a_full_disk_is_one_line_and_what_was_written_stays(tmp_path: Path, site: str) -> None:
    probe(tmp_path, "run", site, *OPEN)
    size = (tmp_path / "results.db").stat().st_size
    env = {**os.environ, "PROBE_HOME": str(tmp_path), "PROBE_CONSENT": "yes", "NO_COLOR": "1"}

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, size + 8192))

    done = subprocess.run(
        [sys.executable, "-m", "probe", "run", *(f"{site}/{n}" for n in range(40)), *OPEN],
        capture_output=True, text=True, env=env, preexec_fn=limit, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "results.db" in done.stderr.splitlines()[-1]
    with Store.open(tmp_path / "results.db", create=False) as store:
        assert store.query("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 4000])
def test_a_broken_database_is_one_line(tmp_path: Path, site: str, content: bytes) -> None:
    bad = tmp_path / "bad.db"
    bad.write_bytes(content)
    code, _, err = probe(tmp_path, "judge", str(bad))
    if content:
        assert code == 1 and "bad.db" in err
    assert "Traceback" not in err and bad.read_bytes()[:20] == (content[:20] or bad.read_bytes()[:20])


def test_a_newer_database_is_refused_with_one_line(tmp_path: Path, site: str) -> None:
    probe(tmp_path, "run", site, *OPEN)
    with sqlite3.connect(tmp_path / "results.db") as conn:
        conn.execute("PRAGMA user_version = 99")
    code, _, err = probe(tmp_path, "judge", str(tmp_path / "results.db"))
    assert code == 1 and "newer version" in err and len(err.splitlines()) == 1


def test_dry_run_announces_and_touches_nothing(tmp_path: Path, site: str) -> None:
    code, out, _ = probe(tmp_path, "run", site, *OPEN, "--dry-run", "--json", yes=False)
    plan = json.loads(out)
    assert code == 0 and plan["targets"] == [site + "/"]
    assert any("UDP port 53" in line for line in plan["on_anomaly"])
    assert not (tmp_path / "results.db").exists()


def test_quiet_says_nothing_where_nothing_is_new_and_report_takes_ones_own(tmp_path: Path, site: str) -> None:
    dead = "http://127.0.0.1:9/"
    for _ in range(2):
        assert probe(tmp_path, "run", site, dead, *OPEN, "--quiet") == (0, "", "")
    code, out, _ = probe(tmp_path, "report", "--json")
    assert code == 0 and json.loads(out)["inputs"]
