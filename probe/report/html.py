"""The report as one self-contained HTML file: no script, no outside request, nothing but its own style allowed.

Databases are hostile: autoescape is always on, every text was tamed before it came here and is tamed again on its way
out, no link leads out of the file, and the Content-Security-Policy admits the one style sheet by its digest.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import timedelta
from importlib import resources
from typing import TYPE_CHECKING, Any

from probe.inputs.language import _, direction, plural
from probe.model.errors import UsageError
from probe.model.outcome import OUTCOMES, Outcome
from probe.report import tell
from probe.report.model import Event, Finding, Gap, Report
from probe.report.words import (
    commas,
    day,
    glossary,
    harmless,
    label,
    listed,
    parse_time,
    semicolons,
    site,
    technique_words,
    when,
)

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_MAX_OUT = 2_000
# Units of the view box; a bar is never thinner than this, or a lone hour in a month would vanish.
_WIDTH, _THINNEST = 720, 3.0
# Who told network and country, as the store words it.
WHO = ("typed", "seen", "netdb", "not stated")
_STEP = {"hour": timedelta(hours=1), "day": timedelta(days=1)}


def render_html(report: Report) -> str:
    """The whole page. Raises UsageError where jinja2 is not installed."""
    environment = _environment()
    css = resources.files("probe.report").joinpath("templates/style.css").read_text("utf-8")
    from markupsafe import Markup

    context = _context(report)
    # The style sheet is ours and holds no text from outside.
    page: str = environment.get_template("report.html.j2").render(**context, css=Markup(css), csp=_policy(css))
    return page


def _policy(css: str) -> str:
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _environment() -> Environment:
    try:
        import jinja2
    except ImportError:
        raise UsageError("an HTML report needs jinja2: pip install 'vantage-probe[report]'") from None

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("probe.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_tame_out,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(
        _=_, plural=plural, fill=_fill, latin=_is_latin, label=label, when=when, day=day, site=site
    )
    return environment


def _tame_out(value: Any) -> Any:
    """The last gate: plain text is made harmless once more; markup that our own templates made passes."""
    return harmless(value[:_MAX_OUT]) if type(value) is str else value


def _fill(text: str, /, **parts: Any) -> Markup:
    """A sentence of ours with parts put in: markup of our own as it is, anything else escaped and made harmless."""
    from markupsafe import escape

    return escape(text).format(**{name: _tame_out(part) for name, part in parts.items()})


def _is_latin(text: str) -> bool:
    """True for a text in which nothing runs from the right: in a page that does, it is English."""
    return not any(unicodedata.bidirectional(c) in ("R", "AL") for c in text)


def _context(report: Report) -> Mapping[str, Any]:
    blocking = [_event_row(event, report) for event in _ordered(report.events)]
    troubled = _rows(report, *tell.EXPLAINED)
    others = [e for e in report.events if e.kind != "blocking"]
    return {
        "report": report,
        "direction": direction(),
        "comma": commas(("", "")),
        "semicolon": semicolons(("", "")),
        "span_words": tell.span_words(report),
        "standfirst": tell.standfirst(report),
        "outcomes": [(word, report.summary.outcomes[word]) for word in OUTCOMES if report.summary.outcomes[word]],
        "blocking": blocking,
        "has_strips": any(row["strips"] for row in blocking),
        "other_events": [{"state": event.state, "text": tell.other_event(event)} for event in others],
        "troubled": troubled,
        "fine": _rows(report, "ok"),
        "unsaid": _rows(report, "insufficient"),
        "gaps": _gaps(report),
        "limits": tell.LIMITS,
        "glossary": glossary(),
        "contents": _contents(bool(blocking), bool(troubled or others)),
        "networks": [
            {"row": n, "countries": listed(n.countries), "places": listed(n.places) or _("not stated"),
             "says": commas(f"{_(who) if who in WHO else who} ({k})" for who, k in n.who_says.items())}
            for n in report.networks
        ],
    }  # fmt: skip


def _ordered(events: Sequence[Event]) -> list[Event]:
    blocking = [event for event in events if event.kind == "blocking"]
    return sorted(blocking, key=lambda e: (OUTCOMES.index(e.state), e.targets, e.networks, e.first_seen))


def _contents(blocking: bool, trouble: bool) -> list[tuple[str, str]]:
    every = [
        ("blocked", _("Blocked"), True),
        ("trouble", _("Failing otherwise"), trouble),
        ("fine", _("Fine"), True),
        ("unsaid", _("Cannot be said"), True),
        ("unmeasured", _("Not measured"), True),
        ("alternatives", _("Other explanations"), blocking),
        ("method", _("Method"), True),
        ("limits", _("Limits"), True),
        ("glossary", _("Glossary"), True),
        ("provenance", _("Provenance"), True),
    ]
    return [(anchor, name) for anchor, name, shown in every if shown]


def _rows(report: Report, *outcomes: Outcome) -> list[Mapping[str, Any]]:
    return [{"finding": f, "why": tell.why(f), "mixed": tell.mixed(f)} for f in tell.rows_of(report, *outcomes)]


def _gaps(report: Report) -> list[tuple[str, str, list[Gap]]]:
    """(title, reason, gaps): gaps of one kind and one reason stand together."""
    groups: dict[tuple[str, str], list[Gap]] = {}
    for gap in report.not_measured:
        groups.setdefault((gap.kind, gap.because), []).append(gap)
    return [(_(tell.GAP_TITLES.get(kind, kind)), because, gaps) for (kind, because), gaps in groups.items()]


def _event_row(event: Event, report: Report) -> Mapping[str, Any]:
    mine = [f for f in report.findings if event.id in f.events]
    return {
        "event": event,
        "target": listed([site(target) for target in event.targets]),
        "networks": listed(event.networks),
        "places": listed(event.places),
        "clear_places": listed(event.clear_places),
        "gateways": listed(event.gateways),
        "how": tell.how(event),
        "how_short": tell.capital(technique_words(event.techniques[0])) if event.techniques else _("Not determined"),
        "began": tell.began(event),
        "ended": tell.ended(event),
        "ended_short": tell.ended_short(event),
        "evidence": tell.evidence(event),
        "extent": tell.extent(event),
        "locus": tell.locus(event),
        "strips": [line for line in (_strip(f, report) for f in mine) if line],
        "alternatives": [a for a in report.ruled_out if a.event == event.id],
    }


def _strip(finding: Finding, report: Report) -> Mapping[str, Any] | None:
    """A time line of a finding over the whole period; None where everything lies in one bin or two."""
    step = _STEP[report.period.bin]
    first, last = parse_time(report.period.first), parse_time(report.period.last)
    if first is None or last is None or len(finding.line) < 2 or last - first < 3 * step:
        return None
    total = (last - first + step) / step
    bars = []
    for one in finding.line:
        at = parse_time(one.bin)
        if at is not None:
            width = max(_WIDTH / total * 0.92, _THINNEST)
            x = min(max((at - first) / step, 0) / total * _WIDTH, _WIDTH - width)
            bars.append({"state": one.state, "x": f"{x:.1f}", "w": f"{width:.1f}"})
    met = [(sum(one.state == word for one in finding.line), label(word).lower()) for word in OUTCOMES]
    shown = commas(f"{number} {name}" for number, name in met if number)
    by_bin = _("Time line by hour: {bins}") if report.period.bin == "hour" else _("Time line by day: {bins}")
    caption = by_bin.format(bins=shown)
    return {"bars": bars, "width": _WIDTH, "first": day(report.period.first), "last": day(report.period.last),
            "caption": caption}  # fmt: skip
