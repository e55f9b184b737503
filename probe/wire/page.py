"""Structure of a page, from its bytes: what two pages can be compared by without keeping their text.

One pass over at most 256 KiB, never backwards: each search either finds something ahead or ends the pass, so that no
page, however hostile, costs more than its length. Not a conforming HTML parser and not meant to be: the same bytes
give the same features, and pages that look alike give features that are alike. Similarity hashes after Charikar's
simhash (STOC 2002), as used for near-duplicate pages by Manku, Jain and Das Sarma (WWW 2007); sketches after Broder's
resemblance of documents (SEQUENCES 1997): unrelated pages share next to nothing of them, so that a small share says
that one is made from the other, or both from the same template.
"""

from __future__ import annotations

import hashlib
import heapq
import html
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from probe.model.kinds import PageFeatures

PAGE_BYTES = 262_144
MAX_TITLE = 300
MAX_URL = 2_048
MAX_WORDS = 8_192
MAX_TAGS = 8_192
MAX_TAG_LENGTH = 4_096
SHINGLE = 3
# A sketch is of longer runs, which two authors hardly ever share. It holds this many hashes of 32 bits, the smallest
# ones: a resemblance of 0.2 is then seen with five of them.
LONG_SHINGLE = 5
SKETCH = 24
# Tags whose attributes are read at most this often, of each sort: only the first few can matter.
MAX_ATTRIBUTED = 256
# Where an element points with what it needs or leads to.
_POINTERS = {"script": "src", "img": "src", "iframe": "src", "form": "action", "a": "href", "link": "href"}
MIN_POINTER = 6
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]{0,30})")
_ATTRIBUTE = re.compile(r"""([a-zA-Z-]{1,30})\s{0,8}=\s{0,8}(?:"([^"]{0,2048})"|'([^']{0,2048})'|([^\s"'>]{1,2048}))""")
_ABSURD_REFERENCE = re.compile(r"&#[xX]?[0-9a-fA-F]{9,}")
_WORD = re.compile(r"\w{1,64}")
_REFRESH = re.compile(r"[\d.\s]{0,20}[;,]\s{0,8}(?:url\s{0,8}=\s{0,8})?['\"]?([^'\"]{1,2048})", re.I)
_META_CHARSET = re.compile(rb"<meta[^>]{0,300}charset\s{0,4}=\s{0,4}[\"']?\s{0,4}([a-zA-Z0-9_:.-]{2,40})", re.I)
_HEADER_CHARSET = re.compile(r"charset\s{0,4}=\s{0,4}[\"']?([a-zA-Z0-9_:.-]{2,40})", re.I)
# Codecs that a page may ask for. The others that Python has are slow, unsafe or no character sets.
_CHARSETS = re.compile(
    r"utf-?8|utf-?16(-?[lb]e)?|(us-)?ascii|latin-?1|iso-?8859-?\d{1,2}|(windows|cp)-?(125\d|874)|koi8-[ru]"
    r"|gb2312|gbk|gb18030|big5(-hkscs)?|euc-(jp|kr|tw)|shift_?jis|iso-2022-jp|tis-620|mac(roman|intosh)"
)
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
# Elements whose content is no text of the page, and runs to their own closing tag whatever stands between.
_RAW = frozenset({"script", "style", "textarea", "title", "noframes", "xmp", "iframe", "template"})
_CLOSERS = {name: re.compile(rf"</{name}(?![a-z0-9])", re.I) for name in _RAW}


def page_features(body: bytes, content_type: str = "") -> PageFeatures:
    """Features of a decoded body. Total: any bytes give a value."""
    page = _Page(decode_text(body[:PAGE_BYTES], content_type))
    page.scan()
    words = _WORD.findall(_unescape(" ".join(page.texts)).lower())
    words_read = words[:MAX_WORDS]
    return PageFeatures(
        title=page.title,
        lang=page.lang,
        words=len(words),
        simhash=simhash(words_read),
        tags=simhash(page.tags),
        canonical=page.canonical,
        meta_refresh=page.refresh,
        tag_count=len(page.tags),
        sketch=_sketch(_digests(words_read, LONG_SHINGLE)),
        pointers=_sketch(b"".join(_digest(pointer) for pointer in page.pointers)),
    )


