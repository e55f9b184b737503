"""The JSON Schema of report.json, rendered from the report's dataclasses, and a report as plain JSON values."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from probe.report.model import Report

_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}


def plain(value: Any) -> Any:
    """Dataclasses, tuples and mappings as JSON values, every field present."""
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return value


def report_schema() -> dict[str, Any]:
    """JSON Schema 2020-12. Unknown fields are admitted everywhere: later versions add some."""
    defs: dict[str, Any] = {}
    root = _of(Report, defs)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:vantage-probe:schema:report:1",
        "title": "Vantage Probe report",
        "description": _first_line(Report),
        **root,
        "$defs": dict(sorted(defs.items())),
    }


def schema_text() -> str:
    """The schema as it lies in docs/schema/report.schema.json."""
    return json.dumps(report_schema(), indent=2, ensure_ascii=False) + "\n"


def _of(kind: Any, defs: dict[str, Any]) -> dict[str, Any]:
    origin, args = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _object(kind, defs)
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [{"type": "null"} if arg is type(None) else _of(arg, defs) for arg in args]}
    if origin is tuple and args[-1] is Ellipsis:
        return {"type": "array", "items": _of(args[0], defs)}
    if origin is tuple:
        return {"type": "array", "prefixItems": [_of(a, defs) for a in args], "minItems": len(args), "items": False}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _of(args[1], defs)}
    return dict(_SCALARS[kind])


def _object(cls: Any, defs: dict[str, Any]) -> dict[str, Any]:
    name = cls.__name__
    if name not in defs:
        # The place is taken first, so that a class that holds itself would end.
        defs[name] = {}
        hints = get_type_hints(cls)
        fields = [field.name for field in dataclasses.fields(cls)]
        defs[name] = {
            "type": "object",
            "description": _first_line(cls),
            "properties": {field: _of(hints[field], defs) for field in fields},
            "required": fields,
        }
    return {"$ref": f"#/$defs/{name}"}


def _first_line(cls: Any) -> str:
    text = " ".join((cls.__doc__ or "").split())
    # Without a docstring a dataclass shows its signature, which is no description.
    return "" if text.startswith(f"{cls.__name__}(") else text
