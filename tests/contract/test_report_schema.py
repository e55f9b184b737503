"""docs/schema/report.schema.json is what the code renders, and a real report fits it."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft202012Validator

from probe.app.report import make_report
from probe.report.build import Wish
from probe.report.formats import render_json
from probe.report.schema import report_schema, schema_text
from tests.unit.report.world import campaign

SCHEMA = Path(__file__).parents[2] / "docs" / "schema" / "report.schema.json"
PROMISED = ("inputs", "ruleset", "reference", "period", "cells", "events", "claims", "not_measured", "ruled_out")


def test_schema_file_is_current() -> None:
    assert SCHEMA.read_text("utf-8") == schema_text(), "run: python -m tests.tools.write_report_schema"


def test_schema_is_valid_and_holds_what_the_contract_promises() -> None:
    schema = report_schema()
    Draft202012Validator.check_schema(schema)
    assert set(PROMISED) <= set(schema["$defs"]["Report"]["required"])


def test_a_report_fits(tmp_path: Path) -> None:
    made = make_report(campaign(tmp_path), Wish("2024-12-05T00:00:00Z"), ())
    value = json.loads(render_json(made))
    errors = [error.message for error in Draft202012Validator(report_schema()).iter_errors(value)]
    assert errors == []
    assert {event["kind"] for event in value["events"]} == {"blocking", "site_down", "general_outage"}