def decode_text(body: bytes, content_type: str = "") -> str:
    """A body as text: by its byte order mark, the header's charset, its own meta element, or UTF-8; bytes that do not
    fit are replaced."""
    bom = next((name for mark, name in _BOMS if body.startswith(mark)), None)
    header, meta = _HEADER_CHARSET.search(content_type), _META_CHARSET.search(body[:4_096])
    asked = [match[1] for match in (header,) if match] + [match[1].decode() for match in (meta,) if match]
    usable = [name.lower() for name in asked if _CHARSETS.fullmatch(name.lower())]
    for name in [*([bom] if bom else usable), "utf-8"]:
        try:
            return body.decode(name, errors="replace")
        except (LookupError, ValueError):
            continue
    return body.decode("latin-1")


def looks_like_html(body: bytes, content_type: str) -> bool:
    """Whether features mean anything: said to be HTML or plain text, or said to be nothing and begins like a tag."""
    essence = content_type.split(";", 1)[0].strip().lower()
    if essence in ("text/html", "application/xhtml+xml", "text/plain", "application/xml", "text/xml"):
        return True
    return not essence and body.lstrip()[:1] == b"<"


_LANE = 32
_LANES = tuple(sum((value >> bit & 1) << _LANE * bit for bit in range(8)) for value in range(256))


def _digest(text: str) -> bytes:
    """64 bits out of BLAKE2b: the same on every machine and in every version."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()


def _digests(tokens: Sequence[str], length: int) -> bytes:
    """Those of all runs of so many tokens, one after the other."""
    if not tokens:
        return b""
    return b"".join(_digest(" ".join(tokens[i : i + length])) for i in range(max(1, len(tokens) - length + 1)))


def simhash(tokens: Sequence[str]) -> str | None:
    """64 bits in hex over all runs of three tokens; None without tokens."""
    digests = _digests(tokens, SHINGLE)
    if not digests:
        return None
    runs = len(digests) // 8
    out = bytearray(8)
    for place in range(8):
        # Counting byte values first makes this 256 additions a place at most, however long the page; eight counters,
        # one for each bit, lie side by side in one number.
        packed = sum(count * _LANES[value] for value, count in Counter(digests[place::8]).items())
        ones = [packed >> _LANE * bit & (1 << _LANE) - 1 for bit in range(8)]
        # The first run settles a tie: rounding all of them down would make short texts alike.
        first = digests[place]
        out[place] = sum(1 << b for b in range(8) if ones[b] * 2 + (first >> b & 1) > runs)
    return out.hex()


def _sketch(digests: bytes) -> str | None:
    """The smallest of the digests' first halves, in hex, in order; None without any."""
    halves = {digests[i : i + 4] for i in range(0, len(digests), 8)}
    return b"".join(heapq.nsmallest(SKETCH, halves)).hex() or None


def shared(a_sketch: str, b_sketch: str) -> tuple[int, int]:
    """(of how many of the smallest hashes of both, how many both hold): their ratio estimates the resemblance. Total:
    what is no sketch shares nothing."""
    a, b = (frozenset(text[i : i + 8] for i in range(0, len(text), 8)) for text in (a_sketch, b_sketch))
    smallest = heapq.nsmallest(SKETCH, a | b)
    return len(smallest), sum(hash_ in a and hash_ in b for hash_ in smallest)


def similarity(a_hex: str, b_hex: str) -> float:
    """1 for equal hashes, about 0.5 for unrelated ones. Raises ValueError when either is not hex."""
    return 1 - (int(a_hex, 16) ^ int(b_hex, 16)).bit_count() / 64


