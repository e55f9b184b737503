"""Taking the volunteer's own addresses out of facts: sites echo them in headers, pages, answers, in many spellings.

Used twice: by the engine before a fact is kept, and again when a bundle is cut (defence in depth). The addresses are
known in memory only. Pure functions; a `Scrubber` remembers which blobs were changed, so that the facts that name them
follow: give it the blobs of an observation before the observation.

Not reached: addresses inside compressed or base64 parts of a body, in UTF-16, or in pictures.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from probe.model.measurement import Measurement
from probe.model.observation import Blob
from probe.model.vantage import Run, Vantage
from probe.wire.facts import ObservationRow, Row, canonical

MARK = "[scrubbed]"
# Separators as sites write them: plain, percent-encoded once or twice, JSON or HTML escapes, a dash in names.
_DOT = r"(?:\.|%(?:25)?2e|\\u002e|&#(?:46|x2e);|[-_])"
_COLON = r"(?::|%(?:25)?3a|\\u003a|&#(?:58|x3a);|[-_])"
# Every spelling lies within one run of these; the patterns proper are too slow to try at each byte of a page.
_RUN = re.compile(r"[0-9a-fA-FxXu.:%_&#;\\-]{6,}")
_TEXT_KEYS = frozenset({"raw", "note"})
_V6_LIKE = re.compile(r"(?<![0-9a-f:])[0-9a-f:]{2,39}(?![0-9a-f:])", re.IGNORECASE)
Mark = Callable[[str], str]


def scrub_text(text: str, addresses: Iterable[str]) -> str:
    """`text` with every spelling of the addresses replaced by MARK. Raises ValueError for what is no address."""
    return Scrubber(addresses).text(text)


class Scrubber:
    """Replaces addresses everywhere, and `names` (host name, user name) in what the program itself wrote: run
    configuration, place, raw origins and notes. Page bodies keep those names, since a name may be an ordinary word."""

    def __init__(self, addresses: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        self._packed: set[bytes] = set()
        self._nets: list[ipaddress.IPv6Network] = []
        self._patterns: list[str] = []
        self._pattern: re.Pattern[str] | None = None
        words = sorted({re.escape(name) for name in names if len(name) >= 3}, key=len, reverse=True)
        self._names = re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE) if words else None
        self._renamed: dict[str, str] = {}
        for address in addresses:
            self.learn(address)

    def learn(self, address: str) -> None:
        """One more address of ours. Raises ValueError for what is no address. Loopback is nobody's: it is ignored."""
        ip = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        if ip.packed in self._packed or ip.is_loopback or ip.is_unspecified:
            return
        self._packed.add(ip.packed)
        self._patterns.append(_pattern_of(str(ip)))
        if isinstance(ip, ipaddress.IPv6Address) and not ip.is_link_local:
            # Privacy addresses change within the /64, which is the household's.
            self._nets.append(ipaddress.IPv6Network((ip, 64), strict=False))
        self._pattern = re.compile("|".join(self._patterns), re.IGNORECASE)

    # ---- text and bytes ----

    def text(self, text: str) -> str:
        """`text` without our addresses."""
        return self._replace(text, lambda found: MARK)

    def data(self, media: str, data: bytes) -> bytes:
        """Bytes without our addresses. What is not text keeps its length, so that messages and certificates still
        parse; DNS messages lose the packed form, too (an answer's A record, an EDNS client subnet)."""
        text = data.decode("latin-1")
        is_text = media.startswith("text/") or any(word in media for word in ("json", "xml", "javascript"))
        clean = self.text(text) if is_text else self._replace(text, lambda found: "x" * len(found))
        out = clean.encode("latin-1")
        if "dns" in media:
            for packed in self._packed:
                out = out.replace(packed, bytes(len(packed)))
                # An EDNS client subnet carries the prefix only: option 8, length, family, /24 or /56 (RFC 7871).
                for prefix in (packed[:3], packed[:7]) if len(packed) == 16 else (packed[:3],):
                    out = _without_subnet(out, len(packed), prefix)
        return out

    def _replace(self, text: str, mark: Mark) -> str:
        if self._pattern is None:
            return text
        return _RUN.sub(lambda run: self._replace_in(run[0], mark), text)

    def _replace_in(self, run: str, mark: Mark) -> str:
        assert self._pattern is not None
        run = self._pattern.sub(lambda m: mark(m[0]), run)
        return _V6_LIKE.sub(lambda m: mark(m[0]) if self._in_our_net(m[0]) else m[0], run) if self._nets else run

    def _in_our_net(self, text: str) -> bool:
        if text.count(":") < 2:
            return False
        try:
            ip = ipaddress.IPv6Address(text)
        except ValueError:
            return False
        return any(ip in net for net in self._nets)

    # ---- facts ----

    def __call__(self, row: Row) -> Row:
        """The row without our addresses; the same object when there was nothing to take out."""
        match row:
            case Blob():
                return self._blob(row)
            case ObservationRow():
                return self._observation(row)
            case Run():
                config = self._json(row.config, own_words=True)
                return row if config == row.config else replace(row, config=config)
            case Measurement():
                url = self.text(row.url)
                return row if url == row.url else replace(row, url=url)
            case Vantage():
                place, gateway = self._own(row.place), self._own(row.gateway)
                same = (place, gateway) == (row.place, row.gateway)
                return row if same else replace(row, place=place, gateway=gateway)

    def _blob(self, blob: Blob) -> Blob:
        data = self.data(blob.media, blob.data)
        if data == blob.data:
            return blob
        clean = Blob(hashlib.sha256(data).hexdigest(), blob.media, data)
        self._renamed[blob.sha256] = clean.sha256
        return clean

    def _observation(self, row: ObservationRow) -> ObservationRow:
        host = None if row.host is None else self.text(row.host)
        ip = None if row.ip is None or self.text(row.ip) != row.ip else row.ip
        detail = self._json(row.detail, own_words=False)
        if (host, ip, detail) == (row.host, row.ip, row.detail):
            return row
        return replace(row, host=host, ip=ip, detail=detail)

    def _own(self, text: str) -> str:
        text = self.text(text)
        return self._names.sub(MARK, text) if self._names else text

    def _json(self, text: str, own_words: bool) -> str:
        if self.text(text) == text and not (self._names and self._names.search(text)) and not self._is_renamed(text):
            return text
        return canonical(self._value(json.loads(text), own_words))

    def _is_renamed(self, text: str) -> bool:
        return any(digest in text for digest in self._renamed)

    def _value(self, value: Any, own_words: bool) -> Any:
        if isinstance(value, str):
            clean = self._own(value) if own_words else self.text(value)
            return self._renamed.get(clean, clean)
        if isinstance(value, list):
            return [self._value(item, own_words) for item in value]
        if isinstance(value, dict):
            return {self.text(k): self._value(v, own_words or k in _TEXT_KEYS) for k, v in value.items()}
        if isinstance(value, int) and not isinstance(value, bool) and self.text(str(value)) != str(value):
            return 0
        return value


