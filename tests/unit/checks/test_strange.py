"""Strange pages in the clear: what is asked next about them."""

from __future__ import annotations

import pytest

from probe.checks import CHECKS, Question
from probe.checks.question import Door
from probe.checks.web.several import unrelated
from probe.checks.web.strange import PAGE_TRIES
from probe.model.kinds import PageMet
from probe.model.step import AskControl, Step, Visit, Walk
from probe.model.target import parse_target
from probe.verdict.case import Control
from probe.verdict.read import HOST_TRIAL, PATH_TRIAL
from tests.cases import case, measurement
from tests.cases.build import HELPER, SITE, Side

URL = "http://site.example/story"
CONTROL = "1" * 32


def asked(
    page: str, *, there: str = "home", role: str = "field", times: int = 1, doors: tuple[Door, ...] = ()
) -> list[Step]:
    """What is asked after a page, or several tries of it, came here, and another one at the control."""
    target = parse_target(URL)
    here, control = Side("a" * 32, target), Side(CONTROL, target)
    here.lookup("network", "A", SITE)
    here.walk(SITE, "ok", page=page, times=times)
    here.asked(CONTROL)
    control.lookup("udp://192.0.2.53", "A", SITE)
    control.walk(SITE, "ok", page=there)
    controls = (Control(measurement(CONTROL, target), tuple(control.facts)),)
    question = Question(target, role=role, resolvers=("network",), helpers=(HELPER,), doors=doors)  # type: ignore[arg-type]
    return list(CHECKS["web"](question, case(here, controls, "helper")))


def visits(steps: list[Step]) -> list[Visit]:
    return [s for s in steps if isinstance(s, Visit)]


def again(steps: list[Step]) -> list[Step]:
    return [s for s in steps if s.attempt > 1 and s.why.startswith("again")]


def test_a_strange_page_is_asked_for_again_and_the_control_too() -> None:
    steps = again(asked("unknown"))
    assert [s for s in steps if isinstance(s, AskControl)] == [AskControl(HELPER, URL, (), 2)]
    (walk,) = [s for s in steps if isinstance(s, Walk)]
    assert (walk.ip, walk.attempt, walk.fetch.url if walk.fetch else "") == (SITE, 2, URL)
    assert all(s.not_before_s > 0 for s in steps)


def test_an_innocent_name_and_the_front_page_are_tried_at_the_same_address() -> None:
    trials = [s for s in asked("unknown") if isinstance(s, Walk) and s.why in (HOST_TRIAL, PATH_TRIAL)]
    urls = {s.fetch.url for s in trials if s.fetch}
    assert urls == {"http://www.example.org/", "http://site.example/"} and {s.ip for s in trials} == {SITE}


def test_a_helper_that_keeps_a_door_is_asked_in_the_clear() -> None:
    door, other = Door("198.51.100.5", 8766, 8765), Door("198.51.100.5", 8765, 8765)
    assert not visits(asked("unknown", doors=(door,)))
    (visit,) = visits(asked("unknown", times=2, doors=(other, door)))
    assert (visit.host, visit.ip, visit.port, visit.url) == ("site.example", "198.51.100.5", 8766, URL)
    # The port that questions go to is not put at risk, nor a helper asked that stands at the site's own address.
    assert not visits(asked("unknown", times=2, doors=(other,)))
    assert not visits(asked("unknown", times=2, doors=(Door(SITE, 8766, 8765),)))
    assert not visits(asked("home", times=2, doors=(door,)))


def test_often_enough_is_enough() -> None:
    assert not [s for s in again(asked("unknown", times=PAGE_TRIES)) if isinstance(s, Walk)]


@pytest.mark.parametrize(
    "page,there,role",
    [
        ("home", "home", "field"),
        ("home-today", "home", "field"),
        ("unknown", "home", "control"),
        ("unknown", "unknown-host", "field"),
    ],
    ids=["the page", "the page of today", "at the control", "the control's too"],
)
def test_nothing_more_is_asked_about_what_is_not_strange(page: str, there: str, role: str) -> None:
    assert again(asked(page, there=there, role=role)) == []


