"""Cutting a bundle out of a database, and taking one in.

What leaves: measurements that are concluded and not yet acknowledged, the control measurements that answer for them,
the runs and vantage points they belong to, and the blobs they name; each row scrubbed again. One bundle holds one field
vantage point, so that the places of a volunteer who moved are not tied together by whoever receives it.

The oldest come first and a bundle holds at most `most` measurements. So a bundle whose sending was cut is the same when
it is cut again, though more was measured meanwhile, and its upload can be resumed.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe import __version__
from probe.model.errors import BundleError
from probe.model.kinds import ControlAsk
from probe.model.measurement import Measurement
from probe.model.observation import Blob
from probe.model.vantage import Run, Vantage
from probe.store.files import whole_file
from probe.store.schema import FACT_VERSION
from probe.store.sqlite import Store, insert_statement
from probe.store.union import Added, add_rows, table_of
from probe.wire.bundle import (
    DEFAULT_LIMITS,
    Limits,
    Manifest,
    Receipt,
    manifest_for,
    name_of,
    read_manifest,
    read_rows,
    seal,
    verify_bundle,
)
from probe.wire.codec import encode
from probe.wire.facts import Row, canonical, fact_line, is_media
from probe.wire.voucher import Voucher

SUFFIX = ".vpb"
MOST = 500
_CHUNK = 65_536
_DIGEST = re.compile(r"[0-9a-f]{64}")
_OWNER = (
    "SELECT m.measurement_id, coalesce(fr.vantage_id, r.vantage_id) AS owner, m.answers, m.started_at "
    "FROM measurement m JOIN run r ON r.run_id = m.run_id "
    "LEFT JOIN measurement f ON f.measurement_id = m.answers LEFT JOIN run fr ON fr.run_id = f.run_id"
)
_ENDED = "EXISTS (SELECT 1 FROM observation o WHERE o.measurement_id = x.measurement_id AND o.kind = 'measurement.end')"
_UNSENT = "NOT EXISTS (SELECT 1 FROM sent s WHERE s.measurement_id = x.measurement_id)"


@dataclass(frozen=True, slots=True)
class Cut:
    """Which measurements would leave together: the owner's vantage id, and ids in order of time."""

    vantage_id: str
    measurements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A bundle on disk: its file, name (content address), manifest, and the measurements inside."""

    path: Path
    name: str
    manifest: Manifest
    measurements: tuple[str, ...]
    size: int


# ---- cutting ----


def cuts(store: Store, *, everything: bool = False, most: int = MOST) -> list[Cut]:
    """What there is to send, one cut a vantage point and `most` field measurements. `everything` means also what was
    acknowledged, and measurements that were cut off before their end."""
    where = "1" if everything else f"{_UNSENT} AND (answers IS NOT NULL OR {_ENDED})"
    sql = f"SELECT measurement_id, owner, answers FROM ({_OWNER}) x WHERE {where} ORDER BY started_at, measurement_id"
    by_owner: dict[str, list[str]] = {}
    controls: dict[str, list[str]] = {}
    for name, owner, answers in store.query(sql):
        if answers is None:
            by_owner.setdefault(owner, []).append(name)
        else:
            controls.setdefault(answers, []).append(name)
    for answered in () if everything else _already_sent(store, controls):
        # A control that came home after its field measurement had left travels on its own.
        owner = store.query(f"SELECT owner FROM ({_OWNER}) x WHERE measurement_id = ?", (answered,))[0][0]
        by_owner.setdefault(owner, []).append(answered)
    out = []
    for owner, names in sorted(by_owner.items()):
        for start in range(0, len(names), most):
            chunk = names[start : start + most]
            out.append(Cut(owner, tuple(n for name in chunk for n in (name, *controls.get(name, ())))))
    return out


def _already_sent(store: Store, answered: Iterable[str]) -> list[str]:
    return [n for n in answered if store.query("SELECT 1 FROM sent WHERE measurement_id = ?", (n,))]


def rows_of(store: Store, measurements: Iterable[str], scrub: Callable[[Row], Row]) -> Iterator[Row]:
    """The facts of measurements in bundle order, scrubbed. Blobs are scrubbed first, since facts name them."""
    wanted = _with_controls(store, measurements)
    found = [m for name in wanted for m in store.rows(Measurement, "measurement_id = ?", (name,))]
    runs = _in_order(store, Run, "run_id", {m.run_id for m in found})
    vantages = _in_order(store, Vantage, "vantage_id", {run.vantage_id for run in runs})
    blobs = _blob_names(store, [m.measurement_id for m in found])
    renamed = {name for name in blobs if (blob := store.blob(name)) and scrub(blob) is not blob}
    for row in (*vantages, *runs, *sorted(found, key=lambda m: m.measurement_id)):
        yield scrub(row)
    for name in sorted(m.measurement_id for m in found):
        yield from map(scrub, store.observations(name))
    # Two blobs may be equal once they are scrubbed.
    given: set[str] = set()
    for name in blobs:
        blob = store.blob(name)
        clean = scrub(blob) if blob is not None and name in renamed else blob
        if isinstance(clean, Blob) and clean.sha256 not in given:
            given.add(clean.sha256)
            yield clean if is_media(clean.media) else replace(clean, media="application/octet-stream")


def _with_controls(store: Store, measurements: Iterable[str]) -> list[str]:
    """The measurements and those that their facts name as controls (taken from another database)."""
    wanted = dict.fromkeys(measurements)
    sql = "SELECT json_extract(detail, '$.measurement') FROM observation WHERE measurement_id = ? AND kind = ?"
    for name in list(wanted):
        wanted.update(dict.fromkeys(n for (n,) in store.query(sql, (name, ControlAsk.kind)) if isinstance(n, str)))
    return list(wanted)


def _in_order(store: Store, cls: type[Run] | type[Vantage], key: str, names: set[str]) -> list[Run | Vantage]:
    return [row for name in sorted(names) for row in store.rows(cls, f"{key} = ?", (name,))]  # type: ignore[type-var]


def _blob_names(store: Store, measurements: list[str]) -> list[str]:
    """Digests of stored blobs that the observations name, whatever the kind: unknown kinds may have bodies, too."""
    named: set[str] = set()
    for name in measurements:
        for (detail,) in store.stream("SELECT detail FROM observation WHERE measurement_id = ?", (name,)):
            named.update(_DIGEST.findall(detail))
    return sorted(name for name in named if store.query("SELECT 1 FROM blob WHERE sha256 = ?", (name,)))


def preview(store: Store, cut: Cut, scrub: Callable[[Row], Row]) -> Iterator[str]:
    """Every line that would leave, as it would leave (without the manifest)."""
    return (fact_line(row) for row in rows_of(store, cut.measurements, scrub))


def seal_cut(
    store: Store,
    cut: Cut,
    key: Ed25519PrivateKey,
    scrub: Callable[[Row], Row],
    out: Path,
    voucher: Voucher | None = None,
) -> Sealed:
    """Write the bundle of a cut to `out` (mode 0600, whole or not at all). Raises StoreError when it cannot."""
    counts: Counter[str] = Counter()
    sha, newest = hashlib.sha256(), ""
    with whole_file(out) as file, tempfile.TemporaryFile(dir=out.parent) as spool:
        # The digest stands in the first line, so the facts are written down before it can be.
        for row in rows_of(store, cut.measurements, scrub):
            counts[table_of(row)] += 1
            newest = max(newest, row.started_at) if isinstance(row, Measurement) else newest
            line = fact_line(row).encode() + b"\n"
            sha.update(line)
            spool.write(line)
        fields = {
            "schema": FACT_VERSION, "software": "vantage-probe", "version": __version__, "created_at": newest,
            "counts": dict(sorted(counts.items())), "voucher": voucher,
        }  # fmt: skip
        spool.seek(0)
        file.writelines(seal((line[:-1] for line in spool), fields, sha.hexdigest(), key))
    manifest = manifest_for(fields, sha.hexdigest(), key)
    return Sealed(out, name_of(manifest), manifest, cut.measurements, out.stat().st_size)


def acknowledge(store: Store, receipt: Receipt, collector: str, measurements: Iterable[str]) -> None:
    """Keep a receipt and mark what it covers as sent, in one transaction that survives a power cut."""
    store.flush()
    store.db.execute("PRAGMA synchronous = FULL")
    sent = [(name, receipt.bundle) for name in measurements]
    row = (receipt.bundle, collector, receipt.received_at, canonical(encode(receipt)))
    with store.db.atomic():
        store.write(insert_statement("receipt", ignore=True), [row])
        store.write(insert_statement("sent", ignore=True), sent)


# ---- taking ----


def chunks_of(path: Path) -> Iterator[bytes]:
    """A file in pieces. Raises BundleError when it cannot be read."""
    try:
        with path.open("rb") as file:
            yield from _pieces(file)
    except OSError as error:
        raise BundleError(f"{path.name}: {error.strerror}") from None


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_CHUNK):
        yield piece


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hex. Raises BundleError when it cannot be read."""
    sha = hashlib.sha256()
    for piece in chunks_of(path):
        sha.update(piece)
    return sha.hexdigest()


