"""Asking again: repeats of what failed. Anomalies only, bounded, spaced. (Trials change one thing: see `trials`.)

A repeat has a higher `attempt`; the engine waits `not_before_s` first, so that one bad moment of the line is not
mistaken for a rule. Beside every failed try the line itself is looked at, and its noise says how many tries are enough
(`probe.verdict.noise`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from probe.checks.question import Question
from probe.model.failure import is_local
from probe.model.kinds import ControlAsk, DnsLookup
from probe.model.observation import Observation
from probe.model.step import AskLine, Lookup, QuicWalk, Step, Walk
from probe.verdict.case import Case
from probe.verdict.line import Line, Operation
from probe.verdict.read import TRIAL, ReadWalks, Tried, accepted, answer_addresses, is_own_resolver, of_kind, walks_of
from probe.verdict.reference import seen_elsewhere

W = TypeVar("W", Walk, QuicWalk)


def repeats(question: Question, case: Case, walks: tuple[Tried, ...], planned: tuple[Walk, ...]) -> Iterator[Step]:
    """Failed lookups of the line's own resolvers and failed walks, once more each, until they have been tried
    enough; beside each try, a look at the line."""
    if not control_settled(question, case):
        return
    line = Line(case.observations)
    for again in _lookups_again(question, case, line):
        yield from _with_a_look(question, line, case, again)
    yield from walks_again(question, case, walks, planned)


def walks_again(
    question: Question, case: Case, walks: tuple[Tried, ...], planned: tuple[W, ...], read: ReadWalks = walks_of
) -> Iterator[Step]:
    """Failed walks once more each, until they have been tried enough; beside each try, a look at the line. `read` puts
    a control's walks together."""
    line = Line(case.observations)
    for again in _walks_again(question, case, line, walks, planned, read):
        yield from _with_a_look(question, line, case, again)


def _with_a_look(question: Question, line: Line, case: Case, again: Lookup | Walk | QuicWalk) -> Iterator[Step]:
    """A try, and beside the failed one before it a look at the line. What was seen beside the one before that is
    awaited: it says whether this try is wanted at all."""
    before = next((o for o in case.observations if o.seq == again.parent), None)
    if question.role == "field" and before is not None and before.failure is not None:
        yield AskLine(again.attempt - 1, f"beside try {again.attempt - 1}: {before.kind} {before.failure}")
        if again.attempt > 2 and not any(o.attempt >= again.attempt - 2 for o, _ in line.states):
            return
    yield again


def _walks_again(
    question: Question, case: Case, line: Line, walks: tuple[Tried, ...], planned: tuple[W, ...], read: ReadWalks
) -> Iterator[W]:
    for step in planned:
        mine = [w for w in walks if same_endpoint(w, step)]
        if not mine or step.why.startswith("sibling"):
            continue
        if control_fails_too(case, step, read) and not (question.doors and shuts_out_control(case, step)):
            continue
        if _is_under_way(step, mine):
            # Its connect alone has not passed.
            continue
        failed = [f for w in mine if (f := anomaly(w)) is not None]
        passed = [w.connect for w in mine if anomaly(w) is None]
        attempt = max(w.attempt for w in mine) + 1
        if failed and is_open(question, line, failed, passed, attempt, "walks"):
            why, parent = f"again: {failed[-1].kind} {failed[-1].failure}", mine[-1].seqs()[-1]
            yield replace(step, attempt=attempt, why=why, not_before_s=question.gap_s(attempt), parent=parent)


def _is_under_way(step: Walk | QuicWalk, mine: list[Tried]) -> bool:
    return step.sni is not None and any(w.connected and w.handshake is None for w in mine)


def is_open(
    question: Question,
    line: Line,
    failed: list[Observation],
    passed: list[Observation],
    attempt: int,
    of: Operation,
) -> bool:
    """One more try may still settle whether these failures are more than the line's noise. Tries that failed while
    nothing at all came through count for nothing."""
    if attempt > question.attempts:
        return False
    if question.role != "field":
        return not passed
    cut = line.cut(failed)
    return line.is_open((o for o in failed if o.seq not in cut), passed, of)


