"""Databases to a corpus: read-only, any number, in any order, with the same result.

A file that cannot be read is named in `Corpus.inputs` with the reason, and the others are still counted. When a
measurement occurs in several files it counts once. Databases of strangers come through the collector or `probe merge`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from probe.model.corpus import HEADLINE, Corpus, Evidence, Input, Judged, Opinion
from probe.model.errors import BundleError, StoreError, TargetError, UsageError
from probe.model.observation import Observation
from probe.model.outcome import LAYERS, OUTCOMES, Outcome
from probe.model.target import parse_target
from probe.model.vantage import Vantage
from probe.store.schema import FACT_TABLES
from probe.store.sqlite import Store
from probe.wire.facts import canonical, load_object, observation_of

UNKNOWN_NETWORK = "unknown network"
_MAX_NAME = 60
_MAX_TARGET = 512
_JUDGED_LAYERS = frozenset((*LAYERS, HEADLINE))

_FIELD_SQL = """
SELECT m.measurement_id, m.run_id, m.url, m.checks, m.started_at,
       v.vantage_id, v.role, v.cc, v.asn, v.place, v.access, v.gateway, v.who_says,
       v.resolver_asn, v.software, v.version, v.platform
FROM measurement m JOIN run r ON r.run_id = m.run_id JOIN vantage v ON v.vantage_id = r.vantage_id
WHERE m.answers IS NULL AND v.role = 'field'
"""
_VERDICT_SQL = """
SELECT measurement_id, layer, outcome, technique, reason, rule_id, locus, witness, detail
FROM verdict WHERE ruleset = ? AND reference = ? ORDER BY measurement_id, layer
"""


def find_databases(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The databases named, and for a directory all *.db in it, each once. Raises UsageError when there are none."""
    found: dict[Path, Path] = {}
    for path in paths:
        inside = sorted(path.glob("*.db")) if path.is_dir() else [path]
        if not inside:
            raise UsageError(f"{path}: holds no *.db")
        for one in inside:
            found.setdefault(one.resolve(), one)
    if not found:
        raise UsageError("name at least one database or directory")
    return tuple(found.values())


