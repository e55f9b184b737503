"""Nothing is measured for a campaign before a yes to that very dossier."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe.app import campaign as room
from probe.app.campaign import (
    Opened,
    agreed_before,
    all_agreed,
    campaign_of,
    collector_of,
    difference,
    forget_agreement,
    introduction,
    open_campaign,
    own_campaigns,
    remember,
    require_agreement,
)
from probe.app.link import LinkError
from probe.app.prepare import prepare
from probe.app.talk import Talk
from probe.app.wanted import Wanted
from probe.inputs.language import languages, speaking
from probe.model.errors import ConsentError, UsageError
from probe.wire.dossier import sign
from tests.unit.dossiers import TABLE, changed, toml
from tests.unit.wire.test_dossier import KEY

LINK = "https://organiser.example/my-city.toml"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Wide enough for a line to stay one."""
    monkeypatch.setattr("probe.app.talk.WIDEST", 10_000)
    monkeypatch.setenv("COLUMNS", "9999")
    return tmp_path


def opened(folder: Path, table: dict[str, Any] = TABLE, key: Any = None) -> Opened:
    if key is not None:
        public, signature = sign(table, key)
        table = {**table, "key": public, "signature": signature}
    path = folder / "dossier.toml"
    path.write_text(toml(table), "utf-8")
    return open_campaign(str(path))


def answering(*answers: str) -> tuple[Talk, list[str]]:
    said: list[str] = []
    left = iter(answers)

    def hear() -> str:
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    return Talk(said.append, hear), said


def test_a_yes_is_asked_for_once(folder: Path) -> None:
    talk, said = answering("yes")
    require_agreement(opened(folder), yes=False, talk=talk)
    assert "A site that did not open in my city" in said[0] and "https://other.example/page" in said[0]
    require_agreement(opened(folder), yes=False)
    require_agreement(opened(folder), yes=True)
    given = agreed_before("my-city")
    assert given is not None and (given.how, given.key) == ("asked", "") and given.text == toml(TABLE)
    assert [one.id for one in all_agreed()] == ["my-city"]


@pytest.mark.parametrize("answers", [("no",), ("",), ()])
def test_anything_else_is_no_yes(folder: Path, answers: tuple[str, ...]) -> None:
    talk, _said = answering(*answers)
    with pytest.raises(ConsentError):
        require_agreement(opened(folder), yes=False, talk=talk)
    assert agreed_before("my-city") is None


def test_unattended_use_agrees_to_nothing_new(folder: Path) -> None:
    with pytest.raises(ConsentError, match="is not agreed to: read probe campaign show .*, then run .* agree") as no:
        require_agreement(opened(folder), yes=True, talk=answering("yes")[0])
    assert no.value.exit_code == 3
    remember(opened(folder), "digest")
    require_agreement(opened(folder), yes=True)
    more = changed("target.1.url", "https://third.example/")
    with pytest.raises(ConsentError, match="has changed since you agreed"):
        require_agreement(opened(folder, more), yes=True)


def test_what_changed_is_shown_and_asked_about(folder: Path) -> None:
    remember(opened(folder), "asked")
    assert difference(opened(folder)) == ""
    new = opened(folder, changed("target.1.url", "https://third.example/"))
    lines = difference(new).splitlines()
    assert lines[0].startswith("Changed since you agreed on 20")
    assert "- What is measured: https://other.example/page" in lines
    assert "+ What is measured: https://third.example/" in lines
    assert all("news.example" not in line for line in lines)
    talk, said = answering("yes")
    require_agreement(new, yes=False, talk=talk)
    assert difference(new) in said[0]
    given = agreed_before("my-city")
    assert given is not None and given.digest == new.read.digest


def test_a_change_below_a_row_names_the_row(folder: Path) -> None:
    remember(opened(folder), "asked")
    lines = difference(opened(folder, changed("rival.0.excluded_by", "nothing")))
    assert "- What else could explain it: outage: excluded by canaries that were" in lines


