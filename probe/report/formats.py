"""The report as canonical JSON, Markdown and CSV, and writing the files."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from probe.inputs.language import _, direction
from probe.model.errors import StoreError, UsageError
from probe.model.outcome import OUTCOMES
from probe.report import tell
from probe.report.html import render_html
from probe.report.model import Report
from probe.report.schema import plain
from probe.report.words import glossary, label, listed, semicolons, site, technique_words, when
from probe.wire.facts import canonical

FORMATS = ("html", "md", "json", "csv", "all")
_ESCAPED = re.compile(r"([\\`*_{}\[\]<>()#+!|~&])")
# A spreadsheet takes a cell that begins with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render_json(report: Report) -> str:
    """Canonical JSON, one line: equal reports are equal bytes."""
    return canonical(plain(report)) + "\n"


def md(text: object) -> str:
    """Text as Markdown that renders as itself, on one line."""
    # An address as such would be made a link by many renderers.
    return _ESCAPED.sub(r"\\\1", str(text)).replace("://", ":&#47;&#47;")


def _md_table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    return [*lines, *(f"| {' | '.join(md(value) for value in row)} |" for row in rows), ""]


def render_markdown(report: Report) -> str:
    """The report in Markdown, in the order of the HTML, without time lines and single facts."""
    parts = [
        [f"# {md(report.title)}", "", f"**{md(report.summary.sentence)}**", ""],
        [f"{_sentence(tell.span_words(report))} {md(tell.standfirst(report))}", ""],
        _md_blocked(report),
        _md_others(report),
        [_heading(_("What looked fine")), "", *_md_findings(report, "ok")],
        [_heading(_("What could not be said, and why")), "", *_md_findings(report, "insufficient")],
        [_heading(_("What was not measured")), ""],
        [*(f"- {md(gap.what)}: {md(gap.because)}" for gap in report.not_measured), ""],
        _md_alternatives(report),
        [_heading(_("Method and limits")), ""],
        [*(f"- {md(rule)}" for rule in (*report.method.rules, *map(_, tell.LIMITS))), ""],
        [_heading(_("The seven words")), ""],
        [*(f"- {name}: {_sentence(meaning)}" for _word, name, meaning in glossary()), ""],
        _md_provenance(report),
    ]
    text = "\n".join(line for part in parts for line in part)
    # Markdown has no word for direction; readers of it let this much HTML through.
    return f'<div dir="rtl" lang="{report.language}">\n\n{text}\n</div>\n' if direction() == "rtl" else text


def _sentence(text: str) -> str:
    return md(_("{text}.").format(text=text))


def _heading(text: str) -> str:
    return f"## {md(text)}"


def _md_blocked(report: Report) -> list[str]:
    lines = [_heading(_("What is blocked")), ""]
    blocking = [event for event in report.events if event.kind == "blocking"]
    if not blocking:
        lines += [_("No website was found blocked or likely blocked in these measurements."), ""]
    for event in blocking:
        lines += [f"### {md(listed([site(t) for t in event.targets]))}: {label(event.state)}", ""]
        facts = [
            (_("Network"), listed(event.networks)),
            (_("Place"), listed(event.places)),
            (_("How"), tell.how(event)),
            (_("Technique"), ", ".join(event.techniques)),
            (_("Began"), tell.began(event)),
            (_("Ended"), tell.ended(event)),
            (_("Evidence"), tell.evidence(event)),
            (_("Explanation"), event.explanation),
            (_("Witnesses"), ", ".join(witness.measurement_id for witness in event.witnesses)),
        ]
        lines += [*(f"- {name}: {md(text)}" for name, text in facts if text), ""]
    return lines


def _md_others(report: Report) -> list[str]:
    others = [event for event in report.events if event.kind != "blocking"]
    lines = [_heading(_("Failing, but not blocked")), "", *(f"- {md(tell.other_event(event))}" for event in others), ""]
    if not others or tell.rows_of(report, *tell.EXPLAINED):
        lines += _md_findings(report, *tell.EXPLAINED)
    return lines


def _md_alternatives(report: Report) -> list[str]:
    rows = [(a.event, a.alternative, _("yes") if a.ruled_out else _("no"), a.because) for a in report.ruled_out]
    table = _md_table((_("Event"), _("Explanation"), _("Ruled out"), _("Because")), rows)
    return [_heading(_("What else could explain it")), "", *table]


def _md_provenance(report: Report) -> list[str]:
    none = _("none")
    pair = _("Ruleset {ruleset}, reference {reference}").format(
        ruleset=report.ruleset or none, reference=report.reference or none
    )
    made = _("{software}, made at {when}").format(
        software=f"{report.software.name} {report.software.version}", when=when(report.generated_at)
    )
    unread = _("not readable: {error}")
    rows = [(i.name, i.measurements, i.judged, i.digest or unread.format(error=i.error)) for i in report.inputs]
    table = _md_table((_("Database"), _("Measurements"), _("Judged"), _("SHA-256 of its facts")), rows)
    return [_heading(_("Provenance")), "", f"- {md(pair)}", f"- {md(made)}", "", *table]


def _md_findings(report: Report, *outcomes: str) -> list[str]:
    found = [f for f in report.findings if f.outcome in outcomes]
    if not found:
        return [_("None."), ""]
    names = (_("Website"), _("Network"), _("Outcome"), _("Measurements"), _("Vantage points"), _("Why"))
    rows = [(site(f.target), f.network, label(f.outcome), f.measurements, f.vantage_points, tell.why(f)) for f in found]
    return _md_table(names, rows)


def render_csvs(report: Report) -> dict[str, str]:
    """Every table as CSV, by file name."""
    return {
        "findings.csv": _csv(
            ("target", "network", "country", "outcome", "measurements", "vantage_points", *OUTCOMES, "first", "last",
             "why"),
            [
                (f.target, f.network, f.country, f.outcome, f.measurements, f.vantage_points,
                 *(f.counts.get(word, 0) for word in OUTCOMES), f.first, f.last, tell.why(f))
                for f in report.findings
            ],
        ),
        "events.csv": _csv(
            ("id", "kind", "state", "targets", "networks", "places", "techniques", "in_words", "onset_earliest",
             "onset_latest", "ending_earliest", "ending_latest", "affected", "measurements", "speaking",
             "vantage_points"),
            [
                (e.id, e.kind, e.state, " ".join(e.targets), "; ".join(e.networks), "; ".join(e.places),
                 " ".join(e.techniques), semicolons(technique_words(t) for t in e.techniques), e.onset.earliest or "",
                 e.onset.latest or "", e.ending.earliest or "", e.ending.latest or "", e.affected, e.measurements,
                 e.speaking, e.vantage_points)
                for e in report.events
            ],
        ),
        "cells.csv": _csv(
            ("target", "network", "country", "place", "access", "gateway", "layer", "bin", "state", "measurements",
             "vantage_points", *OUTCOMES, "p_blocked", "p_low", "p_high", "techniques"),
            [
                (c.target, c.network, c.country, c.place, c.access, c.gateway, c.layer, c.bin, c.state, c.measurements,
                 c.vantage_points, *(c.counts.get(word, 0) for word in OUTCOMES),
                 *((c.p_blocked.mean, c.p_blocked.low, c.p_blocked.high) if c.p_blocked else ("", "", "")),
                 " ".join(c.techniques))
                for c in report.cells
            ],
        ),
        "not_measured.csv": _csv(
            ("kind", "what", "because"), [(g.kind, g.what, g.because) for g in report.not_measured]
        ),
        "ruled_out.csv": _csv(
            ("event", "alternative", "ruled_out", "because"),
            [(a.event, a.alternative, "yes" if a.ruled_out else "no", a.because) for a in report.ruled_out],
        ),
    }  # fmt: skip


def _csv(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_harmless(value) for value in row] for row in rows)
    return out.getvalue()


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


_ONE: dict[str, Callable[[Report], str]] = {"html": render_html, "md": render_markdown, "json": render_json}


def render(report: Report, form: str) -> dict[str, str]:
    """File names and texts of a format; `all` is every one of them."""
    if form not in FORMATS:
        raise UsageError(f"{form!r} is no format; choose one of {', '.join(FORMATS)}")
    wanted = ("html", "md", "json", "csv") if form == "all" else (form,)
    files: dict[str, str] = {}
    for one in wanted:
        files.update(render_csvs(report) if one == "csv" else {f"report.{one}": _ONE[one](report)})
    return files


def write_files(files: dict[str, str], where: Path) -> tuple[Path, ...]:
    """Write into the directory `where`, or to the file `where` when it has a suffix and there is one text only. A
    reader never sees half a file. Raises UsageError, or StoreError when the disk says no."""
    single = where.suffix != "" and not where.is_dir()
    if single and len(files) != 1:
        raise UsageError(f"{where}: {len(files)} files cannot go into one; name a directory")
    try:
        (where.parent if single else where).mkdir(parents=True, exist_ok=True)
        return tuple(_write(where if single else where / name, text) for name, text in sorted(files.items()))
    except OSError as error:
        raise StoreError(f"{where}: {error.strerror}") from None


def _write(path: Path, text: str) -> Path:
    half = path.with_name(f".{path.name}.part")
    half.write_text(text, encoding="utf-8", newline="\n")
    os.replace(half, path)
    return path
