"""Nothing may be measured before somebody agreed, and agreeing is no slip of the finger."""

import json
import re
from pathlib import Path

import pytest

from probe.app import consent, consent_text
from probe.app.consent import read_consent, record, require_consent, withdraw
from probe.app.consent_text import PARTS, QUIZZES, VERSION, consent_digest
from probe.app.talk import Talk, normal
from probe.inputs.language import ENGLISH, languages, speaking
from probe.model.errors import ConsentError

RIGHT = [str(quiz.right) for quiz in QUIZZES]


def talk(answers: list[str]) -> tuple[Talk, list[str]]:
    said: list[str] = []
    left = iter(answers)

    def hear() -> str:
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    return Talk(said.append, hear), said


@pytest.mark.parametrize(("yes", "environ"), [(True, {}), (False, {"PROBE_CONSENT": "yes"})])
def test_unattended_use_is_served_and_not_remembered(yes: bool, environ: dict[str, str]) -> None:
    require_consent(yes=yes, environ=environ)
    assert read_consent() is None


def test_no_terminal_no_consent() -> None:
    with pytest.raises(ConsentError, match="probe consent give") as caught:
        require_consent(yes=False, environ={"PROBE_CONSENT": "no"})
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("language", languages())
def test_right_answers_and_a_yes_are_remembered(own_home: Path, language: str) -> None:
    with speaking(language):
        asked, said = talk([*RIGHT, "yes"])
        require_consent(yes=False, environ={}, talk=asked)
        assert said[0] == consent_text.consent_text()
    require_consent(yes=False, environ={})
    kept = json.loads((own_home / "consent.json").read_text())
    assert (kept["version"], kept["digest"], kept["how"]) == (VERSION, consent_digest(language), "asked")
    assert kept["language"] == language


@pytest.mark.parametrize("word", ["YES", " y ", "ہاں", "\u200fہاں\u200f", "جی ہاں"])
def test_a_yes_in_the_language_spoken(word: str) -> None:
    with speaking("ur"):
        asked, _ = talk([*RIGHT, word])
        require_consent(yes=False, environ={}, talk=asked)
    assert read_consent() is not None


def test_digits_of_any_script_are_answers() -> None:
    assert [normal(text) for text in ("۱", "٢\n", "\u200f2) ")] == ["1", "2", "2)"]


def test_one_wrong_answer_may_be_mended() -> None:
    asked, said = talk(["1", *RIGHT, "y"])
    require_consent(yes=False, environ={}, talk=asked)
    assert any(line.startswith("No. ") for line in said)


@pytest.mark.parametrize("answers", [["1", "1"], [*RIGHT, "no"], [*RIGHT, ""], [*RIGHT, "yess"], RIGHT, []])
def test_anything_less_is_no_consent(answers: list[str]) -> None:
    asked, _ = talk(answers)
    with pytest.raises(ConsentError):
        require_consent(yes=False, environ={}, talk=asked)
    assert read_consent() is None


def test_a_changed_text_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    record("asked")
    monkeypatch.setattr(consent_text, "PARTS", (*PARTS[:-1], ("You can stop", "Never.")))
    with pytest.raises(ConsentError, match="changed"):
        require_consent(yes=False, environ={})


def test_an_older_version_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    record("asked")
    monkeypatch.setattr(consent, "VERSION", VERSION + 1)
    with pytest.raises(ConsentError, match="changed"):
        require_consent(yes=False, environ={})


def test_a_record_of_before_there_were_languages_is_an_older_one(own_home: Path) -> None:
    (own_home / "consent.json").write_text('{"version": 2, "digest": "00", "given_at": "2026-01-01", "how": "asked"}')
    given = read_consent()
    assert given is not None and given.language == ENGLISH and not given.current


def test_withdraw() -> None:
    record("flag")
    assert withdraw() and not withdraw() and read_consent() is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": "x"}', "null"])
def test_a_damaged_record_is_none(own_home: Path, text: str) -> None:
    (own_home / "consent.json").write_text(text)
    assert read_consent() is None


def test_nobody_is_made_to_confess() -> None:
    """The text may name the risk; no question and no answer may make a person say that they know of it."""
    asked = " ".join(t for quiz in QUIZZES for t in (quiz.question, *quiz.answers, quiz.because))
    assert not any(word in asked.lower() for word in ("law", "legal", "forbidden", "crime"))


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("width", [24, 40, 76])
def test_the_text_is_short_and_fits(language: str, width: int) -> None:
    with speaking(language):
        lines = consent_text.consent_text(width).splitlines()
    assert width < 76 or len(lines) < 55
    assert all(len(re.sub("[\u2066-\u2069]", "", line)) <= max(width, 30) for line in lines)
    assert any("probe consent withdraw" in line for line in lines)


def test_two_questions_whose_right_answers_stand_in_different_places() -> None:
    assert len(QUIZZES) == 2 and len({quiz.right for quiz in QUIZZES}) == 2
