"""Whether two fetches were given the same page, as far as their features tell."""

from __future__ import annotations

from probe.model.kinds import HttpFetch
from probe.verdict.read import REDIRECTS
from probe.wire.page import similarity

# Same page or not, by simhash of its text (Charikar 2002): 64 bits of which this share agree. Two unrelated texts agree
# on half; the margin leaves room for dates, counters and advertisements.
ALIKE = 0.80


def alike(page: HttpFetch, other: HttpFetch) -> bool:
    """The same page as far as anyone can tell: same bytes, same redirect, same title, or much the same text."""
    if page.status in REDIRECTS and other.status in REDIRECTS:
        return (page.location or "").split("?")[0] == (other.location or "").split("?")[0]
    if page.body is not None and page.body == other.body:
        return True
    a, b = page.features, other.features
    if a is None or b is None or page.status != other.status:
        return False
    if a.title and a.title == b.title:
        return True
    pairs = ((a.simhash, b.simhash), (a.tags, b.tags))
    return any(x is not None and y is not None and _is_near(x, y) for x, y in pairs)


def _is_near(x: str, y: str) -> bool:
    try:
        return similarity(x, y) >= ALIKE
    except ValueError:
        # A hash that is no hash, from somebody else's program.
        return False
