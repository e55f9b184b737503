"""A dossier's signature covers every value and no layout."""

from __future__ import annotations

import tomllib
from copy import deepcopy
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe.wire.dossier import digest_of, is_signed, sign, signed_bytes
from tests.unit.dossiers import TABLE, toml

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def signed() -> dict[str, Any]:
    public, signature = sign(TABLE, KEY)
    return {**deepcopy(TABLE), "key": public, "signature": signature}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [leaf for name, one in items for leaf in leaves(one, (*path, name))] or [path]


def test_a_signed_one_is_and_an_unsigned_one_is_not() -> None:
    assert is_signed(signed()) and not is_signed(TABLE)
    assert is_signed(tomllib.loads("# a comment\n\n" + toml(dict(reversed(signed().items())))))


@pytest.mark.parametrize("leaf", leaves(TABLE), ids=lambda leaf: ".".join(map(str, leaf)))
def test_no_value_can_be_changed(leaf: tuple[Any, ...]) -> None:
    table = signed()
    place: Any = table
    for step in leaf[:-1]:
        place = place[step]
    place[leaf[-1]] = 2 if isinstance(place[leaf[-1]], int) else place[leaf[-1]] + " "
    with pytest.raises(ValueError, match="does not fit"):
        is_signed(table)
    assert digest_of(table) != digest_of(signed())


@pytest.mark.parametrize("drop", ["key", "signature", "rival", "safety"])
def test_nothing_can_be_taken_away(drop: str) -> None:
    table = signed()
    del table[drop]
    with pytest.raises(ValueError, match=r"missing|does not fit"):
        is_signed(table)


def test_another_key_is_another_dossier() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    public, signature = sign(TABLE, other)
    table = {**TABLE, "key": public, "signature": signature}
    assert is_signed(table) and digest_of(table) != digest_of(signed())
    with pytest.raises(ValueError, match="does not fit"):
        is_signed({**table, "key": signed()["key"]})


def test_signing_again_changes_nothing_and_other_things_are_never_signed_alike() -> None:
    assert sign(signed(), KEY) == sign(TABLE, KEY)
    assert signed_bytes(TABLE).startswith(b"vantage-probe campaign 1\n{")
