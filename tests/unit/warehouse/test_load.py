from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from probe.model.errors import StoreError, UsageError
from probe.warehouse.load import Warehouse, find_databases, network_label
from tests.unit.report.world import OK, RESET, START, VOLUNTEERS, WSWS, Book, book, campaign, fine_facts, reset_facts


def small(path: Path, judged: bool = True) -> str:
    one: Book = book(path)
    mid = one.measure(VOLUNTEERS[0], WSWS, START, RESET if judged else None, reset_facts(), fine_facts())
    one.close()
    return mid


def test_a_measurement_comes_home_with_its_facts_and_its_control(tmp_path: Path) -> None:
    mid = small(tmp_path / "a.db")
    with Warehouse.open([tmp_path / "a.db"], {17557: "PTCL"}) as warehouse:
        (one,) = warehouse.corpus.judged
        facts = warehouse.evidence(mid)
        assert (one.network, one.target) == ("AS17557 PTCL", WSWS)
        assert one.headline and one.headline.techniques == ("tls.reset.sni",)
        assert len(facts.own) == 3 and len(facts.controls) == 1


def test_order_and_copies_change_nothing(tmp_path: Path) -> None:
    paths = campaign(tmp_path / "c")
    copy = tmp_path / "copy.db"
    shutil.copy(paths[0], copy)
    with (
        Warehouse.open([*paths, paths[0]]) as a,
        Warehouse.open([tmp_path / "c"]) as b,
        Warehouse.open(paths[::-1]) as c,
    ):
        assert a.corpus == b.corpus == c.corpus
    with Warehouse.open([*paths, copy]) as d:
        assert d.corpus.judged == a.corpus.judged and d.corpus.conflicts == 0


def test_unreadable_files_are_named_and_the_others_counted(tmp_path: Path) -> None:
    small(tmp_path / "good.db")
    (tmp_path / "bad.db").write_bytes(b"not a database at all" * 100)
    with Warehouse.open([tmp_path]) as warehouse:
        bad = [i for i in warehouse.corpus.inputs if i.error]
        assert [i.name for i in bad] == ["bad.db"] and len(warehouse.corpus.judged) == 1
        assert str(tmp_path) not in bad[0].error


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.db").write_bytes(b"x" * 4096)
    with pytest.raises(StoreError, match="bad.db"):
        Warehouse.open([tmp_path])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no"):
        find_databases([tmp_path / "empty"])


def test_not_judged_is_kept_apart(tmp_path: Path) -> None:
    small(tmp_path / "a.db", judged=False)
    with Warehouse.open([tmp_path / "a.db"]) as warehouse:
        assert not warehouse.corpus.judged and len(warehouse.corpus.unjudged) == 1


def test_the_greatest_ruleset_is_chosen(tmp_path: Path) -> None:
    mid = small(tmp_path / "a.db")
    one = book(tmp_path / "a.db")
    one.verdicts = [(mid, "headline", "2026.2", "cd" * 32, "ok", None, "X", "X", "", None, None, "{}")]
    one.close()
    with Warehouse.open([tmp_path / "a.db"]) as warehouse:
        assert warehouse.corpus.ruleset == "2026.2" and len(warehouse.corpus.rulesets) == 2
        assert [j.headline.outcome for j in warehouse.corpus.judged if j.headline] == ["ok"]


def test_digest_is_of_the_facts_and_not_of_the_verdicts(tmp_path: Path) -> None:
    small(tmp_path / "a.db")
    small(tmp_path / "b.db", judged=False)
    with Warehouse.open([tmp_path / "a.db", tmp_path / "b.db"]) as warehouse:
        a, b = warehouse.corpus.inputs
        assert a.digest == b.digest != ""


def test_canary_measurements_are_no_targets(tmp_path: Path) -> None:
    one = book(tmp_path / "a.db")
    mid = one.measure(VOLUNTEERS[0], WSWS, START, OK)
    one.store.flush()
    one.store.query("SELECT 1")
    sql = (
        "INSERT INTO measurement SELECT ?, run_id, 'https://canary.example/', 'line', started_at, NULL FROM measurement"
    )
    one.store.write(sql, [("0" * 32,)])
    one.close()
    with Warehouse.open([tmp_path / "a.db"]) as warehouse:
        assert [j.measurement_id for j in warehouse.corpus.judged] == [mid] and warehouse.corpus.canaries == 1


@pytest.mark.parametrize(("asn", "label"), [(17557, "AS17557 PTCL"), (64500, "AS64500"), (None, "unknown network")])
def test_network_label(asn: int | None, label: str) -> None:
    assert network_label(asn, {17557: "PTCL"}) == label
