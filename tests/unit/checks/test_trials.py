"""Which trials are asked for, where, and how far they go: lookups astray and beside other names, hellos on the way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from probe.checks import CHECKS
from probe.model.step import Lookup, Step, Walk
from probe.verdict.case import Control
from probe.verdict.read import ASTRAY, BELOW, HOP_TRIAL, INNOCENT
from tests.cases import case, measurement
from tests.cases.build import HELPER, SITE, Side
from tests.unit.checks.test_steps import CONTROL, question, side

PLAIN, SEALED = "udp://192.0.2.8", "https://192.0.2.9/dns-query?name=dns.example"
RESOLVERS = ("network", PLAIN, SEALED)
AT_HELPER, AT_SITE, INNOCENT_NAME = "nobody://198.51.100.9", f"nobody://{SITE}", "www.example.org"


def asked(here: Side, *, helper_at: str | None = "198.51.100.9") -> list[Step]:
    """What the web check proposes, with a control for which all is well."""
    there = side(CONTROL)
    there.lookup("udp://192.0.2.53", "A", SITE)
    there.walk(SITE, "ok")
    here.asked(CONTROL, ip=helper_at)
    control = Control(measurement(CONTROL, here.target), tuple(there.facts))
    return list(CHECKS["web"](question(resolvers=RESOLVERS, helpers=(HELPER,)), case(here, (control,), "helper")))


def lookups(steps: list[Step], why: str) -> Iterator[tuple[str, str, int]]:
    return ((s.host, s.resolver, s.attempt) for s in steps if isinstance(s, Lookup) and s.why == why)


def told(said: str, plain: str | None = None) -> Side:
    here = side()
    here.lookup("network", "A", said)
    here.lookup(PLAIN, "A", plain or said)
    here.lookup(SEALED, "A", SITE)
    here.walk(SITE, "ok")
    return here


def test_where_all_is_well_no_trial_is_made() -> None:
    steps = asked(told(SITE))
    assert not [s for s in steps if s.why.startswith("name trial")]


def test_a_denial_is_asked_again_where_no_resolver_is_with_an_innocent_name_in_turn() -> None:
    steps = asked(told("nxdomain"))
    assert list(lookups(steps, ASTRAY)) == [("site.example", AT_HELPER, n) for n in (1, 2, 3)]
    assert list(lookups(steps, INNOCENT)) == [(INNOCENT_NAME, AT_HELPER, n) for n in (1, 2, 3)]


def test_a_resolver_that_lies_alone_is_no_reason_to_ask_elsewhere() -> None:
    assert not list(lookups(asked(told("nxdomain", SITE)), ASTRAY))


def test_a_strange_address_is_looked_at_before_it_is_called_wrong() -> None:
    here = told("198.51.100.200")
    assert not list(lookups(asked(here), ASTRAY))
    here.walk("198.51.100.200", "tcp timeout")
    assert list(lookups(asked(here), ASTRAY))


def test_an_address_of_a_content_network_is_no_anomaly() -> None:
    here = told("198.51.100.200")
    here.walk("198.51.100.200", "ok")
    assert not list(lookups(asked(here), ASTRAY))


def test_without_a_helper_it_is_the_target_that_is_asked() -> None:
    assert {resolver for _, resolver, _ in lookups(asked(told("nxdomain"), helper_at=None), ASTRAY)} == {AT_SITE}


def test_the_target_is_asked_too_where_the_way_to_the_helper_is_silent() -> None:
    here = told("nxdomain")
    for n in (1, 2, 3):
        here.lookup(AT_HELPER, "A", "timeout", why="astray", attempt=n)
        here.lookup(AT_HELPER, "A", "timeout", why="innocent", host=INNOCENT_NAME, attempt=n)
    assert {resolver for _, resolver, _ in lookups(asked(here), ASTRAY)} == {AT_HELPER, AT_SITE}


def test_a_resolver_of_ours_is_never_taken_for_nobody() -> None:
    steps = asked(told("nxdomain"), helper_at="192.0.2.8")
    assert {resolver for _, resolver, _ in lookups(steps, ASTRAY)} == {AT_SITE}


@pytest.mark.parametrize("innocent,climbs", [("timeout", True), ("192.0.2.77", False)])
def test_hops_are_counted_only_where_it_was_shown_to_be_injected(innocent: str, climbs: bool) -> None:
    here = told("nxdomain")
    for n in (1, 2, 3):
        here.lookup(AT_HELPER, "A", "nxdomain", why="astray", attempt=n)
        here.lookup(AT_HELPER, "A", innocent, why="innocent", host=INNOCENT_NAME, attempt=n)
    limits = [s.ttl for s in asked(here) if isinstance(s, Lookup) and s.why == HOP_TRIAL]
    assert limits == ([1, 2, 3, 4] if climbs else [])


def test_silence_is_compared_with_other_names() -> None:
    here = told("timeout", SITE)
    steps = asked(here)
    assert list(lookups(steps, INNOCENT)) == [(INNOCENT_NAME, "network", n) for n in (1, 2, 3)]
    below = list(lookups(steps, BELOW))
    assert [n for _, _, n in below] == [1, 2, 3]
    assert {host.partition(".")[2] for host, _, _ in below} == {"site.example"}
    # Short, so that it does not single out the measurement, and not the measurement's own name.
    (label,) = {host.partition(".")[0] for host, _, _ in below}
    assert len(label) == 5 and label not in here.name


def climbing(*tries: tuple[int, int, str], innocent: str = "cert wrong_name") -> list[Walk]:
    """Hellos with a hop limit that are proposed after three resets, two trials, and what (limit, try, met) met."""
    here = side()
    here.lookup("network", "A", SITE)
    here.walk(SITE, "tls reset", times=3)
    here.walk(SITE, innocent, times=2, trial=True)
    for ttl, attempt, met in tries:
        here.walk(SITE, met, ttl=ttl, attempt=attempt)
    return [s for s in asked(here) if isinstance(s, Walk) and s.ttl]


def test_a_hello_climbs_one_hop_at_a_time() -> None:
    assert [(w.sni, w.ttl) for w in climbing()] == [("site.example", 1)]
    assert [(w.sni, w.ttl) for w in climbing((1, 1, "tls timeout"))] == [("site.example", 2)]


def test_at_its_hop_the_innocent_name_is_sent_as_far_and_all_the_way() -> None:
    met = ((1, 1, "tls timeout"), (2, 1, "tls reset"), (2, 2, "tls reset"), (1, 2, "tls timeout"))
    compared = [(w.sni, w.ttl, w.attempt) for w in climbing(*met)]
    assert compared == [(INNOCENT_NAME, 2, 1), (INNOCENT_NAME, 2, 2), (INNOCENT_NAME, 255, 1)]


def test_nobody_climbs_where_the_name_is_not_the_trigger_or_not_always() -> None:
    assert not climbing(innocent="tls reset")
    assert not climbing((1, 1, "tls timeout"), (2, 1, "shaken"))


def test_nobody_climbs_behind_residual_blocking() -> None:
    here = side()
    here.lookup("network", "A", SITE)
    here.walk(SITE, "tls reset", times=2)
    here.walk(SITE, "tcp timeout", attempt=3)
    here.walk(SITE, "cert wrong_name", times=2, trial=True)
    assert not [s for s in asked(here) if isinstance(s, Walk) and s.ttl]