def test_another_key_is_warned_about(folder: Path) -> None:
    assert "Nobody has signed this dossier" in introduction(opened(folder))
    remember(opened(folder, key=KEY), "asked")
    assert "Nobody has signed" not in introduction(opened(folder, key=KEY))
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    assert "Its author's key is another one than before" in introduction(opened(folder, key=other))
    assert "Its author's key is another one than before" in introduction(opened(folder))


def test_a_campaign_that_is_over_is_refused(folder: Path) -> None:
    past = opened(folder, changed("schedule.until", "2020-01-31"))
    with pytest.raises(UsageError, match="campaign my-city is over: its last day was 2020-01-31"):
        require_agreement(past, yes=False, talk=answering("yes")[0])
    today = opened(folder, changed("schedule.until", datetime.now(UTC).date().isoformat()))
    require_agreement(today, yes=False, talk=answering("yes")[0])


def test_a_yes_can_be_taken_back(folder: Path) -> None:
    remember(opened(folder), "asked")
    assert forget_agreement("my-city") and not forget_agreement("my-city")
    assert agreed_before("my-city") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": 1}'])
def test_a_damaged_record_is_none(folder: Path, own_home: Path, text: str) -> None:
    remember(opened(folder), "asked")
    (own_home / "campaigns" / "my-city.json").write_text(text)
    assert agreed_before("my-city") is None and all_agreed() == []


