"""Frozen dataclasses to JSON objects and back, strictly typed, driven by their annotations.

Encoding leaves out fields that hold their default, so facts stay small. Decoding checks every type and bound, fills
defaults, and ignores fields it does not know (a newer writer's); whoever must keep those keeps the JSON text.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")
MAX_TEXT = 262_144
MAX_ITEMS = 4_096
# SQLite's and most readers' integers; JSON itself sets no bound.
MAX_INT = 2**63 - 1


class CodecError(ValueError):
    """A value that does not fit its type; the text names the field and what was expected."""


def encode(value: Any) -> dict[str, Any]:
    """A dataclass instance as a JSON object without the fields that hold their default."""
    out: dict[str, Any] = {}
    for name, default in _fields(value.__class__):
        item = getattr(value, name)
        if item != default:
            out[name] = _plain(item)
    return out


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return encode(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


@cache
def _fields(cls: Any) -> tuple[tuple[str, Any], ...]:
    def default_of(field: dataclasses.Field[Any]) -> Any:
        if field.default_factory is not dataclasses.MISSING:
            return field.default_factory()
        return field.default

    return tuple((field.name, default_of(field)) for field in dataclasses.fields(cls))


def decode(cls: type[T], value: object) -> T:
    """A `cls` from a JSON object. Raises CodecError; never trusts a type, a length or a missing field."""
    decoder: Decoder = _decoder(cast(Any, cls))
    result: T = decoder(value, cls.__name__)
    return result


Decoder = Callable[[object, str], Any]


@cache
def _decoder(kind: Any) -> Decoder:
    if dataclasses.is_dataclass(kind):
        return _object(kind)
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _literal(frozenset(args))
    if origin in (Union, types.UnionType):
        return _optional(kind)
    if origin is tuple:
        return _list(args[0]) if args[-1] is Ellipsis else _row(args)
    if origin in (Mapping, dict) or kind is dict:
        return _mapping
    if kind in _SCALARS:
        return _SCALARS[kind]
    raise TypeError(f"no decoder for {kind!r}")


def _object(cls: Any) -> Decoder:
    hints = get_type_hints(cls)
    plan = [(f.name, _decoder(hints[f.name]), _is_required(f)) for f in dataclasses.fields(cls)]

    def decode_object(value: object, where: str) -> Any:
        if not isinstance(value, dict):
            raise CodecError(f"{where}: expected an object")
        found = {}
        for name, inner, required in plan:
            if name in value:
                found[name] = inner(value[name], f"{where}.{name}")
            elif required:
                raise CodecError(f"{where}: lacks {name!r}")
        return cls(**found)

    return decode_object


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _optional(kind: Any) -> Decoder:
    inner = [arg for arg in get_args(kind) if arg is not type(None)]
    if len(inner) != 1:
        raise TypeError(f"only optional unions can be decoded, not {kind!r}")
    decode_inner = _decoder(inner[0])
    return lambda value, where: None if value is None else decode_inner(value, where)


def _list(item: Any) -> Decoder:
    decode_item = _decoder(item)

    def decode_list(value: object, where: str) -> Any:
        if not isinstance(value, list) or len(value) > MAX_ITEMS:
            raise CodecError(f"{where}: expected a list of at most {MAX_ITEMS} items")
        return tuple(decode_item(entry, where) for entry in value)

    return decode_list


def _row(items: tuple[Any, ...]) -> Decoder:
    decoders = [_decoder(item) for item in items]

    def decode_row(value: object, where: str) -> Any:
        if not isinstance(value, list) or len(value) != len(decoders):
            raise CodecError(f"{where}: expected {len(decoders)} items")
        return tuple(inner(entry, where) for inner, entry in zip(decoders, value, strict=True))

    return decode_row


def _literal(allowed: frozenset[Any]) -> Decoder:
    def decode_literal(value: object, where: str) -> Any:
        if not isinstance(value, str) or value not in allowed:
            raise CodecError(f"{where}: not one of {sorted(allowed)}")
        return value

    return decode_literal


def _mapping(value: object, where: str) -> Any:
    if not isinstance(value, dict) or len(value) > MAX_ITEMS:
        raise CodecError(f"{where}: expected an object")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise CodecError(f"{where}: expected text of at most {MAX_TEXT} characters")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise CodecError(f"{where}: text holds half a surrogate pair") from None
    return value


def _whole(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -MAX_INT <= value <= MAX_INT:
        raise CodecError(f"{where}: expected a whole number")
    return value


def _truth(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise CodecError(f"{where}: expected true or false")
    return value


_SCALARS: dict[Any, Decoder] = {str: _text, int: _whole, bool: _truth}
