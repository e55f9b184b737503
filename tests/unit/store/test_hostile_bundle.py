"""Bundles made to do harm: each is refused in one line, and nothing of it is in the database afterwards."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe.model.errors import BundleError
from probe.store.bundle import take_bundle
from probe.store.sqlite import Store
from probe.wire.bundle import Limits, manifest_for, read_receipt, seal, verify_bundle
from probe.wire.codec import encode
from probe.wire.facts import FACT_ORDER, canonical, fact_line
from tests.unit.store.facts import contents, name, sitting

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
WHEN = "2026-11-24T10:00:00Z"
VANTAGE = {"fact": "vantage", "vantage_id": name(1), "role": "field"}
RUN = {"fact": "run", "run_id": name(1), "vantage_id": name(1), "started_at": WHEN}
MEASUREMENT = {"fact": "measurement", "measurement_id": name(1), "run_id": name(1), "url": "https://x.example/",
               "checks": "web", "started_at": WHEN}  # fmt: skip
OBSERVATION = {"fact": "observation", "measurement_id": name(1), "seq": 0, "kind": "tcp.connect", "detail": {}}
DEEP = '{"a":' * 100_000 + "1" + "}" * 100_000
SHALLOW_BUT_DEEP = '{"a":' * 60 + "1" + "}" * 60


def honest() -> list[bytes]:
    rows = sorted(sitting([1, 2]), key=lambda row: list(FACT_ORDER).index(type(row)))
    return [fact_line(row).encode() for row in rows]


def fields(lines: Iterable[bytes]) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for line in lines:
        try:
            table = json.loads(line)["fact"]
        except (ValueError, RecursionError, KeyError, TypeError):
            continue
        if table in FACT_ORDER.values():
            counts[table] = counts.get(table, 0) + 1
    return {"schema": 1, "software": "x", "version": "0", "created_at": WHEN, "counts": counts}


def sealed(lines: list[bytes], **changed: Any) -> bytes:
    """A bundle of these lines whose signature and digest are right, whatever the lines are."""
    digest = hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()
    return b"".join(seal(lines, {**fields(lines), **changed}, digest, KEY))


def with_manifest(lines: list[bytes], change: Callable[[dict[str, Any]], None]) -> bytes:
    digest = hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()
    manifest = encode(manifest_for(fields(lines), digest, KEY))
    change(manifest)
    return gzip.compress(b"\n".join([canonical(manifest).encode(), *lines, b""]))


def rows(*values: Any) -> list[bytes]:
    return [value if isinstance(value, bytes) else canonical(value).encode() for value in values]


def with_row(**changed: Any) -> bytes:
    return sealed(rows(VANTAGE, RUN, MEASUREMENT, {**OBSERVATION, **changed}))


GOOD = sealed(honest())
HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "not gzip": b"hello" * 100,
    "gzip of nothing": gzip.compress(b""),
    "gzip of noise": gzip.compress(random.Random(1).randbytes(5000)),
    "cut in the middle": GOOD[: len(GOOD) // 2],
    "cut by one byte": GOOD[:-1],
    "something behind": GOOD + b"x",
    "another gzip member behind": GOOD + gzip.compress(b"more\n"),
    "bomb of zeros": gzip.compress(b"0" * 60_000_000),
    "bomb behind a manifest": gzip.compress(gzip.decompress(GOOD) + b" " * 60_000_000),
    "bomb of newlines": gzip.compress(gzip.decompress(GOOD) + b"\n" * 60_000_000),
    "wrong digest": with_manifest(honest(), lambda m: m.update(digest="0" * 64)),
    "changed count": with_manifest(honest(), lambda m: m["counts"].update(blob=1)),
    "foreign key": with_manifest(honest(), lambda m: m.update(key="1" * 64)),
    "malformed key": with_manifest(honest(), lambda m: m.update(key="zz")),
    "no signature": with_manifest(honest(), lambda m: m.pop("signature")),
    "zero signature": with_manifest(honest(), lambda m: m.update(signature="0" * 128)),
    "unsigned extra field": with_manifest(honest(), lambda m: m.update(extra=1)),
    "a list as manifest": gzip.compress(b"[]\n"),
    "newer format": with_manifest(honest(), lambda m: m.update(bundle=2)),
    "newer schema": sealed(honest(), schema=99),
    "text for a number": with_row(seq="0"),
    "truth for a number": with_row(seq=True),
    "number beyond SQLite": with_row(seq=2**70),
    "float for a number": with_row(seq=1.0),
    "negative seq": with_row(seq=-1),
    "port too high": with_row(port=70_000),
    "list for text": with_row(host=["x"]),
    "half a surrogate pair": sealed([*rows(VANTAGE, RUN, MEASUREMENT), canonical(OBSERVATION).encode()[:-1]
                                     + b',"host":"\\ud800"}']),
    "kind with a quote": with_row(kind="x';--"),
    "detail of another shape": with_row(detail={"info": 5}),
    "infinity in a detail": sealed([*rows(VANTAGE, RUN, MEASUREMENT),
                                    canonical(OBSERVATION).replace('"detail":{}', '"detail":{"x":1e999}').encode()]),
    "NaN in a detail": sealed([*rows(VANTAGE, RUN, MEASUREMENT),
                               canonical(OBSERVATION).replace('"detail":{}', '"detail":{"x":NaN}').encode()]),
    "very deep JSON": sealed([*rows(VANTAGE), DEEP.encode()]),
    "rather deep JSON": sealed([*rows(VANTAGE, RUN, MEASUREMENT), canonical({**OBSERVATION, "kind": "x"}).replace(
        '"detail":{}', f'"detail":{SHALLOW_BUT_DEEP}').encode()]),
    "huge line": sealed([*rows(VANTAGE), b'{"fact":"' + random.Random(2).randbytes(4_000_000).hex().encode() + b'"}']),
    "huge number": sealed([*rows(VANTAGE), b'{"fact":"run","run_id":' + b"9" * 10_000 + b"}"]),
    "not UTF-8": sealed([*rows(VANTAGE), b'{"fact":"run","run_id":"\xff"}']),
    "unknown table": sealed(rows({"fact": "sent", "measurement_id": name(1)})),
    "opinion": sealed(rows({"fact": "verdict", "measurement_id": name(1)})),
    "id with a path": sealed(rows({**VANTAGE, "vantage_id": "../../etc/passwd"})),
    "time that is none": sealed(rows(VANTAGE, {**RUN, "started_at": "yesterday"})),
    "run of nobody": sealed(rows({**RUN, "vantage_id": name(7)})),
    "measurement of no run": sealed(rows(VANTAGE, RUN, {**MEASUREMENT, "run_id": name(7)})),
    "observation of nothing": sealed(rows(VANTAGE, RUN, OBSERVATION)),
    "out of order": sealed(rows(VANTAGE, MEASUREMENT, RUN)),
    "blob with another digest": sealed(rows({"fact": "blob", "sha256": "0" * 64, "media": "a/b", "data": "AAAA"})),
    "blob that is not base64": sealed(rows({"fact": "blob", "sha256": "0" * 64, "media": "a/b", "data": "~"})),
    "blob with the store's own mark": sealed(rows({"fact": "blob", "sha256": hashlib.sha256(b"").hexdigest(),
                                                   "media": "text/html;z=zlib", "data": ""})),
    "fewer rows than counted": sealed(rows(VANTAGE), counts={"vantage": 2}),
    "counts of nonsense": sealed(rows(VANTAGE), counts={"vantage": 1, "sqlite_master": 1}),
    "negative counts": sealed(rows(VANTAGE), counts={"vantage": 1, "run": -1}),
    "empty line": sealed([*rows(VANTAGE), b""]),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_bundle_takes_nothing_with_it(what: str, tmp_path: Path) -> None:
    path = tmp_path / "x.vpb"
    path.write_bytes(HOSTILE[what])
    with Store.open(tmp_path / "c.db") as store:
        tracemalloc.start()
        with pytest.raises(BundleError) as caught:
            take_bundle(store, path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
    assert not any(contents(tmp_path / "c.db").values())
    assert peak < 120_000_000


def test_the_honest_one_is_taken(tmp_path: Path) -> None:
    (tmp_path / "x.vpb").write_bytes(GOOD)
    with Store.open(tmp_path / "c.db") as store:
        assert take_bundle(store, tmp_path / "x.vpb")[1].taken == len(honest())


def test_every_cut_and_any_flipped_byte_is_noticed() -> None:
    for end in range(0, len(GOOD), 97):
        with pytest.raises(BundleError):
            verify_bundle([GOOD[:end]])
    chance = random.Random(3)
    for _ in range(200):
        at = chance.randrange(10, len(GOOD))
        flipped = GOOD[:at] + bytes([GOOD[at] ^ 1 << chance.randrange(8)]) + GOOD[at + 1 :]
        with pytest.raises(BundleError):
            verify_bundle([flipped])


def test_any_chunking_reads_the_same() -> None:
    one = verify_bundle([GOOD])
    assert verify_bundle([GOOD[i : i + 1] for i in range(len(GOOD))]) == one


def test_limits_are_kept() -> None:
    for limits in (Limits(packed=100), Limits(plain=1000), Limits(lines=3), Limits(line=50)):
        with pytest.raises(BundleError):
            verify_bundle([GOOD], limits)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"receipt":1}', "x" * 20_000, '{"receipt":1,"run":"rm"}'])
def test_a_receipt_that_is_none(text: str) -> None:
    with pytest.raises(BundleError):
        read_receipt(text)
