"""Hellos with a growing hop limit: at which router is a handshake broken? One endpoint a measurement.

Only where the name is shown to be the trigger, each time in the same way, and where connects still come through after a
broken handshake: behind residual blocking our own tries would poison one another. The connect itself takes the usual
way, so what dies on the way is the hello alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from probe.checks.question import Question
from probe.checks.web.born import ALL_THE_WAY, COMPARED, ending, kind_of, tls_ladder
from probe.model.step import Walk
from probe.verdict.read import HOP_TRIAL, Tried


def hop_trials(question: Question, walks: tuple[Tried, ...], planned: tuple[Walk, ...]) -> Iterator[Walk]:
    """The next hello with a hop limit, and once the hop is found, the innocent name's with the same one."""
    if question.role != "field":
        return
    ready = [(step, kind) for step in planned if (kind := _trigger(walks, step)) is not None]
    begun = [(step, kind) for step, kind in ready if _climbed(walks, step)]
    for step, kind in (begun or ready)[:1]:
        yield from _climb(question, step, kind, _climbed(walks, step))


def _climb(question: Question, step: Walk, kind: str, climbed: Sequence[Tried]) -> Iterator[Walk]:
    if any(w.sni == step.host and w.shaken for w in climbed):
        # It is let through at times: then silence below it tells nothing.
        return
    ladder = tls_ladder(step.host, climbed, kind)
    for ttl, attempt in ladder.following(1):
        yield _hello(question, step, step.sni, attempt, ttl)
    if ladder.hop is not None:
        for attempt in range(1, COMPARED + 1):
            yield _hello(question, step, question.trial_name, attempt, ladder.hop)
        yield _hello(question, step, question.trial_name, 1, ALL_THE_WAY)


def _hello(question: Question, step: Walk, sni: str | None, attempt: int, ttl: int) -> Walk:
    return Walk(step.host, step.ip, step.port, sni, None, attempt, HOP_TRIAL, question.gap_s(attempt), ttl=ttl)


def _climbed(walks: tuple[Tried, ...], step: Walk) -> list[Tried]:
    return [w for w in walks if w.is_hop_trial and (w.ip, w.port) == (step.ip, step.port)]


def _trigger(walks: tuple[Tried, ...], step: Walk) -> str | None:
    """How the handshake ends for the host's name at this endpoint, where that is settled and an innocent name passes;
    else None."""
    if not step.sni or step.sni != step.host:
        return None
    here = [w for w in walks if (w.ip, w.port) == (step.ip, step.port) and not w.is_sibling and not w.is_hop_trial]
    named = [w for w in here if not w.is_trial and w.host == step.host]
    innocent = [w for w in here if w.is_trial and w.handshake is not None and w.sni not in (None, step.host)]
    kind = kind_of(named, step.host, step.ip, step.port)
    if kind is None or len(innocent) < COMPARED or not all(w.connected for w in (*named, *innocent)):
        return None
    return kind if all(w.shaken or (ending(w) == "alert" != kind) for w in innocent) else None
