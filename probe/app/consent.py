"""Consent: a plain text, two questions about it, and a small file that says which text was agreed to and when.

Nothing touches the network before. The text is versioned and hashed; a changed text is asked about again. No question
asks anybody to say that what they do is forbidden: such a confession helps nobody.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from probe.app.home import home_dir, make_home
from probe.inputs.folders import digest
from probe.model.errors import ConsentError, StoreError

VERSION = 2
TEXT = """\
What this program does, and what it can mean for you

  It measures which websites can be reached from your line. For that it asks
  for their names, connects to them and fetches their front pages, as a
  browser would. Some are sites that somebody may wish to block. Where
  something looks wrong it asks again in ways that no browser does: with
  other names, with packets that live for some hops only, and by asking for a
  blocked name where no name server is (the site, or a test helper).

  Who can see it. Your provider and whoever watches your line can see which
  names you ask for, as with a browser, but many in a short time. The sites
  see your address. So do the public resolvers that are asked, and a test
  helper if you name one. It is not anonymous, and it does not try to hide.

  The risk. In some places a visit to some sites draws attention, or worse.
  We cannot say what that means for you. Look at the list before you start
  (probe run --dry-run). Sensitive categories stay off until you choose them.
  If you are in doubt, or if others could suffer for it, do not run it. The
  line should be yours, or its owner should know.

  What is kept. Facts about the answers, in one file on this machine, readable
  by you. Your own address is taken out wherever it is recognised. Times,
  sites, and the network and place that you type, are kept.

  What is sent. Results go to nobody until you say so: probe bundle shows
  what would be sent, probe send sends it. What was sent can be published.
  A test helper that you name learns each address and port that it is to try.

  You can stop at any time (Ctrl-C), take this back (probe consent withdraw),
  and delete the file.
"""
TEXT_DIGEST = digest(TEXT.encode())
HOW_TO = "not agreed yet: run `probe consent give`, or for unattended use --yes or PROBE_CONSENT=yes"
FILE = "consent.json"


@dataclass(frozen=True, slots=True)
class Quiz:
    """A question with its answers; `right` is the letter, and `because` is said either way."""

    question: str
    answers: tuple[str, ...]
    right: str
    because: str


QUIZ: tuple[Quiz, ...] = (
    Quiz(
        "Can your internet provider see which sites are measured?",
        ("a) No, the program hides it", "b) Yes, as with a browser"),
        "b",
        "Names and addresses are visible on your line, as with a browser.",
    ),
    Quiz(
        "When are results sent to somebody?",
        ("a) Only when you run `probe send`", "b) As soon as something is found blocked"),
        "a",
        "Results stay on this machine until you send them.",
    ),
)


@dataclass(frozen=True, slots=True)
class Consent:
    """What was agreed to: version and SHA-256 of the text, when (RFC 3339 UTC), and how (asked, or flag)."""

    version: int
    digest: str
    given_at: str
    how: str

    @property
    def current(self) -> bool:
        """True when it is this very text that was agreed to."""
        return self.digest == TEXT_DIGEST


@dataclass(frozen=True, slots=True)
class Talk:
    """How to speak with a person: `say` a line, `hear` the next one (raises EOFError when there is none)."""

    say: Callable[[str], None]
    hear: Callable[[], str]


def require_consent(*, yes: bool, environ: Mapping[str, str] = os.environ, talk: Talk | None = None) -> None:
    """Return when measuring is agreed to: by --yes or PROBE_CONSENT=yes for this use, by the file, or by asking on a
    terminal. Raises ConsentError."""
    if yes or environ.get("PROBE_CONSENT", "").strip().lower() == "yes":
        return
    given = read_consent()
    if given is not None and given.current:
        return
    talk = talk or terminal()
    if talk is None:
        changed = "the text has changed since you agreed; " if given is not None else ""
        raise ConsentError(changed + HOW_TO)
    ask(talk)


def ask(talk: Talk) -> Consent:
    """Show the text, ask the questions, take the answer down. Raises ConsentError unless it is a clear yes."""
    talk.say(TEXT)
    for quiz in QUIZ:
        _question(talk, quiz)
    talk.say("Do you agree to measure from this line? Type yes to agree: ")
    if _answer(talk) not in ("yes", "y"):
        raise ConsentError("not agreed; nothing was measured")
    return record("asked")


def _question(talk: Talk, quiz: Quiz) -> None:
    # A wrong answer is told, not punished; the same question comes once more, so that the text has been read.
    for _ in range(2):
        talk.say("\n".join((quiz.question, *(f"  {answer}" for answer in quiz.answers), "Your answer: ")))
        right = _answer(talk)[:1] == quiz.right
        talk.say(("Yes. " if right else "No. ") + quiz.because + "\n")
        if right:
            return
    raise ConsentError("please read the text again (probe consent show); nothing was measured")


def _answer(talk: Talk) -> str:
    try:
        return talk.hear().strip().lower()
    except EOFError:
        raise ConsentError(HOW_TO) from None


def terminal() -> Talk | None:
    """The terminal, where both ends are one; its talk goes to stderr, so that stdout stays data."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def say(text: str) -> None:
        sys.stderr.write(text if text.endswith(": ") else text + "\n")
        sys.stderr.flush()

    def hear() -> str:
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line

    return Talk(say, hear)


def record(how: str, now: datetime | None = None) -> Consent:
    """Write the consent down. Raises StoreError."""
    at = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    given = Consent(VERSION, TEXT_DIGEST, at, how)
    path = make_home() / FILE
    try:
        path.write_text(json.dumps(asdict(given), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    return given


def read_consent(path: Path | None = None) -> Consent | None:
    """What was agreed to; None when nothing was, or the file cannot be understood."""
    try:
        value = json.loads((path or home_dir() / FILE).read_text(encoding="utf-8"))
        return Consent(int(value["version"]), str(value["digest"]), str(value["given_at"]), str(value["how"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def withdraw() -> bool:
    """Forget the consent; False when there was none. Raises StoreError."""
    path = home_dir() / FILE
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    return True
