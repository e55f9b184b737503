"""One fetch in one word: what came of asking for a page, beside what the controls were given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from probe.checks.speed.transfers import is_held
from probe.checks.web.common import is_notice, is_portal
from probe.model.kinds import HttpFetch, PageMet
from probe.model.observation import Observation
from probe.verdict.likeness import Look, is_among, same_answer
from probe.verdict.pair import Pairing, refuses
from probe.verdict.read import Tried, redirect_target

BROKEN = ("timeout", "reset", "eof", "truncated", "garbled")
# Whole answers that are not the control's.
ALTERED = ("refusal", "status", "differs")
# Marks that speak for the page whatever else was met.
MARKED = ("blockpage", "redirect", "portal", "parental", "everybodys")
# RFC 6585 section 6: sent by whoever controls access to the network, never by the site itself.
LOG_IN = 511
_WORDS = {
    "generic_timeout_error": "timeout",
    "connection_reset": "reset",
    "connection_aborted": "reset",
    "eof_error": "eof",
    "http_request_failed": "garbled",
}


@dataclass(frozen=True, slots=True)
class Page:
    """One fetch read: its word, the walk it belongs to, its fact and what that holds."""

    word: str
    walk: Tried
    fetch: Observation
    detail: HttpFetch


def read_fetch(pairing: Pairing, walk: Tried, given: Sequence[Look]) -> Page:
    """The fetch of a walk that has one, beside what the controls were given."""
    assert walk.fetch is not None and walk.page is not None
    return Page(page_word(pairing, walk, walk.page, given), walk, walk.fetch, walk.page)


def control_word(pairing: Pairing, walk: Tried, page: HttpFetch) -> str:
    """The word of a control's fetch, by itself: what is wrong with our line is no matter there."""
    return _mark(pairing, walk, page) or _plain_word(pairing, walk, page, ())


def given_pages(pairing: Pairing, theirs: Sequence[Tried]) -> list[HttpFetch]:
    """What controls were given, of whatever status, without having been turned away: something to compare with."""
    pages = ((w, w.page) for w in theirs)
    return [p for w, p in pages if p is not None and p.status is not None and not refuses(p, pairing.fingerprint(w))]


def page_word(pairing: Pairing, walk: Tried, page: HttpFetch, given: Sequence[Look]) -> str:
    """The word of one fetch. `given` are the pages to be like."""
    mark = _mark(pairing, walk, page)
    if mark or walk.proven:
        return mark or _plain_word(pairing, walk, page, given)
    if is_portal(pairing) or (page.status == LOG_IN and not any(other.status == LOG_IN for other in given)):
        # Whoever answers in every canary's place answers here too.
        return "portal"
    is_ours = not is_among(page, given) and is_everybodys(page, pairing.line_state.pages_canaries)
    return "everybodys" if is_ours else _plain_word(pairing, walk, page, given)


def _plain_word(pairing: Pairing, walk: Tried, page: HttpFetch, given: Sequence[Look]) -> str:
    if is_held(walk):
        return "held"
    broken = broken_word(walk.fetch, page) if walk.fetch else ""
    if broken:
        return broken
    if refuses(page, pairing.fingerprint(walk)):
        return "refusal"
    if (page.status or 0) >= 400 and not any(other.status == page.status for other in given):
        return "status"
    if walk.proven or not given or is_among(page, [*given, *pairing.line_state.pages_before]):
        return "none"
    return "differs"


def broken_word(fetch: Observation, page: HttpFetch) -> str:
    """How an exchange was broken off; empty for a whole answer."""
    if fetch.failure is not None and page.status is None:
        return _WORDS.get(fetch.failure, "error")
    return "truncated" if page.truncated in ("cut", "stall") or fetch.failure in _WORDS else ""


def _mark(pairing: Pairing, walk: Tried, page: HttpFetch) -> str:
    """The word of a page that is known; empty for any other."""
    mark = pairing.fingerprint(walk)
    if mark is not None and mark.kind == "blockpage":
        return "redirect" if mark.where == "location" else "blockpage"
    if not walk.proven and leads_to_notice(pairing, walk):
        return "redirect"
    if mark is not None and mark.kind in ("portal", "parental"):
        return mark.kind
    return ""


def is_everybodys(page: HttpFetch, innocents: Sequence[PageMet]) -> bool:
    """Innocent sites were answered with it too, two or all of them: this line gives it to everybody."""
    same = sum(same_answer(page, other) for other in innocents)
    return same >= min(2, len(innocents)) > 0


def leads_to_notice(pairing: Pairing, walk: Tried) -> bool:
    """A redirect to another host, which showed a known block page. One within the site is the site's own; what came
    there is a hop of its own."""
    leads = redirect_target(walk.page) if walk.page is not None else None
    return (
        leads is not None
        and leads.host != walk.host
        and any(is_notice(pairing, w) for w in pairing.here if w.host == leads.host and w.port == leads.port)
    )
