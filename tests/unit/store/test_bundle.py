"""Cutting, sealing and reading bundles: what leaves, in which order, the same bytes every time, nothing lost."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe.model.errors import StoreError
from probe.model.measurement import Measurement
from probe.model.observation import Blob
from probe.model.vantage import Vantage
from probe.store.bundle import acknowledge, cuts, open_bundle, seal_cut, take_bundle
from probe.store.keys import signing_key
from probe.store.scrub import MARK, Scrubber
from probe.store.sqlite import Store
from probe.wire.bundle import Receipt, read_rows
from probe.wire.facts import FACT_ORDER, ObservationRow
from probe.wire.signed import signed
from tests.unit.store.facts import contents, fill, measured, name, sitting

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
NOTHING = Scrubber()


def receipt(bundle: str) -> Receipt:
    fields = {"receipt": 1, "bundle": bundle, "received_at": "2026-11-25T00:00:00Z", "taken": 1, "known": 0}
    return signed(Receipt, {**fields, "quarantined": 0}, KEY)


def test_a_bundle_carries_the_facts_to_another_database(tmp_path: Path) -> None:
    db = fill(tmp_path / "a.db", sitting([1, 2, 3]))
    with Store.open(db) as store, Store.open(tmp_path / "b.db") as other:
        (cut,) = cuts(store)
        sealed = seal_cut(store, cut, KEY, NOTHING, tmp_path / "x.vpb")
        taken, added = take_bundle(other, sealed.path)
        assert taken == sealed.name and added.taken == sum(sealed.manifest.counts.values())
        assert take_bundle(other, sealed.path)[1].taken == 0
    assert contents(tmp_path / "b.db") == contents(db)


def test_the_same_facts_and_key_give_the_same_bytes(tmp_path: Path) -> None:
    rows = sitting([3, 1, 2])
    texts = []
    for number, order in enumerate((rows, rows[:4] + rows[4:][::-1])):
        with Store.open(fill(tmp_path / f"{number}.db", order)) as store:
            texts.append(seal_cut(store, cuts(store)[0], KEY, NOTHING, tmp_path / "x.vpb").path.read_bytes())
    assert texts[0] == texts[1]


def test_rows_come_in_bundle_order_and_the_file_is_private(tmp_path: Path) -> None:
    with Store.open(fill(tmp_path / "a.db", sitting([1, 2]))) as store:
        path = seal_cut(store, cuts(store)[0], KEY, NOTHING, tmp_path / "x.vpb").path
    tables = [FACT_ORDER[type(row)] for row in read_rows([path.read_bytes()])]
    assert tables == sorted(tables, key=list(FACT_ORDER.values()).index)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_only_finished_and_unsent_measurements_leave(tmp_path: Path) -> None:
    rows = [*sitting([1, 2]), *measured(3, ended=False)]
    with Store.open(fill(tmp_path / "a.db", rows)) as store:
        (cut,) = cuts(store)
        assert set(cut.measurements) == {name(n) for n in (1, 1001, 2, 1002)}
        sealed = seal_cut(store, cut, KEY, NOTHING, tmp_path / "x.vpb")
        assert cuts(store) == [cut], "sealing alone is not sending"
        acknowledge(store, receipt(sealed.name), "https://c.example", cut.measurements)
        assert cuts(store) == []
        everything = {m for c in cuts(store, everything=True) for m in c.measurements}
        assert everything == {name(n) for n in (1, 1001, 2, 1002, 3)}


def test_a_control_that_came_late_leaves_with_the_measurement_it_answers(tmp_path: Path) -> None:
    with Store.open(fill(tmp_path / "a.db", sitting([1]))) as store:
        acknowledge(store, receipt("a" * 64), "https://c.example", cuts(store)[0].measurements)
        for row in measured(2001, run=900, answers=1):
            store.append(row)
        (cut,) = cuts(store)
        assert cut == (type(cut))(name(1), (name(1), name(2001)))


def test_vantage_points_are_not_tied_together_by_a_bundle(tmp_path: Path) -> None:
    rows = [*sitting([1]), *(r for r in sitting([2], vantage=2, run=2) if r not in sitting([]))]
    with Store.open(fill(tmp_path / "a.db", rows)) as store:
        found = cuts(store)
        assert [c.vantage_id for c in found] == [name(1), name(2)]
        sealed = seal_cut(store, found[0], KEY, NOTHING, tmp_path / "x.vpb")
        inside = [r for r in read_rows([sealed.path.read_bytes()]) if isinstance(r, Vantage) and r.role == "field"]
        assert [v.vantage_id for v in inside] == [name(1)]


def test_a_full_bundle_stays_the_same_when_more_is_measured(tmp_path: Path) -> None:
    with Store.open(fill(tmp_path / "a.db", sitting([1, 2, 3]))) as store:
        first = cuts(store, most=2)[0]
        before = seal_cut(store, first, KEY, NOTHING, tmp_path / "x.vpb").name
        for row in measured(4):
            store.append(row)
        assert seal_cut(store, cuts(store, most=2)[0], KEY, NOTHING, tmp_path / "x.vpb").name == before


def test_what_leaves_is_scrubbed_again_and_names_its_changed_blobs(tmp_path: Path) -> None:
    rows = sitting([1], note="seen from 203.0.113.77")
    with Store.open(fill(tmp_path / "a.db", rows)) as store:
        path = seal_cut(store, cuts(store)[0], KEY, Scrubber(["203.0.113.77"]), tmp_path / "x.vpb").path
    out = list(read_rows([path.read_bytes()]))
    details = [row.detail for row in out if isinstance(row, ObservationRow)]
    assert any(MARK in text for text in details)
    assert "203.0.113.77" not in repr(out)
    blobs = {row.sha256 for row in out if isinstance(row, Blob)}
    assert all(any(sha in text for text in details) for sha in blobs)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX resource limits")
def test_a_full_disk_leaves_no_half_bundle(tmp_path: Path) -> None:
    db = fill(tmp_path / "a.db", sitting(range(1, 40), note="x" * 500))
    code = f"""
import resource, signal, sys
from pathlib import Path
from tests.unit.store.test_bundle import KEY, NOTHING, StoreError, Store, cuts, seal_cut
with Store.open({str(db)!r}, writable=False) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    try:
        seal_cut(store, cuts(store)[0], KEY, NOTHING, Path({str(tmp_path / "x.vpb")!r}))
    except StoreError as error:
        sys.exit(f"said: {{error}}")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert "said:" in done.stderr and "too large" in done.stderr
    assert [p.name for p in tmp_path.iterdir() if ".vpb" in p.name] == []


def test_keys_are_made_once_and_are_private(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "v.pem"
    first, again = signing_key(path), signing_key(path)
    assert first.private_bytes_raw() == again.private_bytes_raw()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(StoreError, match="others can read"):
        signing_key(path)


def test_opening_tells_name_and_manifest(tmp_path: Path) -> None:
    with Store.open(fill(tmp_path / "a.db", sitting([1]))) as store:
        sealed = seal_cut(store, cuts(store)[0], KEY, NOTHING, tmp_path / "x.vpb")
        newest = max(m.started_at for m in store.rows(Measurement))
    assert open_bundle(sealed.path) == (sealed.name, sealed.manifest)
    assert sealed.manifest.created_at == newest
