"""The published schemas of a helper's request and answer, written from the dataclasses that read them."""

from __future__ import annotations

from probe.model.target import MAX_URL
from probe.wire.control import MAX_ENDPOINTS, PROTOCOL, HelperEnd, HelperHead, HelperRequest
from probe.wire.jsonschema import ID, Schema, document, schema_of

_COUNT: Schema = {"type": "integer", "minimum": 0}
_ENDPOINT: Schema = {
    "type": "array",
    "description": "host, ip, port",
    "prefixItems": [
        {"type": "string", "maxLength": 253},
        {"type": "string", "maxLength": 45},
        {"type": "integer", "minimum": 1, "maximum": 65535},
    ],
    "items": False,
    "minItems": 3,
}


def request_schema() -> Schema:
    """The body of `POST /v1/measure`."""
    tighter: dict[str, Schema] = {
        "url": {"type": "string", "minLength": 1, "maxLength": MAX_URL},
        "endpoints": {"type": "array", "items": _ENDPOINT, "maxItems": MAX_ENDPOINTS},
        "version": {"type": "string", "maxLength": 64},
    }
    return document("helper-request:1", "What a field asks a test helper", schema_of(HelperRequest, tighter))


def answer_schema() -> Schema:
    """One line of the answer: the first, the last, or a fact in between."""
    head = schema_of(HelperHead, {"helper": {"const": PROTOCOL}, "vantage_id": ID})
    end = schema_of(HelperEnd, {"end": {"const": 1}, "counts": _COUNT})
    body: Schema = {
        "description": "Line 1 is a head, the last line an end, every line between them a fact.",
        "oneOf": [{"$ref": "#/$defs/head"}, {"$ref": "urn:vantage-probe:schema:fact:1"}, {"$ref": "#/$defs/end"}],
        "$defs": {"head": head, "end": end},
    }
    return document("helper-answer:1", "One line of a test helper's answer", body)


def helper_schemas() -> dict[str, Schema]:
    """File name in docs/schema -> schema."""
    return {
        "helper-request.schema.json": request_schema(),
        "helper-answer.schema.json": answer_schema(),
    }
