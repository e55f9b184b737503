"""Who gave a strange page: the server, or somebody nearer? Requests with a growing hop limit, to one endpoint a
measurement; the connect itself takes the usual way, so what dies on the way is the request alone.

Where the site's name is answered with the page although its request cannot have come to the server, and an innocent
name's dies at that hop and at the next one, somebody nearer reads the name. The next one, because ways to one server
may differ in length from flow to flow (Augustin and others, "Avoiding traceroute anomalies", 2006): there the server
itself would be met at times, but by either name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from probe.checks.question import Question
from probe.checks.web.again import same_endpoint
from probe.checks.web.born import ALL_THE_WAY
from probe.checks.web.common import home_locus, is_at_home
from probe.checks.web.ladder import Ladder
from probe.checks.web.proofs import NO_PROOF, Proof
from probe.checks.web.strange import is_strange_walk
from probe.model.failure import is_local
from probe.model.kinds import HttpFetch
from probe.model.step import Fetch, Walk
from probe.verdict.case import Case
from probe.verdict.likeness import same_whole
from probe.verdict.pair import Pairing, was_busy
from probe.verdict.read import HOP_TRIAL, Tried

# A page is worth it that came so often, while so many requests for an innocent name were answered otherwise.
SEEN, OTHERWISE = 2, 2
# At its hop the page comes so often, each time; a hop further, so many requests for an innocent name go unanswered.
NAMED, DEAD = 3, 4
# With the ladder's own, so many requests at most.
MOST_BESIDE = 1 + DEAD + 1


def page_hops(question: Question, case: Case, walks: tuple[Tried, ...], planned: tuple[Walk, ...]) -> Iterator[Walk]:
    """The next request with a hop limit, and once the hop is found, the innocent name's."""
    if question.role != "field":
        return
    ready = [(step, page) for step in planned if (page := _page_of(case, walks, step)) is not None]
    begun = [(step, page) for step, page in ready if _climbed(walks, step.ip, step.port)]
    for step, page in (begun or ready)[:1]:
        yield from _climb(question, step, page, _climbed(walks, step.ip, step.port))


def _climb(question: Question, step: Walk, page: HttpFetch, climbed: Sequence[Tried]) -> Iterator[Walk]:
    if any(_is_named(w, step.host) and _is_other(w, page) for w in climbed):
        # The site's own page comes at times: then silence below it tells nothing.
        return
    assert step.fetch is not None
    ladder = page_ladder(step.host, climbed, page)
    for ttl, attempt in ladder.following(1):
        yield _request(question, step, step.fetch, attempt, ttl)
    if ladder.hop is None:
        return
    yield _request(question, step, step.fetch, NAMED, ladder.hop)
    innocent = Fetch(f"http://{question.trial_name}/", (), step.fetch.hop)
    dead = [w for w in climbed if not _is_named(w, step.host) and w.ttl == ladder.hop + 1]
    for attempt in range(1, DEAD + 1):
        yield _request(question, step, innocent, attempt, ladder.hop + 1)
    if len(dead) >= DEAD and not any(map(_is_heard, dead)):
        yield _request(question, step, innocent, 1, ALL_THE_WAY)


def _request(question: Question, step: Walk, page: Fetch, attempt: int, ttl: int) -> Walk:
    return Walk(step.host, step.ip, step.port, None, page, attempt, HOP_TRIAL, question.gap_s(attempt), ttl=ttl)


def _page_of(case: Case, walks: tuple[Tried, ...], step: Walk) -> HttpFetch | None:
    """The one strange page that comes at this endpoint each time, and not for an innocent name; else None."""
    if step.fetch is None or step.sni is not None:
        return None
    url = step.fetch.url
    mine = [w for w in walks if same_endpoint(w, step) and w.page is not None and w.page.url == url]
    page = mine[0].page if mine else None
    if page is None or len(mine) < SEEN or not all(is_strange_walk(case, w) and not _is_other(w, page) for w in mine):
        return None
    trials = [w for w in walks if w.is_trial and not w.is_hop_trial and (w.ip, w.port) == (step.ip, step.port)]
    innocent = [w for w in trials if w.page is not None and not _is_named(w, step.host)]
    return page if len(innocent) >= OTHERWISE and all(_is_other(w, page) for w in innocent) else None


def _climbed(walks: Iterable[Tried], ip: str, port: int) -> list[Tried]:
    return [w for w in walks if w.is_hop_trial and w.page is not None and (w.ip, w.port) == (ip, port)]


def page_ladder(host: str, walks: Iterable[Tried], page: HttpFetch) -> Ladder:
    """What requests for the host with a hop limit met: whether it was this page."""
    met: dict[int, dict[int, bool]] = defaultdict(dict)
    for w in walks:
        if w.page is not None and w.ttl and _is_named(w, host):
            met[w.ttl][w.attempt] = same_whole(w.page, page)
    return Ladder({ttl: tuple(tries[n] for n in sorted(tries)) for ttl, tries in met.items()})


def given_nearer(pairing: Pairing, host: str, ip: str, port: int, page: HttpFetch) -> Proof:
    """Whether requests with a hop limit show that somebody nearer than the server gave this page, and where."""
    climbed = [w for w in _climbed(pairing.hop_trials, ip, port) if w.fetch is not None]
    walks = [w for w in climbed if w.fetch is not None and not (is_local(w.fetch.failure) or was_busy(w.fetch))]
    if any(_is_named(w, host) and _is_other(w, page) for w in walks):
        return NO_PROOF
    ladder = page_ladder(host, walks, page)
    hop = ladder.hop
    if hop is None or len(ladder.tries[hop]) < NAMED or not all(ladder.tries[hop]) or not _dies(walks, host, hop + 1):
        return NO_PROOF
    facts = tuple(w.fetch for w in walks if w.fetch is not None)
    if is_at_home(pairing, hop):
        return Proof("home", facts, home_locus(pairing), hop)
    return Proof("nearer", facts, "path", hop)


def _dies(walks: Sequence[Tried], host: str, ttl: int) -> bool:
    """Requests for an innocent name die before this hop limit is used up, each time, and come through without one
    right afterwards."""
    innocent = [w for w in walks if not _is_named(w, host)]
    dead = [w for w in innocent if w.ttl == ttl]
    if len(dead) < DEAD or any(map(_is_heard, dead)):
        return False
    last = max(w.connect.seq for w in dead)
    return any(w.ttl == ALL_THE_WAY and w.connect.seq > last and _is_heard(w) for w in innocent)


def _is_named(walk: Tried, host: str) -> bool:
    return walk.page is not None and walk.page.url.startswith((f"http://{host}/", f"http://{host}:"))


def _is_heard(walk: Tried) -> bool:
    """Something came back, be it a reset."""
    return walk.fetch is not None and walk.fetch.failure != "generic_timeout_error"


def _is_other(walk: Tried, page: HttpFetch) -> bool:
    """Another page than this one came."""
    return walk.page is not None and walk.page.status is not None and not same_whole(walk.page, page)
