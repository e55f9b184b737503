"""Merging is a union: the order of databases, repetition and grouping do not change what comes out."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from probe.model.measurement import Measurement
from probe.model.observation import Blob
from probe.model.vantage import Run, Vantage
from probe.store.sqlite import Store
from probe.store.union import Added, Source, add_rows, digest_of, every_fact, merge
from probe.wire.facts import ObservationRow, Row, canonical
from tests.unit.store.facts import name, page

# Few ids and few values, so that the same row, and contradicting rows, are met often.
SMALL = st.integers(0, 3)
WHEN = "2026-11-24T10:00:00Z"
VANTAGES = st.builds(lambda n, cc: Vantage(name(n), "field", cc=cc), SMALL, st.sampled_from(["PK", "IN"]))
RUNS = st.builds(lambda n, v: Run(name(n), name(v), WHEN), SMALL, SMALL)
MEASUREMENTS = st.builds(lambda n, u: Measurement(name(n), name(0), f"http://{u}/", "web", WHEN), SMALL, SMALL)
OBSERVATIONS = st.builds(
    lambda n, seq, x: ObservationRow(name(n), seq, "x", canonical({"x": x})), SMALL, st.integers(0, 2), SMALL
)
BLOBS = st.builds(
    lambda n, media: Blob(page(str(n)).sha256, media, page(str(n)).data), SMALL, st.sampled_from(["a/a", "b/b"])
)
ROWS = st.one_of(VANTAGES, RUNS, MEASUREMENTS, OBSERVATIONS, BLOBS)
DATABASES = st.lists(st.lists(ROWS, max_size=12), min_size=1, max_size=4)


def source(label: str, rows: list[Row]) -> Source:
    return label, lambda: iter(rows)


def merged(*groups: list[Row]) -> tuple[list[Row], set[str], Added]:
    """Facts, digests in quarantine, and the counts, of a merge of these rows."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out.db")
        added = merge([source(f"{n}.db", rows) for n, rows in enumerate(groups)], out)
        with Store.open(out, create=False, writable=False) as store:
            facts = sorted(every_fact(store), key=repr)
            return facts, {d for (d,) in store.query("SELECT digest FROM quarantine")}, added


slow = settings(deadline=None, max_examples=40)


@slow
@given(DATABASES, st.randoms(use_true_random=False))
def test_order_does_not_matter(groups: list[list[Row]], chance: object) -> None:
    shuffled = [list(rows) for rows in groups]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    for rows in shuffled:
        chance.shuffle(rows)  # type: ignore[attr-defined]
    assert merged(*groups)[:2] == merged(*shuffled)[:2]


@slow
@given(DATABASES)
def test_repetition_does_not_matter(groups: list[list[Row]]) -> None:
    facts, quarantined, added = merged(*groups)
    again = merged(*groups, *groups)
    assert again[:2] == (facts, quarantined)
    assert (again[2].taken, again[2].quarantined) == (added.taken, added.quarantined)
    assert merged(facts)[0] == facts


@slow
@given(DATABASES)
def test_grouping_does_not_matter(groups: list[list[Row]]) -> None:
    whole = merged(*groups)[0]
    first = merged(*groups[: len(groups) // 2])[0] if len(groups) > 1 else []
    assert merged(first, *groups[len(groups) // 2 :])[0] == whole


@slow
@given(DATABASES)
def test_nothing_is_lost_and_nothing_is_made_up(groups: list[list[Row]]) -> None:
    facts, quarantined, _ = merged(*groups)
    rows = [row for group in groups for row in group]
    blobs = {row.sha256 for row in rows if isinstance(row, Blob)}
    assert {row.sha256 for row in facts if isinstance(row, Blob)} == blobs
    given_digests = {digest_of(row) for row in rows if not isinstance(row, Blob)}
    kept = {digest_of(row) for row in facts if not isinstance(row, Blob)}
    assert kept | quarantined == given_digests
    assert not kept & quarantined


def sound(rows: list[Row]) -> Iterator[Row]:
    """The rows with everything they refer to in front."""
    yield from (Vantage(name(n), "field") for n in range(4))
    yield from (Run(name(n), name(n), WHEN) for n in range(4))
    yield from (Measurement(name(n), name(0), "http://sound/", "web", WHEN) for n in range(4))
    yield from (row for row in rows if isinstance(row, ObservationRow | Blob))


@slow
@given(DATABASES)
def test_appending_twice_is_appending_once_and_never_changes_a_fact(groups: list[list[Row]]) -> None:
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder, "c.db")) as store:
        seen: list[Row] = []
        for turn, rows in enumerate(itertools.chain(groups, groups)):
            added = add_rows(store, sound(rows), f"{turn % len(groups)}", "a" * 64)
            now = list(every_fact(store))
            assert all(row in now for row in seen)
            assert turn < len(groups) or added.taken == 0
            seen = now


@given(SMALL)
def test_only_the_key_that_brought_a_measurement_adds_to_it(number: int) -> None:
    row = ObservationRow(name(number), 0, "x")
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder, "c.db")) as store:
        add_rows(store, sound([row]), "first", "a" * 64)
        more = replace(row, seq=1)
        assert add_rows(store, sound([row, more]), "second", "b" * 64).quarantined == 1
        # Having repeated it is no right to add to it later.
        assert add_rows(store, sound([row, replace(row, seq=2)]), "third", "b" * 64).quarantined == 1
        assert add_rows(store, sound([row, replace(row, seq=2)]), "unsigned", "").quarantined == 1
        assert add_rows(store, sound([row, more]), "fourth", "a" * 64).taken == 1
        assert len(store.observations(name(number))) == 2
