"""A small dossier as a table and as the text of a file, to spoil in tests."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

TABLE: dict[str, Any] = {
    "schema": 1,
    "id": "my-city",
    "title": "A site that did not open in my city",
    "author": "A. Reader",
    "revision": "2026-11-01",
    "languages": ["en", "ur"],
    "incident": "Readers could not open it.\n\nNobody says why.",
    "canaries": ["python"],
    "safety": {"note": "Your provider sees it."},
    "schedule": {"every": "6h", "until": "2999-12-31"},
    "helper": {"urls": ["https://helper.example:8765"]},
    "collector": {"urls": ["https://collector.example"], "key": "ab" * 32},
    "target": [
        {"url": "https://news.example/", "why": "the site of the claim", "category": "NEWS"},
        {"url": "https://other.example/page"},
    ],
    "claim": [
        {
            "id": "closed",
            "statement": "It could not be reached.",
            "targets": ["https://news.example/"],
            "places": ["My City"],
            "since": "2026-10-01",
            "until": "2026-10-09",
            "until_note": "by the mayor's word",
            "source": "a reader's letter",
        }
    ],
    "rival": [
        {
            "id": "outage",
            "explains": ["closed"],
            "statement": "Nothing could be reached.",
            "excluded_by": "canaries that were",
            "kind": "general_outage",
            "places": ["My City"],
            "since": "2026-10-02",
            "source": "no report of it",
        }
    ],
    "translation": [
        {
            "language": "ur",
            "title": "عنوان",
            "note": "احتیاط",
            "claim": [{"id": "closed", "statement": "رسائی نہیں تھی۔"}],
        }
    ],
    "source": "a newspaper",
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The table with one value set, such as `target.0.url`; None takes it away."""
    table = deepcopy(TABLE)
    *way, last = path.split(".")
    place: Any = table
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    at: Any = int(last) if last.isdigit() else last
    if value is None:
        del place[at]
    else:
        place[at] = value
    return table


def toml(table: dict[str, Any]) -> str:
    """A table as TOML: JSON's values are TOML's, but for tables, which are written inline."""
    return "".join(f"{_key(name)} = {_value(value)}\n" for name, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(name)} = {_value(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    # DEL may stand in JSON and not in TOML.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() and name.isascii() else json.dumps(name)
