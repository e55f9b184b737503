"""Pages of unknown strangers: what came in the clear in sites' places, was given to no control, and bears no mark.

One is a curiosity; the same one in the place of several unrelated sites is a candidate for a fingerprint. It is shown
to people, and no verdict rests on its being one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from probe.checks.web.altered import altered_pages
from probe.checks.web.common import genuine
from probe.checks.web.looks import given_pages, read_fetch
from probe.checks.web.reading import chain
from probe.checks.web.several import page_met
from probe.model.kinds import HttpFetch, PageMet
from probe.model.target import Target
from probe.verdict.pair import Pairing
from probe.verdict.read import Tried


@dataclass(frozen=True, slots=True)
class Stranger:
    """A strange page of one measurement: where it was asked for, the walk, and an address of the site's own: the
    walk's, or where a false answer led to a stranger's, one that a control was given."""

    target: Target
    walk: Tried
    page: HttpFetch
    given: tuple[HttpFetch, ...]
    home: str

    @property
    def met(self) -> PageMet:
        """As other measurements may know of it."""
        return page_met(self.target.host, self.home, self.page, self.given)


def strangers(pairing: Pairing) -> Iterator[Stranger]:
    """The strange pages of a measurement, one for each URL of its chain and address."""
    for target in chain(pairing):
        if target.scheme != "http":
            continue
        theirs = [w for w in pairing.there if _is_of(w, target)]
        given = given_pages(pairing, theirs)
        own = (*sorted(genuine(pairing, target)), *pairing.control_addresses(target.host))
        walks = {w.ip: w for w in reversed(pairing.here) if _is_of(w, target)}
        for ip, walk in sorted(walks.items()) if own else ():
            for page in altered_pages([read_fetch(pairing, walk, given)], given):
                yield Stranger(target, walk, page.detail, tuple(given), ip if ip in own else own[0])


def _is_of(walk: Tried, target: Target) -> bool:
    page = walk.page
    return page is not None and walk.sni is None and page.url == target.normal
