"""The end in plain words, and the time that is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.app.eta import FEWEST, Eta, duration, size
from probe.app.home import default_db
from probe.app.summary import Closing, Told, next_steps, summary

DB = Path("/somewhere/results.db")


def one(n: int, outcome: str, reason: str | None = None, how: str = "") -> Told:
    return Told(f"https://site{n}.example/", f"site{n}.example", f"{n:032x}", outcome, reason, how, f"Sentence {n}.")


def closing(*found: Told, **more: object) -> Closing:
    return Closing(found, **{"unmeasured": 0, "db": DB, "bytes_used": 5_200_000, **more})  # type: ignore[arg-type]


def test_what_looks_blocked_is_counted_and_named_the_surest_first() -> None:
    found = [one(n, "ok") for n in range(409)]
    found += [one(501, "likely_blocked"), one(502, "blocked", how="tls.reset.sni"), one(503, "likely_blocked")]
    lines = summary(closing(*found))
    assert lines[0] == (
        "3 of 412 sites look blocked on this network: site502.example, site501.example, site503.example."
    )
    assert lines[1:4] == [
        "  blocked: Sentence 502.", "  likely_blocked: Sentence 501.", "  likely_blocked: Sentence 503."
    ]  # fmt: skip


def test_many_names_are_counted() -> None:
    lines = summary(closing(*(one(n, "blocked") for n in range(8))))
    assert lines[0].endswith("site0.example, site1.example, site2.example, site3.example, site4.example and 3 more.")


def test_nothing_blocked_and_one_site_are_said_in_grammar() -> None:
    assert summary(closing(one(1, "ok")))[0] == "None of 1 site looks blocked on this network."
    assert summary(closing(one(1, "blocked")))[0] == "1 of 1 site looks blocked on this network: site1.example."
    assert summary(closing())[0] == "Nothing was measured to its end."


def test_that_nothing_could_be_judged_is_not_that_nothing_is_blocked() -> None:
    lines = summary(closing(one(1, "insufficient", "no_control"), one(2, "insufficient", "no_network")))
    assert lines[0] == "Of 2 sites measured, nothing can be said."
    assert summary(closing(one(1, "insufficient", "no_control"), one(2, "ok")))[0].startswith("None of 2 sites")


def test_what_could_not_be_judged_is_said_with_its_reason() -> None:
    found = [one(1, "insufficient", "no_control"), one(2, "insufficient", "no_control"), one(3, "down")]
    text = "\n".join(summary(closing(*found)))
    assert "2 could not be judged because there was no control measurement to compare with." in text
    assert "1 site do not work" not in text and "from the control either" in text


def test_what_was_cut_off_is_no_result_and_how_to_go_on_is_said() -> None:
    found = [one(1, "ok"), one(2, "insufficient", "interrupted")]
    cut = closing(*found, unmeasured=7, interrupted=True)
    lines = summary(cut)
    assert lines[0] == "None of 1 site looks blocked on this network."
    assert "Interrupted: 7 targets are not measured yet. Everything measured so far is saved." in lines
    assert next_steps(cut)[0] == (f"probe run --resume --db {DB}", "go on where it stopped")


def test_a_budget_and_a_helper_out_of_reach_are_said() -> None:
    text = "\n".join(
        summary(closing(one(1, "ok"), unmeasured=1, over_budget=True, helper_trouble="connection_refused"))
    )
    assert "you allowed is used up: 1 target is not measured yet" in text
    assert "The control helper was not reached (connection_refused)" in text


def test_next_steps_are_commands_for_this_database() -> None:
    found = [one(0xABC, "blocked"), one(2, "insufficient", "no_network")]
    commands = [command for command, _ in next_steps(closing(*found))]
    assert commands == [
        f"probe show 00000000 --db {DB}", "probe doctor --network", f"probe list --db {DB}", f"probe report {DB}",
    ]  # fmt: skip
    own = [command for command, _ in next_steps(closing(*found, db=default_db()))]
    assert own == ["probe show 00000000", "probe doctor --network", "probe list", "probe report"]


def test_the_pace_is_learnt_and_forgets_the_old_one() -> None:
    eta = Eta(0.0)
    assert eta.left_s(10, 5.0) is None and eta.words(10, 5.0) == "learning the pace"
    for n in range(40):
        eta.finished(10.0 * (n + 1))
    assert eta.left_s(10, 400.0) == pytest.approx(100.0)
    for n in range(40):
        eta.finished(400.0 + (n + 1))
    assert eta.left_s(10, 440.0) == pytest.approx(10.0)
    assert eta.left_s(0, 440.0) == 0.0


def test_a_stall_shows() -> None:
    eta = Eta(0.0)
    for n in range(FEWEST):
        eta.finished(n + 1.0)
    early, late = eta.left_s(10, FEWEST), eta.left_s(10, 60.0)
    assert early is not None and late is not None and late > 5 * early


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (4, "4 s"), (47, "45 s"), (89, "90 s"), (100, "2 min"), (3600, "60 min"), (7300, "2 h 00 min")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(("count", "words"), [(12, "12 B"), (14_400, "14 kB"), (5_240_000, "5.2 MB")])
def test_sizes(count: int, words: str) -> None:
    assert size(count) == words
