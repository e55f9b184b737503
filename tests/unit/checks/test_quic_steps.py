"""What the QUIC check asks next, fact by fact: nothing where HTTP/3 is not announced, little where it works."""

from __future__ import annotations

from typing import Any

import pytest

from probe.checks import CHECKS, Question
from probe.checks.quic.announced import announced_port
from probe.model.kinds import ControlAsk, LineState, TcpConnect
from probe.model.step import AskControl, AskLine, Lookup, QuicWalk, Step, Walk
from probe.model.target import parse_target
from probe.verdict.case import Case, Control
from tests.cases import case, measurement
from tests.cases.build import HELPER, Side

URL, SIX = "https://site.example/", "2001:db8::1"
SITES = tuple(f"192.0.2.{n}" for n in range(1, 4))
CONTROL, EXTRA = "1" * 32, "2" * 32
ALT = 'h3=":443"; ma=86400'


def side(*, alt_svc: str = ALT, addresses: tuple[str, ...] = SITES[:1], met: str = "ok", name: str = "a" * 32) -> Side:
    """A site whose addresses were all walked; the page of the first announces HTTP/3."""
    made = Side(name, parse_target(URL))
    made.lookup("network", "A", " ".join(ip for ip in addresses if ":" not in ip))
    made.lookup("network", "AAAA", " ".join(ip for ip in addresses if ":" in ip) or "empty")
    for n, ip in enumerate(addresses):
        if n == 0 and met == "ok":
            made.walk(ip, met, alt_svc=alt_svc)
        else:
            made.walk(ip, "shaken" if n else met)
    return made


def known(here: Side, *there: Side) -> Case:
    controls = [Control(measurement(s.name, s.target, answers=here.name), tuple(s.facts)) for s in there]
    return case(here, tuple(controls), "helper" if controls else "none")


def asked(here: Side, *there: Side, **terms: Any) -> list[Step]:
    given: dict[str, Any] = {"target": here.target, "helpers": (HELPER,), "attempts": 8}
    question = Question(**(given | terms))
    return list(CHECKS["quic"](question, known(here, *there)))


def over_quic(steps: list[Step]) -> list[tuple[str, str, int]]:
    return [(s.ip, s.sni, s.attempt) for s in steps if isinstance(s, QuicWalk)]


@pytest.mark.parametrize("alt_svc", ["", "clear", 'h2=":443"', 'h3="other.example:443"', 'h3-29=":443"'])
def test_nothing_is_asked_where_http3_is_not_announced(alt_svc: str) -> None:
    assert asked(side(alt_svc=alt_svc)) == []


def test_a_header_over_a_proven_path_announces_it() -> None:
    (step,) = asked(side())
    assert isinstance(step, QuicWalk) and step.fetch is not None
    assert (step.host, step.ip, step.port, step.sni, step.fetch.url) == (
        "site.example",
        SITES[0],
        443,
        "site.example",
        URL,
    )


def test_a_header_over_an_unproven_path_announces_nothing() -> None:
    here = side(alt_svc="")
    here.walk(SITES[0], "cert expired", fetch="page 200", alt_svc=ALT)
    assert announced_port(known(here), here.target) is None


def test_a_header_that_only_the_control_saw_announces_it() -> None:
    assert over_quic(asked(side(alt_svc=""), side(name=CONTROL))) == [(SITES[0], "site.example", 1)]


@pytest.mark.parametrize(
    "record,port",
    [('1 . alpn="h3,h2"', 443), ('1 . alpn="h3" port=8443', 8443), ('1 . alpn="h2"', None), ("0 other.example.", None),
     ('1 other.example. alpn="h3"', None)],
)  # fmt: skip
def test_a_record_announces_it(record: str, port: int | None) -> None:
    here = side(alt_svc="")
    here.lookup("network", "HTTPS", record)
    assert announced_port(known(here), here.target) == port


def test_a_site_without_https_is_never_asked() -> None:
    here = Side("a" * 32, parse_target("http://site.example/"))
    here.lookup("network", "HTTPS", '1 . alpn="h3"')
    here.walk(SITES[0], "ok", alt_svc=ALT)
    assert asked(here) == []


def test_one_address_of_each_family_and_one_page() -> None:
    steps = asked(side(addresses=(*SITES, SIX)))
    assert over_quic(steps) == [(SITES[0], "site.example", 1), (SIX, "site.example", 1)]
    assert [s.fetch is not None for s in steps if isinstance(s, QuicWalk)] == [True, False]


def test_an_address_that_does_not_prove_itself_is_not_asked() -> None:
    here = side(met="cert wrong_name")
    here.lookup("network", "HTTPS", '1 . alpn="h3"')
    assert asked(here) == []


