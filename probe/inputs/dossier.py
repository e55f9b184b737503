"""A campaign's dossier out of a TOML file: read, bounded, held against its schema, and against sense.

A dossier comes from a stranger. What is wrong with it is told completely, a line each, and nothing of it is used
before all of it is right.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from probe.inputs.categories import BY_CODE
from probe.inputs.folders import read_bounded
from probe.model.dossier import Dossier
from probe.model.errors import TargetError, UsageError
from probe.model.target import Target, parse_target
from probe.verdict.reference import Reference
from probe.wire.codec import decode
from probe.wire.dossier import digest_of, is_signed
from probe.wire.strict import faults

MAX_DOSSIER = 256_000
# One run of a target in a quarter of an hour at most, whoever asks for more: the sites are not ours.
SHORTEST_S = 900
_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
# Names that no public resolver may answer: RFC 6761, 6762, 7686, 8375, 9476, and ICANN's .internal of 2024.
_PRIVATE = re.compile(r"(^|\.)(localhost|local|internal|lan|home\.arpa|test|invalid|onion|alt)$")


class DossierError(UsageError):
    """A dossier that cannot be used; `problems` are all of them, `str()` tells the first."""

    def __init__(self, name: str, problems: Iterable[str]) -> None:
        self.name, self.problems = name, tuple(problems)
        more = len(self.problems) - 1
        rest = f" (and {more} more: `probe campaign check` tells them)" if more else ""
        super().__init__(f"{name}: {self.problems[0]}{rest}")


@dataclass(frozen=True, slots=True)
class Read:
    """A dossier that is right in itself. `text` is the file, `digest` names what it says, `signed` is whether its
    author's signature is there and good."""

    dossier: Dossier
    text: str
    table: Mapping[str, Any]
    digest: str
    signed: bool


def read_file(path: Path, reference: Reference) -> Read:
    """The dossier in a file. Raises DossierError, or UsageError for a file that cannot be read."""
    return read_dossier(read_bounded(path, MAX_DOSSIER), str(path), reference)


def read_dossier(data: bytes, name: str, reference: Reference) -> Read:
    """The dossier in these bytes, which are called `name`. Raises DossierError with everything that is wrong."""
    if len(data) > MAX_DOSSIER:
        raise DossierError(name, [f"larger than {MAX_DOSSIER // 1000} kB"])
    text, table = _toml(data, name)
    wrong = list(faults(Dossier, table))
    if wrong:
        raise DossierError(name, wrong)
    dossier = decode(Dossier, table)
    wrong = list(_nonsense(dossier, reference))
    try:
        signed = is_signed(table)
    except ValueError as error:
        raise DossierError(name, [str(error), *wrong]) from None
    if wrong:
        raise DossierError(name, wrong)
    return Read(dossier, text, table, digest_of(table), signed)


def _toml(data: bytes, name: str) -> tuple[str, dict[str, Any]]:
    try:
        text = data.decode("utf-8")
        return text, tomllib.loads(text)
    except UnicodeDecodeError:
        raise DossierError(name, ["not a text file in UTF-8"]) from None
    except tomllib.TOMLDecodeError as error:
        raise DossierError(name, [f"not TOML: {error}"]) from None
    except (ValueError, RecursionError):
        # A number of thousands of digits, or lists within lists without end.
        raise DossierError(name, ["not TOML that anybody would write"]) from None


def targets_of(dossier: Dossier) -> tuple[Target, ...]:
    """What is measured, one target for each row. The dossier has been read, so each is one."""
    return tuple(parse_target(aim.url, category=aim.category) for aim in dossier.target)


def is_over(dossier: Dossier, today: date) -> bool:
    """True after the campaign's last day."""
    return bool(dossier.schedule.until) and dossier.schedule.until < today.isoformat()


def seconds_of(every: str) -> int:
    """`6h` -> 21600."""
    return int(every[:-1]) * _SECONDS[every[-1]]


# ---- sense ----


