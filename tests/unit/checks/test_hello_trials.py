"""Which trials of handshakes are proposed, and where they never go."""

from __future__ import annotations

from typing import Any

import pytest

from probe.checks import CHECKS, Question
from probe.checks.question import Door
from probe.checks.web.trials import ech_config, innocent_names
from probe.model.kinds import DnsLookup, Record, Skipped
from probe.model.step import AskLine, Step, Visit, Walk
from probe.model.target import parse_target
from probe.verdict.case import Control
from probe.verdict.read import NAMELESS_TRIAL
from tests.cases import case, measurement
from tests.cases.build import HELPER, SITE, Side

URL = "https://site.example/"
CONTROL = "1" * 32
APART, SHARED = Door("198.51.100.5", 443, 8765), Door("198.51.100.5", 8765, 8765)


def question(**terms: Any) -> Question:
    given: dict[str, Any] = {"target": parse_target(URL), "resolvers": ("network",), "helpers": (HELPER,)}
    return Question(**(given | terms))


def met(*walks: tuple[str, dict[str, Any]], ip: str = SITE) -> Side:
    """A field that found the site's address, and met these at it."""
    side = Side("a" * 32, parse_target(URL))
    side.lookup("network", "A", SITE)
    for word, options in walks:
        side.walk(ip, word, **options)
    return side


def asked(here: Side, there: str = "ok", **terms: Any) -> list[Walk]:
    """The walks that are proposed once the control has answered, having met `there`."""
    return [s for s in steps(here, there, **terms) if isinstance(s, Walk)]


def steps(here: Side, there: str, **terms: Any) -> list[Step]:
    other = Side(CONTROL, here.target)
    other.lookup("udp://192.0.2.53", "A", SITE)
    other.walk(SITE, there)
    here.asked(CONTROL)
    controls = (Control(measurement(CONTROL, here.target), tuple(other.facts)),)
    return list(CHECKS["web"](question(**terms), case(here, controls, "helper")))


RESET = ("tls reset", {"times": 2})


def visits(here: Side, there: str = "ok", **terms: Any) -> list[Visit]:
    """The proposed visits to a helper's door."""
    found = steps(here, there, **{"doors": (APART,), **terms})
    return [s for s in found if isinstance(s, Visit)]


def test_the_name_is_tried_at_the_helpers_door() -> None:
    (visit,) = visits(met(RESET))
    assert (visit.host, visit.ip, visit.port, visit.asks) == ("site.example", APART.ip, 443, 8765)
    assert visit.innocent == innocent_names(question(), "site.example") and visit.tries == 2
    first, second = visit.innocent
    assert first == "www.example.org" and second.endswith(".example") and "site" not in second


@pytest.mark.parametrize(
    "walks,there",
    [
        ([("tls reset", {})], "ok"),
        ([("tcp timeout", {"times": 3})], "ok"),
        ([("cert expired", {"times": 3})], "ok"),
        ([("tls reset", {"times": 2}), ("ok", {"attempt": 3})], "ok"),
        ([("tls reset", {"times": 2})], "tls reset"),
    ],
    ids=["once", "no connection", "a certificate", "works after all", "the control met it"],
)
def test_nothing_goes_to_the_helper(walks: list[tuple[str, dict[str, Any]]], there: str) -> None:
    assert visits(met(*walks), there) == []


def test_a_control_that_never_got_a_connection_does_not_stand_in_the_way() -> None:
    found = steps(met(RESET), "tcp timeout", doors=(APART,))
    assert [s for s in found if isinstance(s, Visit)]
    # The next try at the site waits for a look at the line; without a door nobody would try again.
    assert [s for s in found if isinstance(s, AskLine)]
    assert not [s for s in steps(met(RESET), "tcp timeout") if isinstance(s, AskLine)]


def test_the_port_for_questions_is_spared_where_doors_may_stay_shut() -> None:
    innocent = ("cert wrong_name", {"trial": True})
    assert visits(met(RESET), doors=(SHARED,)) == []
    assert visits(met(("tls reset", {}), innocent, ("tls reset", {"attempt": 2})), doors=(SHARED,)) != []
    assert [v.port for v in visits(met(RESET, innocent), doors=(SHARED, APART))] == [443]


