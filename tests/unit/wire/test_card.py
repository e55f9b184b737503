"""A card is what its collector signed, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jsonschema import Draft202012Validator

from probe.model.errors import BundleError
from probe.wire.card import Card, read_card
from probe.wire.codec import encode
from probe.wire.jsonschema import schemas
from probe.wire.signed import public_hex, signed

KEY = Ed25519PrivateKey.from_private_bytes(b"c" * 32)
URLS = ("https://collector.example", "http://abcdef.onion")


def card(**other: Any) -> dict[str, Any]:
    fields = {"card": 1, "urls": URLS, "recipient": "age1xyz"}
    return encode(signed(Card, {**fields, **other}, KEY))


def test_a_card_says_what_a_sender_needs() -> None:
    collector = read_card(json.dumps(card())).collector
    assert (collector.urls, collector.key, collector.recipient) == (URLS, public_hex(KEY), "age1xyz")
    Draft202012Validator(schemas()["collector-card.schema.json"]).validate(card())


@pytest.mark.parametrize(
    "change",
    [
        {"urls": ["https://elsewhere.example"]}, {"recipient": "age1other"}, {"key": "0" * 64},
        {"signature": "0" * 128}, {"card": 2}, {"run": "this"}, {"urls": "https://collector.example"}, {"urls": [1]},
    ],
    ids=str,
)  # fmt: skip
def test_a_changed_card_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BundleError):
        read_card(json.dumps({**card(), **change}))


def test_what_is_no_card_at_all() -> None:
    for text in ("", "[]", "{}", "x" * 30_000, json.dumps(card(urls=("https://a.example",) * 21))):
        with pytest.raises(BundleError):
            read_card(text)
