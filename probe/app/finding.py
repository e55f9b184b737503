"""What one check of `probe doctor` found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`ok` nothing to do, `note` worth knowing, `broken` measuring will not work or cannot be believed; `do` says what
    to do about it."""

    name: str
    state: State
    words: str
    do: str = ""
