"""The loop over a scripted internet: what is asked, in which order, what is kept, and how it ends."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from probe.checks import RULESET, Question
from probe.engine import STEPS_MAX, Keep, Stop, measure
from probe.model.errors import StoreError
from probe.model.kinds import Conclusion, ControlAsk, LineState
from probe.model.measurement import Measurement
from probe.model.observation import Blob, Observation
from probe.model.step import Step, Walk
from probe.model.target import parse_target
from probe.net.base import Failure
from probe.net.fakenet import FakeNet
from probe.perform.world import World
from probe.verdict.case import Case
from probe.verdict.judge import judge
from probe.verdict.reference import Reference
from probe.wire.facts import ObservationRow, Row, observation_of
from tests.unit.scripted import HELPER, NOW, RESET, add_site, helper_answer, scripted_world, with_helper

SITE, IP = "site.example", "192.0.2.1"
URL = f"https://{SITE}/"
ME = Measurement("a" * 32, "b" * 32, URL, "web", NOW)


def one_site(**manner: Failure | str | None) -> FakeNet:
    net = FakeNet()
    add_site(net, SITE, IP, **manner)  # type: ignore[arg-type]
    return net


async def run(world: World, keep: Keep = lambda row: None, url: str = URL, **more: object) -> Case:
    helpers = more.pop("helpers", ())
    question = Question(parse_target(url), helpers=helpers)  # type: ignore[arg-type]
    return await measure(question, replace(ME, url=url), world, keep, **more)  # type: ignore[arg-type]


def kinds(case: Case) -> list[str]:
    return [o.kind for o in case.observations]


async def test_facts_come_in_the_order_of_their_making(autojump_clock: trio.testing.MockClock) -> None:
    rows: list[Row] = []
    case = await run(scripted_world(one_site()), rows.append)
    assert [o.seq for o in case.observations] == list(range(len(case.observations)))
    kept = [observation_of(row) for row in rows if isinstance(row, ObservationRow)]
    assert tuple(kept) == case.observations
    assert kinds(case)[-1] == "measurement.end" and case.observations[-1].detail == Conclusion("fixpoint", 4)


async def test_parents_came_before_their_children(autojump_clock: trio.testing.MockClock) -> None:
    case = await run(scripted_world(one_site()))
    by_seq = {o.seq: o for o in case.observations}
    parents = [(o.kind, by_seq[o.parent].kind) for o in case.observations if o.parent is not None]
    assert parents == [
        ("tls.handshake", "tcp.connect"), ("tls.verify", "tls.handshake"), ("http.fetch", "tls.handshake"),
    ]  # fmt: skip
    assert all(o.parent < o.seq for o in case.observations if o.parent is not None)


async def test_a_blob_is_kept_before_the_fact_that_names_it(autojump_clock: trio.testing.MockClock) -> None:
    rows: list[Row] = []
    await run(scripted_world(one_site()), rows.append)
    seen: set[str] = set()
    for row in rows:
        seen |= {row.sha256} if isinstance(row, Blob) else set()
        for name in getattr(getattr(row, "detail", None), "chain", ()):
            assert name in seen
    assert len(seen) == 3


async def test_nothing_is_asked_twice(autojump_clock: trio.testing.MockClock) -> None:
    steps: list[Step] = []
    case = await run(scripted_world(one_site(hello=RESET)), watch=steps.append)
    assert len(steps) == len(set(steps)) > 4
    assert kinds(case).count("tls.handshake") == 3


async def test_repeats_are_spaced(autojump_clock: trio.testing.MockClock) -> None:
    at: dict[int, float] = {}

    def watch(step: Step) -> None:
        if isinstance(step, Walk) and step.port == 443:
            at[step.attempt] = trio.current_time()

    await run(scripted_world(one_site(connect=RESET)), watch=watch)
    assert [round(at[n + 1] - at[n], 1) for n in (1, 2)] == [1.5, 4.0]


async def test_a_redirect_is_followed_to_another_host(autojump_clock: trio.testing.MockClock) -> None:
    net = one_site(location="https://www.site.example/")
    add_site(net, "www.site.example", "192.0.2.2")
    case = await run(scripted_world(net))
    assert {o.host for o in case.observations if o.kind == "http.fetch"} == {SITE, "www.site.example"}
    hop = next(o for o in case.observations if o.host == "www.site.example" and o.kind == "dns.lookup")
    assert hop.parent is not None and case.observations[hop.parent].kind == "http.fetch"


async def test_a_ring_of_redirects_ends(autojump_clock: trio.testing.MockClock) -> None:
    case = await run(scripted_world(one_site(location=URL)))
    assert kinds(case).count("http.fetch") == 1 and case.observations[-1].detail == Conclusion("fixpoint", 4)


@pytest.mark.parametrize("reason", ["budget", "interrupted"])
async def test_stopping_keeps_every_fact_so_far(reason: str, autojump_clock: trio.testing.MockClock) -> None:
    stop = Stop()
    rows: list[Row] = []

    def note(o: Observation) -> None:
        if o.kind == "tls.handshake":
            stop.halt(reason)

    case = await run(scripted_world(one_site()), rows.append, stop=stop, note=note)
    detail = case.observations[-1].detail
    assert isinstance(detail, Conclusion) and detail.ended == reason
    assert sum(isinstance(row, ObservationRow) for row in rows) == len(case.observations)
    assert "tls.handshake" in kinds(case)
    assert {o.failure for o in case.observations if o.kind == "http.fetch"} <= {"interrupted"}


async def test_halted_before_it_began_nothing_is_sent(autojump_clock: trio.testing.MockClock) -> None:
    net, stop = one_site(), Stop()
    steps: list[Step] = []
    stop.halt("interrupted")
    case = await run(scripted_world(net), stop=stop, watch=steps.append)
    assert kinds(case) == ["measurement.end"] and net.asked == [] and steps == []
    assert case.observations[0].detail == Conclusion("interrupted", 0)


async def test_the_first_reason_to_stop_stands() -> None:
    stop = Stop()
    stop.halt("budget")
    stop.halt("interrupted")
    assert stop.reason == "budget"


async def test_a_full_disk_is_told_as_itself(autojump_clock: trio.testing.MockClock) -> None:
    def keep(row: Row) -> None:
        raise StoreError("no room")

    with pytest.RaisesGroup(StoreError, flatten_subgroups=True, allow_unwrapped=True):
        await run(scripted_world(one_site()), keep)


async def test_nobody_sees_a_fact_before_it_is_scrubbed(autojump_clock: trio.testing.MockClock) -> None:
    def scrub(row: Row) -> Row:
        return replace(row, ip="0.0.0.0") if isinstance(row, ObservationRow) and row.ip else row

    rows: list[Row] = []
    noted: list[Observation] = []
    case = await run(scripted_world(one_site()), rows.append, scrub=scrub, note=noted.append)
    seen = {o.ip for o in (*case.observations, *noted)}
    assert seen | {row.ip for row in rows if isinstance(row, ObservationRow)} == {None, "0.0.0.0"}


async def test_the_line_is_asked_about_once_at_the_end(autojump_clock: trio.testing.MockClock) -> None:
    async def line(case: Case, again: bool) -> LineState:
        return LineState(canaries_tried=len(case.observations))

    case = await run(scripted_world(one_site()), line=line)
    assert kinds(case)[-2:] == ["line.state", "measurement.end"] and kinds(case).count("line.state") == 1
    assert case.observations[-2].detail == LineState(canaries_tried=len(case.observations) - 2)


async def test_what_a_helper_says_is_kept_as_a_control(autojump_clock: trio.testing.MockClock) -> None:
    rows: list[Row] = []
    world = with_helper(scripted_world(one_site()), lambda url, n: helper_answer(url, IP, SITE, n))
    case = await run(world, rows.append, helpers=(HELPER,))
    (control,) = case.controls
    assert case.control_source == "helper" and control.measurement.answers == ME.measurement_id
    (kept,) = [row for row in rows if isinstance(row, Measurement)]
    assert kept == control.measurement and len(control.observations) == 6


@pytest.mark.parametrize("answer,word", [(b"", "json_parse_error"), (b"{}\n", "json_parse_error")])
async def test_a_helper_that_talks_nonsense_is_no_control(
    answer: bytes, word: str, autojump_clock: trio.testing.MockClock
) -> None:
    case = await run(with_helper(scripted_world(one_site()), lambda url, n: answer), helpers=(HELPER,))
    assert case.control_source == "unreachable" and case.controls == ()
    assert [o.failure for o in case.observations if isinstance(o.detail, ControlAsk)] == [word]


async def test_a_helper_must_not_use_an_id_of_others(autojump_clock: trio.testing.MockClock) -> None:
    rows: list[Row] = []
    world = with_helper(scripted_world(one_site()), lambda url, n: helper_answer(url, IP, SITE, n))
    case = await run(world, rows.append, helpers=(HELPER,), admit=lambda name: False)
    assert case.controls == () and not [row for row in rows if isinstance(row, Measurement)]


async def test_trials_and_repeats_follow_a_reset_that_the_control_does_not_see(
    autojump_clock: trio.testing.MockClock,
) -> None:
    steps: list[Step] = []
    world = with_helper(scripted_world(one_site(hello=RESET)), lambda url, n: helper_answer(url, IP, SITE, n))
    await run(world, helpers=(HELPER,), watch=steps.append)
    walks = [(s.sni, s.profile, s.attempt) for s in steps if isinstance(s, Walk) and s.port == 443 and not s.ttl]
    repeats = [(SITE, "", n) for n in (1, 2, 3)]
    trials = [("", "", 1), ("www.example.org", "", 1), ("www.example.org", "", 2)]
    assert sorted(walks) == sorted([*repeats, *trials, (SITE, "plain", 1), (SITE, "browser", 1)])


async def test_the_hop_of_a_reset_is_found_with_few_hellos(autojump_clock: trio.testing.MockClock) -> None:
    steps: list[Step] = []
    world = with_helper(scripted_world(one_site(hello=RESET)), lambda url, n: helper_answer(url, IP, SITE, n))
    case = await run(world, helpers=(HELPER,), watch=steps.append)
    climbed = [(s.sni, s.ttl, s.attempt) for s in steps if isinstance(s, Walk) and s.ttl]
    assert climbed[:3] == [(SITE, 1, 1), (SITE, 2, 1), (SITE, 3, 1)]
    assert sorted(climbed[3:5]) == [(SITE, 2, 2), (SITE, 3, 2)]
    assert sorted(climbed[5:]) == [("www.example.org", 3, 1), ("www.example.org", 3, 2), ("www.example.org", 255, 1)]
    said = judge(case, Reference("f" * 64), RULESET)
    assert (said.outcome, said.techniques, said.locus, said.hop) == ("blocked", ("tls.reset.sni",), "path", 3)


async def test_steps_are_bounded_whatever_the_answers(autojump_clock: trio.testing.MockClock) -> None:
    net = FakeNet()
    for n in range(60):
        add_site(net, f"s{n}.example", f"192.0.2.{n + 1}", location=f"https://s{n + 1}.example/")
    case = await run(scripted_world(net), url="https://s0.example/")
    detail = case.observations[-1].detail
    assert isinstance(detail, Conclusion) and detail.steps <= STEPS_MAX
    assert len({o.host for o in case.observations if o.host}) == 11
