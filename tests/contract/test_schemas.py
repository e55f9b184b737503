"""The published schemas are those of the code, and whatever the code writes or takes keeps to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from probe.model import kinds
from probe.model.errors import BundleError
from probe.model.kinds import KINDS
from probe.store.bundle import cuts, seal_cut
from probe.store.scrub import Scrubber
from probe.store.sqlite import Store
from probe.wire.bundle import Receipt
from probe.wire.codec import encode
from probe.wire.facts import ObservationRow, detail_text, fact_line, parse_fact
from probe.wire.jsonschema import schemas
from probe.wire.signed import signed
from tests.tools.schemas import FOLDER, stale
from tests.unit.store.facts import fill, name, sitting
from tests.unit.store.test_hostile_bundle import MEASUREMENT, OBSERVATION, RUN, VANTAGE

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
FACT = Draft202012Validator(schemas()["fact.schema.json"])


def test_the_files_are_what_the_code_says() -> None:
    assert stale() == [], "run: python -m tests.tools.schemas"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.name)
def test_every_schema_is_a_schema(path: Path) -> None:
    Draft202012Validator.check_schema(json.loads(path.read_text("utf-8")))


@pytest.mark.parametrize("row", sitting([1]), ids=lambda row: type(row).__name__)
def test_fact_lines_keep_to_the_schema(row: Any) -> None:
    FACT.validate(json.loads(fact_line(row)))


DETAILS = [
    kinds.DnsLookup("system", "A", ede=(16,), answers=(kinds.Record("a.example", "A", 60, "192.0.2.1"),),
                    icmp=kinds.Icmp(3, 1, "192.0.2.9")),
    kinds.TcpConnect(raw="ETIMEDOUT", info=kinds.TcpInfo(1, 2, 3, 4, 5, 6, 7, 8, 9)),
    kinds.TlsHandshake(None, chain=("a" * 64,)),
    kinds.QuicHandshake("a.example", versions=("v1",), close_code=2, icmp=kinds.Icmp(3, 3, "192.0.2.9")),
    kinds.TlsVerify("a" * 64, "ok"),
    kinds.HttpFetch("http://a.example/", headers=(("A", "b"),), timeline=((1, 2),), features=kinds.PageFeatures("t")),
    kinds.ControlAsk("http://h.example", "http://a.example/", endpoints=(("a.example", "192.0.2.1", 443),)),
    kinds.HelperTransfer("http://h.example", 64, timeline=((1, 0), (2, 64))),
    kinds.Skipped("walk", "port"),
    kinds.LineState(),
    kinds.Conclusion("fixpoint"),
]  # fmt: skip


@pytest.mark.parametrize("detail", DETAILS, ids=lambda detail: str(detail.kind))
def test_every_kind_keeps_to_the_schema(detail: Any) -> None:
    line = fact_line(ObservationRow(name(1), 0, detail.kind, detail_text(detail)))
    FACT.validate(json.loads(line))
    assert fact_line(parse_fact(line)) == line


def test_every_kind_is_in_the_list_above() -> None:
    assert {type(detail) for detail in DETAILS} == set(KINDS)


WRONG: list[dict[str, Any]] = [
    {},
    {"fact": "verdict"},
    {**VANTAGE, "role": "judge"},
    {**VANTAGE, "vantage_id": "x"},
    {**RUN, "started_at": "now"},
    {**MEASUREMENT, "url": 5},
    {k: v for k, v in MEASUREMENT.items() if k != "checks"},
    {**OBSERVATION, "seq": -1},
    {**OBSERVATION, "port": 70_000},
    {**OBSERVATION, "seq": "0"},
    {**OBSERVATION, "kind": "tls.verify", "detail": {}},
    {k: v for k, v in OBSERVATION.items() if k != "detail"} | {"kind": "tls.verify"},
    {**OBSERVATION, "detail": {"info": 3}},
    {**OBSERVATION, "detail": []},
    {"fact": "blob", "sha256": "a", "media": "a/b", "data": ""},
]


@pytest.mark.parametrize("value", WRONG, ids=lambda value: json.dumps(value)[:60])
def test_schema_and_reader_refuse_the_same(value: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FACT.validate(value)
    with pytest.raises(BundleError):
        parse_fact(json.dumps(value))


def test_manifest_and_receipt_keep_to_theirs(tmp_path: Path) -> None:
    with Store.open(fill(tmp_path / "a.db", sitting([1]))) as store:
        manifest = seal_cut(store, cuts(store)[0], KEY, Scrubber(), tmp_path / "x.vpb").manifest
    Draft202012Validator(schemas()["bundle-manifest.schema.json"]).validate(encode(manifest))
    fields = {"receipt": 1, "bundle": "a" * 64, "received_at": "2026-11-25T00:00:00Z", "taken": 1, "known": 0}
    receipt = encode(signed(Receipt, {**fields, "quarantined": 0}, KEY))
    validator = Draft202012Validator(schemas()["receipt.schema.json"])
    validator.validate(receipt)
    with pytest.raises(ValidationError):
        validator.validate({**receipt, "run": "something"})
