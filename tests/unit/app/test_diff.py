"""What changed between two runs, and what is news."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from probe.app.diff import chain_of, difference, latest_runs, news
from probe.cli import root
from probe.model.measurement import Measurement
from probe.model.vantage import Run, Vantage
from probe.store.sqlite import Store, insert_statement

# Run, what it goes on from, network, and what it found.
RUNS: tuple[tuple[str, str, int, dict[str, str]], ...] = (
    ("a1", "", 100, {"same": "ok", "gone": "blocked", "new": "ok", "vague": "ok", "first": "down", "more": "blocked"}),
    ("b2", "", 200, {"same": "ok", "gone": "interrupted", "new": "likely_blocked", "vague": "insufficient"}),
    ("c3", "b2", 200, {"gone": "ok", "second": "blocked", "more": "likely_blocked", "calm": "ok"}),
)


def url(name: str) -> str:
    return f"https://{name}.example/"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "r.db") as opened:
        for n, (run, before, asn, found) in enumerate(RUNS):
            opened.append(Vantage(f"{n:032x}", "field", cc="PK", asn=asn))
            config = json.dumps({"resumes": before * 16} if before else {})
            opened.append(Run(run * 16, f"{n:032x}", f"2026-01-0{n + 1}T00:00:00.000000Z", config=config))
            for m, (name, outcome) in enumerate(found.items()):
                key = f"{n:016x}{m:016x}"
                opened.append(Measurement(key, run * 16, url(name), "web", f"2026-01-0{n + 1}T00:00:0{m}.000000Z"))
                reason = outcome if outcome == "interrupted" else None
                row = (key, "headline", "1", "f" * 64, "insufficient" if reason else outcome, None, "X-1", "X-1", "",
                       reason, None, "{}")  # fmt: skip
                opened.write(insert_statement("verdict"), [row])
        opened.flush()
        yield opened


def run(*names: str) -> tuple[str, ...]:
    return tuple(name * 16 for name in names)


def test_a_run_and_what_went_on_with_it_are_one(store: Store) -> None:
    assert chain_of(store, "b2" * 16) == chain_of(store, "c3" * 16) == run("b2", "c3")
    assert latest_runs(store) == [run("b2", "c3"), run("a1")]


def test_links_in_a_circle_end(store: Store) -> None:
    for name, before in (("d4", "e5"), ("e5", "d4"), ("f6", "f6")):
        store.append(
            Run(name * 16, f"{0:032x}", "2026-01-09T00:00:00.000000Z", config=f'{{"resumes":"{before * 16}"}}')
        )
    assert set(chain_of(store, "d4" * 16)) == set(run("d4", "e5"))
    assert chain_of(store, "f6" * 16) == run("f6")


def test_every_target_has_its_sort(store: Store) -> None:
    found = difference(store, run("a1"), run("b2", "c3"))
    assert {c.target: c.sort for c in found.changes} == {
        url("new"): "blocked_now", url("gone"): "not_blocked_now", url("more"): "other", url("vague"): "unsure",
        url("first"): "only_first", url("second"): "only_second", url("calm"): "only_second", url("same"): "same",
    }  # fmt: skip
    assert found.apart == ("network: 100 in the first, 200 in the second",)


def test_news_is_what_changed_its_state_and_new_suspects(store: Store) -> None:
    told = {change.target: change.sort for change in news(store, run("b2", "c3"))}
    assert told == {url("new"): "blocked_now", url("gone"): "not_blocked_now", url("second"): "only_second"}
    assert {change.target for change in news(store, run("a1"))} == {url("gone"), url("more")}


def call(*args: str) -> Result:
    return CliRunner().invoke(root, ["diff", *args])


def test_the_command_compares_the_last_two(store: Store) -> None:
    said = call("--db", str(store.path))
    assert said.exit_code == 0 and "Looks blocked in the second only (1)" in said.stdout
    assert "note    network: 100" in said.stdout and url("same") not in said.stdout
    assert call("a1a1", "b2b2", "--db", str(store.path)).stdout == said.stdout
    lines = [json.loads(line) for line in call("--all", "--json", "--db", str(store.path)).stdout.splitlines()]
    assert len(lines) == 8 and {line["change"] for line in lines} >= {"same", "only_first"}


def test_one_run_cannot_be_compared(store: Store) -> None:
    said = call("a1a1", "--db", str(store.path))
    assert said.exit_code != 0 and "name two runs" in str(said.exception)
