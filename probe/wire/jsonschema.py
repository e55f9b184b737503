"""JSON Schemas (draft 2020-12) written from the dataclasses themselves, so that what is published is what is decoded.

`SCHEMAS` lists the files of docs/schema that are made here; `python -m tests.tools.schemas` writes them and a test
compares them. Unknown fields are allowed everywhere (a newer writer's), except in what is signed field by field.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from probe.model.dossier import Dossier
from probe.model.kinds import KINDS
from probe.model.measurement import Measurement
from probe.model.vantage import Run, Vantage
from probe.wire.bundle import BUNDLE_FORMAT, RECEIPT_FORMAT, Manifest, Receipt, VoucherWord
from probe.wire.card import CARD_FORMAT, URLS_MAX, Card
from probe.wire.codec import MAX_INT, MAX_ITEMS, MAX_TEXT
from probe.wire.facts import FACT_ORDER, MAX_BLOB, ObservationRow
from probe.wire.voucher import VOUCHER_FORMAT, TokenAnswer, TokenRequest, Voucher

Schema = dict[str, Any]
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
TIME: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$"}
# The rules of `probe.wire.facts.check_row` that go beyond types.
_TIGHTER: dict[str, Schema] = {"measurement_id": ID, "run_id": ID, "vantage_id": ID, "started_at": TIME}


def schema_of(cls: type[Any], tighter: Mapping[str, Schema] | None = None) -> Schema:
    """The schema of a dataclass as `probe.wire.codec` reads it. `tighter` replaces the schemas of single fields; bounds
    in `Annotated` are added. Its description is the docstring; fields without a default are required."""
    hints = get_type_hints(cls, include_extras=True)
    replaced = tighter or {}
    fields = dataclasses.fields(cls)
    return {
        "type": "object",
        "description": " ".join((cls.__doc__ or "").split()),
        "properties": {f.name: replaced.get(f.name) or _schema(hints[f.name]) for f in fields},
        "required": [f.name for f in fields if _is_required(f)],
    }


def document(name: str, title: str, body: Schema) -> Schema:
    """A whole schema file: dialect, name and title in front of `body`."""
    return {"$schema": _DIALECT, "$id": f"urn:vantage-probe:schema:{name}", "title": title, **body}


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _schema(kind: Any) -> Schema:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return schema_of(kind)
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return {**_schema(args[0]), **args[1]}
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (Union, types.UnionType):
        inner = [_schema(arg) for arg in args if arg is not type(None)]
        return {"anyOf": [*inner, {"type": "null"}]}
    if origin is tuple and args[-1] is Ellipsis:
        return {"type": "array", "items": _schema(args[0]), "maxItems": MAX_ITEMS}
    if origin is tuple:
        items = [_schema(arg) for arg in args]
        return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}
    if origin in (Mapping, dict):
        return {"type": "object", "additionalProperties": _schema(args[1]), "maxProperties": MAX_ITEMS}
    scalars: dict[Any, Schema] = {
        str: {"type": "string", "maxLength": MAX_TEXT},
        int: {"type": "integer", "minimum": -MAX_INT, "maximum": MAX_INT},
        bool: {"type": "boolean"},
        Any: {},
    }
    return dict(scalars[kind])


# ---- the files ----


def fact_schema() -> Schema:
    """One fact line: `fact` names the table, `kind` the shape of an observation's detail; unknown kinds pass."""
    shapes: dict[str, Schema] = {
        "vantage": schema_of(Vantage, _TIGHTER),
        "run": schema_of(Run, _TIGHTER),
        "measurement": schema_of(Measurement, {**_TIGHTER, "answers": {"anyOf": [ID, {"type": "null"}]}}),
        "observation": _observation(),
        "blob": _blob(),
    }
    for name, shape in shapes.items():
        shape["properties"] = {"fact": {"const": name}, **shape["properties"]}
        shape["required"] = ["fact", *shape["required"]]
    details = {f"detail.{cls.kind}": schema_of(cls) for cls in KINDS}
    body = {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in FACT_ORDER.values()], "$defs": {**shapes, **details}}
    return document("fact:1", "One fact of Vantage Probe: one JSON object a line", body)


def _observation() -> Schema:
    tighter: dict[str, Schema] = {
        **_TIGHTER,
        "seq": {"type": "integer", "minimum": 0, "maximum": MAX_INT},
        "kind": {"type": "string", "pattern": "^[a-z][a-z0-9_.-]{0,63}$"},
        "detail": {"type": "object"},
        "port": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 65535}, {"type": "null"}]},
    }
    shape = schema_of(ObservationRow, tighter)
    shape["allOf"] = [
        {
            "if": {"properties": {"kind": {"const": cls.kind}}},
            "then": {"properties": {"detail": {"$ref": f"#/$defs/detail.{cls.kind}"}}},
        }
        for cls in KINDS
    ]
    # A kind whose detail has required fields cannot leave it out, since {} would not fit it.
    shape["allOf"].append(
        {
            "if": {"properties": {"kind": {"enum": [cls.kind for cls in KINDS if schema_of(cls)["required"]]}}},
            "then": {"required": ["detail"]},
        }
    )
    return shape


