"""Strange answers in the clear: whole pages that no control was given and that nobody the controls met seems to have
made. Nobody is accused by one: sites differ by visitor. It is asked for again, spaced, the control once more in the
same minutes, and a host trial is made; what that shows is read in `probe.checks.web.altered`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from probe.checks.question import Question
from probe.model.kinds import HttpFetch
from probe.model.step import AskControl, Step, Walk
from probe.verdict.case import Case
from probe.verdict.likeness import Look, is_among, is_restless, same_maker
from probe.verdict.pair import REFUSALS
from probe.verdict.read import Tried, walks_of

# A strange page is asked for so often in all, of which a busy machine may spoil some.
PAGE_TRIES = 4


def is_strange(page: HttpFetch, given: Sequence[Look]) -> bool:
    """A whole answer, unlike all that controls were given. Where they were given nothing to compare with, or each
    something else, nothing is strange."""
    whole = page.status is not None and page.truncated not in ("cut", "stall")
    if not whole or not given or is_among(page, given) or is_restless(given):
        return False
    return not any(isinstance(other, HttpFetch) and same_maker(page, other) for other in given)


def is_strange_walk(case: Case, walk: Tried) -> bool:
    """By the facts so far, the page of this walk in the clear is strange."""
    page = walk.page
    if page is None or walk.sni is not None or walk.is_trial or walk.is_sibling:
        return False
    return is_strange(page, given_so_far(case, page.url))


def given_so_far(case: Case, url: str) -> tuple[HttpFetch, ...]:
    """What controls were given for this URL and did not turn them away."""
    pages = (w.page for c in case.controls for w in walks_of(c.observations) if not w.is_trial)
    return tuple(p for p in pages if p is not None and p.url == url and p.status and p.status not in REFUSALS)


def look_again(question: Question, case: Case, walks: Sequence[Tried], planned: Sequence[Walk]) -> Iterator[Step]:
    """A strange page once more, until it was asked for often enough, and each control a second time."""
    for step in planned:
        if step.fetch is None or step.sni is not None or question.role != "field":
            continue
        mine = [w for w in walks if (w.host, w.ip, w.port) == (step.host, step.ip, step.port) and not w.is_trial]
        if not any(is_strange_walk(case, w) for w in mine):
            continue
        why = "again: another page than the control's"
        for helper in question.helpers:
            yield AskControl(helper, question.target.url, (), 2, why, question.gap_s(2))
        attempt = max(w.attempt for w in mine) + 1
        if attempt <= PAGE_TRIES:
            wait, parent = question.gap_s(attempt), mine[-1].seqs()[-1]
            yield Walk(step.host, step.ip, step.port, None, step.fetch, attempt, why, wait, parent)
