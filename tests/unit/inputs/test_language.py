"""Which language is spoken, and what a catalogue may hold."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import pytest

from probe.inputs import language as room
from probe.inputs.catalogue import read_catalogue
from probe.inputs.language import _, choose, direction, languages, latin, line, name_of, plural, speak, speaking, spoken
from probe.model.errors import SeedError, UsageError

HEAD = (
    'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
    '"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'
)


@pytest.mark.parametrize(
    ("wanted", "environ", "code"),
    [
        (None, {}, "en"),
        ("ur", {"PROBE_LANG": "en"}, "ur"),
        (None, {"PROBE_LANG": "ur", "LANG": "en_GB.UTF-8"}, "ur"),
        (None, {"LANG": "ur_PK.UTF-8"}, "ur"),
        (None, {"LC_ALL": "C", "LANG": "ur_PK.UTF-8"}, "en"),
        (None, {"LC_ALL": "", "LC_MESSAGES": "ur_PK", "LANG": "en_US"}, "ur"),
        (None, {"LANG": "xx_XX.UTF-8"}, "en"),
        ("UR-pk", {}, "ur"),
    ],
)
def test_the_first_that_is_said_is_spoken(wanted: str | None, environ: dict[str, str], code: str) -> None:
    assert choose(wanted, environ) == code


def test_the_language_of_the_consent_comes_before_the_system_s() -> None:
    assert choose(None, {"LANG": "en_GB"}, "ur") == "ur"
    assert choose(None, {"PROBE_LANG": "en"}, "ur") == "en"
    assert choose(None, {"LANG": "ur_PK"}, "gone") == "ur"


@pytest.mark.parametrize(("wanted", "environ"), [("tlh", {}), (None, {"PROBE_LANG": "tlh"}), ("../ur", {})])
def test_a_language_asked_for_and_not_known_is_refused(wanted: str | None, environ: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="not known here; there is en"):
        choose(wanted, environ)


def test_a_context_speaks_for_itself_and_strange_threads_hear_the_process() -> None:
    heard: list[str] = []
    speak("ur")
    with speaking("en"):
        assert spoken() == "en"
        thread = Thread(target=lambda: heard.append(spoken()))
        thread.start()
        thread.join()
    assert spoken() == "ur" and heard == ["ur"]


def test_every_language_names_itself_and_its_direction() -> None:
    names = {code: name_of(code) for code in languages()}
    assert names["en"] == "English" and names["ur"] == "اردو" and len(set(names.values())) == len(names)
    for code in languages():
        with speaking(code):
            assert direction() in ("ltr", "rtl")


def test_marks_stand_only_where_something_runs_from_the_right() -> None:
    assert line("probe run") == "probe run" and latin("probe run") == "probe run"
    with speaking("ur"):
        assert line("{x} چلائیں") == "\u2067{x} چلائیں\u2069"
        assert line("no such file") == "no such file"
        assert latin("--yes") == "\u2066--yes\u2069"


def _catalogue(folder: Path, text: str) -> Path:
    path = folder / "xx.po"
    path.write_text(text, "utf-8")
    return path


def test_a_catalogue_is_read_as_it_is(tmp_path: Path) -> None:
    text = HEAD + (
        '#: a.py\n#, python-brace-format\nmsgid "one {x}"\nmsgstr ""\n"eins "\n"{x} \\"so\\"\\n"\n\n'
        'msgctxt "month"\nmsgid "May"\nmsgstr "Mai"\n\nmsgid "May"\nmsgstr "Darf"\n\n'
        'msgid "{n} site"\nmsgid_plural "{n} sites"\nmsgstr[0] "{n} Seite"\nmsgstr[1] "{n} Seiten"\n\n'
        '#, fuzzy\nmsgid "guess"\nmsgstr "geraten"\n\nmsgid "not yet"\nmsgstr ""\n'
    )
    found = read_catalogue(_catalogue(tmp_path, text))
    assert found.gettext("one {x}") == 'eins {x} "so"\n'
    assert (found.pgettext("month", "May"), found.gettext("May")) == ("Mai", "Darf")
    assert [found.ngettext("{n} site", "{n} sites", n) for n in (1, 2)] == ["{n} Seite", "{n} Seiten"]
    assert (found.gettext("guess"), found.gettext("not yet")) == ("guess", "not yet")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "charset"),
        (HEAD + 'msgid "a\nmsgstr "b"\n', "line 6 is malformed"),
        (HEAD + "nonsense\n", "line 6 is malformed"),
        (HEAD + '"loose"\n', "line 6 is malformed"),
        ('msgid ""\nmsgstr "Content-Type: text/plain; charset=latin-1"\n', "charset"),
    ],
)
def test_what_is_no_catalogue_is_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(SeedError, match=reason):
        read_catalogue(_catalogue(tmp_path, text))


def test_one_file_is_one_more_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _catalogue(tmp_path, HEAD + 'msgid "unknown"\nmsgstr "unbekannt"\n')
    monkeypatch.setattr(room, "locale_folder", lambda: tmp_path)
    assert languages() == ("en", "xx") and choose("xx", {}) == "xx"
    with speaking("xx"):
        assert _("unknown") == "unbekannt" and _("no such text") == "no such text"


def test_numbers_are_written_with_western_digits() -> None:
    for code in languages():
        with speaking(code):
            assert "1,184" in plural("{n} website", "{n} websites", 1184)
