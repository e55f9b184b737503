"""`probe campaign` from a new file to a run, as an organiser and a volunteer use it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from probe.app.consent import record
from probe.cli import main, root
from probe.inputs.dossier import DossierError
from probe.model.errors import ConsentError, UsageError


def probe(*words: str) -> Result:
    return CliRunner().invoke(root, list(words))


@pytest.fixture
def dossier(tmp_path: Path) -> Path:
    path = tmp_path / "my-city.toml"
    assert probe("campaign", "new", str(path)).output == f"{path}\n"
    return path


def test_a_new_one_is_right_and_unsigned(dossier: Path) -> None:
    ran = probe("campaign", "check", str(dossier))
    assert (ran.exit_code, ran.stdout) == (0, f"{dossier}: fine, not signed\n")
    again = probe("campaign", "new", str(dossier))
    assert isinstance(again.exception, UsageError) and "is there already" in str(again.exception)
    odd = probe("campaign", "new", str(dossier.with_name("Mine!.toml")))
    assert isinstance(odd.exception, UsageError) and "is no id" in str(odd.exception)


def test_signing_keeps_the_author_s_file(dossier: Path, own_home: Path) -> None:
    before = dossier.read_text("utf-8")
    ran = probe("campaign", "sign", str(dossier))
    key = (own_home / "campaign-author.pem").stat()
    assert ran.exit_code == 0 and key.st_mode & 0o077 == 0
    after = dossier.read_text("utf-8")
    added = [line for line in after.splitlines() if line not in before.splitlines()]
    assert len(added) == 2 and added[0].startswith('key = "') and added[1].startswith('signature = "')
    assert [line for line in after.splitlines() if line not in added] == before.splitlines()
    assert probe("campaign", "sign", str(dossier)).exit_code == 0
    assert dossier.read_text("utf-8") == after
    told = json.loads(probe("campaign", "check", "--json", str(dossier)).stdout)
    assert told["signed"] and told["problems"] == [] and f'key = "{told["key"]}"' in after


def test_a_change_after_signing_is_told_and_mended_by_signing_again(dossier: Path) -> None:
    probe("campaign", "sign", str(dossier))
    dossier.write_text(dossier.read_text("utf-8").replace("Example City", "Other City"), "utf-8")
    ran = probe("campaign", "check", str(dossier))
    assert ran.exit_code == 1 and "the signature does not fit" in ran.stderr
    assert probe("campaign", "sign", str(dossier)).exit_code == 0
    assert probe("campaign", "check", str(dossier)).exit_code == 0


@pytest.mark.parametrize("head", ['title = """\n[a table]\nkey = "00"\n"""\n', 'title = "x"\n'])
def test_signing_minds_long_texts(dossier: Path, head: str) -> None:
    """What looks like a table or a key inside a text is none."""
    lines = dossier.read_text("utf-8").splitlines(keepends=True)
    dossier.write_text("".join(head if line.startswith("title = ") else line for line in lines), "utf-8")
    ran = probe("campaign", "sign", str(dossier))
    signed = probe("campaign", "check", "--json", str(dossier))
    assert ran.exit_code == 0 and json.loads(signed.stdout)["signed"]
    assert head in dossier.read_text("utf-8")


def test_check_tells_every_fault_of_every_file(dossier: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    text = dossier.read_text("utf-8").replace("schema = 1", "schema = 9").replace('every = "6h"', 'every = "1m"')
    bad.write_text(text + '\n[extra]\nx = "y"\n', "utf-8")
    ran = probe("campaign", "check", str(bad), str(dossier), str(tmp_path / "none.toml"))
    assert ran.exit_code == 1 and ran.stdout == f"{dossier}: fine, not signed\n"
    assert f"{bad}: schema: expected 1\n" in ran.stderr and f"{bad}: extra: unknown field\n" in ran.stderr
    assert "none.toml: neither a campaign of ours" in ran.stderr
    shown = probe("campaign", "show", str(bad))
    assert isinstance(shown.exception, DossierError) and "(and 1 more: `probe campaign check`" in str(shown.exception)


def test_show_list_agree_leave(dossier: Path) -> None:
    shown = json.loads(probe("campaign", "show", "--json", str(dossier)).stdout)
    assert shown["dossier"]["id"] == "my-city" and not shown["agreed"]
    wrong = probe("campaign", "agree", str(dossier), "--digest", "0" * 64)
    assert isinstance(wrong.exception, UsageError) and shown["digest"] in str(wrong.exception)
    nobody = probe("campaign", "agree", str(dossier))
    assert isinstance(nobody.exception, ConsentError)
    assert probe("campaign", "agree", str(dossier), "--digest", shown["digest"]).exit_code == 0
    rows = [json.loads(line) for line in probe("campaign", "list", "--json").stdout.splitlines()]
    mine = next(row for row in rows if row["id"] == "my-city")
    assert mine["digest"] == shown["digest"] and not mine["ours"]
    dossier.write_text(dossier.read_text("utf-8").replace('every = "6h"', 'every = "12h"'), "utf-8")
    diff = probe("campaign", "show", "--diff", str(dossier)).stdout
    assert (
        "- How often, and until when: every 6 hours" in diff and "+ How often, and until when: every 12 hours" in diff
    )
    assert "Left campaign my-city." in probe("campaign", "leave", "my-city").stderr
    assert "You had not agreed" in probe("campaign", "leave", "my-city").stderr


def test_urdu(dossier: Path) -> None:
    shown = probe("campaign", "show", "--lang", "ur", "wsws-pakistan-2024").stdout
    assert "آپ کی حفاظت" in shown and "پاکستان سے ان سائٹوں" in shown and "Asking for these sites" in shown
    assert "درست" in probe("--lang", "ur", "campaign", "check", str(dossier)).stdout


# ---- run ----


def test_a_run_without_a_yes_sends_nothing(dossier: Path) -> None:
    ran = probe("run", "--campaign", str(dossier), "--control", "none", "--yes")
    assert isinstance(ran.exception, ConsentError) and "is not agreed to" in str(ran.exception)


def test_a_link_is_not_fetched_without_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("probe.app.campaign.fetch", lambda link, *more: asked.append(link))
    for words in (("run", "--dry-run", "--campaign"), ("campaign", "show"), ("campaign", "check")):
        ran = probe(*words, "https://organiser.example/x.toml")
        assert isinstance(ran.exception, ConsentError) and asked == []


def test_a_dry_run_shows_what_the_campaign_would_contact(dossier: Path) -> None:
    ran = probe("run", "--campaign", str(dossier), "--dry-run", "--json")
    plan = json.loads(ran.stdout)
    assert (plan["campaign"], plan["targets"]) == ("my-city", ["https://example.org/"])


def test_an_agreed_one_is_measured(dossier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record("asked")
    digest = json.loads(probe("campaign", "show", "--json", str(dossier)).stdout)["digest"]
    probe("campaign", "agree", str(dossier), "--digest", digest)
    plans: list[object] = []

    def carry_out(prepared: object, watcher: object) -> None:
        plans.append(prepared)
        raise KeyboardInterrupt

    monkeypatch.setattr("probe.cli.run.carry_out", carry_out)
    probe("run", "--campaign", str(dossier))
    (plan,) = plans
    assert [item.target.url for item in plan.items] == ["https://example.org/"]  # type: ignore[attr-defined]


def test_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.toml").write_text("x = [", "utf-8")
    monkeypatch.setattr("sys.argv", ["probe", "run", "--campaign", str(tmp_path / "bad.toml")])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