def _nonsense(dossier: Dossier, reference: Reference) -> Iterator[str]:
    yield from _bad_targets(dossier, reference)
    yield from _bad_references(dossier, reference)
    yield from _bad_days(dossier)
    if seconds_of(dossier.schedule.every) < SHORTEST_S:
        yield f"schedule.every: {dossier.schedule.every} is too often; once in {SHORTEST_S // 60}m at most"
    for where, urls in (("helper.urls", dossier.helper.urls), ("collector.urls", dossier.collector.urls)):
        yield from (f"{where}: {url[:80]!r} is no server's URL" for url in urls if not _is_server(url, reference))
    if dossier.collector.urls and not dossier.collector.key:
        yield "collector.key: missing; without it nobody can tell the collector from a stranger"


def _bad_targets(dossier: Dossier, reference: Reference) -> Iterator[str]:
    seen: dict[str, int] = {}
    for number, aim in enumerate(dossier.target, 1):
        where = f"target[{number}]"
        if aim.category and aim.category not in BY_CODE:
            yield f"{where}.category: {aim.category} is no category; see `probe targets categories`"
        try:
            target = parse_target(aim.url)
        except TargetError as error:
            yield f"{where}.url: {error}"
            continue
        why = _not_public(target, reference)
        if why:
            yield f"{where}.url: {aim.url[:80]!r} is no public site: {why}"
        first = seen.setdefault(target.normal, number)
        if first != number:
            yield f"{where}.url: the same as target[{first}]"


def _not_public(target: Target, reference: Reference) -> str:
    """Why a target can be no site on the open internet; empty when it can. Names are looked up by runs, and addresses
    that come out of that are refused there."""
    if target.is_address:
        block = reference.special_block(target.host)
        return f"its address lies in {block.network} ({block.name})" if block else ""
    if "." not in target.host or _PRIVATE.search(target.host):
        return "such a name exists in home networks only"
    return ""


def _bad_references(dossier: Dossier, reference: Reference) -> Iterator[str]:
    claims = [claim.id for claim in dossier.claim]
    yield from _twice("claim", claims)
    yield from _twice("rival", [rival.id for rival in dossier.rival])
    yield from _twice("translation", [t.language for t in dossier.translation])
    measured = {aim.url for aim in dossier.target}
    for claim in dossier.claim:
        yield from (
            f"claim {claim.id}: {url!r} is not among the targets" for url in claim.targets if url not in measured
        )
    for rival in dossier.rival:
        yield from (
            f"rival {rival.id}: explains {name!r}, which is no claim" for name in rival.explains if name not in claims
        )
    for translation in dossier.translation:
        yield from (
            f"translation {translation.language}: {said.id!r} is no claim"
            for said in translation.claim
            if said.id not in claims
        )
    spoken = {t.language for t in dossier.translation} | set(dossier.languages[:1])
    yield from (f"languages: {code!r} has no translation" for code in dossier.languages if code not in spoken)
    yield from (f"translation {code}: is not among languages" for code in spoken if code not in dossier.languages)
    known = {canary.id for canary in reference.canaries}
    yield from (f"canaries: {name!r} is none of seeds/canaries.toml" for name in dossier.canaries if name not in known)


def _twice(what: str, names: list[str]) -> Iterator[str]:
    yield from (f"{what} {name!r} stands there twice" for name in dict.fromkeys(names) if names.count(name) > 1)


def _bad_days(dossier: Dossier) -> Iterator[str]:
    spans = [(f"claim {c.id}", c.since, c.until) for c in dossier.claim]
    spans += [(f"rival {r.id}", r.since, r.until) for r in dossier.rival]
    for where, first, last in [*spans, ("revision", dossier.revision, ""), ("schedule", "", dossier.schedule.until)]:
        for day in filter(None, (first, last)):
            if not _is_day(day):
                yield f"{where}: {day} is no day of the calendar"
        if first and last and last < first:
            yield f"{where}: ends {last}, before it begins"


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_server(url: str, reference: Reference) -> bool:
    """A helper or collector: like a target on the open internet, and without query or fragment."""
    try:
        parts = urlsplit(url)
        return not parts.query and not parts.fragment and not _not_public(parse_target(url), reference)
    except (ValueError, TargetError):
        return False