def test_where_tls_is_shut_the_controls_word_is_taken() -> None:
    here = side(met="tls reset")
    assert over_quic(asked(here, side(name=CONTROL))) == [(SITES[0], "site.example", 1)]


def test_the_controls_word_is_not_taken_while_our_own_handshakes_go_on() -> None:
    here = side(met="tls reset", addresses=SITES[:1])
    here.lookup("system", "A", SITES[1])
    here.add(TcpConnect(), "tcp.connect", ip=SITES[1], port=443)
    assert over_quic(asked(here, side(name=CONTROL))) == []


def test_an_address_that_proves_itself_later_changes_nothing_that_was_asked() -> None:
    here = side(met="tls reset")
    here.lookup("system", "A", SITES[1])
    here.walk(SITES[1], "tls reset")
    first = [s for s in asked(here, side(name=CONTROL)) if isinstance(s, QuicWalk)]
    here.quic(SITES[0], "timeout")
    here.walk(SITES[1], "shaken", attempt=2)
    later = asked(here, side(name=CONTROL))
    assert len(first) == 1 and set(first) < set(later) and (SITES[1], "site.example", 1) in over_quic(later)


def test_what_works_is_left_alone() -> None:
    here = side()
    here.asked(CONTROL)
    here.quic(SITES[0], "ok")
    assert [s for s in asked(here, side(name=CONTROL)) if s not in asked(side())] == []


def failing(met: str = "timeout", addresses: tuple[str, ...] = SITES[:1]) -> Side:
    here = side(addresses=addresses)
    here.asked(CONTROL)
    here.quic(SITES[0], met)
    return here


def test_a_failure_is_taken_to_the_control_and_no_further_yet() -> None:
    steps = [s for s in asked(failing(), side(name=CONTROL)) if not isinstance(s, QuicWalk)]
    assert steps == [AskControl(HELPER, URL, (("site.example", SITES[0], 443),), quic=True)]
    assert over_quic(asked(failing(), side(name=CONTROL))) == [(SITES[0], "site.example", 1)]


def answered(met: str) -> Side:
    extra = Side(EXTRA, parse_target(URL))
    extra.quic(SITES[0], met)
    return extra


Rows = tuple[tuple[str, int, int, int], ...]


def looked(here: Side, quic: Rows = ()) -> Side:
    """The same after a look at the line, with what it found over QUIC."""
    here.add(LineState(quic=quic), "line.state", why="beside try 1: quic.handshake generic_timeout_error")
    return here


def test_the_line_is_looked_at_before_anything_is_tried_again() -> None:
    steps = asked(failing(), side(name=CONTROL), answered("shaken"))
    assert over_quic(steps) == [(SITES[0], "site.example", 1)]
    assert [s.attempt for s in steps if isinstance(s, AskLine)] == [1]


@pytest.mark.parametrize(
    "quic,shut",
    [
        ((("canaries", 4, 1, 0),), True),
        ((("canaries", 4, 2, 0), ("others", 4, 1, 0)), True),
        ((("others", 4, 9, 0),), False),
        ((("canaries", 4, 2, 0), ("others", 4, 9, 1)), False),
        ((("canaries", 4, 2, 1),), False),
        ((("canaries", 6, 2, 0),), False),
        ((), False),
    ],
)
def test_a_line_that_carries_quic_to_nobody_is_not_waited_for(quic: Rows, shut: bool) -> None:
    steps = asked(looked(failing(), quic), side(name=CONTROL), answered("shaken"))
    assert (over_quic(steps) == [(SITES[0], "site.example", 1)]) is shut
    assert ((SITES[0], "www.example.org", 1) in over_quic(steps)) is not shut


def test_what_was_reached_over_quic_itself_shows_that_the_line_carries_it() -> None:
    here = failing(addresses=SITES)
    here.quic(SITES[0], "shaken", trial=True)
    steps = asked(looked(here, (("canaries", 4, 2, 0),)), side(name=CONTROL), answered("shaken"))
    assert (SITES[0], "site.example", 2) in over_quic(steps)


def test_what_fails_only_here_is_repeated_and_tried_with_an_innocent_name() -> None:
    steps = asked(looked(failing()), side(name=CONTROL), answered("shaken"))
    assert (SITES[0], "site.example", 2) in over_quic(steps)
    assert [(ip, n) for ip, sni, n in over_quic(steps) if sni == "www.example.org"] == [(SITES[0], 1), (SITES[0], 2)]
    assert [s.attempt for s in steps if isinstance(s, AskLine)] == [1]
    later = [s for s in steps if isinstance(s, QuicWalk) and (s.attempt > 1 or s.sni != "site.example")]
    assert all(s.not_before_s > 0 and s.fetch is None or s.attempt > 1 for s in later)


