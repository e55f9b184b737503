"""Matching fingerprints: innocents first, blockpages only inside their scope."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from probe.model.kinds import HttpFetch
from probe.model.vantage import Vantage
from probe.verdict.reference import Fingerprint, Reference

# How much of a body is searched; a notice stands at its top, and expressions stay cheap.
BODY_SEARCHED = 65536
# Notices, challenges, portals and parked pages are short: in two languages and with a paragraph of law a notice stays
# below this many visible words. In a longer page the mark is quoted, as newspapers do.
NOTICE_WORDS = 300
# Innocent kinds explain a page away before anything may accuse; parental before blockpage for the same reason.
ORDER = ("innocent", "refusal", "portal", "parental", "blockpage")


def match_page(
    reference: Reference, page: HttpFetch, body: bytes | None, vantage: Vantage | None
) -> Fingerprint | None:
    """The fingerprint that a fetched page matches, the most innocent first; None when none does."""
    text = (body or b"")[:BODY_SEARCHED].decode("utf-8", "replace")
    title = (page.features.title if page.features else None) or ""
    headers = {name.lower(): value for name, value in page.headers}
    for fingerprint in _ordered(reference.fingerprints):
        places = {
            "body": text,
            "title": title,
            "header": headers.get(fingerprint.header, ""),
            "location": page.location or "",
        }
        if not in_scope(fingerprint, vantage) or not matches(fingerprint, places.get(fingerprint.where, "")):
            continue
        if fingerprint.where != "body" or is_short(page):
            return fingerprint
    return None


def is_short(page: HttpFetch) -> bool:
    """Short enough for a mark in its text to be what the page is there to say."""
    return page.features is None or page.features.words <= NOTICE_WORDS


def match_address(reference: Reference, ip: str, vantage: Vantage | None) -> Fingerprint | None:
    """The fingerprint of a known block portal's address in a DNS answer."""
    for fingerprint in _ordered(reference.fingerprints):
        if fingerprint.where == "address" and in_scope(fingerprint, vantage) and matches(fingerprint, ip):
            return fingerprint
    return None


def in_scope(fingerprint: Fingerprint, vantage: Vantage | None) -> bool:
    """A country's or network's notice proves something only there. A vantage point that does not say where it is may be
    anywhere, so the notice of a country counts for it; a network's does not, and neither does another country's."""
    if fingerprint.kind != "blockpage":
        return True
    cc, asn = (vantage.cc, vantage.asn) if vantage else ("", None)
    if fingerprint.scope_cc and cc and fingerprint.scope_cc.upper() != cc.upper():
        return False
    return not fingerprint.scope_asn or asn is None or asn in fingerprint.scope_asn


def matches(fingerprint: Fingerprint, text: str) -> bool:
    """A literal is contained (an address equal); an expression is searched."""
    if not text:
        return False
    if fingerprint.regex:
        return _compiled(fingerprint.pattern).search(text) is not None
    if fingerprint.where == "address":
        return fingerprint.pattern == text
    return fingerprint.pattern in text


def _ordered(fingerprints: Iterable[Fingerprint]) -> list[Fingerprint]:
    return sorted(fingerprints, key=lambda f: ORDER.index(f.kind))


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