def _blob() -> Schema:
    return {
        "type": "object",
        "description": f"Bytes under their SHA-256; `data` is base64 of at most {MAX_BLOB} bytes.",
        "properties": {
            "sha256": SHA256,
            "media": {"type": "string", "maxLength": 101},
            "data": {"type": "string", "contentEncoding": "base64", "maxLength": MAX_BLOB * 4 // 3 + 4},
        },
        "required": ["sha256", "media", "data"],
    }


def manifest_schema() -> Schema:
    """Line 1 of a bundle. Closed: the signature covers every field."""
    counts = {name: {"type": "integer", "minimum": 0} for name in FACT_ORDER.values()}
    tighter: dict[str, Schema] = {
        "bundle": {"const": BUNDLE_FORMAT},
        "counts": {"type": "object", "properties": counts, "additionalProperties": False},
        **_signature_fields(),
        "digest": SHA256,
        "voucher": voucher_body(),
    }
    body = {**schema_of(Manifest, tighter), "additionalProperties": False}
    return document("bundle-manifest:1", "The first line of a bundle", body)


def voucher_body() -> Schema:
    """A voucher, alone or in a manifest. Closed: the token's signature covers every field."""
    text: Schema = {"type": "string", "contentEncoding": "base64", "maxLength": 1000}
    tighter: dict[str, Schema] = {
        "voucher": {"const": VOUCHER_FORMAT}, "issuer": text, "proof": text, "bearer": SHA256, **_signature_fields(),
    }  # fmt: skip
    return {**schema_of(Voucher, tighter), "additionalProperties": False}


def token_schema() -> Schema:
    """What a volunteer and an issuer say to each other."""
    blinded: Schema = {"type": "string", "pattern": "^([0-9a-f]{2}){1,1024}$"}
    request = {"code": {"type": "string", "pattern": "^invite1-[a-z2-7]{26}$"}, "blinded": blinded}
    request["number"] = {"type": "integer", "minimum": 0}
    shapes = {"request": schema_of(TokenRequest, request), "answer": schema_of(TokenAnswer, {"signature": blinded})}
    return document("token:1", "Asking for a token, and the answer", {"anyOf": list(shapes.values())})


def receipt_schema() -> Schema:
    """What a collector answers. Closed: it can carry nothing but an acknowledgement."""
    tighter: dict[str, Schema] = {
        "receipt": {"const": RECEIPT_FORMAT},
        "bundle": SHA256,
        "received_at": TIME,
        **{name: {"type": "integer", "minimum": 0} for name in ("taken", "known", "quarantined")},
        **_signature_fields(),
        "voucher": {"enum": list(get_args(VoucherWord))},
    }
    body = {**schema_of(Receipt, tighter), "additionalProperties": False}
    return document("receipt:1", "A collector's receipt for a bundle", body)


def campaign_schema() -> Schema:
    """A campaign's dossier, as TOML read into JSON. Closed everywhere: what an older program does not know, it refuses,
    rather than measure something else than the author meant."""
    return document("campaign:1", "A campaign's dossier", _closed(schema_of(Dossier)))


def _closed(schema: Schema) -> Schema:
    inner = {name: _closed(value) if isinstance(value, dict) else value for name, value in schema.items()}
    return {**inner, "additionalProperties": False} if schema.get("type") == "object" else inner


def card_schema() -> Schema:
    """What a collector's owner hands out. Closed: the signature covers every field."""
    urls = {"type": "array", "items": {"type": "string", "pattern": "^https?://"}, "maxItems": URLS_MAX}
    tighter: dict[str, Schema] = {
        "card": {"const": CARD_FORMAT},
        "urls": urls,
        "recipient": {"type": "string", "pattern": "^(age1[02-9ac-hj-np-z]{3,100})?$"},
        **_signature_fields(),
    }
    body = {**schema_of(Card, tighter), "additionalProperties": False}
    return document("collector-card:1", "A collector's card, as it is handed out", body)


def _signature_fields() -> dict[str, Schema]:
    return {"key": SHA256, "signature": {"type": "string", "pattern": "^[0-9a-f]{128}$"}}


def schemas() -> dict[str, Schema]:
    """File name in docs/schema -> schema, for those made here."""
    return {
        "fact.schema.json": fact_schema(),
        "bundle-manifest.schema.json": manifest_schema(),
        "receipt.schema.json": receipt_schema(),
        "campaign.schema.json": campaign_schema(),
        "collector-card.schema.json": card_schema(),
        "voucher.schema.json": document("voucher:1", "Somebody invited stands behind a key", voucher_body()),
        "token.schema.json": token_schema(),
    }
