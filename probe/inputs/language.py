"""The language in which people are spoken to. English stands in the code; `locale/xx.po` beside this file holds another
one, and its presence is all that makes it known (docs/translating.md).

    from probe.inputs.language import _, pgettext, plural

    _("no helper")                                                    a sentence, whole: order differs by language
    _("reached {site}").format(site=...)                              placeholders by name
    plural("{n} of {all} site", "{n} of {all} sites", n, all=9)        what depends on a number
    pgettext("month", "May")                                          one English word, two meanings

Look texts up where they are said, not where they are defined: a table at the top of a module stays English and is
passed through `_` when a row is shown. `tests/tools/catalogues.py` names such tables.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import NullTranslations
from importlib.resources import files
from pathlib import Path

from probe.inputs.catalogue import read_catalogue
from probe.model.errors import UsageError

ENGLISH = "en"
VARIABLE = "PROBE_LANG"
# POSIX (XBD 8.2): the first of these that is set decides the language of messages.
_SYSTEM = ("LC_ALL", "LC_MESSAGES", "LANG")
# Isolates (UAX 9): the text between keeps its own direction, and does not turn what stands around it.
_RTL, _LTR, _END = "\u2067", "\u2066", "\u2069"


class _Spoken:
    """What the process speaks, unless a context speaks something else for a while. Threads that a library starts see
    the process's language."""

    process = ENGLISH
    here: ContextVar[str | None] = ContextVar("spoken", default=None)


def languages() -> tuple[str, ...]:
    """The codes that can be spoken, English first."""
    return (ENGLISH, *sorted(path.stem for path in locale_folder().glob("*.po")))


def locale_folder() -> Path:
    return Path(str(files("probe"))) / "inputs" / "locale"


def choose(wanted: str | None, environ: Mapping[str, str] = os.environ, remembered: str = "") -> str:
    """The language to speak: the one wanted, else PROBE_LANG, else the one remembered, else the system's where we know
    it, else English. Raises UsageError for one that was asked for and is not known."""
    asked = wanted or environ.get(VARIABLE, "")
    if asked:
        code = _code(asked)
        if code not in languages():
            raise UsageError(f"language {asked[:20]!r} is not known here; there is {', '.join(languages())}")
        return code
    system = next((environ[name] for name in _SYSTEM if environ.get(name)), "")
    return next((code for code in (remembered, _code(system)) if code in languages()), ENGLISH)


def _code(text: str) -> str:
    """`ur_PK.UTF-8` -> `ur`; the language subtag (RFC 5646) alone."""
    return text.replace("-", "_").split(".")[0].split("@")[0].split("_")[0].lower()


def speak(language: str) -> None:
    """From now on, everywhere in this process."""
    _Spoken.process = language


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Within this block, in this context."""
    token = _Spoken.here.set(language)
    try:
        yield
    finally:
        _Spoken.here.reset(token)


def spoken() -> str:
    """The code of the language in use."""
    return _Spoken.here.get() or _Spoken.process


def _(text: str) -> str:
    """The text in the language in use."""
    return _catalogue(spoken()).gettext(text)


def ngettext(one: str, many: str, n: int) -> str:
    """The form of the text that goes with the number."""
    return _catalogue(spoken()).ngettext(one, many, n)


def plural(one: str, many: str, n: int, **values: object) -> str:
    """The same, filled in: {n} is the number with its thousands parted, the rest are `values`."""
    return ngettext(one, many, n).format(n=f"{n:,}", **values)


def pgettext(context: str, text: str) -> str:
    """The text in a meaning that `context` names."""
    return _catalogue(spoken()).pgettext(context, text)


def name_of(language: str) -> str:
    """What a language calls itself."""
    with speaking(language):
        return pgettext("the name of this language in itself", "English")


def direction() -> str:
    """`ltr` or `rtl`, as HTML writes it: which way the language in use is written."""
    return pgettext("direction of writing, ltr or rtl", "ltr")


def line(text: str) -> str:
    """A line for a terminal. Where it runs from the right, marks say so: in such a language, one that begins with a
    Latin word would else be laid out from the left. Terminals that know nothing of direction show no difference."""
    strong = [unicodedata.bidirectional(c) for c in text if unicodedata.bidirectional(c) in ("L", "R", "AL")]
    if not {"R", "AL"} & set(strong[:1] if direction() == "ltr" else strong):
        return text
    # Behind the indentation: a mark in the first column has no cell to stand in, and multiplexers lose it.
    body = text.lstrip(" ")
    return f"{text[: len(text) - len(body)]}{_RTL}{body}{_END}"


def latin(text: str) -> str:
    """A command, option or path within a sentence, so that its punctuation stays on its side."""
    return f"{_LTR}{text}{_END}" if direction() == "rtl" else text


@cache
def _catalogue(language: str) -> NullTranslations:
    return NullTranslations() if language == ENGLISH else read_catalogue(locale_folder() / f"{language}.po")
