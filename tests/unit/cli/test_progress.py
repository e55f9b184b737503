"""What a person sees while a run goes on, on wide and narrow terminals and where there is none."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from probe.app.doing import doing, is_recheck
from probe.app.prepare import Prepared
from probe.app.run import Outcome
from probe.app.sitting import Item, Pulse
from probe.cli.live import Live
from probe.cli.progress import Json, Lines, Silent, watcher_for
from probe.model.measurement import Measurement
from probe.model.outcome import Outcome as Word
from probe.model.outcome import Reason
from probe.model.step import AskControl, Fetch, Lookup, QuicWalk, Walk
from probe.model.target import parse_target
from probe.model.verdict import Judgement, Scope

MEASURED = Measurement("a" * 32, "b" * 32, "https://x.example/", "web", "2026-01-01T00:00:00.000000Z")
AGAIN = Walk("x.example", "192.0.2.1", 443, "x.example", None, 2, "again: tls.handshake connection_reset")


def prepared(count: int = 412, **more: Any) -> Prepared:
    items = [item(n) for n in range(count)]
    given = {"items": items, "earlier": None, "db": Path("/data/results.db"), "helpers": (), "problems": ()}
    return cast(Prepared, SimpleNamespace(**{**given, **more}))


def item(n: int) -> Item:
    return Item(parse_target(f"https://www.a-rather-long-name-{n}.example/"))


def judged(outcome: Word, reason: Reason | None = None, host: str = "x.example") -> Judgement:
    return Judgement(
        "a" * 32, outcome, reason, None, ("tls.reset.sni",) if outcome == "blocked" else (), None, None, Scope(), host,
        (), (), "2026.1", "f" * 64, "helper", 0, 3, f"A sentence about {host}.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Lookup("x.example", "A", "system"), "looking up"),
        (Lookup("x.example", "A", "system", 2, "again: something_new"), "try 2: look-up failed, something_new"),
        (AGAIN, "try 2: TLS handshake was reset"),
        (Walk("x", "192.0.2.1", 443, "i", None, 1, "name trial: server name"),
         "trial: does another name pass?"),
        (Walk("x", "192.0.2.1", 443, "x", Fetch("https://x/")), "fetching"),
        (Walk("x", "192.0.2.1", 443, "x", None, 1, "redirect hop 1"), "connecting after a redirect"),
        (QuicWalk("x", "192.0.2.1", 443, "x", Fetch("https://x/")), "fetching over HTTP/3"),
        (QuicWalk("x", "192.0.2.1", 443, "x", None, 2, "again: quic.handshake generic_timeout_error"),
         "try 2: QUIC handshake got no answer"),
        (AskControl("https://h.example", "https://x/"), "asking the control"),
    ],
)  # fmt: skip
def test_steps_in_words(step: Any, words: str) -> None:
    assert doing(step) == words
    assert is_recheck(step) == words.startswith(("try", "trial"))


def live(width: int, count: int = 412) -> tuple[Live, io.StringIO, list[float]]:
    now, out = [0.0], io.StringIO()
    console = Console(file=out, width=width, height=30, force_terminal=True, color_system=None, highlight=False)
    return Live(prepared(count), lambda: now[0], console=console), out, now


def screen(view: Live, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(view)
    return capture.get().splitlines()


def fill(view: Live, now: list[float]) -> None:
    for n in range(10):
        now[0] += 6
        view.began(item(n))
        view.stepped(item(n), Lookup("x", "A", "system"))
        view.finished(item(n), judged("blocked" if n == 3 else "ok"), MEASURED, 100)
    for n in range(10, 19):
        view.began(item(n))
        view.stepped(item(n), Lookup("x", "A", "system"))
    view.stepped(item(15), AGAIN)
    view.stepped(item(15), Lookup("x", "AAAA", "system"))
    view.pulsed(Pulse(1_000_000, 6, ""))
    now[0] += 5
    view.pulsed(Pulse(1_500_000, 6, "answers got slower, so fewer at once"))


@pytest.mark.parametrize("width", [80, 40])
def test_the_live_view_fits_and_tells_everything(width: int) -> None:
    view, _, now = live(width)
    fill(view, now)
    rows = screen(view, width)
    assert all(len(row) <= width for row in rows)
    text = "\n".join(rows)
    assert "10 of 412" in text and "left" in text and "1.5 MB" in text and "100 kB/s" in text and "6 at once" in text
    assert "+ ok 9" in text and "X blocked 1" in text and "and 3 more" in text
    # The re-check comes first, and stays although another step began after it.
    again = next(n for n, row in enumerate(rows) if "try 2: TLS handshake was reset" in row)
    assert again < next(n for n, row in enumerate(rows) if "looking up" in row)


def test_only_what_is_not_simply_well_stays_on_the_screen() -> None:
    view, out, _ = live(80)
    with view:
        view.finished(item(1), judged("ok"), MEASURED, 1)
        view.finished(item(2), judged("blocked"), MEASURED, 1)
        view.finished(item(3), judged("insufficient", "interrupted"), MEASURED, 1)
    assert "name-2.example" in out.getvalue() and "name-1.example/  " not in out.getvalue()
    assert "name-3.example/  [interrupted]" not in out.getvalue()
    # What was cut is no result: it counts neither as measured nor as an outcome.
    assert view.done == 2 and "insufficient" not in "\n".join(screen(view, 80))


def test_stopping_is_shown() -> None:
    view, _, _ = live(40)
    view.stopping(8.0)
    assert any("Stopping" in row for row in screen(view, 40))


def test_lines_are_whole_and_calm(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    view = Lines(prepared(3), lambda: now[0])
    with view:
        view.finished(item(1), judged("ok"), MEASURED, 1)
        view.pulsed(Pulse(10, 1, ""))
        now[0] = 61.0
        view.pulsed(Pulse(2_000_000, 1, ""))
        view.pulsed(Pulse(2_000_000, 1, ""))
    said = capsys.readouterr()
    assert said.out.startswith("1/3 + ok ") and said.out.count("\n") == 1
    assert "\x1b" not in said.out + said.err
    assert said.err.count("1 of 3 measured, 0 look blocked, 2.0 MB, learning the pace") == 1


def test_what_was_cut_is_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    view = Lines(prepared(3))
    view.finished(item(1), judged("insufficient", "interrupted"), MEASURED, 1)
    view.finished(item(2), judged("insufficient", "no_control"), MEASURED, 1)
    assert capsys.readouterr().out.startswith("1/3 ? insufficient") and view.done == 1


def test_the_end_is_told_with_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    view = Silent(prepared(3))
    view.finished(item(1), judged("blocked"), MEASURED, 1)
    view.finished(item(2), judged("insufficient", "interrupted"), MEASURED, 1)
    view.summarise(Outcome("c" * 32, True, False, 99))
    said = capsys.readouterr().err
    assert "1 of 1 site looks blocked" in said and "Interrupted: 2 targets are not measured yet" in said
    assert "probe run --resume --db /data/results.db" in said and "probe show aaaaaaaa" in said


def test_hostile_text_is_no_command_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    view = Lines(prepared(1))
    view.finished(item(1), judged("down", host="x\x1b[2J\u202e.example"), MEASURED, 1)
    view.summarise(Outcome("c" * 32, False, False, 99))
    said = capsys.readouterr()
    assert "\x1b[2J" not in said.out + said.err and "\u202e" not in said.out + said.err


def test_the_view_suits_where_the_output_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(watcher_for(prepared(), as_json=True)) is Json
    assert type(watcher_for(prepared(), quiet=True)) is Silent
    assert type(watcher_for(prepared())) is Lines
    monkeypatch.setattr("sys.stderr", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert type(watcher_for(prepared())) is Live
    assert type(watcher_for(prepared(), plain=True)) is Lines
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert type(watcher_for(prepared())) is Lines