def test_a_door_of_the_same_family_is_taken_first() -> None:
    far = Door("2001:db8::5", 443, 8765)
    assert [v.ip for v in visits(met(RESET), doors=(far, APART))] == [APART.ip]


def test_a_helper_beside_the_target_is_no_place_for_trials() -> None:
    assert visits(met(RESET), doors=(Door(SITE, 444, 8765),)) == []


def test_no_name_is_sent_once_as_well() -> None:
    found = [w for w in asked(met(("tls reset", {}))) if w.why == NAMELESS_TRIAL]
    assert [(w.ip, w.sni, w.attempt) for w in found] == [(SITE, "", 1)]


# ---- other kinds of hello ----


def hellos(here: Side, there: str = "ok", **terms: Any) -> list[tuple[str, int, str]]:
    return [(w.profile, w.attempt, w.ip) for w in asked(here, there, **terms) if w.profile]


@pytest.mark.parametrize("there", ["ok", "tls reset"])
def test_each_other_hello_is_tried_once(there: str) -> None:
    assert hellos(met(("tls reset", {})), there) == [("plain", 1, SITE), ("browser", 1, SITE)]


@pytest.mark.parametrize("word", ["tcp timeout", "cert expired", "ok"])
def test_no_other_hello_where_hands_were_shaken_or_never_offered(word: str) -> None:
    assert hellos(met((word, {}))) == []


def test_the_one_that_passes_is_tried_again() -> None:
    here = met(("tls reset", {}), ("shaken", {"hello": "plain"}), ("tls reset", {"hello": "browser"}))
    assert hellos(here) == [("plain", 1, SITE), ("plain", 2, SITE), ("browser", 1, SITE)]


def test_what_cannot_be_sent_here_is_asked_for_once() -> None:
    here = met(("tls reset", {}))
    here.add(Skipped("browser", "not_supported"), "skipped", failure="skipped")
    assert hellos(here) == [("plain", 1, SITE)]


def test_a_control_tries_other_hellos_too_and_nothing_else() -> None:
    here = met(("tls reset", {}))
    terms = question(role="control", helpers=(), attempts=2, gaps_s=(1.0,))
    walks = [s for s in CHECKS["web"](terms, case(here, (), "none")) if isinstance(s, Walk)]
    assert [(w.profile, w.sni, w.attempt) for w in walks if w.why != "plan"] == [
        ("", "site.example", 2), ("plain", "site.example", 1), ("browser", "site.example", 1),
    ]  # fmt: skip
    given = question(role="control", helpers=(), endpoints=(("site.example", SITE, 443),))
    walks = [s for s in CHECKS["web"](given, case(here, (), "none")) if isinstance(s, Walk)]
    assert [w.profile for w in walks] == ["", "plain", "browser"]


# ---- encrypted names ----


def offering(here: Side, data: str) -> Side:
    record = Record("site.example", "HTTPS", 60, data)
    here.add(DnsLookup("network", "HTTPS", answers=(record,)), "dns.lookup")
    return here


RECORD = '1 . alpn="h2,h3" ech="AEX+DQBBAA==" ipv4hint="192.0.2.1"'


def test_the_configuration_is_read_from_the_https_record() -> None:
    here = offering(met(), RECORD)
    assert ech_config(case(here, (), "none"), "site.example") == "AEX+DQBBAA=="
    assert ech_config(case(here, (), "none"), "other.example") == ""
    assert ech_config(case(offering(met(), '1 . alpn="h2"'), (), "none"), "site.example") == ""


def test_an_encrypted_name_is_one_more_hello() -> None:
    everything = frozenset({"plain", "browser", "ech"})
    found = asked(offering(met(("tls reset", {})), RECORD), profiles=everything)
    assert [(w.profile, w.ech) for w in found if w.profile] == [("plain", ""), ("browser", ""), ("ech", "AEX+DQBBAA==")]
    assert not [w for w in asked(offering(met(("ok", {})), RECORD), profiles=everything) if w.profile]


def test_where_it_is_offered_and_cannot_be_sent_the_facts_say_so_once() -> None:
    here = offering(met(("ok", {})), RECORD)
    assert [w.profile for w in asked(here) if w.profile] == ["ech"]
    here.add(Skipped("ech", "not_supported"), "skipped", failure="skipped")
    assert not [w for w in asked(here) if w.profile]
