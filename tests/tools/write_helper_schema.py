"""Write docs/schema/helper-*.schema.json from the code: `python -m tests.tools.write_helper_schema`."""

from __future__ import annotations

import json
from pathlib import Path

from probe.wire.control_schema import helper_schemas

if __name__ == "__main__":
    for name, schema in helper_schemas().items():
        text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        (Path(__file__).parents[2] / "docs" / "schema" / name).write_text(text, "utf-8")
