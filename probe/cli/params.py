"""Values that several options take: times, sizes, numbers of targets."""

from __future__ import annotations

import click


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> float:
    """Seconds from `90`, `90s`, `15m` or `2h`."""
    return _scaled(value, {"s": 1, "m": 60, "h": 3600}, "a time such as 90s, 15m or 2h")


def amount(ctx: click.Context, param: click.Parameter, value: str | None) -> float:
    """Bytes from `500000`, `500k`, `20M` or `1G`."""
    return _scaled(value, {"k": 1e3, "m": 1e6, "g": 1e9}, "a size such as 500k or 20M")


def _scaled(value: str | None, units: dict[str, float], what: str) -> float:
    if value is None:
        return 0
    text = value.strip().lower().removesuffix("/s").removesuffix("b")
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        amount = float(number) * unit
    except ValueError:
        amount = -1
    if not 0 < amount < 1e15:
        raise click.BadParameter(f"{value!r} is not {what}")
    return amount


def concurrency(ctx: click.Context, param: click.Parameter, value: str) -> int:
    if value == "auto":
        return 0
    if value.isdigit() and 1 <= int(value) <= 256:
        return int(value)
    raise click.BadParameter("a number from 1 to 256, or auto")
