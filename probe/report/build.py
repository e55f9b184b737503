"""A corpus and its cells to a Report: counting and choosing, no layout. Pure but for the evidence it is handed.

Equal inputs give an equal report: nothing here asks the clock, and every list is sorted by what it holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from probe.inputs.language import _, spoken
from probe.model.cell import Cell, Cube, Interval, bin_of
from probe.model.corpus import Corpus, EvidenceRoom, Judged
from probe.model.outcome import OUTCOMES
from probe.report.events import Episode, episodes, outcome_of
from probe.report.exhibits import witness_of
from probe.report.findings import explanation, make_findings, make_networks, make_summary, outcome_word, tamed, texts
from probe.report.gaps import alternatives, not_measured
from probe.report.model import (
    FORMAT,
    CellRow,
    Event,
    InputRow,
    Method,
    Period,
    Report,
    Software,
    Witness,
)  # fmt: skip
from probe.report.words import tame

WITNESSES = 3
RULES = (
    "One vantage point is one vote, however often it measured: its majority among settled measurements.",
    "A state is what more than half of the settled votes say; without a majority it is impaired.",
    "Blocked or likely blocked needs at least the floor of vantage points; below it the word is insufficient.",
    "Insufficient is never shown as reached. Probabilities are Jeffreys intervals (90 %) on votes.",
    "An event runs from the first blocked cell until a clear one; its bounds are the observations next to the switch.",
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for. `generated_at` is the report's time; `since` is included, `until` is not; empty is open. A
    report without a title is called what the language in use calls it."""

    generated_at: str
    title: str = ""
    since: str = ""
    until: str = ""
    version: str = ""


def build(
    corpus: Corpus,
    cube: Cube,
    room: EvidenceRoom,
    wish: Wish,
    interval: Callable[[int, int], Interval],
    known: Sequence[tuple[str, str]] = (),
) -> Report:
    """The report, in the language in use. `cube` must be made of this corpus, cut by `within` before; `interval` gives
    the share that k of n vantage points stand for; `known` are (country, name) of networks that exist, so that gaps can
    be named; `room` is asked for the facts of a few measurements of each event."""
    judged = corpus.judged
    found = episodes(judged, cube.cells, lambda at: bin_of(at, cube.bin))
    events = tuple(_event(episode, judged, room, interval) for episode in found)
    findings = make_findings(cube, events, judged)
    blocking = [(event, episode) for event, episode in zip(events, found, strict=True) if event.kind == "blocking"]
    return Report(
        format=FORMAT,
        title=tame(wish.title or _("Blocking report"), 120),
        language=spoken(),
        generated_at=wish.generated_at,
        software=Software("vantage-probe", wish.version),
        inputs=tuple(InputRow(tame(i.name), i.digest, i.measurements, i.judged, tame(i.error)) for i in corpus.inputs),
        ruleset=tame(corpus.ruleset),
        reference=tame(corpus.reference),
        rulesets=tuple((tame(a), tame(b)) for a, b in corpus.rulesets),
        period=_period(judged, wish, cube.bin),
        method=Method(cube.floor, 0.9, tuple(_(rule) for rule in RULES)),
        summary=make_summary(corpus, findings, judged),
        networks=make_networks(judged),
        findings=findings,
        events=events,
        claims=(),
        not_measured=not_measured(corpus, judged, known),
        ruled_out=tuple(a for event, episode in blocking for a in alternatives(event.id, episode, judged)),
        cells=tuple(_cell(cell) for cell in cube.cells),
    )


def within(corpus: Corpus, wish: Wish) -> Corpus:
    """The corpus between `since` (included) and `until` (excluded); empty bounds are none."""

    def inside(rows: Iterable[Judged]) -> tuple[Judged, ...]:
        since, until = wish.since, wish.until or "9999"
        return tuple(one for one in rows if since <= one.started_at < until)

    return replace(corpus, judged=inside(corpus.judged), unjudged=inside(corpus.unjudged))


