"""A run that was cut off goes on where it stopped, however it was cut; and never two at once."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from probe.app.unfinished import plan_files
from tests.loopback.commands import OPEN, Site, command, lines, probe, wait_for_fact


def urls_of(site: Site, quick: int = 1, gated: int = 2) -> list[str]:
    """Targets on addresses of their own, so that none waits for another: some answer, some only once the gate is
    open."""
    port = site.server_port
    paths = [*(f"/quick/{n}" for n in range(quick)), *(f"/gated/{n}" for n in range(gated))]
    return [f"http://127.0.0.1:{port}{path}" for path in paths]


def begin(home: Path, site: Site, *more: str) -> subprocess.Popen[str]:
    """A run that has measured the quick ones and waits for the gated ones."""
    listed = home / "list.txt"
    listed.write_text("\n".join(urls_of(site)))
    port = str(site.server_port)
    process = command(home, "run", "--list", str(listed), *OPEN, "--allow-port", port, "--seed", "3", *more)
    return process


def rows(db: Path, sql: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True) as conn:
        return conn.execute(sql).fetchall()


def ended(db: Path) -> dict[str, list[str]]:
    """URL to how each of its measurements ended, in order of time."""
    found: dict[str, list[str]] = {}
    for url, detail in rows(
        db,
        "SELECT url, detail FROM measurement JOIN observation USING (measurement_id) "
        "WHERE kind = 'measurement.end' ORDER BY started_at",
    ):
        found.setdefault(str(url), []).append(json.loads(str(detail))["ended"])
    return found


def finish(home: Path, site: Site) -> tuple[int, list[dict[str, object]]]:
    site.gate.set()
    code, out, _ = probe(home, "run", "--resume", "--json")
    return code, lines(out)


def check_whole(home: Path, site: Site, resumed: list[dict[str, object]], first: set[str]) -> None:
    """Everything is measured to its end once, the second run names the first, and no plan is left."""
    db = home / "results.db"
    urls = set(urls_of(site))
    assert {line["url"] for line in resumed} == urls - first
    assert all(how.count("fixpoint") == 1 for how in ended(db).values()) and set(ended(db)) >= urls
    (one, two) = [(run, json.loads(str(config))) for run, config in rows(db, "SELECT run_id, config FROM run")]
    linked = [(a[0], b[1]["resumes"]) for a, b in ((one, two), (two, one)) if "resumes" in b[1]]
    assert len(linked) == 1 and linked[0][0] == linked[0][1]
    assert {config["order_seed"] for _, config in (one, two)} == {3}
    judged = rows(db, "SELECT url FROM measurement JOIN verdict USING (measurement_id) WHERE layer = 'headline'")
    assert {url for (url,) in judged} == urls
    assert plan_files(db) == []


def fixpoints(db: Path) -> set[str]:
    return {url for url, how in ended(db).items() if "fixpoint" in how}


def wait_for_gated(site: Site, db: Path) -> None:
    wait_for_fact(db, "tcp.connect")
    for _ in range(600):
        if any(path.startswith("/gated") for path in site.asked):
            return
        time.sleep(0.02)
    raise AssertionError("no gated target was asked for")


def test_after_ctrl_c_twice(tmp_path: Path, served: Site) -> None:
    process = begin(tmp_path, served)
    wait_for_gated(served, tmp_path / "results.db")
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    said = ""
    while "Ctrl-C again" not in said:
        said += process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "probe run --resume" in err and "is saved" in said + err
    first = fixpoints(tmp_path / "results.db")
    code, resumed = finish(tmp_path, served)
    assert code == 0
    check_whole(tmp_path, served, resumed, first)


def test_after_ctrl_c_once_what_is_under_way_is_finished(tmp_path: Path, served: Site) -> None:
    process = begin(tmp_path, served)
    wait_for_gated(served, tmp_path / "results.db")
    process.send_signal(signal.SIGINT)
    served.gate.set()
    out, err = process.communicate(timeout=30)
    first = fixpoints(tmp_path / "results.db")
    assert process.returncode == 130 and any("/gated/" in url for url in first)
    code, resumed = finish(tmp_path, served)
    check_whole(tmp_path, served, resumed, first)


def test_after_kill_9(tmp_path: Path, served: Site) -> None:
    process = begin(tmp_path, served)
    wait_for_gated(served, tmp_path / "results.db")
    process.kill()
    process.communicate(timeout=30)
    first = fixpoints(tmp_path / "results.db")
    code, resumed = finish(tmp_path, served)
    assert code == 0
    check_whole(tmp_path, served, resumed, first)


def test_after_the_time_is_used_up(tmp_path: Path, served: Site) -> None:
    process = begin(tmp_path, served, "--max-time", "2s")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1 and "used up" in err and "probe run --resume" in err
    first = fixpoints(tmp_path / "results.db")
    served.gate.set()
    code, out, _ = probe(tmp_path, "run", "--resume", "--json", "--max-time", "1m")
    assert code == 0
    check_whole(tmp_path, served, lines(out), first)


def test_a_finished_run_leaves_nothing_to_go_on_with(tmp_path: Path, served: Site) -> None:
    assert probe(tmp_path, "run", served.url, *OPEN)[0] == 0
    code, out, err = probe(tmp_path, "run", "--resume")
    assert (code, out) == (2, "") and "nothing to go on with" in err


def test_what_the_run_is_cannot_be_changed(tmp_path: Path, served: Site) -> None:
    process = begin(tmp_path, served)
    wait_for_gated(served, tmp_path / "results.db")
    process.kill()
    process.communicate(timeout=30)
    for extra in (["--list", "pk"], [served.url], ["--allow-port", "25"], ["--seed", "9"]):
        code, _, err = probe(tmp_path, "run", "--resume", *extra)
        assert code == 2 and "--resume goes on with the targets" in err


def test_a_second_run_waits_its_turn(tmp_path: Path, served: Site) -> None:
    process = begin(tmp_path, served)
    wait_for_gated(served, tmp_path / "results.db")
    code, out, err = probe(tmp_path, "run", f"{served.url}/other", *OPEN, "--db", str(tmp_path / "other.db"))
    assert (code, out) == (1, "") and "another run is under way" in err
    process.kill()
    process.communicate(timeout=30)
    assert probe(tmp_path, "run", f"{served.url}/other", *OPEN)[0] == 0
    assert "/other" in served.asked


@pytest.mark.parametrize("garbage", ["", "{}", '{"version": 99}', "[" * 10000])
def test_a_damaged_plan_is_one_line(tmp_path: Path, garbage: str) -> None:
    (tmp_path / "results.db.plan-12345678").write_text(garbage)
    code, _, err = probe(tmp_path, "run", "--resume")
    assert code == 2 and "begin a new run" in err and len(err.splitlines()) == 1
