"""The plan beside the database: whole or not at all, and what it means to go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.app.sitting import Item
from probe.app.unfinished import KEPT, Unfinished, finished_urls, forget_plan, go_on, plan_files, recall, remember
from probe.app.wanted import Wanted
from probe.model.errors import UsageError
from probe.model.measurement import Measurement
from probe.model.target import parse_target
from probe.model.vantage import Run, Vantage
from probe.store.sqlite import Store, insert_statement
from probe.wire.facts import ObservationRow

NOW = "2026-01-01T00:00:00.000000Z"
URLS = ("https://a.example/", "https://b.example/", "https://c.example/", "https://d.example/")
RUN = "d" * 32


def plan(db: Path, run: str = RUN, **options: object) -> Unfinished:
    items = tuple(Item(parse_target(url, category="NEWS"), (url, url + "x")) for url in URLS)
    return Unfinished(Wanted(db=db, **options), items, 77, (run,))  # type: ignore[arg-type]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """A database of a run in which `a` was finished, `b` interrupted, `c` killed, and `d` used up its own steps."""
    path = tmp_path / "r.db"
    ends = {
        "a": '{"ended":"fixpoint","steps":9}',
        "b": '{"ended":"interrupted"}',
        "d": '{"ended":"budget","steps":400}',
    }
    with Store.open(path) as store:
        store.append(Vantage("e" * 32, "field"))
        store.append(Run(RUN, "e" * 32, NOW))
        for n, url in enumerate(URLS):
            name = f"{n:032x}"
            store.append(Measurement(name, RUN, url, "web", NOW))
            store.append(ObservationRow(name, 0, "tcp.connect", "{}"))
            if end := ends.get(url[8]):
                store.append(ObservationRow(name, 1, "measurement.end", end))
    return path


def test_it_comes_back_as_it_was_with_paths_made_absolute(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(db.parent)
    given = plan(db, ca_files=(Path("root.pem"),), controls=(db.name, "https://h.example"), max_time_s=90.0, seed=None)
    remember(db, given)
    back = recall(db)
    assert back is not None and (back.items, back.seed, back.runs) == (given.items, 77, given.runs)
    assert back.wanted.ca_files == (db.parent / "root.pem",)
    assert back.wanted.controls == (str(db), "https://h.example") and back.wanted.max_time_s == 90.0
    assert plan_files(db)[0].stat().st_mode & 0o077 == 0


def test_only_what_came_to_its_own_end_is_finished(db: Path) -> None:
    with Store.open(db) as store:
        assert finished_urls(store, (RUN,)) == {URLS[0], URLS[3]}
    remember(db, plan(db))
    assert [item.target.url for item in go_on(Wanted(db=db), frozenset({"db"})).left] == [URLS[1], URLS[2]]


def test_a_target_met_by_a_dead_line_is_not_finished(db: Path) -> None:
    with Store.open(db) as store:
        row = (f"{0:032x}", "headline", "1", "f" * 64, "insufficient", None, "X", "X", "", "no_network", None, "{}")
        store.write(insert_statement("verdict"), [row])
        assert finished_urls(store, (RUN,)) == {URLS[3]}


def test_some_options_may_be_said_anew_and_others_not(db: Path) -> None:
    remember(db, plan(db, max_data=5, country="PK"))
    again = go_on(Wanted(db=db, max_data=9, country="DE"), frozenset({"db", "max_data"}))
    assert (again.plan.wanted.max_data, again.plan.wanted.country) == (9, "PK")
    with pytest.raises(UsageError, match="leave out: lists, urls"):
        go_on(Wanted(db=db), frozenset({"urls", "lists"}))


def test_a_deny_list_may_only_grow(db: Path) -> None:
    remember(db, plan(db, deny=(Path("/one"),)))
    again = go_on(Wanted(db=db, deny=(Path("/two"),)), frozenset({"deny"}))
    assert again.plan.wanted.deny == (Path("/one"), Path("/two"))


def test_the_newest_plan_is_the_one_and_old_ones_go(db: Path) -> None:
    for n in range(KEPT + 3):
        remember(db, plan(db, run=f"{n:x}" * 32))
    assert len(plan_files(db)) == KEPT
    newest = recall(db)
    assert newest is not None and newest.runs == (f"{KEPT + 2:x}" * 32,)
    forget_plan(db, newest)
    before = recall(db)
    assert before is not None and before.runs == (f"{KEPT + 1:x}" * 32,)


def test_without_a_plan_there_is_nothing_to_go_on_with(db: Path) -> None:
    assert recall(db) is None
    with pytest.raises(UsageError, match="nothing to go on with"):
        go_on(Wanted(db=db), frozenset())


def test_plans_of_other_databases_are_not_ours(db: Path) -> None:
    remember(db.with_name("r.db.plan-old.db"), plan(db))
    remember(db.with_name("rxdb"), plan(db))
    assert recall(db.with_name("r[.]db")) is None and plan_files(db.with_name("q.db")) == []
