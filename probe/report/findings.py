"""Findings, networks and the headline's numbers: a target on a network over the whole period."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from probe.inputs.language import _, plural
from probe.model.cell import Cell, Cube
from probe.model.corpus import Corpus, Judged
from probe.model.outcome import OUTCOMES, Outcome
from probe.report.events import outcome_of
from probe.report.model import Event, Finding, Mark, NetworkRow, Summary
from probe.report.words import listed, site, tame

# How many names a headline holds, and how long each may be.
_NAMED, _LONG = 3, 40


def tamed(pairs: Iterable[tuple[str, int]]) -> Mapping[str, int]:
    return {tame(word, 60): number for word, number in pairs}


def outcome_word(word: str) -> Outcome:
    return next((outcome for outcome in OUTCOMES if outcome == word), "insufficient")


def texts(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({tame(word) for word in words if word}))


def explanation(rows: Sequence[Judged]) -> str:
    """The sentence that most of these measurements were given, those of the strongest outcome first."""
    strongest = next((word for word in OUTCOMES if any(outcome_of(one) == word for one in rows)), "insufficient")
    heads = [one.headline for one in rows if outcome_of(one) == strongest and one.headline]
    said = Counter(tame(head.detail.get("explanation", ""), 400) for head in heads)
    return min(said, key=lambda text: (not text, -said[text], text), default="")


def make_findings(cube: Cube, events: Sequence[Event], judged: Sequence[Judged]) -> tuple[Finding, ...]:
    """Every target on every network, worst first, then by name."""
    lines: dict[tuple[str, str, str], list[Cell]] = {}
    rows: dict[tuple[str, str, str], list[Judged]] = {}
    for cell in cube.lines:
        lines.setdefault((cell.target, cell.network, cell.country), []).append(cell)
    for one in judged:
        rows.setdefault((one.target, one.network, one.vantage.cc), []).append(one)
    blocking = [event for event in events if event.kind == "blocking"]
    found = []
    for total in cube.totals:
        key = (total.target, total.network, total.country)
        mine = [e for e in blocking if tame(total.target) in e.targets and tame(total.network) in e.networks]
        found.append(_finding(total, lines[key], mine, rows[key]))
    return tuple(sorted(found, key=lambda f: (OUTCOMES.index(f.outcome), f.target, f.network, f.country)))


def _finding(total: Cell, line: Sequence[Cell], events: Sequence[Event], rows: Sequence[Judged]) -> Finding:
    states = {event.state for event in events}
    outcome = next((word for word in OUTCOMES if word in states), outcome_word(total.state))
    # Between an event's blocked bins, votes over the whole period may say likely blocked where no event does.
    alike = [one for one in rows if outcome_of(one) == outcome] or list(rows)
    return Finding(
        target=tame(total.target),
        network=tame(total.network),
        country=tame(total.country),
        outcome=outcome,
        measurements=total.measurements,
        vantage_points=total.vantage_points,
        counts=dict(total.counts),
        reasons=tamed(total.reasons),
        first=tame(rows[0].started_at, 40),
        last=tame(rows[-1].started_at, 40),
        explanation=explanation(alike),
        events=tuple(event.id for event in events),
        line=tuple(Mark(cell.bin, outcome_word(cell.state), cell.measurements) for cell in line),
    )


def make_networks(judged: Sequence[Judged]) -> tuple[NetworkRow, ...]:
    groups: dict[tuple[str, int | None], list[Judged]] = {}
    for one in judged:
        groups.setdefault((one.network, one.vantage.asn), []).append(one)
    found = []
    for (network, asn), rows in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or 0)):
        vantages = {one.vantage.vantage_id: one.vantage for one in rows}
        says = Counter(tame(v.who_says, 40).split(":")[0] or "not stated" for v in vantages.values())
        found.append(
            NetworkRow(
                network=tame(network),
                asn=asn,
                countries=texts(v.cc for v in vantages.values()),
                places=texts(v.place for v in vantages.values()),
                gateways=texts(v.gateway for v in vantages.values()),
                vantage_points=len(vantages),
                measurements=len(rows),
                who_says=dict(sorted(says.items())),
            )
        )
    return tuple(found)


# ---- the headline ----


def make_summary(corpus: Corpus, findings: Sequence[Finding], judged: Sequence[Judged]) -> Summary:
    blocked = {f.target for f in findings if f.outcome == "blocked"}
    likely = {f.target for f in findings if f.outcome == "likely_blocked"} - blocked
    outcomes = Counter(f.outcome for f in findings)
    targets, networks = len({f.target for f in findings}), len({f.network for f in findings})
    return Summary(
        targets=targets,
        networks=networks,
        vantage_points=len({one.vantage.vantage_id for one in judged}),
        runs=len({one.run_id for one in judged}),
        measurements=len(judged),
        not_judged=len(corpus.unjudged),
        outcomes={word: outcomes[word] for word in OUTCOMES},
        blocked_targets=len(blocked),
        likely_blocked_targets=len(likely),
        sentence=_sentence(_sites(blocked), _sites(likely), targets, networks, bool(judged)),
    )


def _sentence(blocked: Sequence[str], likely: Sequence[str], targets: int, networks: int, any_judged: bool) -> str:
    """The headline: names where they are few, numbers always with their denominator."""
    if not any_judged:
        return _("Nothing here has been judged, so nothing can be said.")
    where = plural("on the one network measured", "on at least one of {n} networks measured", networks)
    hit, maybe = _was_blocked(blocked, targets), _named(likely, targets)
    if blocked and likely:
        return _("{blocked}, {likely} likely blocked, {where}.").format(blocked=hit, likely=maybe, where=where)
    if blocked:
        return _("{blocked} {where}.").format(blocked=hit, where=where)
    if likely:
        return plural(
            "{names} was likely blocked {where}.", "{names} were likely blocked {where}.", len(likely), names=maybe,
            where=where,
        )  # fmt: skip
    return plural(
        "No blocking was found on the one network measured, among {websites}.",
        "No blocking was found on any of {n} networks measured, among {websites}.",
        networks,
        websites=plural("{n} website", "{n} websites", targets),
    )


def _was_blocked(names: Sequence[str], targets: int) -> str:
    return plural("{names} was blocked", "{names} were blocked", len(names), names=_named(names, targets))


def _sites(targets: Iterable[str]) -> list[str]:
    """Hosts, each once: a headline has no room for paths."""
    return sorted({site(target).removeprefix("http://").split("/")[0] for target in targets})


def _named(names: Sequence[str], targets: int) -> str:
    if len(names) <= _NAMED and all(len(name) <= _LONG for name in names):
        return listed(names)
    return plural("{some} of {n} website", "{some} of {n} websites", targets, some=len(names))