@pytest.mark.parametrize(
    "hosts_and_addresses,count",
    [
        ([("a.example", "192.0.2.1"), ("b.example", "198.51.100.1"), ("c.example", "203.0.113.1")], 3),
        ([("a.example", "192.0.2.1"), ("www.a.example", "198.51.100.1")], 1),
        ([("a.com", "192.0.2.1"), ("a.co.uk", "198.51.100.1")], 1),
        ([("a.com.pk", "192.0.2.1"), ("b.com.pk", "198.51.100.1")], 2),
        ([("a.example", "192.0.2.1"), ("b.example", "192.0.2.200")], 1),
        ([("a.example", "2001:db8:1::1"), ("b.example", "2001:db8:1:9::1"), ("c.example", "2001:db8:2::1")], 2),
        ([("a.example", "fe80::1%x"), ("b.example", "nonsense")], 1),
        ([], 0),
    ],
)
def test_what_has_nothing_in_common(hosts_and_addresses: list[tuple[str, str]], count: int) -> None:
    assert len(unrelated([PageMet(host, ip) for host, ip in hosts_and_addresses])) == count


def test_sites_behind_one_server_are_related() -> None:
    one, other = PageMet("a.example", "192.0.2.1", makers=("server:edge",)), PageMet("b.example", "198.51.100.1")
    assert len(unrelated([one, other])) == 2
    assert len(unrelated([one, PageMet("b.example", "198.51.100.1", makers=("cookie:x", "server:edge"))])) == 1


def climbed(*met: tuple[int, bool, str, int], page: str = "unknown", trial: str = "unknown-page") -> list[Walk]:
    """Requests with a hop limit that are asked for after a page that came twice, once these (hop limit, whether an
    innocent name's, met, times) are over."""
    target = parse_target(URL)
    here, control = Side("a" * 32, target), Side(CONTROL, target)
    here.lookup("network", "A", SITE)
    here.walk(SITE, "ok", page=page, times=2)
    here.walk(SITE, "ok", trial=True, page=trial, times=2)
    for ttl, innocent, word, times in met:
        here.walk(SITE, word, trial=innocent, ttl=ttl, times=times, page=trial if innocent else page)
    here.asked(CONTROL)
    control.lookup("udp://192.0.2.53", "A", SITE)
    control.walk(SITE, "ok")
    controls = (Control(measurement(CONTROL, target), tuple(control.facts)),)
    question = Question(target, resolvers=("network",), helpers=(HELPER,))
    steps = CHECKS["web"](question, case(here, controls, "helper"))
    return [s for s in steps if isinstance(s, Walk) and s.ttl]


def names(steps: list[Walk]) -> list[tuple[int, int, str]]:
    """(hop limit, attempt, path and name asked for) of each."""
    return [(s.ttl, s.attempt, s.fetch.url.removeprefix("http://")) for s in steps if s.fetch]


def test_a_page_for_one_name_is_sought_hop_by_hop() -> None:
    assert names(climbed()) == [(1, 1, "site.example/story")]
    assert names(climbed((1, False, "http timeout", 1))) == [(2, 1, "site.example/story")]
    assert not climbed(page="home") and not climbed(trial="unknown")


def test_where_it_is_found_an_innocent_name_goes_a_hop_further() -> None:
    found = ((1, False, "http timeout", 2), (2, False, "ok", 2))
    steps = names(climbed(*found))
    assert steps == [(2, 3, "site.example/story"), *((3, n, "www.example.org/") for n in (1, 2, 3, 4))]
    dead, heard = (3, True, "http timeout", 4), (3, True, "ok", 4)
    assert names(climbed(*found, dead))[-1] == (255, 1, "www.example.org/")
    assert 255 not in [s.ttl for s in climbed(*found, heard)]
