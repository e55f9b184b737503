"""Sentences about events and findings, shared by the HTML and the Markdown report. Every number has its denominator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from probe.model.outcome import Outcome
from probe.report.model import Event, Finding, Report, Span
from probe.report.words import OUTCOME_LABEL, count, day, listed, reason_words, site, technique_words, when

LOCUS_WORDS = {
    "local": "decided on the device or in the home",
    "resolver": "decided at the resolver",
    "path": "decided on the way",
    "server": "decided at the server",
}
LIMITS = (
    "A report speaks of the networks, places and hours that were measured, and of no others.",
    "Network, place and access type are what the volunteer said or a helper saw; the provenance tells which.",
    "Vantage points are counted, not vouched for: whoever controls many of them can outvote others. Findings of a"
    " single vantage point say so.",
    "Two networks behind one gateway are not independent evidence.",
    "Onset and ending are bounds between observations. Where nobody measured, nothing narrows them.",
    "A cause is named no further than the facts prove. Who ordered a block is not measurable.",
)


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def how(event: Event) -> str:
    """The techniques as one sentence; empty where none is known."""
    words = [technique_words(name) for name in event.techniques[:4]]
    return f"{capital('; '.join(words))}." if words else ""


def began(event: Event) -> str:
    """When it began, with both bounds."""
    start = event.onset
    if start.earliest is None:
        return f"By {when(start.latest)}, when it was first met; never seen clear before, so it may be older."
    return f"Between {when(start.earliest)} (last clear) and {when(start.latest)} (first met){_width(start)}."


def ended(event: Event) -> str:
    """When it ended, with both bounds."""
    end = event.ending
    if end.latest is None:
        return f"Not seen to end; last met {when(end.earliest)}."
    return f"Between {when(end.earliest)} (last met) and {when(end.latest)} (clear again){_width(end)}."


def _width(span: Span) -> str:
    return f", middle {when(span.median)}" if span.median else ""


def ended_short(event: Event) -> str:
    return f"by {day(event.ending.latest)}" if event.ending.latest else "not seen to end"


def evidence(event: Event) -> str:
    """Counts with denominators, and a warning where there is only one witness."""
    unsaid = f" ({event.unsettled} could not say)" if event.unsettled else ""
    text = (
        f"{event.affected} of {count(event.measurements, 'measurement')} while it lasted met it{unsaid}, from"
        f" {event.speaking} of {count(event.vantage_points, 'vantage point')}."
    )
    alone = " It rests on a single vantage point, and nobody else has confirmed it yet."
    return text if event.corroborated else text + alone


def extent(event: Event) -> str:
    """The probability that a vantage point of these networks met it; of a single one there is nothing to estimate."""
    if event.confidence is None or event.vantage_points < 2:
        return ""
    low, mean, high = (
        round(100 * part) for part in (event.confidence.low, event.confidence.mean, event.confidence.high)
    )
    return f"An estimated {mean} % of vantage points there met it (90 % interval: {low} to {high} %)."


def locus(event: Event) -> str:
    return listed([LOCUS_WORDS[word] for word in event.locus if word in LOCUS_WORDS])


def other_event(event: Event) -> str:
    """One line for an outage or a site that was down."""
    span = f"from {when(event.first_seen)} to {when(event.last_seen)}"
    seen = f"{count(event.affected, 'measurement')}, {count(event.speaking, 'vantage point')}"
    if event.kind == "general_outage":
        return f"{listed(event.networks)}: an outage. Most vantage points reached nothing at all, {span} ({seen})."
    return f"{listed([site(t) for t in event.targets])} failed from the control as well, {span} ({seen})."


def why(finding: Finding) -> str:
    """Why a finding has its word: the reasons where it is insufficient, else the rules' explanation."""
    if finding.outcome == "insufficient":
        reasons = [f"{reason_words(word)} ({number})" for word, number in finding.reasons.items() if word]
        return capital("; ".join(reasons)) or "Too few vantage points, or no reason given."
    return finding.explanation


def mixed(finding: Finding) -> str:
    """The measurements that said something else than the finding does."""
    others: Mapping[Outcome, str] = OUTCOME_LABEL
    rest = [f"{n} {others[word].lower()}" for word, n in _others(finding)]
    return "of these " + listed(rest) if rest else ""


def _others(finding: Finding) -> Sequence[tuple[Outcome, int]]:
    return [
        (word, finding.counts[word]) for word in OUTCOME_LABEL if word in finding.counts and word != finding.outcome
    ]


def span_words(report: Report) -> str:
    """The period in words."""
    first, last = report.period.first, report.period.last
    if not first:
        return "No judged measurement in this period"
    return f"Measured on {day(first)}" if day(first) == day(last) else f"Measured from {day(first)} to {day(last)}"


def standfirst(report: Report) -> str:
    """Who measured how much, and on whose word the headline rests."""
    s = report.summary
    of, by = count(s.targets, "website"), count(s.vantage_points, "vantage point")
    parts = [f"{count(s.measurements, 'measurement')} of {of} from {by} on {count(s.networks, 'network')}."]
    if not s.measurements:
        parts = ["There is no judged measurement in these databases and this period."]
    blocking = [event for event in report.events if event.kind == "blocking"]
    alone = sum(not event.corroborated for event in blocking)
    if blocking and alone == len(blocking):
        parts.append("Everything said below to be blocked or likely blocked rests on a single vantage point each.")
    elif blocking and alone:
        parts.append(f"{alone} of {len(blocking)} findings of blocking rest on a single vantage point each.")
    elif blocking:
        parts.append("Every finding below was met by two or more vantage points.")
    if s.not_judged:
        parts.append(f"Without a verdict, and counted nowhere: {count(s.not_judged, 'measurement')}.")
    broken = sum(bool(i.error) for i in report.inputs)
    if broken:
        parts.append(f"{count(broken, 'database')} could not be read.")
    return " ".join(parts)


GAP_TITLES = {
    "network": "Networks",
    "pair": "Websites on some networks",
    "layer": "Protocols",
    "place": "Places",
    "judgement": "Measured, but not judged",
}
EXPLAINED: tuple[Outcome, ...] = ("impaired", "restricted", "down")


def rows_of(report: Report, *outcomes: Outcome) -> list[Finding]:
    return [finding for finding in report.findings if finding.outcome in outcomes]
