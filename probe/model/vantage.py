"""A vantage point: a place in a network that measures, either in the field or as a control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["field", "control"]
ROLES: tuple[Role, ...] = ("field", "control")


@dataclass(frozen=True, slots=True)
class Vantage:
    """Where facts come from. `who_says` tells for network and country whether the volunteer typed them
    ("typed"), a helper or collector saw them ("seen"), or a database file was asked ("netdb:<date>:<digest>").
    No address of the person is part of it, ever."""

    vantage_id: str
    role: Role
    cc: str = ""
    asn: int | None = None
    place: str = ""
    access: str = ""
    gateway: str = ""
    who_says: str = ""
    resolver_asn: int | None = None
    software: str = "vantage-probe"
    version: str = ""
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One sitting over a list. `config` is canonical JSON text: what was asked for, without any address of ours."""

    run_id: str
    vantage_id: str
    started_at: str
    list_digest: str = ""
    config: str = "{}"
