"""What to ask over QUIC: each https host of the redirect chain that announces HTTP/3, at an address that has proven
itself, once; and only where that fails, a control, a look at the line, repeats and name trials.

Laws as in the web check: a proposal depends on facts alone, and a later fact never changes one already proposed. Nobody
waits for QUIC longer than needed: it is asked beside the page where an HTTPS record announces it, and no further on a
line that carries it to nobody.

A trial to an address that was just sent the site's own name may fail because of what that name left behind, and nothing
in QUIC tells the two apart (TCP's handshake does, which goes before the name). So where trials fail like the name, an
innocent name goes first to a fresh address of the site, if it has one, and the site's own name after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from probe.checks.question import Question
from probe.checks.quic.announced import announced_port
from probe.checks.quic.line import is_ipv6, is_shut
from probe.checks.web.again import anomaly, control_passes, same_endpoint, walks_again
from probe.checks.web.steps import endpoints, hops, server_name
from probe.model.failure import is_local
from probe.model.kinds import ControlAsk
from probe.model.step import AskControl, AskLine, Fetch, QuicWalk, Step
from probe.verdict.case import Case
from probe.verdict.line import Line
from probe.verdict.read import TRIAL, Hop, Tried, of_kind, quic_walks_of, walks_of
from probe.verdict.reference import seen_elsewhere

# Addresses of a host that are asked over QUIC at most: the first of each family.
ADDRESSES = 2
# And so many more, where trials at those failed.
FRESH = 1
WHY, AFTER = "HTTP/3 is announced", "after an innocent name"
QUIC_TRIAL = f"{TRIAL}: server name over QUIC"
QUIC_NAMELESS = f"{TRIAL}: no server name over QUIC"


def next_steps(question: Question, case: Case) -> Iterator[Step]:
    """Everything worth asking over QUIC now."""
    if question.endpoints or question.role != "field":
        return
    walks, mine = walks_of(case.observations), quic_walks_of(case.observations)
    for hop in _secure_hosts(question, case):
        planned = _planned(question, case, hop, walks, mine)
        failing = tuple(step for step in planned if any(anomaly(w) for w in mine if same_endpoint(w, step)))
        yield from planned
        if failing and all(any(same_endpoint(w, step) for w in mine) for step in planned):
            yield from _controls(question, case, failing)
        here_only = tuple(step for step in failing if control_passes(case, step, quic_walks_of))
        yield from _further(question, case, hop, walks, mine, here_only)


def _further(
    question: Question, case: Case, hop: Hop, walks: tuple[Tried, ...], mine: tuple[Tried, ...],
    here_only: tuple[QuicWalk, ...],
) -> Iterator[Step]:  # fmt: skip
    """Whatever tells a line without QUIC from a site that is hit; the line is looked at first, canaries over QUIC with
    it."""
    again = tuple(walks_again(question, case, mine, here_only, quic_walks_of))
    looks = [step for step in again if isinstance(step, AskLine)]
    if looks and not _is_looked_at(case, mine):
        yield from looks
        return
    answered = {is_ipv6(w.ip) for w in mine if w.shaken}
    shut = {six for six in (False, True) if six not in answered and is_shut(Line(case.observations).last, six)}
    left = tuple(step for step in here_only if is_ipv6(step.ip) not in shut)
    yield from (step for step in again if not isinstance(step, QuicWalk) or step.ip in {s.ip for s in left})
    yield from _trials(question, mine, left)
    yield from _fresh(question, case, hop, walks, mine, left)


def _is_looked_at(case: Case, mine: tuple[Tried, ...]) -> bool:
    """The line was looked at since something failed over QUIC."""
    first = min((o.seq for w in mine if (o := anomaly(w)) is not None), default=0)
    return any(o.seq > first for o, _ in Line(case.observations).states)


def _secure_hosts(question: Question, case: Case) -> Iterable[Hop]:
    """The first hop of each https host and port."""
    found: dict[tuple[str, int], Hop] = {}
    for hop in hops(question, case):
        if hop.target.scheme == "https":
            found.setdefault((hop.target.host, hop.target.port), hop)
    return found.values()


def _planned(
    question: Question, case: Case, hop: Hop, walks: tuple[Tried, ...], mine: tuple[Tried, ...]
) -> tuple[QuicWalk, ...]:
    host = hop.target.host
    asked = [w for w in mine if w.host == host and not w.is_trial]
    port = asked[0].port if asked else announced_port(case, hop.target)
    if port is None:
        return ()
    firsts = _first_of_families(_proven(question, case, hop, walks))
    chosen = tuple(dict.fromkeys((*(w.ip for w in asked), *firsts)))
    page = Fetch(hop.target.normal, hop.cookies, hop.number)
    fresh = {w.ip for w in asked if w.connect.why == AFTER}
    # Which address comes first is chance, and may look otherwise later; what is asked of an address must not.
    return tuple(
        QuicWalk(
            host, ip, port, server_name(host), None if is_ipv6(ip) or ip in fresh else page, why=WHY, parent=hop.parent
        )
        for ip in chosen[: ADDRESSES + FRESH]
    )


def _proven(question: Question, case: Case, hop: Hop, walks: tuple[Tried, ...]) -> tuple[str, ...]:
    """The addresses that showed a valid certificate here, in the order in which they did. Where none did although all
    were tried, those that showed one to a control: whether QUIC gets through where TLS does not is worth knowing."""
    target = hop.target
    tried = [w for w in walks if (w.host, w.port) == (target.host, target.port) and not w.is_trial and not w.is_sibling]
    proven = sorted((w for w in tried if w.proven), key=lambda w: w.verify.seq if w.verify else 0)
    if proven:
        return tuple(dict.fromkeys(w.ip for w in proven))
    known = endpoints(question, case, target.host)
    over = {w.ip for w in tried if w.failed() is not None or w.verify is not None}
    if not over.issuperset(known):
        return ()
    theirs = [w for c in case.controls for w in walks_of(c.observations) if w.host == target.host and w.proven]
    return tuple(dict.fromkeys(w.ip for w in theirs if w.ip in known))


def _first_of_families(addresses: Iterable[str]) -> list[str]:
    first: dict[bool, str] = {}
    for ip in addresses:
        first.setdefault(is_ipv6(ip), ip)
    return list(first.values())


def _controls(question: Question, case: Case, failing: tuple[QuicWalk, ...]) -> Iterator[Step]:
    """Helpers are asked about the addresses that fail here and that no control has walked over QUIC."""
    there = {(w.host, w.ip, w.port) for c in case.controls for w in quic_walks_of(c.observations)}
    missing = tuple(e for s in failing if (e := (s.host, seen_elsewhere(s.ip), s.port)) not in there)
    spoken = {d.helper for o, d in of_kind(case.observations, ControlAsk) if not d.endpoints and o.failure is None}
    for helper in question.helpers if missing else ():
        if helper in spoken:
            yield AskControl(helper, question.target.url, missing, why="what fails here over QUIC", quic=True)


def _trials(question: Question, mine: tuple[Tried, ...], here_only: tuple[QuicWalk, ...]) -> Iterator[Step]:
    """An innocent name to the same address over QUIC, for handshakes that fail only here."""
    for step in here_only:
        shakes = [w.handshake for w in mine if same_endpoint(w, step) and w.handshake is not None]
        failed = any(o.failure is not None and not is_local(o.failure) for o in shakes)
        if failed and step.sni:
            yield from _innocent(question, step)


def _innocent(question: Question, step: QuicWalk) -> Iterator[QuicWalk]:
    for attempt in range(1, question.trial_attempts + 1):
        wait = question.gap_s(attempt + 1)
        yield replace(
            step, sni=question.trial_name, fetch=None, attempt=attempt, why=QUIC_TRIAL, not_before_s=wait, parent=None
        )


def _fresh(
    question: Question, case: Case, hop: Hop, walks: tuple[Tried, ...], mine: tuple[Tried, ...],
    here_only: tuple[QuicWalk, ...],
) -> Iterator[Step]:  # fmt: skip
    """Where every trial failed: trials at an address that the name was not sent to, then the name itself."""
    shut = [step for step in here_only if _trials_at(mine, step.ip) == [False] * question.trial_attempts]
    if not shut or len(shut) < len(here_only):
        return
    sent = [w.ip for w in mine if not w.is_trial]
    begun = [w.ip for n, w in enumerate(mine) if w.is_trial and w.ip not in {v.ip for v in mine[:n] if not v.is_trial}]
    left = [ip for ip in _proven(question, case, hop, walks) if ip not in sent]
    for ip in (begun or left)[:FRESH]:
        step = replace(shut[0], ip=ip, fetch=None, attempt=1, why=AFTER, not_before_s=0.0)
        if len(_trials_at(mine, ip)) < question.trial_attempts:
            yield from _innocent(question, step)
            # A server may drop names that are not its own; without any it has no such reason.
            yield replace(step, sni="", why=QUIC_NAMELESS, not_before_s=question.gap_s(2))
        else:
            yield step


def _trials_at(mine: tuple[Tried, ...], ip: str) -> list[bool]:
    """Whether each trial with an innocent name at the address succeeded."""
    return [w.shaken for w in mine if w.connect.why == QUIC_TRIAL and w.ip == ip]
