"""The founding incident's dossier fits the published schema, and spoiled ones do not."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs/schema/campaign.schema.json").read_text("utf-8"))
DOSSIER = ROOT / "seeds/wsws-pakistan-2024.toml"


def dossier() -> dict[str, Any]:
    return tomllib.loads(DOSSIER.read_text("utf-8"))


def test_the_founding_dossier_fits() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(dossier())] == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("id", "Not An Id"), ("claim", []), ("target", [{"url": "ftp://x"}]), ("languages", []), ("schema", 2)],
)
def test_a_spoiled_one_does_not(key: str, value: object) -> None:
    assert not Draft202012Validator(SCHEMA).is_valid({**dossier(), key: value})


def test_claims_name_targets_that_are_measured() -> None:
    made = dossier()
    measured = {target["url"] for target in made["target"]}
    assert all(url in measured for claim in made["claim"] for url in claim["targets"])
