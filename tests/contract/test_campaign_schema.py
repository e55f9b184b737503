"""The published schema, the program and the dossiers that come with it say the same."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from probe.model.dossier import Dossier
from probe.wire.strict import faults
from tests.unit.dossiers import TABLE, changed
from tests.unit.wire.test_dossier import leaves

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs/schema/campaign.schema.json").read_text("utf-8"))
FITS = Draft202012Validator(SCHEMA)
LEAVES = [".".join(map(str, leaf)) for leaf in leaves(TABLE)]
TEXTS = (
    "", "x", "X Y", "2024-11-29", "https://a.example/", "http://a.example/", "6h", "0h", "12d",
    "ur", "NEWS", "ab" * 32, "ab" * 64, "x" * 81, "x" * 201, "x" * 2001,
)  # fmt: skip
OTHERS: tuple[Any, ...] = ([], [1], ["https://a.example/"], {}, {"x": 1})
ODD = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from((*TEXTS, *OTHERS))


def test_the_founding_dossier_fits() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    table = tomllib.loads((ROOT / "seeds/wsws-pakistan-2024.toml").read_text("utf-8"))
    assert [error.message for error in FITS.iter_errors(table)] == list(faults(Dossier, table)) == []
    assert FITS.is_valid(TABLE) and not list(faults(Dossier, TABLE))


@given(path=st.sampled_from([*LEAVES, "target", "claim", "rival", "safety", "translation", "helper"]), value=ODD)
def test_the_program_refuses_what_the_schema_refuses(path: str, value: Any) -> None:
    table = changed(path, value)
    assert FITS.is_valid(table) == (not list(faults(Dossier, table)))


def test_a_line_end_slips_through_no_pattern() -> None:
    """The $ of JSON Schema (ECMA-262) is the very end; that of Python, and so of this validator, is not."""
    for path in ("id", "revision", "target.0.category", "schedule.every"):
        *way, last = path.split(".")
        value: Any = TABLE
        for step in (*way, last):
            value = value[int(step) if step.isdigit() else step]
        assert len(list(faults(Dossier, changed(path, value + "\n")))) == 1


@pytest.mark.parametrize("path", [path for path in LEAVES if path.count(".") < 2])
def test_what_is_unknown_is_refused_everywhere(path: str) -> None:
    table = changed(path.rpartition(".")[0] + ".unknown" if "." in path and not path[-1].isdigit() else "unknown", "x")
    assert not FITS.is_valid(table) and any("unknown field" in fault for fault in faults(Dossier, table))


def test_the_founding_claims_rest_on_sources_and_are_rivalled() -> None:
    table = tomllib.loads((ROOT / "seeds/wsws-pakistan-2024.toml").read_text("utf-8"))
    assert all(row["source"] for row in (*table["claim"], *table["rival"]))
    assert {"Lahore", "Quetta"} == set(table["claim"][0]["places"])
    assert all(rival["excluded_by"] for rival in table["rival"])
