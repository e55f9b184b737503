"""What the web check asks next, fact by fact."""

from __future__ import annotations

import pytest

from probe.checks import CHECKS, Question
from probe.model.kinds import LineState
from probe.model.step import AskControl, AskLine, Lookup, Step, Walk
from probe.model.target import parse_target
from probe.verdict.case import Case, Control, ControlSource
from tests.cases import case, measurement
from tests.cases.build import HELPER, SITE, Side

URL = "https://site.example/"
CONTROL = "1" * 32


def question(**terms: object) -> Question:
    given: dict[str, object] = {"target": parse_target(URL), "resolvers": ("network",)}
    return Question(**(given | terms))  # type: ignore[arg-type]


def asked(side: Side, *, control: Side | None = None, source: ControlSource = "none", **terms: object) -> list[Step]:
    controls = (Control(measurement(CONTROL, side.target), tuple(control.facts)),) if control else ()
    return list(CHECKS["web"](question(**terms), case(side, controls, source)))


def side(name: str = "a" * 32, url: str = URL) -> Side:
    return Side(name, parse_target(url))


def test_first_come_the_names_and_the_helper() -> None:
    steps = asked(side(), helpers=(HELPER,), resolvers=("system", "network"))
    assert steps[0] == AskControl(HELPER, URL)
    lookups = {(s.resolver, s.qtype) for s in steps if isinstance(s, Lookup)}
    assert lookups == {(r, t) for r in ("system", "network") for t in ("A", "AAAA")} | {("network", "HTTPS")}


def test_an_address_is_walked_with_the_name_and_the_page() -> None:
    here = side()
    here.lookup("network", "A", SITE)
    walks = [s for s in asked(here) if isinstance(s, Walk)]
    assert [(w.port, w.sni, w.fetch is not None) for w in walks] == [(443, "site.example", True), (80, None, False)]


def test_a_literal_is_never_looked_up_and_sends_no_name() -> None:
    steps = list(CHECKS["web"](question(target=parse_target("https://192.0.2.1/")), case(side(), (), "none")))
    assert {type(s) for s in steps} <= {Lookup, Walk}
    literal = Case(parse_target("https://192.0.2.1/"), measurement("a" * 32, parse_target("https://192.0.2.1/")), ())
    walks = [s for s in CHECKS["web"](question(target=literal.target), literal) if isinstance(s, Walk)]
    assert walks and {w.sni for w in walks} == {"", None}


@pytest.mark.parametrize(
    "met,again", [("tcp timeout", True), ("tls reset", True), ("cert expired", True), ("ok", False)]
)
def test_what_failed_is_asked_again_later(met: str, again: bool) -> None:
    here = side()
    here.lookup("network", "A", SITE)
    here.walk(SITE, met)
    looks = [s for s in asked(here) if isinstance(s, AskLine)]
    assert [s.attempt for s in looks] == ([1] if again else [])
    repeats = [s for s in asked(here) if s.attempt > 1]
    assert bool(repeats) is again
    assert all(s.not_before_s > 0 and s.why.startswith("again") for s in repeats)


@pytest.mark.parametrize(
    "walks_tried,walks_failed,tries",
    [(100, 0, 3), (100, 10, 4), (100, 20, 6), (100, 60, 8)],
)
def test_a_noisy_line_demands_more_tries(walks_tried: int, walks_failed: int, tries: int) -> None:
    here = side()
    here.lookup("network", "A", SITE)
    made = 0
    while True:
        made += 1
        state = LineState(walks_tried=walks_tried, walks_failed=walks_failed)
        here.add(state, "line.state", attempt=made)
        here.walk(SITE, "tls reset", attempt=made)
        if not [s for s in asked(here, attempts=8) if isinstance(s, Walk) and s.attempt == made + 1]:
            break
    assert made == tries


def test_a_single_loss_is_soon_outweighed() -> None:
    here = side()
    here.lookup("network", "A", SITE)
    here.walk(SITE, "tls reset")
    here.add(LineState(walks_tried=100), "line.state")
    for attempt in range(2, 10):
        if not [s for s in asked(here, attempts=8) if isinstance(s, Walk) and s.attempt == attempt]:
            break
        here.walk(SITE, "ok", attempt=attempt)
    assert attempt == 5


