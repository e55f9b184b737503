"""The vocabularies hold together."""

import re

import pytest

from probe.model.cell import bin_of
from probe.model.failure import BY_WORD, FAILURES, explain_failure, is_local
from probe.model.kinds import KINDS
from probe.model.outcome import LAYERS, OUTCOME_MEANING, OUTCOMES, REASON_MEANING, REASONS, TECHNIQUES, common_ancestor

CONTRACT_OUTCOMES = ("ok", "blocked", "likely_blocked", "impaired", "restricted", "down", "insufficient")


def test_the_seven_outcomes_and_every_reason_have_a_meaning() -> None:
    assert set(OUTCOMES) == set(CONTRACT_OUTCOMES) == set(OUTCOME_MEANING)
    assert set(REASONS) == set(REASON_MEANING)


def test_failure_words_are_unique_and_explained() -> None:
    assert len(BY_WORD) == len(FAILURES)
    assert all(re.fullmatch(r"[a-z_0-9]+", row.word) and row.meaning for row in FAILURES)


def test_an_opinion_is_no_failure_word() -> None:
    assert "dns_bogon_error" not in BY_WORD
    assert not any("block" in row.word or "censor" in row.word for row in FAILURES)


def test_local_faults_are_no_evidence() -> None:
    assert is_local("interrupted") and is_local("network_down")
    assert not is_local("connection_reset") and not is_local(None) and not is_local("word_of_a_newer_probe")


def test_unknown_words_are_shown_as_they_are() -> None:
    assert explain_failure("word_of_a_newer_probe") == "word_of_a_newer_probe"
    assert explain_failure("unknown_failure: EWHAT") == BY_WORD["unknown_failure"].meaning


def test_techniques_begin_with_their_layer() -> None:
    assert {t.split(".")[0] for t in TECHNIQUES} == set(LAYERS)


@pytest.mark.parametrize(
    ("techniques", "shared"),
    [
        (("tls.reset.sni", "tls.reset.other"), "tls.reset"),
        (("tls.reset.sni", "tls.timeout.sni"), "tls"),
        (("tls.reset.sni",), "tls.reset.sni"),
        (("dns.nxdomain", "tls.reset"), None),
        ((), None),
    ],
)
def test_common_ancestor(techniques: tuple[str, ...], shared: str | None) -> None:
    assert common_ancestor(techniques) == shared


def test_kinds_are_unique_and_told() -> None:
    assert len({cls.kind for cls in KINDS}) == len(KINDS)
    assert all(cls.__doc__ for cls in KINDS)


def test_bins() -> None:
    at = "2024-11-29T18:43:00.5Z"
    assert [bin_of(at, span) for span in ("hour", "day", "period")] == [
        "2024-11-29T18:00:00Z",
        "2024-11-29T00:00:00Z",
        "",
    ]