# ---- patterns ----


@lru_cache(maxsize=64)
def _pattern_of(address: str) -> str:
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        mapped = ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + ip.packed)
        nat64 = ipaddress.IPv6Address(bytes.fromhex("0064ff9b") + b"\0" * 8 + ip.packed)
        return "|".join((_v4(ip), _v6(mapped), _v6(nat64)))
    return _v6(ip)


def _digits(text: str) -> str:
    """Letters and digits, each also percent-encoded."""
    return "".join(rf"(?:{c}|%{ord(c):02x}{'' if c.isdigit() else f'|%{ord(c.upper()):02x}'})" for c in text)


def _v4(ip: ipaddress.IPv4Address) -> str:
    octets = [str(b) for b in ip.packed]
    decimal = [rf"0{{0,2}}{_digits(octet)}" for octet in octets]
    dotted_hex = [rf"0x0?{octet:x}" for octet in ip.packed]
    # No digit may touch, and no "digits." may precede or follow: 1.2.3.4 is not in 11.2.3.4 nor in 1.2.3.4.5.
    numbers = f"{int(ip)}|0x{int(ip):08x}|{int(ip):08x}|0{int(ip):o}"
    backwards = _DOT.join(reversed(decimal))
    return (
        rf"(?<![0-9])(?<![0-9]\.)(?:{_DOT.join(decimal)}|{backwards})(?![0-9])(?!\.[0-9])"
        rf"|(?<![0-9a-f])(?:{numbers}|{_DOT.join(dotted_hex)})(?![0-9a-f])"
    )


def _v6(ip: ipaddress.IPv6Address) -> str:
    groups = [int.from_bytes(ip.packed[i : i + 2], "big") for i in range(0, 16, 2)]
    nibbles = ip.packed.hex()
    reverse = r"(?:\.|-|%2e)?".join(reversed(nibbles))
    forward = r"(?:\.|-|%2e)?".join(nibbles)
    spelled = "|".join(_spellings(groups))
    return rf"(?<![0-9a-f])(?:{spelled}|{reverse}|{forward}|0x{int(ip):x}|{int(ip)})(?![0-9a-f])"


def _spellings(groups: list[int]) -> Iterable[str]:
    """Patterns of all texts of an IPv6 address: whole, with any run of zero groups left out, with a dotted tail."""
    hexes = [rf"0{{0,{4 - len(f'{g:x}')}}}{_digits(f'{g:x}')}" for g in groups]
    octets = [o for g in groups[6:] for o in divmod(g, 256)]
    dotted = r"(?:\.|%2e)".join(_digits(str(o)) for o in octets)
    for parts, zeros in ((hexes, groups), ([*hexes[:6], dotted], groups[:6])):
        yield _COLON.join(parts)
        for start in range(len(zeros)):
            for end in range(start + 1, len(zeros) + 1):
                if any(zeros[start:end]):
                    break
                left, right = _COLON.join(parts[:start]), _COLON.join(parts[end:])
                yield f"{left}{_COLON}{_COLON}{right}"


def _without_subnet(data: bytes, size: int, prefix: bytes) -> bytes:
    family = b"\0\x01" if size == 4 else b"\0\x02"
    pattern = re.compile(rb"(\x00\x08\x00." + re.escape(family) + rb"..)" + re.escape(prefix), re.DOTALL)
    return pattern.sub(lambda m: m[1] + bytes(len(prefix)), data)
