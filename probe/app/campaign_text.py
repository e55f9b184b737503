"""A dossier in words for a terminal: every value of it, the prose in the language in use where the author gave it.

All text in it is a stranger's: what steers a terminal is shown instead of obeyed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from probe.app.talk import laid
from probe.inputs.dossier import Read
from probe.inputs.language import _, latin, line, plural, spoken
from probe.inputs.reference import load_reference
from probe.model.dossier import Aim, Claim, Dossier, Rival, Translation
from probe.report.words import commas, semicolons, tame

_LONG = 20_000
# A heading and what stands under it, a line or paragraph each; indented, what belongs to the line above.
Section = tuple[str, Sequence[str]]


def laid_out(read: Read) -> str:
    """The whole dossier, as wide as the terminal."""
    blocks = []
    for heading, items in sections(read):
        blocks.append("\n".join([laid(heading), *(laid(item.lstrip(), 2 + _depth(item)) for item in items)]))
    return "\n\n".join(blocks) + "\n"


def changes(old: Read, new: Read) -> list[str]:
    """What differs between two dossiers: lines that begin with - (gone) and + (new)."""
    before, after = (list(_lines(read)) for read in (old, new))
    return [line(f"{d[0]} {d[2:]}") for d in difflib.ndiff(before, after) if d[0] in "+-"]


def _lines(read: Read) -> Iterator[str]:
    for heading, items in sections(read):
        row = ""
        for item in items:
            # What stands below a row is told with the row's name.
            row = item.partition(":")[0] if not _depth(item) else row
            yield f"{heading}: {row}: {item.lstrip()}" if _depth(item) else f"{heading}: {item}"


def _depth(item: str) -> int:
    return len(item) - len(item.lstrip())


def sections(read: Read) -> Iterator[Section]:
    """The dossier by headings: what matters to whoever decides comes first."""
    d, own = read.dossier, read.dossier.prose(spoken())
    yield _("Campaign"), [_clean(own.title), *_identity(read)]
    yield _("Your safety"), _paragraphs(own.note)
    yield _("What is measured"), [_aim(aim) for aim in d.target]
    yield _("How often, and until when"), [_often(d)]
    yield (
        _("Compared with"),
        d.helper.urls
        or [_("no helper: name your own with {control}, or less can be said").format(control=latin("--control"))],
    )
    yield _("Results may be sent to"), _collector(d)
    yield _("Canaries, innocent sites that tell whether the line lives"), _canaries(d)
    yield _("What happened"), _paragraphs(own.incident)
    statements = {said.id: said.statement for said in own.claim}
    claims = [text for claim in d.claim for text in _claim(claim, statements[claim.id])]
    yield _("What is claimed"), claims or [_("nothing")]
    rivals = [text for rival in d.rival for text in _rival(rival)]
    yield _("What else could explain it"), rivals or [_("nothing named")]
    yield from _other_languages(d)


def _identity(read: Read) -> list[str]:
    d = read.dossier
    signed = _("signed by the key {key}").format(key=d.key) if read.signed else _("not signed")
    rows = [
        _("by {author}").format(author=_clean(d.author)),
        signed,
        _("id {id}, revision {day}, languages {languages}").format(
            id=d.id, day=d.revision, languages=commas(d.languages)
        ),
        _("digest {digest}").format(digest=read.digest),
    ]
    return [*rows, *([_("source: {source}").format(source=_clean(d.source))] if d.source else [])]


def _aim(aim: Aim) -> str:
    category = f" ({aim.category})" if aim.category else ""
    why = f": {_clean(aim.why)}" if aim.why else ""
    return f"{_clean(aim.url)}{category}{why}"


def _often(d: Dossier) -> str:
    n, unit = int(d.schedule.every[:-1]), d.schedule.every[-1]
    if unit == "m":
        every = plural("every minute", "every {n} minutes", n)
    elif unit == "h":
        every = plural("every hour", "every {n} hours", n)
    else:
        every = plural("every day", "every {n} days", n)
    if d.schedule.until:
        return _("{every}, until {day}").format(every=every, day=d.schedule.until)
    return _("{every}, until you stop it").format(every=every)


def _collector(d: Dossier) -> Sequence[str]:
    if not d.collector.urls:
        return [_("no collector: nothing is sent anywhere, unless you name one")]
    key = _("its key: {key}").format(key=d.collector.key)
    return [*d.collector.urls, key, _("Nothing is sent until you say so ({send}).").format(send=latin("probe send"))]


def _canaries(d: Dossier) -> Sequence[str]:
    by_id = {canary.id: canary.url for canary in load_reference().canaries}
    return [f"{name}: {by_id[name]}" for name in d.canaries] or [_("those of the program")]


def _claim(claim: Claim, statement: str) -> list[str]:
    below = [semicolons(_scope(claim.places, claim.since, claim.until, claim.until_note))]
    below.append(_("about {targets}").format(targets=commas(map(_clean, claim.targets))))
    below.append(_("source: {source}").format(source=_clean(claim.source)))
    return [f"{claim.id}: {_clean(statement)}", *(f"  {text}" for text in below)]


def _rival(rival: Rival) -> list[str]:
    kind = [_clean(rival.kind)] if rival.kind else []
    below = [semicolons([*_scope(rival.places, rival.since, rival.until, ""), *kind])]
    below.append(_("would explain {claims}").format(claims=commas(rival.explains)))
    if rival.excluded_by:
        below.append(_("excluded by {what}").format(what=_clean(rival.excluded_by)))
    below.append(_("source: {source}").format(source=_clean(rival.source)))
    return [f"{rival.id}: {_clean(rival.statement)}", *(f"  {text}" for text in below)]


def _scope(places: Sequence[str], since: str, until: str, note: str) -> Iterator[str]:
    yield commas(map(_clean, places)) if places else _("everywhere")
    if since and until:
        yield _("from {first} to {last}").format(first=since, last=until)
    elif since:
        yield _("from {first} on").format(first=since)
    elif until:
        yield _("until {last}").format(last=until)
    if note:
        yield _clean(note)


def _other_languages(d: Dossier) -> Iterator[Section]:
    """What was signed in other languages than the one shown, so that nothing is agreed to unseen."""
    author = Translation("", d.title, d.incident, d.safety.note)
    if any(t.language == spoken() for t in d.translation):
        yield _("As the author wrote it"), [*_prose(author), *(f"{c.id}: {_clean(c.statement)}" for c in d.claim)]
    for other in d.translation:
        if other.language != spoken():
            statements = [f"{said.id}: {_clean(said.statement)}" for said in other.claim]
            yield _("In the language {code}").format(code=other.language), [*_prose(other), *statements]


def _prose(translation: Translation) -> list[str]:
    return [
        *([_clean(translation.title)] if translation.title else []),
        *_paragraphs(translation.note),
        *_paragraphs(translation.incident),
    ]


def _paragraphs(text: str) -> list[str]:
    return [_clean(part) for part in text.split("\n\n") if part.strip()]


def _clean(text: str) -> str:
    return tame(text, _LONG)
