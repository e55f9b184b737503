"""An observation (a fact): one operation and what happened. A typed envelope that everyone filters on, and a
detail owned by the kind's dataclass (`probe.model.kinds`). `failure` is the public word of what was met."""

from __future__ import annotations

from dataclasses import dataclass

from probe.model.kinds import Detail


@dataclass(frozen=True, slots=True)
class Draft:
    """An observation before the engine gives it its place: what a performer reports."""

    kind: str
    detail: Detail
    host: str | None = None
    ip: str | None = None
    port: int | None = None
    failure: str | None = None
    at_us: int = 0
    took_us: int = 0
    attempt: int = 1
    why: str = "plan"
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """A fact in its place: (`measurement_id`, `seq`) is its name for ever. `at_us` is Unix time in microseconds when
    the operation began, `took_us` its duration on the monotonic clock. `parent` is the seq it followed from."""

    measurement_id: str
    seq: int
    parent: int | None
    kind: str
    host: str | None
    ip: str | None
    port: int | None
    attempt: int
    why: str
    failure: str | None
    at_us: int
    took_us: int
    detail: Detail


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes stored once under their SHA-256 (hex): a body, a certificate (DER) or a DNS message. `media` is a media
    type; `size` the length of `data` before the store compresses it."""

    sha256: str
    media: str
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)
