"""Every catalogue is whole, and every text of ours can be found by the tool that fills them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from probe.inputs.catalogue import read_catalogue
from tests.tools.catalogues import FOLDER, ROOT, faults, placeholders, template, updated

CATALOGUES = sorted(FOLDER.glob("*.po"))
SAYING = {"_", "plural", "ngettext", "pgettext"}


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_nothing_is_missing_fuzzy_stale_or_misfilled(path: Path) -> None:
    assert list(faults(path, template())) == []


def test_urdu_is_there() -> None:
    assert "ur" in {path.stem for path in CATALOGUES}


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_our_reader_reads_what_babel_reads(path: Path) -> None:
    ours = read_catalogue(path)
    with path.open("rb") as file:
        for message in read_po(file):
            if isinstance(message.id, str) and message.id:
                said = ours.pgettext(message.context, message.id) if message.context else ours.gettext(message.id)
                assert said == message.string
            elif message.id:
                one, many = message.id
                assert {ours.ngettext(one, many, n) for n in range(20)} == set(message.string or ())


def test_a_spoiled_catalogue_is_told_about(tmp_path: Path) -> None:
    """The check can fail: one text lost, one placeholder misspelt, one digit of another script."""
    made = template()
    path = tmp_path / "ur.po"
    with (FOLDER / "ur.po").open("rb") as file:
        catalogue = read_po(file, locale="ur")
    for key, text in (("unknown", ""), ("{n} ms", "{m} ms"), ("{n} s", "{n} ۱"), ("{text}.", "{text}\u200f")):
        message = catalogue.get(key)
        assert message is not None
        message.string = text
    path.write_text(updated(catalogue, made), "utf-8")
    told = "\n".join(faults(path, made))
    assert all(word in told for word in ("not translated", "placeholders ['m']", "digits", "direction mark"))
    assert len(told.splitlines()) == 4


def test_placeholders_are_names() -> None:
    """A bare {} or a number would tie the order of words to English."""
    for message in template():
        for text in [message.id] if isinstance(message.id, str) else message.id:
            assert all(name.isidentifier() for name in placeholders(text)), text


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAYING:
            yield node


def test_no_text_is_said_inside_an_f_string() -> None:
    """There the tool that collects texts does not look; and a text put together cannot be translated."""
    for path in sorted((ROOT / "probe").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        hidden = [c.lineno for f in ast.walk(tree) if isinstance(f, ast.JoinedStr) for c in _calls(f) if _is_text(c)]
        joined = [c.lineno for c in _calls(tree) if any(isinstance(arg, ast.JoinedStr) for arg in c.args)]
        assert (hidden, joined) == ([], []), path


def _is_text(call: ast.Call) -> bool:
    return any(isinstance(arg, ast.Constant) and isinstance(arg.value, str) for arg in call.args)
