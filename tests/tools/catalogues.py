"""The translators' catalogues, kept in step with the code: `python -m tests.tools.catalogues`.

    python -m tests.tools.catalogues            each catalogue gets the new texts and loses those that are gone
    python -m tests.tools.catalogues --new ps   begins one more language
    python -m tests.tools.catalogues --check    writes nothing; exit 1 with one line for each thing that is wrong

Texts are found where they are said (`_`, `plural`, `pgettext` in code and templates), and in the tables named below,
which are English where they stand and are said elsewhere.
"""

from __future__ import annotations

import io
import re
import string
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from probe.app.consent_text import PARTS, QUIZZES, TITLE
from probe.model.failure import FAILURES
from probe.model.outcome import OUTCOME_MEANING, REASON_MEANING
from probe.report.build import RULES
from probe.report.html import WHO
from probe.report.tell import GAP_TITLES, LIMITS, LOCUS_WORDS
from probe.report.words import MONTHS, OUTCOME_LABEL, TECHNIQUE_WORDS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "probe" / "inputs" / "locale"
_KEYWORDS = {"_": (1,), "plural": (1, 2), "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}
_HEADER = "# {}: what Vantage Probe tells people, in this language. How to: docs/translating.md."
_DATED = "POT-Creation-Date|PO-Revision-Date|Generated-By|Report-Msgid-Bugs-To|Last-Translator|Project-Id-Version"
# (where it stands, context or None, texts)
TABLES: tuple[tuple[str, str | None, tuple[str, ...]], ...] = (
    ("probe/app/consent_text.py", None, (TITLE, *(t for part in PARTS for t in part))),
    ("probe/app/consent_text.py", None, tuple(t for q in QUIZZES for t in (q.question, *q.answers, q.because))),
    ("probe/model/failure.py", None, tuple(row.meaning for row in FAILURES)),
    ("probe/model/outcome.py", None, (*OUTCOME_MEANING.values(), *REASON_MEANING.values())),
    ("probe/report/build.py", None, RULES),
    ("probe/report/html.py", None, WHO),
    ("probe/report/tell.py", None, (*LOCUS_WORDS.values(), *LIMITS, *GAP_TITLES.values())),
    ("probe/report/words.py", None, (*OUTCOME_LABEL.values(), *TECHNIQUE_WORDS.values())),
    ("probe/report/words.py", "month", MONTHS),
)


def template() -> Catalog:
    """Every text that people are told, in order of the files."""
    made = Catalog(project="vantage-probe", charset="utf-8")
    for path in sorted((ROOT / "probe").rglob("*")):
        method = {".py": "python", ".j2": "jinja2"}.get(path.suffix)
        if method:
            name = path.relative_to(ROOT).as_posix()
            options = {"encoding": "utf-8", "silent": "false"}
            for line, ids, comments, context in extract_from_file(
                method, path, _KEYWORDS, ("For translators:",), options
            ):
                made.add(ids, None, [(name, line)], auto_comments=comments, context=context)
    for name, context, texts in TABLES:
        for text in texts:
            made.add(text, None, [(name, 1)], context=context)
    return made


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.stem, abort_invalid=True)


def updated(catalogue: Catalog, made: Catalog) -> str:
    """A catalogue's text with the texts of `made`, and no others. Nothing is guessed: a changed text is a new one."""
    catalogue.update(made, no_fuzzy_matching=True)
    out = io.BytesIO()
    write_po(out, catalogue, width=100, sort_by_file=True, ignore_obsolete=True, include_lineno=False)
    # Dates and names of tools change with every run and say nothing.
    return re.sub(rf'^"({_DATED}|Language-Team): .*\n', "", out.getvalue().decode(), flags=re.M)


def faults(path: Path, made: Catalog) -> Iterator[str]:
    """What is wrong with a catalogue, a line each."""
    catalogue = read(path)
    if path.read_text("utf-8") != updated(read(path), made):
        yield f"{path.name}: stale; run `make docs`"
    for message in made:
        if message.id:
            yield from (f"{path.name}: {_short(message)}: {fault}" for fault in _faults(message, catalogue))


def _faults(message: Message, catalogue: Catalog) -> Iterator[str]:
    found = catalogue.get(_key(message), message.context)
    said = _forms(found.string) if found else ()
    if found is None or not all(said):
        yield "not translated"
        return
    if found.fuzzy:
        yield "marked fuzzy"
    wanted = placeholders(_forms(message.id)[-1])
    for text in said:
        # A form for one may spell the number out.
        if placeholders(text) != wanted and not (len(said) > 1 and placeholders(text) == wanted - {"n"}):
            yield f"has the placeholders {sorted(placeholders(text))} where the English has {sorted(wanted)}"
        if text != text.strip() and _forms(message.id)[-1] == _forms(message.id)[-1].strip():
            yield "begins or ends with a space where the English does not"
        if re.search("[\u200e\u200f\u202a-\u202e\u2066-\u2069]", text):
            yield "holds a direction mark; the program sets them"
        if re.search("[٠-٩۰-۹]", text):
            yield "has digits other than 0-9"


def placeholders(text: str) -> frozenset[str]:
    """The names in braces. Raises ValueError for braces that do not close."""
    return frozenset(name for _text, name, _spec, _conversion in string.Formatter().parse(text) if name is not None)


def _key(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def _forms(texts: str | Iterable[str] | None) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts or ("",))


def _short(message: Message) -> str:
    text = _key(message)
    return text if len(text) < 60 else text[:57] + "..."


def main(arguments: list[str]) -> int:
    """0 when all is written (or, with --check, is complete)."""
    made = template()
    if "--new" in arguments:
        path = FOLDER / f"{arguments[arguments.index('--new') + 1]}.po"
        if not path.exists():
            begun = Catalog(locale=path.stem, charset="utf-8", fuzzy=False, header_comment=_HEADER.format(path.stem))
            path.write_text(updated(begun, made), "utf-8")
    paths = sorted(FOLDER.glob("*.po"))
    if "--check" in arguments:
        found = [fault for path in paths for fault in faults(path, made)]
        sys.stderr.writelines(f"{fault}\n" for fault in found)
        return 1 if found else 0
    for path in paths:
        path.write_text(updated(read(path), made), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