def network_label(asn: int | None, names: Mapping[int, str]) -> str:
    """What a network is called in cells: "AS17557 PTCL", "AS64500", or "unknown network"."""
    if asn is None:
        return UNKNOWN_NETWORK
    name = names.get(asn, "")
    return f"AS{asn} {name[:_MAX_NAME]}".rstrip()


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What one readable database gave."""

    store: Store
    digest: str
    pairs: tuple[tuple[str, str, int], ...]
    fields: tuple[Judged, ...]
    canaries: frozenset[str]


class Warehouse:
    """Open databases, their corpus, and the way back to the facts. Close it, or use it in a `with` block."""

    def __init__(self, corpus: Corpus, stores: Sequence[Store]) -> None:
        self.corpus, self._stores = corpus, tuple(stores)

    @classmethod
    def open(cls, paths: Iterable[Path], names: Mapping[int, str] | None = None) -> Warehouse:
        """Read databases and directories; `names` gives the names of networks by number. Raises UsageError when no
        path holds a database, StoreError when none of them can be read."""
        shelves: list[tuple[Path, _Shelf]] = []
        broken: list[Input] = []
        for path in find_databases(paths):
            try:
                shelves.append((path, _read(path, names or {})))
            except StoreError as error:
                broken.append(Input(path.name, error=str(error).replace(str(path), path.name)))
        if not shelves:
            raise StoreError("; ".join(one.error for one in broken))
        corpus = _merge(shelves, broken)
        return cls(corpus, [shelf.store for _, shelf in shelves])

    def evidence(self, measurement_id: str) -> Evidence:
        """The facts of a measurement, and those of the controls that answered for it, from whichever file has them."""
        own = self._facts(measurement_id)
        controls = {cid: self._facts(cid) for cid in self._controls_of(measurement_id)}
        return Evidence(own, tuple(sorted(controls.items())))

    def blob(self, sha256: str) -> bytes | None:
        """Stored bytes by digest; None when no file has them, or they are damaged."""
        for store in self._stores:
            try:
                found = store.blob(sha256)
            except StoreError:
                continue
            if found is not None and hashlib.sha256(found.data).hexdigest() == sha256:
                return found.data
        return None

    def _facts(self, measurement_id: str) -> tuple[Observation, ...]:
        for store in self._stores:
            rows = store.observations(measurement_id)
            if rows:
                return tuple(_understood(rows))
        return ()

    def _controls_of(self, measurement_id: str) -> set[str]:
        sql = "SELECT measurement_id FROM measurement WHERE answers = ?"
        return {row[0] for store in self._stores for row in store.query(sql, (measurement_id,))}

    def close(self) -> None:
        for store in self._stores:
            store.close()

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _understood(rows: Iterable[Any]) -> Iterator[Observation]:
    """Rows whose detail fits its kind. A detail that does not is no evidence that a person could look at."""
    for row in rows:
        try:
            yield observation_of(row)
        except BundleError:
            continue


def _read(path: Path, names: Mapping[int, str]) -> _Shelf:
    store = Store.open(path, create=False, writable=False)
    try:
        pairs = store.query("SELECT ruleset, reference, COUNT(*) FROM verdict GROUP BY 1, 2")
        fields, canaries = [], set()
        for mid, run_id, url, checks, started_at, *vantage in store.query(_FIELD_SQL):
            if checks == "line":
                canaries.add(mid)
                continue
            who = Vantage(*vantage)
            fields.append(Judged(mid, run_id, _normal(url), url, started_at, who, network_label(who.asn, names)))
        return _Shelf(store, facts_digest(store), tuple(pairs), tuple(fields), frozenset(canaries))
    except StoreError:
        store.close()
        raise


def _normal(url: str) -> str:
    try:
        return parse_target(url).normal
    except TargetError:
        return url[:_MAX_TARGET]


def facts_digest(store: Store) -> str:
    """SHA-256 over all facts in key order, one canonical JSON array a row; blobs by their digest and size. Equal for
    equal facts, whatever the order they were written in and however the file is laid out."""
    digest = hashlib.sha256()
    for table in FACT_TABLES:
        columns = [c.name for c in table.columns if c.type != "blob"]
        # The media column tells how a blob happens to be compressed, which is no fact.
        columns = [name for name in columns if not (table.name == "blob" and name == "media")]
        for row in store.stream(f"SELECT {', '.join(columns)} FROM {table.name} ORDER BY {', '.join(table.key)}"):
            digest.update(canonical([table.name, *row]).encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def _choose(shelves: Sequence[_Shelf]) -> tuple[tuple[str, str], tuple[tuple[str, str], ...]]:
    """The ruleset greatest in text order, with the reference that judged most under it (greatest among equals)."""
    met: Counter[tuple[str, str]] = Counter()
    for shelf in shelves:
        for ruleset, reference, count in shelf.pairs:
            met[ruleset, reference] += count
    if not met:
        return ("", ""), ()
    newest = max(ruleset for ruleset, _ in met)
    chosen = max((pair for pair in met if pair[0] == newest), key=lambda pair: (met[pair], pair))
    return chosen, tuple(sorted(met))


def _merge(shelves: Sequence[tuple[Path, _Shelf]], broken: Iterable[Input]) -> Corpus:
    (ruleset, reference), met = _choose([shelf for _, shelf in shelves])
    union: dict[str, Judged] = {}
    canaries: set[str] = set()
    inputs, conflicts = list(broken), set()
    for path, shelf in shelves:
        opinions = _opinions(shelf.store, ruleset, reference)
        canaries |= shelf.canaries
        judged = 0
        for bare in shelf.fields:
            one = replace(bare, opinions=opinions.get(bare.measurement_id, ()))
            judged += one.headline is not None
            kept = union.setdefault(one.measurement_id, one)
            if replace(kept, opinions=()) != replace(one, opinions=()):
                conflicts.add(one.measurement_id)
            union[one.measurement_id] = min(kept, one, key=_preference)
        inputs.append(Input(path.name, shelf.digest, len(shelf.fields), judged))
    everything = sorted(union.values(), key=lambda one: (one.started_at, one.measurement_id))
    return Corpus(
        inputs=tuple(sorted(inputs, key=lambda i: (i.digest, i.name, i.error))),
        ruleset=ruleset,
        reference=reference,
        rulesets=met,
        judged=tuple(one for one in everything if one.headline),
        unjudged=tuple(one for one in everything if not one.headline),
        canaries=len(canaries),
        conflicts=len(conflicts),
    )


def _preference(one: Judged) -> tuple[bool, str]:
    """Of two copies the judged one; else an arbitrary but fixed choice, so that the order of files never matters."""
    return one.headline is None, repr(one)


def _opinions(store: Store, ruleset: str, reference: str) -> dict[str, tuple[Opinion, ...]]:
    found: dict[str, list[Opinion]] = {}
    for mid, layer, outcome, technique, reason, rule, locus, witness, detail in store.stream(
        _VERDICT_SQL, (ruleset, reference)
    ):
        # A word of a newer vocabulary is no word of ours: better not judged than misread.
        if outcome not in OUTCOMES or layer not in _JUDGED_LAYERS:
            continue
        opinion = Opinion(
            layer, cast(Outcome, outcome), tuple((technique or "").split()), reason, rule, locus,
            tuple(_pairs(witness)), _object(detail),
        )  # fmt: skip
        found.setdefault(mid, []).append(opinion)
    return {mid: tuple(rows) for mid, rows in found.items()}


def _pairs(text: str) -> Iterator[tuple[str, int]]:
    for word in text.split():
        mid, _, seq = word.rpartition(":")
        if mid and seq.isascii() and seq.isdigit():
            yield mid, int(seq)


def _object(text: str) -> Mapping[str, Any]:
    try:
        return load_object(text)
    except BundleError:
        return {}