@pytest.mark.parametrize("met", ["timeout", "cert expired"])
def test_what_fails_at_the_control_too_is_not_repeated(met: str) -> None:
    steps = asked(failing(), side(name=CONTROL), answered(met))
    assert over_quic(steps) == [(SITES[0], "site.example", 1)]


def test_an_older_helper_ends_it() -> None:
    assert over_quic(asked(failing(), side(name=CONTROL), Side(EXTRA, parse_target(URL)))) == [
        (SITES[0], "site.example", 1)
    ]


def test_our_own_failure_is_no_reason_to_ask() -> None:
    assert over_quic(asked(failing("noroute"), side(name=CONTROL))) == [(SITES[0], "site.example", 1)]
    assert not [s for s in asked(failing("noroute"), side(name=CONTROL)) if isinstance(s, AskControl)]


def test_where_trials_fail_too_an_innocent_name_goes_first_to_a_fresh_address() -> None:
    here = looked(failing(addresses=SITES))
    here.quic(SITES[0], "timeout", times=2, trial=True)
    fresh = [s for s in over_quic(asked(here, side(name=CONTROL), answered("shaken"))) if s[0] == SITES[1]]
    assert fresh == [(SITES[1], "www.example.org", 1), (SITES[1], "www.example.org", 2), (SITES[1], "", 1)]
    here.quic(SITES[1], "shaken", times=2, trial=True)
    later = [s for s in over_quic(asked(here, side(name=CONTROL), answered("shaken"))) if s[0] == SITES[1]]
    assert later == [(SITES[1], "site.example", 1)]
    here.quic(SITES[1], "timeout")
    last = [s for s in over_quic(asked(here, side(name=CONTROL), answered("shaken"))) if s[0] == SITES[2]]
    assert last == []


def test_where_trials_pass_no_fresh_address_is_used() -> None:
    here = looked(failing(addresses=SITES))
    here.quic(SITES[0], "shaken", times=2, trial=True)
    assert {ip for ip, _, _ in over_quic(asked(here, side(name=CONTROL), answered("shaken")))} == {SITES[0]}


def test_a_helper_walks_given_endpoints_over_quic_only_where_asked_to() -> None:
    given = tuple(("site.example", ip, 443) for ip in (*SITES, *(f"198.51.100.{n}" for n in range(1, 4))))
    question = Question(parse_target(URL), role="control", endpoints=given)
    empty = known(Side("a" * 32, parse_target(URL)))
    assert all(isinstance(s, Walk) for s in CHECKS["endpoints"](question, empty))
    asked_too = Question(parse_target(URL), role="control", endpoints=given, quic=True)
    steps = list(CHECKS["endpoints"](asked_too, empty))
    assert len([s for s in steps if isinstance(s, Walk)]) == 6
    assert [s.ip for s in steps if isinstance(s, QuicWalk)] == [ip for _, ip, _ in given[:4]]


def test_a_control_asks_nothing_over_quic_by_itself() -> None:
    assert asked(side(), role="control") == []


def test_a_canary_is_asked_over_quic_only_if_it_announces_it() -> None:
    here = Side("a" * 32, parse_target(URL))
    resolvers = ("system", "network", "https://192.0.2.9/q")
    question = Question(here.target, resolvers=resolvers, endpoints=(("site.example", SITES[0], 443),), quic=True)
    first = list(CHECKS["line"](question, known(here)))
    assert [(s.qtype, s.resolver) for s in first if isinstance(s, Lookup)] == [
        ("HTTPS", "network"), ("HTTPS", "https://192.0.2.9/q"),
    ]  # fmt: skip
    assert len(first) == 2
    here.lookup("network", "HTTPS", '1 . alpn="h3"')
    assert over_quic(list(CHECKS["line"](question, known(here)))) == [(SITES[0], "site.example", 1)]


def test_what_the_control_was_asked_stands_in_the_fact() -> None:
    assert ControlAsk(HELPER, URL, quic=True).quic


def test_no_address_is_asked_twice_whoever_answers_first() -> None:
    here = side(addresses=(SIX, *SITES))
    first = over_quic(asked(here))
    here.quic(SITES[0], "ok")
    assert over_quic(asked(here)) == first[::-1] and len(first) == 2
    pages = {s.ip: s.fetch is not None for s in asked(here) if isinstance(s, QuicWalk)}
    assert pages == {SITES[0]: True, SIX: False}