def file_size(path: Path) -> int:
    """Bytes of a file."""
    return path.stat().st_size


def open_bundle(path: Path, limits: Limits = DEFAULT_LIMITS) -> tuple[str, Manifest]:
    """Name and manifest of a bundle whose signature, digest and bounds were checked. Raises BundleError."""
    manifest = verify_bundle(chunks_of(path), limits)
    return name_of(manifest), manifest


def manifest_of(path: Path) -> Manifest:
    """The manifest of a bundle file; only line 1 is read. Raises BundleError."""
    return read_manifest(chunks_of(path))


def measurements_in(path: Path) -> tuple[str, ...]:
    """Ids of the measurements inside a bundle."""
    return tuple(row.measurement_id for row in read_rows(chunks_of(path)) if isinstance(row, Measurement))


def take_bundle(store: Store, path: Path, limits: Limits = DEFAULT_LIMITS) -> tuple[str, Added]:
    """Check a bundle, then add its facts; all or nothing. Returns its name. Raises BundleError, StoreError."""
    name, manifest = open_bundle(path, limits)
    if manifest.schema > FACT_VERSION:
        raise BundleError(f"schema {manifest.schema} is newer than this version knows ({FACT_VERSION})")
    return name, add_rows(store, read_rows(chunks_of(path), limits), name, manifest.key)