def _period(judged: Sequence[Judged], wish: Wish, span: str) -> Period:
    times = [tame(one.started_at, 40) for one in judged]
    return Period(wish.since, wish.until, times[0] if times else "", times[-1] if times else "", span)


def _cell(cell: Cell) -> CellRow:
    return CellRow(
        tame(cell.target), tame(cell.network), tame(cell.country), tame(cell.place), tame(cell.access),
        tame(cell.gateway), cell.layer, cell.bin, cell.measurements, cell.vantage_points,
        dict(cell.counts), dict(cell.votes),
        tamed(cell.techniques), tamed(cell.reasons), outcome_word(cell.state), cell.p_blocked,
        tuple(tame(mid) for mid in cell.witness),
    )  # fmt: skip


# ---- events ----


def _event(
    episode: Episode, judged: Sequence[Judged], room: EvidenceRoom, interval: Callable[[int, int], Interval]
) -> Event:
    affected = episode.affected
    around = _around(episode, judged)
    speaking = {one.vantage.vantage_id for one in affected}
    bearing = {one.vantage.vantage_id for one in around if outcome_of(one) not in ("insufficient", "down")} | speaking
    heads = [one.headline for one in affected if one.headline]
    places = texts(one.vantage.place for one in affected)
    clear = texts(
        one.vantage.place for one in around if outcome_of(one) == "ok" and one.vantage.vantage_id not in speaking
    )
    blocking = episode.kind == "blocking"
    return Event(
        id=episode.id,
        kind=episode.kind,
        state=episode.state,
        targets=texts(run.spot[0] for run in episode.runs),
        networks=texts(run.spot[1] for run in episode.runs),
        places=places,
        clear_places=tuple(place for place in clear if place not in places) if blocking else (),
        access=texts(one.vantage.access for one in affected),
        gateways=texts(one.vantage.gateway for one in affected),
        techniques=_most_common(t for head in heads for t in head.techniques),
        locus=_most_common(head.locus or "" for head in heads),
        rules=_most_common(head.rule for head in heads),
        onset=episode.onset,
        ending=episode.ending,
        first_seen=episode.first,
        last_seen=episode.last,
        stages=(),
        measurements=len(around),
        affected=len(affected),
        unsettled=sum(outcome_of(one) == "insufficient" for one in around),
        vantage_points=len({one.vantage.vantage_id for one in around}),
        speaking=len(speaking),
        corroborated=len(speaking) > 1,
        confidence=interval(len(speaking), len(bearing)) if blocking else None,
        explanation=explanation(affected),
        witnesses=_witnesses(affected, room) if blocking else (),
    )


def _around(episode: Episode, judged: Sequence[Judged]) -> tuple[Judged, ...]:
    """All measurements of the same targets and networks while it lasted; of everything there, for an outage."""
    pairs = {(run.spot[0], run.spot[1], run.spot[2]) for run in episode.runs}
    return tuple(
        one for one in judged
        if episode.first <= one.started_at <= episode.last
        and ((one.target, one.network, one.vantage.cc) in pairs or ("", one.network, one.vantage.cc) in pairs)
    )  # fmt: skip


def _most_common(words: Iterable[str]) -> tuple[str, ...]:
    ranked = Counter(tame(word, 60) for word in words if word)
    return tuple(word for word, _ in sorted(ranked.items(), key=lambda item: (-item[1], item[0])))


def _witnesses(affected: Sequence[Judged], room: EvidenceRoom) -> tuple[Witness, ...]:
    """The first measurement that met it, the last, and one of another vantage point."""
    ranked = [one for word in OUTCOMES for one in affected if outcome_of(one) == word]
    strong = [one for one in ranked if outcome_of(one) == outcome_of(ranked[0])]
    chosen = {strong[0].measurement_id: strong[0]}
    others = (one for one in ranked if one.vantage.vantage_id != strong[0].vantage.vantage_id)
    for one in (*list(others)[:1], strong[-1]):
        chosen.setdefault(one.measurement_id, one)
    rows = sorted(chosen.values(), key=lambda one: (one.started_at, one.measurement_id))
    return tuple(witness_of(one, room) for one in rows[:WITNESSES])
