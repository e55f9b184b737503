"""Consent: a plain text, two questions about it, and a small file that says which text was agreed to and when.

Nothing touches the network before. The text is versioned and hashed; a changed text is asked about again. No question
asks anybody to say that what they do is forbidden: such a confession helps nobody.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from probe.app.consent_text import QUIZZES, VERSION, consent_digest, consent_text
from probe.app.home import home_dir, make_home
from probe.app.talk import Talk, ask_quiz, ask_yes, terminal
from probe.inputs.language import ENGLISH, _, languages, latin, spoken
from probe.model.errors import ConsentError, StoreError

FILE = "consent.json"


@dataclass(frozen=True, slots=True)
class Consent:
    """What was agreed to: version and SHA-256 of the text, when (RFC 3339 UTC), how (asked, or flag), and the language
    in which it was read."""

    version: int
    digest: str
    given_at: str
    how: str
    language: str = ENGLISH

    @property
    def current(self) -> bool:
        """True when it is this very text that was agreed to."""
        known = self.language in languages()
        return self.version == VERSION and known and self.digest == consent_digest(self.language)


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
        raise ConsentError(how_to(changed=given is not None))
    ask(talk)


def how_to(*, changed: bool = False) -> str:
    """What to do where consent is missing."""
    ways = {"give": latin("probe consent give"), "yes": latin("--yes"), "variable": latin("PROBE_CONSENT=yes")}
    if changed:
        return _("the text has changed since you agreed: run {give}, or for unattended use {yes} or {variable}").format(
            **ways
        )
    return _("not agreed yet: run {give}, or for unattended use {yes} or {variable}").format(**ways)


def ask(talk: Talk) -> Consent:
    """Show the text, ask the questions, take the answer down. Raises ConsentError unless it is a clear yes."""
    talk.say(consent_text())
    again = _("please read the text again ({show}); nothing was measured").format(show=latin("probe consent show"))
    for quiz in QUIZZES:
        ask_quiz(talk, quiz, again)
    if not ask_yes(talk, _("Do you agree to measure from this line? Type yes to agree:")):
        raise ConsentError(_("not agreed; nothing was measured"))
    return record("asked")


def record(how: str, now: datetime | None = None) -> Consent:
    """Write the consent down, to the text in the language in use. Raises StoreError."""
    at = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    given = Consent(VERSION, consent_digest(spoken()), at, how, spoken())
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
        language = str(value.get("language", ENGLISH))
        return Consent(int(value["version"]), str(value["digest"]), str(value["given_at"]), str(value["how"]), language)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
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