def test_tries_while_the_line_is_cut_do_not_count() -> None:
    here = side()
    here.lookup("network", "A", SITE)
    for attempt in range(1, 5):
        here.walk(SITE, "tcp timeout", attempt=attempt)
        here.add(LineState(round_tried=3, round_reached=0), "line.state", attempt=attempt)
    assert [s.attempt for s in asked(here, attempts=8) if isinstance(s, Walk) and s.attempt > 1] == [5]


def test_nothing_is_repeated_that_fails_at_the_control_too() -> None:
    here, there = side(), side(CONTROL)
    here.lookup("network", "A", SITE)
    here.walk(SITE, "tcp timeout")
    there.walk(SITE, "tcp timeout")
    here.asked(CONTROL)
    assert not [s for s in asked(here, control=there, source="helper", helpers=(HELPER,)) if s.attempt > 1]


def test_repeats_wait_for_the_control() -> None:
    here = side()
    here.lookup("network", "A", SITE)
    here.walk(SITE, "tcp timeout")
    assert not [s for s in asked(here, helpers=(HELPER,)) if s.attempt > 1]


def test_a_trial_goes_to_the_same_address_with_an_innocent_name() -> None:
    here, there = side(), side(CONTROL)
    here.lookup("network", "A", SITE)
    here.walk(SITE, "tls reset")
    there.walk(SITE, "ok")
    here.asked(CONTROL)
    steps = asked(here, control=there, source="helper", helpers=(HELPER,))
    trials = [s for s in steps if isinstance(s, Walk) and s.sni == "www.example.org"]
    assert [(t.ip, t.attempt) for t in trials] == [(SITE, 1), (SITE, 2)]


def test_no_trial_without_a_control() -> None:
    here = side()
    here.lookup("network", "A", SITE)
    here.walk(SITE, "tls reset", times=3)
    assert not [s for s in asked(here) if isinstance(s, Walk) and s.sni == "www.example.org"]


def test_a_redirect_is_a_hop_of_its_own() -> None:
    here = side()
    here.lookup("network", "A", SITE)
    here.walk(SITE, "page 301", location="https://www.site.example/x")
    lookups = {s.host for s in asked(here) if isinstance(s, Lookup)}
    assert lookups == {"site.example", "www.site.example"}


def test_redirects_in_a_ring_end() -> None:
    here = side()
    here.lookup("network", "A", SITE)
    here.walk(SITE, "page 302", location=URL)
    assert {s.host for s in asked(here) if isinstance(s, Lookup)} == {"site.example"}


def test_addresses_only_the_field_found_are_taken_to_the_control() -> None:
    here, there = side(), side(CONTROL)
    for qtype, said in (("A", "192.0.2.7"), ("AAAA", "empty")):
        here.lookup("network", qtype, said)
    there.lookup("udp://192.0.2.53", "A", SITE)
    there.walk(SITE, "ok")
    here.asked(CONTROL)
    steps = asked(here, control=there, source="helper", helpers=(HELPER,))
    extra = [s.endpoints for s in steps if isinstance(s, AskControl) and s.endpoints]
    assert extra == [(("site.example", "192.0.2.7", 443),)]


def test_given_endpoints_are_walked_and_nothing_else() -> None:
    steps = asked(side(), endpoints=(("site.example", SITE, 443), ("site.example", SITE, 80)))
    assert steps == [Walk("site.example", SITE, 443, "site.example"), Walk("site.example", SITE, 80)]


def test_a_canary_is_looked_up_and_shaken_hands_with() -> None:
    here = side()
    here.lookup("network", "A", f"{SITE} 192.0.2.2")
    here.lookup("network", "AAAA", "2001:db8::1")
    walks = [s for s in CHECKS["line"](question(), case(here, (), "none")) if isinstance(s, Walk)]
    assert [(w.ip, w.port) for w in walks] == [(SITE, 443), ("2001:db8::1", 443), (SITE, 80)]
    assert [w.fetch.url for w in walks if w.fetch] == ["http://site.example/"]
