"""Nothing may be measured before somebody agreed, and agreeing is no slip of the finger."""

import json
from pathlib import Path

import pytest

from probe.app import consent
from probe.app.consent import QUIZ, Talk, read_consent, record, require_consent, withdraw
from probe.model.errors import ConsentError

RIGHT = [quiz.right for quiz in QUIZ]


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


def test_right_answers_and_a_yes_are_remembered(own_home: Path) -> None:
    asked, said = talk([*RIGHT, "yes"])
    require_consent(yes=False, environ={}, talk=asked)
    require_consent(yes=False, environ={})
    assert said[0] == consent.TEXT
    kept = json.loads((own_home / "consent.json").read_text())
    assert (kept["version"], kept["digest"], kept["how"]) == (consent.VERSION, consent.TEXT_DIGEST, "asked")


def test_one_wrong_answer_may_be_mended() -> None:
    asked, said = talk(["a", *RIGHT, "y"])
    require_consent(yes=False, environ={}, talk=asked)
    assert any(line.startswith("No. ") for line in said)


@pytest.mark.parametrize("answers", [["a", "a"], [*RIGHT, "no"], [*RIGHT, ""], RIGHT, []])
def test_anything_less_is_no_consent(answers: list[str]) -> None:
    asked, _ = talk(answers)
    with pytest.raises(ConsentError):
        require_consent(yes=False, environ={}, talk=asked)
    assert read_consent() is None


def test_a_changed_text_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    record("asked")
    monkeypatch.setattr(consent, "TEXT_DIGEST", "0" * 64)
    with pytest.raises(ConsentError, match="changed"):
        require_consent(yes=False, environ={})


def test_withdraw() -> None:
    record("flag")
    assert withdraw() and not withdraw() and read_consent() is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": "x"}', "null"])
def test_a_damaged_record_is_none(own_home: Path, text: str) -> None:
    (own_home / "consent.json").write_text(text)
    assert read_consent() is None


def test_the_text_makes_nobody_confess() -> None:
    assert "illegal" not in consent.TEXT.lower() and len(consent.TEXT.splitlines()) < 40
