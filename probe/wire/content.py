"""Content codings undone within bounds (RFC 9110 section 8.4): gzip, deflate, identity. Nothing else is offered.

A few kilobytes can expand to gigabytes, so output is bounded twice: by a size, past which an honest page is merely cut
(`cap`), and by a ratio, which no page reaches and a bomb of zeros does (`bomb`).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

OFFERED = "gzip, deflate"
# The decoded size at which we stop, and the ratio that is a bomb's once this much came out. Deflate's most is 1032:1;
# HTML seldom passes 20:1, generated tables 100:1.
DECODED_CAP = 1_048_576
BOMB_RATIO, BOMB_FROM = 200, 131_072
# Codings may be stacked ("gzip, gzip"); nobody honest stacks more than two.
MAX_LAYERS = 3
_STEP = 65_536
_ZLIB, _RAW_DEFLATE, _GZIP = 15, -15, 31
_WINDOWS = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (_ZLIB, _RAW_DEFLATE)}


@dataclass(frozen=True, slots=True)
class Decoded:
    """What came out. `truncated` is `cap`, `bomb` or None; `error` names the coding that did not decode (what came out
    before it broke is kept, and the bytes as they were if nothing did)."""

    data: bytes
    truncated: str | None = None
    error: str | None = None


def decode_content(data: bytes, coding: str, cap: int = DECODED_CAP) -> Decoded:
    """Undo a Content-Encoding header's codings, last first. Input that ends early gives what it held: no error."""
    layers = [name.strip().lower() for name in coding.split(",") if name.strip()]
    layers = [name for name in layers if name != "identity"]
    if len(layers) > MAX_LAYERS:
        return Decoded(data[:cap], error="too many codings")
    result = Decoded(data)
    for layer in reversed(layers):
        inner = _undo(result.data, layer, cap)
        result = replace(inner, truncated=inner.truncated or result.truncated)
        if result.error or result.truncated == "bomb":
            return result
    kept = result.data[:cap]
    return replace(result, data=kept, truncated=result.truncated or ("cap" if len(kept) < len(result.data) else None))


def _undo(data: bytes, layer: str, cap: int) -> Decoded:
    windows = _WINDOWS.get(layer)
    if windows is None:
        return Decoded(data[:cap], error=layer[:40])
    for window in windows:
        out = _inflate(data, window, cap)
        if out.data or out.error is None:
            return replace(out, error=layer if out.error else None)
    return Decoded(data[:cap], error=layer)


def _inflate(data: bytes, window: int, cap: int) -> Decoded:
    """Member by member (gzip may be several in a row); trailing bytes that are no member are left out."""
    out = bytearray()
    rest = data
    try:
        while rest:
            unpacker = zlib.decompressobj(window)
            while rest and not unpacker.eof:
                out += unpacker.decompress(rest, _STEP)
                rest = unpacker.unconsumed_tail
                if len(out) > BOMB_FROM and len(out) > BOMB_RATIO * (len(data) - len(rest)):
                    return Decoded(bytes(out[:cap]), "bomb")
                if len(out) > cap:
                    return Decoded(bytes(out[:cap]), "cap")
            rest = unpacker.unused_data if window == _GZIP else b""
            if not rest.startswith(b"\x1f\x8b"):
                break
    except zlib.error:
        return Decoded(bytes(out), error="broken")
    return Decoded(bytes(out))
