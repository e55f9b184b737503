"""What the doctor finds on the line, at helper and collector, and in what lies about."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from probe import __version__
from probe.app import checkup, fitness
from probe.app.checkup import clock_offset_s
from probe.app.finding import Finding
from probe.app.home import default_db
from probe.app.sitting import Item
from probe.app.unfinished import Unfinished, plan_files, remember
from probe.app.wanted import Wanted
from probe.model.target import parse_target

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("date", "offset"),
    [
        (format_datetime(NOW - timedelta(minutes=5), usegmt=True), 300),
        (format_datetime(NOW + timedelta(hours=2), usegmt=True), -7200),
        ("", None),
        ("yesterday", None),
    ],
)
def test_the_clock_is_compared_with_a_servers(date: str, offset: int | None) -> None:
    assert clock_offset_s(date, NOW) == offset


async def door(answer: httpx.Response | Exception) -> dict[str, Finding]:
    def handle(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    found: list[Finding] = []
    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        await checkup._server(client, "helper", "https://h.example", "https://h.example/v1/health", found)
    return {finding.name: finding for finding in found}


def dated(value: Any, ahead: timedelta = timedelta()) -> httpx.Response:
    return httpx.Response(200, json=value, headers={"date": format_datetime(datetime.now(UTC) - ahead, usegmt=True)})


async def test_a_helper_that_is_well() -> None:
    found = await door(dated({"version": __version__}))
    assert {name: f.state for name, f in found.items()} == {"helper": "ok", "clock beside others": "ok"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.ConnectError("no"), "was not reached: ConnectError"),
        (httpx.Response(404), "status 404"),
        (httpx.Response(200, text="<html>log in"), "not as a helper does"),
        (httpx.Response(200, json=[1]), "not as a helper does"),
    ],
)
async def test_a_helper_that_is_not(answer: httpx.Response | Exception, words: str) -> None:
    finding = (await door(answer))["helper"]
    assert finding.state == "broken" and words in finding.words and finding.do


async def test_another_version_is_worth_knowing() -> None:
    assert (await door(dated({"version": "99.0.0"})))["helper"].state == "note"


@pytest.mark.parametrize(("ahead", "state"), [(timedelta(minutes=5), "note"), (timedelta(days=2), "broken")])
async def test_a_clock_that_is_off(ahead: timedelta, state: str) -> None:
    finding = (await door(dated({"version": __version__}, ahead)))["clock beside others"]
    assert finding.state == state and "ahead of" in finding.words and "set the clock" in finding.do


@pytest.mark.parametrize(
    ("tally", "states", "says"),
    [
        ({"names": 3, "IPv4": 3, "IPv6": 3}, ["ok", "ok", "ok"], ""),
        ({"names": 3, "IPv4": 3}, ["ok", "ok", "note"], ""),
        ({"names": 3}, ["ok", "broken", "note"], "login page"),
        ({}, ["broken", "broken", "note"], "resolver"),
        ({"names": 2, "IPv4": 1, "IPv6": 1}, ["note", "note", "ok"], "login page"),
    ],
)
def test_a_line_in_words(tally: dict[str, int], states: list[str], says: str) -> None:
    found = checkup._line(Counter(tally), 3)
    assert [finding.state for finding in found] == states
    assert says in " ".join(finding.do for finding in found)


def test_what_lies_about(own_home: Path) -> None:
    assert fitness.unfinished().state == fitness.denied().state == "ok"
    db = default_db()
    item = Item(parse_target("https://a.example/"))
    remember(db, Unfinished(Wanted(), (item,), 1, ("a" * 32,)))
    assert fitness.unfinished().do == "probe run --resume"
    long_ago = (datetime.now(UTC) - timedelta(days=40)).timestamp()
    os.utime(plan_files(db)[0], (long_ago, long_ago))
    assert "begin a new run" in fitness.unfinished().do
    (own_home / "deny.txt").write_text("a.example\n")
    assert "1 names" in fitness.denied().words
    (own_home / "deny.txt").write_text("not a name\n")
    assert fitness.denied().state == "broken" and "line 1" in fitness.denied().words


def test_rights_are_told_whatever_they_are() -> None:
    assert fitness.rights().state == "ok" and "raw sockets" in fitness.rights().words