@dataclass(slots=True)
class _Page:
    """The state of the pass. `at` only grows; `gt` remembers where the next ">" is, so that each is looked for once."""

    text: str
    at: int = 0
    gt: int = -1
    attributed: int = 0
    pointing: int = 0
    texts: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    unclosed: set[str] = field(default_factory=set)
    pointers: list[str] = field(default_factory=list)
    title: str | None = None
    lang: str | None = None
    canonical: str | None = None
    refresh: str | None = None

    def scan(self) -> None:
        """From the beginning to the end."""
        while self.at < len(self.text):
            lt = self.text.find("<", self.at)
            if lt < 0:
                self._say(self.text[self.at :])
                return
            self._say(self.text[self.at : lt])
            self.at = lt
            self._markup()

    def _say(self, words: str) -> None:
        if words and not words.isspace():
            self.texts.append(words)

    def _markup(self) -> None:
        """Whatever begins with "<" here; afterwards `at` is past it."""
        if self.text.startswith("<!--", self.at):
            end = self.text.find("-->", self.at + 4)
            self.at = end + 3 if end >= 0 else len(self.text)
            return
        tag = _TAG.match(self.text, self.at)
        end = self._tag_end()
        if tag is None and self.text[self.at + 1 : self.at + 2] not in ("!", "?", "/"):
            self.at += 1
        elif end < 0:
            # Never closed: a browser shows nothing of it either.
            self.at = len(self.text)
        elif end - self.at > MAX_TAG_LENGTH:
            self.at += 1
        else:
            inside = self.text[tag.end() : end] if tag else ""
            self.at = end + 1
            if tag and not tag[1]:
                self._open(tag[2].lower(), inside)

    def _tag_end(self) -> int:
        """Where the next ">" is; one inside a quoted attribute counts too, which is rare and does little harm."""
        if self.gt < self.at:
            found = self.text.find(">", self.at)
            self.gt = found if found >= 0 else len(self.text)
        return self.gt if self.gt < len(self.text) else -1

    def _open(self, name: str, inside: str) -> None:
        if len(self.tags) < MAX_TAGS:
            self.tags.append(name)
        if name in ("html", "meta", "link") and self.attributed < MAX_ATTRIBUTED:
            self.attributed += 1
            self._attributes(name, _attributes_in(inside))
        if name in _POINTERS and self.pointing < MAX_ATTRIBUTED:
            self.pointing += 1
            self._point(_attributes_in(inside).get(_POINTERS[name], ""))
        if name in _RAW and not inside.endswith("/"):
            self._skip(name)

    def _attributes(self, name: str, found: dict[str, str]) -> None:
        if name == "html" and self.lang is None:
            self.lang = found.get("lang", found.get("xml:lang", ""))[:35] or None
        elif name == "link" and "canonical" in found.get("rel", "").lower().split():
            self.canonical = self.canonical or _url(found.get("href", ""))
        elif name == "meta" and found.get("http-equiv", "").strip().lower() == "refresh":
            leads = _REFRESH.match(found.get("content", "").strip())
            self.refresh = self.refresh or (_url(leads[1]) if leads else None)

    def _point(self, url: str) -> None:
        """Without the query, which often differs each time; what is as short as "/" or "#top" is everybody's."""
        plain = url.split("?")[0].split("#")[0].strip().lower()
        if len(plain) >= MIN_POINTER and not plain.startswith(("data:", "javascript:")):
            self.pointers.append(plain[:MAX_URL])

    def _skip(self, name: str) -> None:
        """Past the content of a raw element; unclosed, it swallows the rest, except that a title ends at a tag."""
        closer = None if name in self.unclosed else _CLOSERS[name].search(self.text, self.at)
        end = closer.start() if closer else len(self.text)
        if closer is None:
            self.unclosed.add(name)
        if name == "title":
            if closer is None and (lt := self.text.find("<", self.at)) >= 0:
                end = lt
            if self.title is None:
                self.title = _fold(self.text[self.at : min(end, self.at + MAX_TAG_LENGTH)]) or None
        elif name == "textarea":
            self._say(self.text[self.at : end])
        self.at = end


def _attributes_in(inside: str) -> dict[str, str]:
    return {m[1].lower(): m[2] or m[3] or m[4] or "" for m in _ATTRIBUTE.finditer(inside)}


def _unescape(text: str) -> str:
    """Character references resolved. Absurdly long numbers go first: turning one into an integer would raise."""
    return html.unescape(_ABSURD_REFERENCE.sub("", text))


def _fold(text: str) -> str:
    return " ".join(_unescape(text).split())[:MAX_TITLE]


def _url(text: str) -> str | None:
    return _unescape(text).strip()[:MAX_URL] or None
