"""Facts as rows and as JSON lines: one object a line, `fact` names the table (docs/schema/fact.schema.json).

An `ObservationRow` keeps its detail as JSON text, so moving facts (bundle, merge, collector) never drops a field of a
newer probe; `observation_of` reads it into the kind's dataclass for whoever wants to understand it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from probe.model.errors import BundleError
from probe.model.kinds import KINDS, Detail, Opaque
from probe.model.measurement import Measurement
from probe.model.observation import Blob, Observation
from probe.model.vantage import Run, Vantage
from probe.wire.codec import CodecError, decode, encode

MAX_DETAIL = 1_048_576
MAX_BLOB = 4_194_304
MAX_DEPTH = 32
_BY_KIND: dict[str, type[Any]] = {cls.kind: cls for cls in KINDS}
_ID = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_MEDIA = re.compile(r"[\x21-\x7e]{0,40}(?: ?[\x21-\x7e]{1,60})?")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


@dataclass(frozen=True, slots=True)
class ObservationRow:
    """An observation as it lies in the table: like `Observation`, with `detail` as canonical JSON text."""

    measurement_id: str
    seq: int
    kind: str
    detail: str = "{}"
    parent: int | None = None
    host: str | None = None
    ip: str | None = None
    port: int | None = None
    attempt: int = 1
    why: str = "plan"
    failure: str | None = None
    at_us: int = 0
    took_us: int = 0


Row = Vantage | Run | Measurement | ObservationRow | Blob


def canonical(value: object) -> str:
    """Canonical JSON text: sorted keys, no spaces, UTF-8 kept, no NaN (after RFC 8785 for our value types)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def detail_text(detail: Detail) -> str:
    """The JSON text of a detail; an `Opaque` gives back exactly the fields it came with."""
    return canonical(dict(detail.fields) if isinstance(detail, Opaque) else encode(detail))


def detail_of(kind: str, text: str) -> Detail:
    """The detail of a kind from its JSON text; unknown kinds give `Opaque`. Raises BundleError."""
    value = load_object(text)
    cls = _BY_KIND.get(kind)
    if cls is None:
        return Opaque(value)
    try:
        detail: Detail = decode(cls, value)
    except CodecError as error:
        raise BundleError(f"{kind}: {error}") from None
    return detail


def row_of(observation: Observation) -> ObservationRow:
    """An observation as a table row."""
    o = observation
    return ObservationRow(
        o.measurement_id, o.seq, o.kind, detail_text(o.detail), o.parent, o.host, o.ip, o.port,
        o.attempt, o.why, o.failure, o.at_us, o.took_us,
    )  # fmt: skip


def observation_of(row: ObservationRow) -> Observation:
    """A table row as an observation. Raises BundleError when the detail does not fit its kind."""
    r = row
    return Observation(
        r.measurement_id, r.seq, r.parent, r.kind, r.host, r.ip, r.port,
        r.attempt, r.why, r.failure, r.at_us, r.took_us, detail_of(r.kind, r.detail),
    )  # fmt: skip


def fact_line(row: Row) -> str:
    """One fact as one JSON line (without the newline)."""
    if isinstance(row, Blob):
        data = base64.b64encode(row.data).decode()
        return canonical({"fact": "blob", "sha256": row.sha256, "media": row.media, "data": data})
    fields = encode(row)
    if isinstance(row, ObservationRow):
        fields["detail"] = json.loads(row.detail)
    return canonical({"fact": _NAMES[type(row)], **fields})


def parse_fact(line: str | bytes) -> Row:
    """The row of one JSON line, every type and bound checked. Raises BundleError; trusts nothing."""
    value = load_object(line)
    name = value.pop("fact", None)
    if name == "blob":
        return _parse_blob(value)
    cls = _CLASSES.get(name) if isinstance(name, str) else None
    if cls is None:
        raise BundleError(f"unknown fact {str(name)[:40]!r}")
    if cls is ObservationRow:
        value["detail"] = canonical(value.get("detail", {}))
    try:
        row: Row = decode(cls, value)
    except CodecError as error:
        raise BundleError(str(error)) from None
    check_row(row)
    return row


def check_row(row: Row) -> None:
    """The rules beyond types: ids, digests, times, kinds, sizes. Raises BundleError."""
    match row:
        case ObservationRow():
            _check(_ID, row.measurement_id, "measurement_id")
            _check(_KIND, row.kind, "kind")
            if row.seq < 0 or len(row.detail) > MAX_DETAIL or not 0 <= (row.port or 0) <= 65535:
                raise BundleError("observation: seq, port or size of detail out of bounds")
            detail_of(row.kind, row.detail)
        case Measurement():
            _check(_ID, row.measurement_id, "measurement_id")
            _check(_ID, row.run_id, "run_id")
            _check(_TIME, row.started_at, "started_at")
            if row.answers is not None:
                _check(_ID, row.answers, "answers")
        case Run():
            _check(_ID, row.run_id, "run_id")
            _check(_ID, row.vantage_id, "vantage_id")
            _check(_TIME, row.started_at, "started_at")
            load_object(row.config)
        case Vantage():
            _check(_ID, row.vantage_id, "vantage_id")
        case Blob():
            if len(row.data) > MAX_BLOB or hashlib.sha256(row.data).hexdigest() != row.sha256:
                raise BundleError("blob: too large, or its digest is not that of its data")


def is_media(text: str) -> bool:
    """A media type that may travel. `;z=zlib` is the store's own mark on compressed data: nobody else may set it."""
    return _MEDIA.fullmatch(text) is not None and ";z=" not in text


def _parse_blob(value: Mapping[str, Any]) -> Blob:
    sha256, media, data = value.get("sha256"), value.get("media"), value.get("data")
    if not isinstance(sha256, str) or not isinstance(media, str) or not isinstance(data, str):
        raise BundleError("blob: needs sha256, media and data as text")
    if not is_media(media) or len(data) > MAX_BLOB * 4 // 3 + 4:
        raise BundleError("blob: media type malformed, or too large")
    _check(_SHA256, sha256, "sha256")
    try:
        blob = Blob(sha256, media, base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        raise BundleError("blob: data is not base64") from None
    check_row(blob)
    return blob


def load_object(text: str | bytes) -> dict[str, Any]:
    """A JSON object from hostile text: bounded depth, no NaN, no duplicate trouble. Raises BundleError."""
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        raise BundleError("not a JSON object") from None
    if not isinstance(value, dict) or not _is_shallow(value):
        raise BundleError("not a JSON object")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _is_shallow(value: object) -> bool:
    """Depth within MAX_DEPTH, so that whoever reads the stored fact later, deeper in the stack, can do so too."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inner = (i for item in level for i in (item.values() if isinstance(item, dict) else cast(list[object], item)))
        level = [item for item in inner if isinstance(item, dict | list)]
        if not level:
            return True
    return False


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _check(pattern: re.Pattern[str], value: str, name: str) -> None:
    if not pattern.fullmatch(value):
        raise BundleError(f"{name} is malformed")


_NAMES: dict[type[Any], str] = {
    Vantage: "vantage",
    Run: "run",
    Measurement: "measurement",
    ObservationRow: "observation",
}
_CLASSES: dict[str, type[Any]] = {name: cls for cls, name in _NAMES.items()}
# The tables in the order in which a bundle carries them: whatever a row refers to comes before it.
FACT_ORDER: dict[type[Any], str] = {**_NAMES, Blob: "blob"}
