"""Who gave a strange page in the clear: the site, or somebody on the way? Its own look never settles that. These do:

    elsewhere    at our own helper's door the target's name is answered with the page, and an innocent one is not
    nearer       the page comes for requests that cannot have come to the server, and for an innocent name does not
    home         the same, and the first router of all gives it, which may be that of the house
    early        at the site's own address an innocent name gets something else, and the page came, each time, in less
                 time than anything can need to the server and back
    several      several sites that share neither owner nor network nor server were answered with it in this run, none
                 of their controls was, and innocent sites are not: a likelihood, no proof

A host trial alone proves nothing here: servers answer each of their names with another page.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from probe.checks.web.door import SETTLED, answered_there
from probe.checks.web.early import are_early
from probe.checks.web.looks import ALTERED, Page
from probe.checks.web.nearer import given_nearer
from probe.checks.web.proofs import NO_PROOF, Proof
from probe.checks.web.several import is_of_several
from probe.checks.web.strange import is_strange
from probe.model.kinds import HttpFetch
from probe.model.target import Target
from probe.verdict.likeness import Look, same_whole
from probe.verdict.pair import Pairing
from probe.verdict.read import REDIRECTS, Tried

# In which an intermediary names itself: RFC 9110 section 7.6.3 for Via, the others as Squid writes them.
PROXY_HEADERS = frozenset({"via", "x-cache", "x-cache-lookup", "x-squid-error", "proxy-connection"})


def altered_pages(pages: Sequence[Page], given: Sequence[Look]) -> list[Page]:
    """The strange pages in the clear among those of one URL, if it was the same one each time."""
    found = [p for p in pages if p.word in ALTERED and not p.walk.proven and is_strange(p.detail, given)]
    first = found[0].detail if found else None
    return found if first is not None and all(same_whole(first, p.detail) for p in found) else []


def proof_of(pairing: Pairing, target: Target, altered: Sequence[Page], given: Sequence[HttpFetch]) -> Proof:
    """How it is shown that the page is not the site's: elsewhere, nearer, home, early, several or not at all."""
    if not altered or target.scheme != "http":
        return NO_PROOF
    page = altered[0].detail
    ips = sorted({p.walk.ip for p in altered})
    nearer = next((p for ip in ips if (p := given_nearer(pairing, target.host, ip, target.port, page)).facts), NO_PROOF)
    visit = answered_there(pairing, target, partial(same_whole, page))
    if visit and nearer.word != "home":
        return Proof("elsewhere", (*visit, *nearer.facts), "path", nearer.located)
    if nearer.facts:
        return nearer
    for ip in ips:
        trials = [w for w in pairing.trials if w.ip == ip and _is_innocent(w, target)]
        mine = [p for p in altered if p.walk.ip == ip]
        if are_early(pairing, mine) and _flips(page, [_whole(w) for w in trials]):
            return Proof("early", tuple(w.fetch for w in trials if w.fetch is not None), "path")
    is_page = all(p.word == "differs" for p in altered)
    if is_page and any(is_of_several(pairing, target.host, ip, page, given) for ip in ips):
        return Proof("several", locus="path")
    return NO_PROOF


def technique_of(page: HttpFetch, given: Sequence[HttpFetch]) -> str:
    """What a page is that somebody else gave: a proxy's word, a redirect, a notice, or a bare error."""
    if proxy_words(page, given):
        return "http.proxy"
    if page.status in REDIRECTS:
        return "http.redirect"
    words = page.features.words if page.features else 0
    return "http.blockpage" if (page.status or 0) < 400 or words else "http.error"


def proxy_words(page: HttpFetch, given: Sequence[HttpFetch]) -> tuple[str, ...]:
    """Headers in which a proxy names itself and that no control was shown: an intermediary on this side."""
    theirs = {name.lower() for other in given for name, _ in other.headers}
    said = ((name, value) for name, value in page.headers if name.lower() in PROXY_HEADERS - theirs)
    return tuple(f"{name}: {value}"[:120] for name, value in said)


def _flips(page: HttpFetch, innocent: Sequence[HttpFetch | None]) -> bool:
    """For an innocent name something else comes each time."""
    return len(innocent) >= SETTLED and not any(p is None or same_whole(page, p) for p in innocent)


def _is_innocent(walk: Tried, target: Target) -> bool:
    """It asked, in the clear, for a name that is not the target's."""
    return walk.sni is None and walk.page is not None and f"//{target.host}" not in walk.page.url


def _whole(walk: Tried) -> HttpFetch | None:
    return walk.page if walk.page is not None and walk.page.status is not None else None
