"""Sentences about events and findings, shared by the HTML and the Markdown report. Every number has its denominator.
Sentences are whole, or joined where no language minds; the catalogue holds them in other languages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from probe.inputs.language import ENGLISH, _, plural, spoken
from probe.model.outcome import OUTCOME_MEANING, Outcome
from probe.report.model import Event, Finding, Report, Span
from probe.report.words import OUTCOME_LABEL, day, label, listed, reason_words, semicolons, site, technique_words, when

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
    return _("{text}.").format(text=capital(semicolons(words))) if words else ""


def began(event: Event) -> str:
    """When it began, with both bounds."""
    start = event.onset
    if start.earliest is None:
        return _("By {when}, when it was first met; never seen clear before, so it may be older.").format(
            when=when(start.latest)
        )
    return _("Between {earliest} (last clear) and {latest} (first met){middle}.").format(**_bounds(start))


def ended(event: Event) -> str:
    """When it ended, with both bounds."""
    end = event.ending
    if end.latest is None:
        return _("Not seen to end; last met {when}.").format(when=when(end.earliest))
    return _("Between {earliest} (last met) and {latest} (clear again){middle}.").format(**_bounds(end))


def _bounds(span: Span) -> dict[str, str]:
    middle = _(", middle {when}").format(when=when(span.median)) if span.median else ""
    return {"earliest": when(span.earliest), "latest": when(span.latest), "middle": middle}


def ended_short(event: Event) -> str:
    if not event.ending.latest:
        return _("not seen to end")
    return _("by {day}").format(day=day(event.ending.latest))


def evidence(event: Event) -> str:
    """Counts with denominators, and a warning where there is only one witness."""
    met = plural(
        "{met} of {n} measurement while it lasted met it",
        "{met} of {n} measurements while it lasted met it",
        event.measurements,
        met=event.affected,
    )
    by = plural(
        "from {met} of {n} vantage point", "from {met} of {n} vantage points", event.vantage_points, met=event.speaking
    )
    unsaid = _(" ({n} could not say)").format(n=event.unsettled) if event.unsettled else ""
    text = _("{met}{unsaid}, {by}.").format(met=met, unsaid=unsaid, by=by)
    alone = _("It rests on a single vantage point, and nobody else has confirmed it yet.")
    return text if event.corroborated else f"{text} {alone}"


def extent(event: Event) -> str:
    """The probability that a vantage point of these networks met it; of a single one there is nothing to estimate."""
    if event.confidence is None or event.vantage_points < 2:
        return ""
    low, mean, high = (
        round(100 * part) for part in (event.confidence.low, event.confidence.mean, event.confidence.high)
    )
    return _("An estimated {mean} % of vantage points there met it (90 % interval: {low} to {high} %).").format(
        mean=mean, low=low, high=high
    )


def locus(event: Event) -> str:
    return listed([_(LOCUS_WORDS[word]) for word in event.locus if word in LOCUS_WORDS])


def other_event(event: Event) -> str:
    """One line for an outage or a site that was down."""
    values = {
        "first": when(event.first_seen),
        "last": when(event.last_seen),
        "measurements": plural("{n} measurement", "{n} measurements", event.affected),
        "vantages": plural("{n} vantage point", "{n} vantage points", event.speaking),
    }
    if event.kind == "general_outage":
        return _(
            "{networks}: an outage. Most vantage points reached nothing at all, from {first} to {last}"
            " ({measurements}, {vantages})."
        ).format(networks=listed(event.networks), **values)
    return _("{sites} failed from the control as well, from {first} to {last} ({measurements}, {vantages}).").format(
        sites=listed([site(t) for t in event.targets]), **values
    )


def why(finding: Finding) -> str:
    """Why a finding has its word: the reasons where it is insufficient, else the rules' explanation. Rules tell it in
    English alone; elsewhere the word's meaning stands for it, and the witnesses have the rules' own sentence."""
    if finding.outcome == "insufficient":
        reasons = [f"{reason_words(word)} ({number})" for word, number in finding.reasons.items() if word]
        return capital(semicolons(reasons)) or _("Too few vantage points, or no reason given.")
    if spoken() == ENGLISH:
        return finding.explanation
    return _("{text}.").format(text=_(OUTCOME_MEANING[finding.outcome]))


def mixed(finding: Finding) -> str:
    """The measurements that said something else than the finding does."""
    rest = [f"{n} {label(word).lower()}" for word, n in _others(finding)]
    return _("of these {outcomes}").format(outcomes=listed(rest)) if rest else ""


def _others(finding: Finding) -> Sequence[tuple[Outcome, int]]:
    return [
        (word, finding.counts[word]) for word in OUTCOME_LABEL if word in finding.counts and word != finding.outcome
    ]


def span_words(report: Report) -> str:
    """The period in words."""
    first, last = day(report.period.first), day(report.period.last)
    if not first:
        return _("No judged measurement in this period")
    if first == last:
        return _("Measured on {day}").format(day=first)
    return _("Measured from {first} to {last}").format(first=first, last=last)


def standfirst(report: Report) -> str:
    """Who measured how much, and on whose word the headline rests."""
    s = report.summary
    parts = [_scale(report)]
    blocking = [event for event in report.events if event.kind == "blocking"]
    alone = sum(not event.corroborated for event in blocking)
    if blocking and alone == len(blocking):
        parts.append(_("Everything said below to be blocked or likely blocked rests on a single vantage point each."))
    elif blocking and alone:
        parts.append(
            _("{n} of {all} findings of blocking rest on a single vantage point each.").format(
                n=alone, all=len(blocking)
            )
        )
    elif blocking:
        parts.append(_("Every finding below was met by two or more vantage points."))
    if s.not_judged:
        parts.append(
            plural(
                "Without a verdict, and counted nowhere: {n} measurement.",
                "Without a verdict, and counted nowhere: {n} measurements.",
                s.not_judged,
            )
        )
    broken = sum(bool(i.error) for i in report.inputs)
    if broken:
        parts.append(plural("{n} database could not be read.", "{n} databases could not be read.", broken))
    return " ".join(parts)


def _scale(report: Report) -> str:
    s = report.summary
    if not s.measurements:
        return _("There is no judged measurement in these databases and this period.")
    return _("{measurements} of {websites} from {vantages} on {networks}.").format(
        measurements=plural("{n} measurement", "{n} measurements", s.measurements),
        websites=plural("{n} website", "{n} websites", s.targets),
        vantages=plural("{n} vantage point", "{n} vantage points", s.vantage_points),
        networks=plural("{n} network", "{n} networks", s.networks),
    )


GAP_TITLES: Mapping[str, str] = {
    "network": "Networks",
    "pair": "Websites on some networks",
    "layer": "Protocols",
    "place": "Places",
    "judgement": "Measured, but not judged",
}
EXPLAINED: tuple[Outcome, ...] = ("impaired", "restricted", "down")


def rows_of(report: Report, *outcomes: Outcome) -> list[Finding]:
    return [finding for finding in report.findings if finding.outcome in outcomes]