def same_endpoint(walk: Tried, step: Walk | QuicWalk) -> bool:
    """A plain walk over the endpoint of that step: no trial, no sibling."""
    here = (walk.host, walk.ip, walk.port) == (step.host, step.ip, step.port)
    return here and not walk.is_trial and not walk.is_sibling and not walk.for_speed


def anomaly(walk: Tried) -> Observation | None:
    """The operation that failed for a reason that is not this machine's own, or the chain that does not verify."""
    failed = walk.failed()
    if failed is not None:
        return None if is_local(failed.failure) else failed
    return walk.verify if is_unproven(walk) else None


def is_unproven(walk: Tried) -> bool:
    """A chain was shown that the trust store does not accept."""
    return walk.verify is not None and not walk.proven


def control_fails_too(case: Case, step: Walk | QuicWalk, read: ReadWalks = walks_of) -> bool:
    """Some control walked this endpoint, or any endpoint of the host, and none of its walks worked."""
    return control_passes(case, step, read) is False


def control_passes(case: Case, step: Walk | QuicWalk, read: ReadWalks = walks_of) -> bool | None:
    """Whether any control's walk worked at this endpoint or, where none was there, at any of the host; None where no
    control walked any."""
    here = _walks_there(case, step, read)
    return any(w.failed() is None and not is_unproven(w) for w in here) if here else None


def shuts_out_control(case: Case, step: Walk | QuicWalk) -> bool:
    """No control even got a connection, where we did: whatever broke our handshake, it did not meet."""
    return not any(w.connected for w in _walks_there(case, step))


def _walks_there(case: Case, step: Walk | QuicWalk, read: ReadWalks = walks_of) -> list[Tried]:
    """The controls' plain walks over this endpoint; where there are none, over any of the host."""
    walks = [w for c in case.controls for w in read(c.observations) if not w.is_trial]
    theirs = [w for w in walks if w.host == step.host and w.port == step.port]
    return [w for w in theirs if w.ip == seen_elsewhere(step.ip)] or theirs


def control_settled(question: Question, case: Case) -> bool:
    """Every helper has answered or failed for the target itself, so that repeats can tell what is worth asking."""
    asked = {d.helper for _, d in of_kind(case.observations, ControlAsk) if not d.endpoints}
    return asked.issuperset(question.helpers)


def _lookups_again(question: Question, case: Case, line: Line) -> Iterator[Lookup]:
    """Own resolvers that failed where somebody has addresses: silence of everyone is a dead line, not a reason to
    repeat."""
    lookups = list(of_kind(case.observations, DnsLookup))
    known = {o.host for o, d in lookups if accepted(d) and answer_addresses(d)}
    for control in case.controls:
        known |= {o.host for o, d in of_kind(control.observations, DnsLookup) if answer_addresses(d)}
    tries: dict[tuple[str, str], list[Observation]] = {}
    for o, d in lookups:
        if o.host in known and is_own_resolver(d.resolver) and d.qtype == "A" and not o.why.startswith(TRIAL):
            tries.setdefault((o.host or "", d.resolver), []).append(o)
    for (host, resolver), mine in tries.items():
        passed = list({o.attempt: o for o in mine if o.failure is None}.values())
        well = {o.attempt for o in passed}
        failed = list({o.attempt: o for o in mine if o.attempt not in well}.values())
        if not failed or is_local(failed[-1].failure):
            continue
        attempt = max(o.attempt for o in mine) + 1
        if is_open(question, line, failed, passed, attempt, "lookups"):
            why = f"again: dns.lookup {failed[-1].failure}"
            yield Lookup(host, "A", resolver, attempt, why, question.gap_s(attempt), mine[-1].seq)
