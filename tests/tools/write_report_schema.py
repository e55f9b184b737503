"""Writes docs/schema/report.schema.json from the report's dataclasses: `python -m tests.tools.write_report_schema`."""

from __future__ import annotations

from pathlib import Path

from probe.report.schema import schema_text

if __name__ == "__main__":
    target = Path(__file__).parents[2] / "docs" / "schema" / "report.schema.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(schema_text(), encoding="utf-8")
