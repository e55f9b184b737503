"""Whether two exchanges gave the same page, as far as their structure tells: bytes, redirect, title, words, tags, what
scripts and links point at, and who made the answer by its headers.

A page that differs accuses nobody. Sites differ from visit to visit, by language, by experiment, by login; so one sign
of the same page is enough to call it that, and `same_maker` knows the signs of one server behind two unlike pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from probe.model.kinds import HttpFetch, PageFeatures, PageMet
from probe.model.target import site_of
from probe.verdict.read import REDIRECTS, redirect_target
from probe.wire.http1 import header_value
from probe.wire.page import shared, similarity

# Same page or not, by simhash of its text (Charikar 2002): 64 bits of which this share agree. Two unrelated texts agree
# on half; the margin leaves room for dates, counters and advertisements.
ALIKE = 0.80
# By sketches (Broder 1997): unrelated pages share hardly a run of five words, and no addresses of their pictures.
RESEMBLING = 0.20
LEAST_SHARED = 3
# One notice in the place of several sites has nearly all words in common: only the site's name and the date may differ.
SAME_NOTICE = 0.3
# Any two pages have a few tags in common; a template shows in many. Older facts do not count tags, but words.
LEAST_TAGS, LEAST_WORDS = 25, 100
# What answers carry whoever made them; any other header that two answers share names their maker.
COMMON_HEADERS = frozenset(
    "accept-ranges access-control-allow-headers access-control-allow-methods access-control-allow-origin age"
    " allow alt-svc cache-control connection content-disposition content-encoding content-language content-length"
    " content-location content-security-policy content-type cross-origin-opener-policy date etag expires"
    " keep-alive last-modified link location mime-version p3p permissions-policy pragma proxy-connection"
    " referrer-policy refresh retry-after server set-cookie strict-transport-security trailer transfer-encoding"
    " upgrade vary via warning www-authenticate x-cache x-cache-lookup x-content-type-options x-frame-options"
    " x-powered-by x-ua-compatible x-xss-protection".split()
)
# What servers call themselves that one operator runs for many sites. Any other name is a program's, which a censor may
# run as well.
OPERATORS = frozenset(
    "akamaighost akamainetstorage amazons3 bunnycdn cdn77-turbo cloudflare cloudfront ddos-guard ecacc ecs esf fastly"
    " github.com google gws imperva incapsula keycdn-engine netlify pepyaka qrator sffe squarespace sucuri"
    " vercel yunjiasu-nginx".split()
)
COMMON_COOKIES = frozenset({"asp.net_sessionid", "jsessionid", "lang", "language", "phpsessid", "session", "sid"})

Look = HttpFetch | PageMet


def alike(page: Look, other: Look) -> bool:
    """The same page as far as anyone can tell: same bytes, same redirect, same title, or much the same making."""
    if page.status in REDIRECTS and other.status in REDIRECTS:
        return _same_redirect(page, other)
    if page.status is None or page.status != other.status:
        return page.body is not None and page.body == other.body
    if page.body == other.body:
        return True
    a, b = page.features, other.features
    if a is None or b is None:
        return a is b and _same_media(page, other)
    if a.title and a.title == b.title:
        return True
    if a.canonical and a.canonical == b.canonical:
        return True
    return resemblance(a, b) >= RESEMBLING or _is_near(a.simhash, b.simhash) or _same_template(a, b)


def is_among(page: Look, others: Sequence[Look]) -> bool:
    """The page is like one of the others."""
    return any(alike(page, other) for other in others)


def is_restless(others: Sequence[Look]) -> bool:
    """These visits, all to one URL and by somebody whom nothing disturbs, were not even given pages like each other."""
    return any(not alike(a, b) for a, b in combinations(others, 2))


def same_answer(page: Look, other: Look) -> bool:
    """One stranger's answer in the place of two sites: redirects that lead to one host, or nearly the same page. A
    title or a template in common is not enough: many pages are called "Access denied"."""
    if page.status in REDIRECTS or other.status in REDIRECTS:
        return bool(led_to(page)) and led_to(page) == led_to(other)
    if page.body is not None and page.body == other.body:
        return True
    a, b = page.features, other.features
    if page.status != other.status or a is None or b is None:
        return False
    made = (a.sketch, a.pointers, a.meta_refresh)
    return any(made) and made == (b.sketch, b.pointers, b.meta_refresh) or _share(a.sketch, b.sketch) >= SAME_NOTICE


def same_whole(page: Look, other: Look) -> bool:
    """One answer, also where it is an error without any words."""
    if same_answer(page, other):
        return True
    return page.body is None and other.body is None and page.status == other.status and not led_to(page)


def same_maker(page: HttpFetch, other: HttpFetch) -> bool:
    """Two answers, however unlike, that name one maker."""
    return not makers(page).isdisjoint(makers(other))


def makers(page: HttpFetch) -> frozenset[str]:
    """What in an answer's head names who made it: headers that few send, cookies, an operator's own servers."""
    names = {name.lower() for name, _ in page.headers} - COMMON_HEADERS
    set_cookies = (value for name, value in page.headers if name.lower() == "set-cookie")
    cookies = {value.split("=")[0].strip().lower() for value in set_cookies} - COMMON_COOKIES
    product = (header_value(page.headers, "server") or "").split("/")[0].split(" ")[0].strip().lower()
    servers = {product} & OPERATORS
    sorts = (("header", names), ("cookie", cookies), ("server", servers))
    return frozenset(f"{sort}:{name}"[:80] for sort, found in sorts for name in found)


def resemblance(a: PageFeatures, b: PageFeatures) -> float:
    """Share of word runs, or of addresses pointed at, that both pages have: 0 to 1, the greater of the two."""
    return max(_share(a.sketch, b.sketch), _share(a.pointers, b.pointers, LEAST_SHARED))


def led_to(page: Look) -> str:
    """The host to which a redirect leads; empty for anything else."""
    leads = redirect_target(page)
    return leads.host if leads else ""


def _share(a: str | None, b: str | None, least: int = 1) -> float:
    if not a or not b:
        return 0.0
    of, both = shared(a, b)
    return both / of if both >= min(LEAST_SHARED, max(least, of)) else 0.0


def _same_redirect(page: Look, other: Look) -> bool:
    """To the same place but for its query; or both to the same site, for which each visitor may have another door. One
    that leads away from TLS where the other leads to it is another."""
    if (page.location or "").split("?")[0] == (other.location or "").split("?")[0]:
        return True
    here, there = redirect_target(page), redirect_target(other)
    if here is None or there is None or (here.scheme == "http" and there.scheme == "https"):
        return False
    return site_of(here.host) == site_of(there.host)


def _same_media(page: Look, other: Look) -> bool:
    """Neither is a page of text, both are of one sort: a picture, data, a file. Notices are pages."""
    kinds = [_media(p) for p in (page, other)]
    return kinds[0] == kinds[1] != ""


def _media(page: Look) -> str:
    if not isinstance(page, HttpFetch) or page.body is None:
        return ""
    return (header_value(page.headers, "content-type") or "").split(";")[0].strip().lower()


def _same_template(a: PageFeatures, b: PageFeatures) -> bool:
    counted = min(a.tag_count, b.tag_count)
    many = counted >= LEAST_TAGS if counted else min(a.words, b.words) >= LEAST_WORDS
    return many and _is_near(a.tags, b.tags)


def _is_near(x: str | None, y: str | None) -> bool:
    try:
        return x is not None and y is not None and similarity(x, y) >= ALIKE
    except ValueError:
        # A hash that is no hash, from somebody else's program.
        return False
