"""Situations as data: one TOML file each, with what was done to the site, what was met, and what must be said of it.

    id, title, url     the name of the situation, one line about it, the target
    done               what was really done: the ground truth in a sentence
    kind               blocking, innocent (nobody blocks anything) or broken (our own line or instrument is at fault)
    control            helper (the default where there is one), db, none or unreachable; `age_s` how old it is
    cc                 where the vantage point is ("FD", Freedonia, has marks in the reference)
    truth              outcome (one word or several), layer, techniques (any of), reason: CONTRACT section 1; locus and
                       hop where a case is about them
    field, controls    dns = [[resolver, type, said, {options}], ...], walk = [[address, met, {options}], ...],
                       quic = [[address, met, {options}], ...],
                       bytes = [[size, bytes a second, {options}], ...] that came from the helper
    line, ended        the line's state and how asking ended; its pages as [host, address, status, page, location]

What the words of a lookup and a walk mean stands in `build.py`. The same ids may run at other levels too.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from probe.checks import FIELD_CHECKS
from probe.model.kinds import LineState
from probe.model.measurement import Measurement
from probe.model.target import Target, parse_target
from probe.model.vantage import Vantage
from probe.verdict.case import Case, Control, ControlSource
from tests.cases.build import HELPER, Side, page_met

FOLDER = Path(__file__).parent
START = datetime(2026, 11, 24, 10, tzinfo=UTC)
FIELD, RUN, VANTAGE = "a" * 32, "b" * 32, "c" * 32
# A line in good health: what most situations happen on.
HEALTHY = {"canaries_tried": 3, "canaries_reached": 3, "others_tried": 5, "others_reached": 4, "ipv6_reached": True}


@dataclass(frozen=True, slots=True)
class Truth:
    """What may rightly be said. Empty means: not said, or no matter for `outcome` words that carry none."""

    outcome: tuple[str, ...]
    layer: str | None = None
    techniques: tuple[str, ...] = ()
    reason: str | None = None
    locus: str | None = None
    hop: int | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    id: str
    title: str
    kind: str
    done: str
    case: Case
    truth: Truth


def load(folder: Path = FOLDER) -> tuple[Situation, ...]:
    """All situations, by file name."""
    return tuple(read(tomllib.loads(path.read_text())) for path in sorted(folder.glob("*.toml")))


def read(spec: dict[str, Any]) -> Situation:
    """One situation from its table."""
    truth = spec["truth"]
    outcome = truth["outcome"]
    expected = Truth(
        (outcome,) if isinstance(outcome, str) else tuple(outcome),
        truth.get("layer"),
        tuple(truth.get("techniques", ())),
        truth.get("reason"),
        truth.get("locus"),
        truth.get("hop"),
    )
    return Situation(spec["id"], spec["title"], spec["kind"], spec["done"], case_of(spec), expected)


def case_of(spec: dict[str, Any]) -> Case:
    """The facts of a situation as a case."""
    target = parse_target(spec["url"])
    field = Side(FIELD, target)
    sides = [Side(f"{n:032x}", target) for n, _ in enumerate(spec.get("controls", ()), 1)]
    source = spec.get("control", "helper" if sides else "none")
    _tell(field, spec.get("field", {}))
    for side, table in zip(sides, spec.get("controls", ()), strict=True):
        _tell(side, table)
        side.end(None, "fixpoint")
        field.asked(side.name, helper=HELPER if source == "helper" else "db:b")
    if source == "unreachable":
        field.asked(None)
    line = spec.get("line", HEALTHY)
    field.end(LineState(**_tuples(line)) if line else None, spec.get("ended", "fixpoint") or None)
    age_s = spec.get("age_s", 0)
    controls = tuple(Control(measurement(side.name, target, -age_s, FIELD), tuple(side.facts), age_s) for side in sides)
    return case(field, controls, source, spec.get("cc", "FD"), sides)


def case(
    field: Side, controls: tuple[Control, ...], source: ControlSource, cc: str = "FD", sides: list[Side] | None = None
) -> Case:
    """A field side and its controls, put together."""
    bodies = {sha: body for side in (field, *(sides or [])) for sha, body in side.bodies.items()}
    return Case(
        target=field.target,
        measurement=measurement(field.name, field.target),
        observations=tuple(field.facts),
        controls=controls,
        control_source=source,
        vantage=Vantage(VANTAGE, "field", cc=cc, asn=64500),
        bodies=bodies,
    )


def measurement(name: str, target: Target, offset_s: int = 0, answers: str | None = None) -> Measurement:
    """A measurement that began so many seconds after the situation's start."""
    at = (START + timedelta(seconds=offset_s)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return Measurement(name, RUN, target.url, "web" if answers else ",".join(FIELD_CHECKS), at, answers)


def _tell(side: Side, table: dict[str, Any]) -> None:
    for resolver, qtype, said, *options in table.get("dns", ()):
        side.lookup(resolver, qtype, said, **(options[0] if options else {}))
    for ip, met, *options in table.get("walk", ()):
        side.walk(ip, met, **(options[0] if options else {}))
    for size, rate, *options in table.get("bytes", ()):
        side.bytes(size, rate, **(options[0] if options else {}))
    for ip, met, *options in table.get("quic", ()):
        side.quic(ip, met, **(options[0] if options else {}))


def _tuples(table: dict[str, Any]) -> dict[str, Any]:
    found = {name: _tuple(value) for name, value in table.items()}
    pages = {name: tuple(page_met(*row) for row in rows) for name, rows in found.items() if name.startswith("pages_")}
    return found | pages


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value