# ---- links ----


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the link gives: `data`, or an error."""
    there: dict[str, Any] = {"data": b"", "asked": 0}

    def fetch(link: str, cap: int, ca_files: tuple[Path, ...], proxy: str | None) -> bytes:
        there["asked"] += 1
        if isinstance(there["data"], LinkError):
            raise there["data"]
        return bytes(there["data"])

    monkeypatch.setattr(room, "fetch", fetch)
    return there


def _signed(**more: Any) -> bytes:
    table = {**TABLE, **more}
    public, signature = sign(table, KEY)
    return toml({**table, "key": public, "signature": signature}).encode()


def test_a_link_is_told_before_it_is_asked(served: dict[str, Any]) -> None:
    served["data"] = _signed()
    told: list[str] = []
    found = open_campaign(LINK, tell=lambda line: told.append(f"{line} {served['asked']}"))
    assert found.origin == "link" and found.read.signed
    assert told == ["Fetching the dossier from organiser.example, which sees your address and what you ask for. 0"]


def test_what_nobody_signed_is_not_taken_from_a_link(served: dict[str, Any]) -> None:
    served["data"] = toml(TABLE).encode()
    with pytest.raises(UsageError, match="nobody has signed it"):
        open_campaign(LINK)


def test_a_denied_host_is_not_asked(served: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"organiser\.example: your deny list covers it"):
        open_campaign(LINK, denies=lambda host: host == "organiser.example")
    assert served["asked"] == 0


@pytest.mark.parametrize("link", ["http://a.example/x", "ftp://a.example", "https://", "https://me@a.example/"])
def test_what_is_no_https_link_is_refused(served: dict[str, Any], link: str) -> None:
    with pytest.raises(UsageError, match="a link begins with https://"):
        open_campaign(link)
    assert served["asked"] == 0


def test_a_blocked_link_leaves_what_was_agreed_to(served: dict[str, Any]) -> None:
    served["data"] = LinkError("organiser.example: nothing came")
    with pytest.raises(LinkError):
        open_campaign(LINK)
    served["data"] = _signed()
    remember(open_campaign(LINK), "asked")
    served["data"] = LinkError("organiser.example: nothing came")
    told: list[str] = []
    again = open_campaign(LINK, tell=told.append)
    assert again.agreed and "Going on with what you agreed to on 20" in told[1]


def test_a_campaign_that_turns_bad_behind_its_link_is_not_measured_for(served: dict[str, Any]) -> None:
    served["data"] = _signed()
    remember(open_campaign(LINK), "asked")
    served["data"] = _signed().replace(b"news.example", b"evil.example")
    with pytest.raises(UsageError, match="the signature does not fit"):
        open_campaign(LINK)


# ---- what is shown ----


def leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in leaves(one)]
    return [leaf for one in value for leaf in leaves(one)] if isinstance(value, list) else [str(value)]


@pytest.mark.parametrize("language", languages())
def test_every_value_is_shown_in_every_language(folder: Path, language: str) -> None:
    found = opened(folder, key=KEY)
    with speaking(language):
        shown = introduction(found)
    hidden = {"1", found.read.dossier.signature, "6h"}
    wanted = {part for leaf in leaves(dict(found.read.table)) for part in leaf.split("\n\n")} - hidden
    assert {value for value in wanted if value not in shown} == set()


def test_a_hostile_dossier_moves_no_cursor(folder: Path) -> None:
    evil = "a\x1b[2Jb\u202ec\rd"
    table = changed("title", evil)
    for path in ("incident", "author", "source", "target.0.why", "claim.0.statement", "claim.0.places", "safety.note"):
        *way, last = path.split(".")
        place: Any = table
        for step in way:
            place = place[int(step) if step.isdigit() else step]
        place[last] = [evil] if last == "places" else evil
    shown = introduction(opened(folder, table))
    assert "a⟨U+001B⟩[2Jb⟨U+202E⟩c d" in shown
    assert not any(c in shown for c in "\x1b\u202e\r")


def test_our_own_campaigns_are_right_and_say_where_they_come_from() -> None:
    assert "wsws-pakistan-2024" in own_campaigns()
    for name in own_campaigns():
        found = open_campaign(name)
        assert found.origin == "ours" and "came with the program" in introduction(found)


def test_an_unknown_name_is_told_what_there_is() -> None:
    with pytest.raises(UsageError, match="neither a campaign of ours .*wsws-pakistan-2024.* nor a file"):
        open_campaign("nowhere")


# ---- what a run takes ----


def test_a_run_takes_targets_canaries_and_helper(folder: Path) -> None:
    campaign = campaign_of(opened(folder, key=KEY).read)
    plan = prepare(Wanted(campaign="x"), local_resolvers=(), campaign=campaign)
    assert sorted(i.target.normal for i in plan.items) == ["https://news.example/", "https://other.example/page"]
    assert plan.helpers == ("https://helper.example:8765",)
    assert [c.normal for c in plan.canary_pool] == ["https://www.python.org/"]
    assert json.loads(plan.config())["campaign"] == ["my-city", campaign.digest]


def test_what_the_person_names_comes_first(folder: Path) -> None:
    campaign = campaign_of(opened(folder).read)
    wanted = Wanted(urls=("https://mine.example",), controls=("https://my-helper.example",), canaries="none")
    plan = prepare(wanted, local_resolvers=(), campaign=campaign)
    assert plan.helpers == ("https://my-helper.example",) and plan.canary_pool == ()
    assert len(plan.items) == 3


def test_a_sensitive_category_waits_until_it_is_opened(folder: Path) -> None:
    read = opened(folder, changed("target.1.category", "PORN")).read
    shut, open_ = campaign_of(read), campaign_of(read, ["porn"])
    assert [p.target.host for p in shut.planned] == ["news.example"] and len(open_.planned) == 2
    assert shut.held[0][0] == "https://other.example/page" and "PORN" in shut.held[0][1]
    notes = prepare(Wanted(campaign="x"), local_resolvers=(), campaign=shut).notes
    assert any("https://other.example/page left out: PORN" in note for note in notes)


def test_results_go_where_the_dossier_that_was_agreed_to_says(folder: Path) -> None:
    with pytest.raises(UsageError, match="agreed to no campaign"):
        collector_of(TABLE["id"])
    agreed = changed("collector.recipient", "age1" + "q" * 58)
    remember(opened(folder, agreed), "asked")
    found = collector_of(TABLE["id"])
    assert found.urls == tuple(TABLE["collector"]["urls"]) and found.key == TABLE["collector"]["key"]
    assert found.recipient == "age1" + "q" * 58 and found.issuer == ""
    remember(opened(folder, changed("collector.urls", [])), "asked")
    with pytest.raises(UsageError, match="names no collector"):
        collector_of(TABLE["id"])
