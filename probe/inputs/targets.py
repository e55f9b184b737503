"""Target lists into values: our own by name, or any file in the Citizen Lab columns or with one URL a line.

A bad line is never fatal: it is collected with its number, and the rest is used. The gate on sensitive categories
(`probe.inputs.categories`) holds for every list alike.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from probe.inputs.categories import BY_CODE, why_gated
from probe.inputs.folders import data_folder, digest, read_bounded
from probe.inputs.lines import Row, read_rows
from probe.model.errors import TargetError, UsageError
from probe.model.target import Target, parse_target

MAX_BYTES = 10_000_000
MAX_LINES = 200_000
_OURS = re.compile(r"[a-z][a-z0-9-]{1,30}", re.IGNORECASE)
_CODE = re.compile(r"[A-Z0-9_-]{1,16}")


@dataclass(frozen=True, slots=True)
class Planned:
    """A target of a list; `inputs` are all spellings under which it stands there, in order."""

    target: Target
    inputs: tuple[str, ...] = ()
    category: str = ""
    notes: str = ""


@dataclass(frozen=True, slots=True)
class TargetList:
    """What a list gives. `errors` are the lines that cannot be used; `held` are (code, number) of targets that wait
    behind the gate, `outside` counts those in other categories than were asked for. `digest` is over the bytes."""

    name: str
    targets: tuple[Planned, ...]
    errors: tuple[TargetError, ...]
    digest: str
    held: tuple[tuple[str, int], ...] = ()
    outside: int = 0


def open_list(name: str, categories: Iterable[str] = ()) -> TargetList:
    """A list by its name (`pk`, `global`) or path; write `./pk` for a file of that name. With `categories` only those,
    gated ones too; without, all but gated. Raises UsageError when the whole cannot be read."""
    return _chosen(_read(_path_of(name), name), categories)


def default_list(cc: str, categories: Iterable[str] = ()) -> TargetList:
    """The list of the country, where there is one, and the global one. Raises UsageError."""
    names = [n for n in (cc.lower(), "global") if n in own_lists()]
    return _chosen(_joined([_read(_path_of(n), n) for n in names]), categories)


def whole_list(path: Path) -> TargetList:
    """Every target of a file, gated or not: for checking a list, not for measuring. Raises UsageError."""
    return _read(path, path.name)


def own_lists() -> tuple[str, ...]:
    """Names of the lists that came with the program."""
    return tuple(sorted(path.stem for path in data_folder("targets").glob("*.csv")))


def _path_of(name: str) -> Path:
    if _OURS.fullmatch(name) and name.lower() in own_lists():
        return data_folder("targets") / f"{name.lower()}.csv"
    if _OURS.fullmatch(name) and not Path(name).exists():
        raise UsageError(f"no list {name!r}: neither a file nor one of ours ({', '.join(own_lists())})")
    return Path(name)


def _read(path: Path, name: str) -> TargetList:
    data = read_bounded(path, MAX_BYTES, name)
    try:
        rows, errors = read_rows(data, MAX_LINES)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None
    found: list[Planned] = []
    for row in rows:
        try:
            found.append(_planned(row))
        except TargetError as error:
            errors.append(error)
    errors.sort(key=lambda error: error.line or 0)
    return TargetList(name, _merged(found), tuple(errors), digest(data))


def _planned(row: Row) -> Planned:
    code = row.category.upper()
    if code and not _CODE.fullmatch(code):
        raise TargetError(row.url, f"category {row.category[:40]!r} is no code", row.line)
    target = parse_target(row.url, category=code, line=row.line)
    return Planned(target, (row.url,), code, row.notes)


def _merged(found: Iterable[Planned]) -> tuple[Planned, ...]:
    """One for each normal form. Where rows disagree about the category, a gated one wins: caution costs one option,
    its lack may cost a person more."""
    by_form: dict[str, Planned] = {}
    for new in found:
        old = by_form.setdefault(new.target.normal, new)
        if old is not new:
            category = next((c for c in (old.category, new.category) if why_gated(c)), old.category or new.category)
            by_form[new.target.normal] = replace(
                old,
                target=replace(old.target, category=category),
                category=category,
                inputs=tuple(dict.fromkeys((*old.inputs, *new.inputs))),
                notes=old.notes or new.notes,
            )
    return tuple(by_form.values())


def _joined(lists: list[TargetList]) -> TargetList:
    return TargetList(
        "+".join(one.name for one in lists),
        _merged(planned for one in lists for planned in one.targets),
        tuple(error for one in lists for error in one.errors),
        digest("\n".join(one.digest for one in lists).encode()),
    )


def _chosen(whole: TargetList, categories: Iterable[str]) -> TargetList:
    wanted = frozenset(code.strip().upper() for code in categories)
    present = {planned.category for planned in whole.targets}
    for code in sorted(wanted - present):
        if code not in BY_CODE:
            raise UsageError(f"--category {code!r}: no such category; see `probe targets categories`")
    if wanted:
        kept = tuple(p for p in whole.targets if p.category in wanted)
        return replace(whole, targets=kept, outside=len(whole.targets) - len(kept))
    kept = tuple(p for p in whole.targets if not why_gated(p.category))
    held = Counter(p.category for p in whole.targets if why_gated(p.category))
    return replace(whole, targets=kept, held=tuple(sorted(held.items())))
