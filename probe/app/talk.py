"""Speaking with a person at a terminal: texts laid out to its width, questions with numbered answers, and a yes.

Everything is said on stderr, so that stdout stays data. Answers are understood as people type them: digits of any
script, capitals, stray direction marks, yes in the language spoken and in English.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from probe.inputs.language import _, latin, line, pgettext
from probe.model.errors import ConsentError

WIDEST, NARROWEST = 76, 24
_HARD = "\u00a0"


@dataclass(frozen=True, slots=True)
class Talk:
    """How to speak with a person: `say` a line, `hear` the next one (raises EOFError when there is none)."""

    say: Callable[[str], None]
    hear: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Quiz:
    """A question with its answers; `right` is the number of one, from 1, and `because` is said either way. In
    English: what is shown goes through the catalogue."""

    question: str
    answers: tuple[str, ...]
    right: int
    because: str


def terminal() -> Talk | None:
    """The terminal, where both ends are one."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def say(text: str) -> None:
        # A line to be answered stays open.
        sys.stderr.write(text if text.endswith(" ") else text + "\n")
        sys.stderr.flush()

    def hear() -> str:
        heard = sys.stdin.readline()
        if not heard:
            raise EOFError
        return heard

    return Talk(say, hear)


def ask_quiz(talk: Talk, quiz: Quiz, again: str) -> None:
    """Ask until the answer is right, twice at most. Raises ConsentError with `again`."""
    # A wrong answer is told, not punished; the same question comes once more, so that the text has been read.
    for _attempt in range(2):
        talk.say(laid(_(quiz.question)))
        for number, answer in enumerate(quiz.answers, 1):
            talk.say(laid(f"{number}) {_(answer)}", 2))
        talk.say(laid(_("Your answer (a number):")) + " ")
        right = hear(talk)[:1] == str(quiz.right)
        verdict = _("That is right.") if right else _("No.")
        talk.say(laid(f"{verdict} {_(quiz.because)}") + "\n")
        if right:
            return
    raise ConsentError(again)


def ask_yes(talk: Talk, question: str) -> bool:
    """True for a clear yes."""
    talk.say(laid(question) + " ")
    return hear(talk) in said_yes()


def said_yes() -> frozenset[str]:
    """What counts as yes."""
    own = pgettext("what a person types for yes: words parted by commas", "yes,y")
    return frozenset(normal(word) for word in f"{own},yes,y".split(","))


def hear(talk: Talk) -> str:
    """The next line in normal form. Raises ConsentError where nobody is there to answer."""
    try:
        return normal(talk.hear())
    except EOFError:
        raise ConsentError(_("no answer, so nothing was done")) from None


def normal(text: str) -> str:
    """An answer without spaces around, capitals and invisible marks; digits of every script as 0 to 9."""
    plain = "".join(_digit(c) for c in text if unicodedata.category(c) not in ("Cf", "Cc"))
    return unicodedata.normalize("NFC", plain).strip().casefold()


def _digit(c: str) -> str:
    return str(unicodedata.digit(c)) if c.isdigit() else c


def unbroken(command: str) -> str:
    """A command within a paragraph, to stay on one line."""
    return latin(command.replace(" ", _HARD))


def paragraphs(parts: Iterable[tuple[str, str]], width: int = 0) -> str:
    """(heading, text) pairs as lines for a terminal; `width` 0 is that of the terminal."""
    blocks = [(laid(heading, 0, width), laid(text, 2, width)) for heading, text in parts]
    return "\n\n".join("\n".join(filter(None, block)) for block in blocks) + "\n"


def laid(text: str, indent: int = 0, width: int = 0) -> str:
    """A text as lines of a terminal of `width` columns (0: this one), every line told which way it runs."""
    columns = max(min(width or shutil.get_terminal_size().columns - 2, WIDEST), NARROWEST) - indent
    lines = textwrap.wrap(text, columns, break_long_words=False, break_on_hyphens=False)
    # A person may copy a command: its spaces are common ones.
    return "\n".join(line(" " * indent + part) for part in lines).replace(_HARD, " ")
