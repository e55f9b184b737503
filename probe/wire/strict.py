"""A value from outside held against a dataclass and the bounds in its annotations: everything that is wrong, a line
each. `decode` stops at the first fault and lets unknown fields pass; here a person is to mend a file.

Bounds are pieces of JSON Schema in `Annotated`: minLength, maxLength, pattern, const, minItems, maxItems;
`description` says in words what is expected.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

Bounds = Mapping[str, Any]


def faults(cls: type[Any], value: object, where: str = "") -> Iterator[str]:
    """What keeps `value`, a JSON or TOML table, from being a `cls`; `where` names it."""
    if not isinstance(value, dict):
        yield f"{where or 'the file'}: expected a table"
        return
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for name in value:
        if name not in fields:
            # A quoted key may be any text.
            yield f"{_path(where, name if name.isidentifier() else repr(name[:64]))}: unknown field"
    hints = get_type_hints(cls, include_extras=True)
    for name, field in fields.items():
        if name in value:
            yield from _value(hints[name], value[name], {}, _path(where, name))
        elif field.default is dataclasses.MISSING:
            yield f"{_path(where, name)}: missing"


def _path(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _value(kind: Any, value: object, bounds: Bounds, where: str) -> Iterator[str]:
    if get_origin(kind) is Annotated:
        inner, more = get_args(kind)
        yield from _value(inner, value, more, where)
    elif dataclasses.is_dataclass(kind) and isinstance(kind, type):
        yield from faults(kind, value, where)
    elif kind is str:
        yield from _text(value, bounds, where)
    elif kind is int:
        if type(value) is not int or bounds.get("const", value) != value:
            yield f"{where}: expected {bounds.get('description', 'a whole number')}"
    else:
        yield from _list(get_args(kind)[0], value, bounds, where)


def _text(value: object, bounds: Bounds, where: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{where}: expected text in quotation marks"
    elif len(value) > bounds.get("maxLength", len(value)):
        yield f"{where}: longer than {bounds['maxLength']} characters"
    elif len(value) < bounds.get("minLength", 0):
        yield f"{where}: empty"
    elif "pattern" in bounds and not _fits(bounds["pattern"], value):
        yield f"{where}: expected {bounds['description']}"


def _fits(pattern: str, value: str) -> bool:
    # The $ of Python lets a line end pass that the one of JSON Schema (ECMA-262) does not.
    return re.search(pattern, value) is not None and not value.endswith("\n")


def _list(kind: Any, value: object, bounds: Bounds, where: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{where}: expected a list"
    elif len(value) > bounds.get("maxItems", len(value)):
        yield f"{where}: more than {bounds['maxItems']} entries"
    elif len(value) < bounds.get("minItems", 0):
        yield f"{where}: empty"
    else:
        for number, item in enumerate(value, 1):
            yield from _value(kind, item, {}, f"{where}[{number}]")
