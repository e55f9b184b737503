"""Planning over random worlds: it ends, it stays with the target's own addresses, and it never takes anything back."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from probe.checks import CHECKS, Question
from probe.checks.question import Door
from probe.checks.web.born import COMPARED
from probe.checks.web.ladder import MOST_TRIES
from probe.engine import STEPS_MAX
from probe.model.step import AskControl, AskLine, Lookup, Step, Visit, Walk
from probe.model.target import address_of, parse_target
from probe.verdict.case import Case, Control
from probe.verdict.read import HOP_TRIAL, TRIAL, addresses_of
from tests.cases import case, measurement
from tests.cases.build import HELPER, Side

URLS = ("https://site.example/", "http://site.example/", "http://192.0.2.1/", "https://192.0.2.1/")
SAID = ("192.0.2.1", "192.0.2.2 198.51.100.3", "10.0.0.1", "empty", "nxdomain", "timeout", "refused")
MET = (
    "ok", "shaken", "tcp timeout", "tcp noroute", "tls reset", "tls timeout", "cert expired", "http reset", "cut",
    "page 403", "page 302", "skipped special_address",
)  # fmt: skip
DOOR = Door("198.51.100.5", 443, 8765)
LOCATIONS = ("https://www.site.example/", "http://site.example/", "https://site.example/a", "http://192.0.2.9/")


@dataclass
class World:
    """Answers every step by a number drawn for it; remembers what was asked. `late` reorders the answers."""

    question: Question
    salt: int
    here: Side = field(init=False)
    controls: list[Control] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.here = Side("a" * 32, self.question.target)

    def case(self) -> Case:
        return case(self.here, tuple(self.controls), "helper" if self.controls else "none")

    def pick(self, pool: tuple[str, ...], *key: object) -> str:
        seed = hashlib.sha256(repr((self.salt, *key)).encode()).digest()
        return pool[seed[0] % len(pool)]

    def answer(self, step: Step) -> None:
        """Add the facts that this world gives to a step."""
        match step:
            case Lookup():
                said = self.pick(SAID, step.host, step.resolver, step.qtype, step.attempt, step.ttl)
                self.here.lookup(
                    step.resolver, step.qtype, said, host=step.host, attempt=step.attempt, why=step.why, ttl=step.ttl
                )
            case Walk():
                self._walk(self.here, step)
            case AskControl():
                self._control(step)
            case Visit():
                self._visit(step)

    def _visit(self, step: Visit) -> None:
        """Innocent names, then the name, as far as it leads."""
        for n, name in enumerate(step.innocent):
            self.here.walk(step.ip, self.pick(MET, step.ip, name, n), trial="innocent_there")
        self.here.walk(step.ip, self.pick(MET, step.ip, step.host), times=step.tries, trial="named_there")

    def _walk(self, side: Side, step: Walk) -> None:
        met = self.pick(MET, side.name, step.ip, step.attempt, step.sni, step.ttl, step.profile)
        scheme = "https" if step.sni is not None else "http"
        url = step.fetch.url if step.fetch else f"{scheme}://{step.host}/"
        if step.profile:
            side.walk(step.ip, met, attempt=step.attempt, hello=step.profile)
        elif step.why.startswith("name trial"):
            side.walk(step.ip, met, attempt=step.attempt, trial=step.sni != step.host, ttl=step.ttl)
        elif step.why.startswith("sibling"):
            side.walk(step.ip, "tcp timeout" if met.startswith("tcp") else "shaken", sibling=True)
        else:
            location = self.pick(LOCATIONS, url, step.ip) if met == "page 302" else None
            side.walk(step.ip, met, attempt=step.attempt, url=url, location=location)

    def _control(self, step: AskControl) -> None:
        name = f"{len(self.controls) + 1:032x}"
        side = Side(name, self.question.target)
        for qtype in ("A", "AAAA"):
            side.lookup("udp://192.0.2.53", qtype, self.pick(SAID, "control", qtype))
        for host, ip, port in step.endpoints:
            self._walk(side, Walk(host, ip, port, host if port == 443 else None))
        self.controls.append(Control(measurement(name, self.question.target), tuple(side.facts)))
        self.here.asked(name)


questions = st.builds(
    Question,
    st.sampled_from(URLS).map(parse_target),
    resolvers=st.sampled_from(
        (("system",), ("network", "https://192.0.2.9/q"), ("system", "network", "udp://192.0.2.8"))
    ),
    helpers=st.sampled_from(((), (HELPER,))),
    doors=st.sampled_from(((), (DOOR,))),
)
worlds = st.builds(World, questions, st.integers(0, 2**32))


def play(world: World, last_first: bool = False) -> Iterator[tuple[frozenset[Step], Case]]:
    """Run to the end as the engine does; yields what is proposed at each moment, and the facts it rests on."""
    asked: set[Step] = set()
    queue: deque[Step] = deque()
    while True:
        proposed = frozenset(CHECKS["web"](world.question, world.case()))
        yield proposed, world.case()
        queue += [step for step in CHECKS["web"](world.question, world.case()) if step not in asked | set(queue)]
        if not queue:
            return
        step = queue.pop() if last_first else queue.popleft()
        asked.add(step)
        world.answer(step)


@given(worlds, st.booleans())
def test_it_ends_for_any_answers(world: World, last_first: bool) -> None:
    moments = list(play(world, last_first))
    assert len(moments) <= STEPS_MAX


@given(worlds, st.booleans())
def test_only_addresses_of_the_target_are_walked(world: World, last_first: bool) -> None:
    for proposed, known in play(world, last_first):
        for step in proposed:
            if isinstance(step, Walk):
                sides = (known.observations, *(c.observations for c in known.controls))
                found = {ip for facts in sides for ip in addresses_of(facts, step.host)}
                assert step.ip in found or step.ip == address_of(step.host)
            if isinstance(step, Visit):
                assert (step.ip, step.port, step.asks) == (DOOR.ip, DOOR.port, DOOR.asks)


def endpoint(step: Walk) -> tuple[object, ...]:
    return (step.host, step.ip, step.port, step.sni, step.why.startswith("name trial"))


@given(worlds, st.booleans())
def test_no_endpoint_is_ever_taken_back(world: World, last_first: bool) -> None:
    """A walk may later be planned with a page or without one, and a repeat that is no longer worth it is dropped; what
    was once to be connected to stays so."""
    before: set[tuple[object, ...]] = set()
    for proposed, _ in play(world, last_first):
        plain = {endpoint(s) for s in proposed if isinstance(s, Walk) and s.attempt == 1 and s.why == "plan"}
        assert before <= plain
        before = plain


@given(worlds, st.booleans())
def test_lookups_once_proposed_stay_proposed(world: World, last_first: bool) -> None:
    """Trials may be dropped, as repeats are, when they are no longer worth it."""
    before: set[Lookup] = set()
    for proposed, _ in play(world, last_first):
        first = {s for s in proposed if isinstance(s, Lookup) and s.attempt == 1 and not s.why.startswith(TRIAL)}
        assert before <= first
        before = first


@given(worlds)
def test_the_same_facts_give_the_same_steps(world: World) -> None:
    for proposed, known in play(world):
        assert frozenset(CHECKS["web"](world.question, known)) == proposed


@given(worlds, st.booleans())
def test_few_packets_are_sent_to_die(world: World, last_first: bool) -> None:
    sent = {s for proposed, _ in play(world, last_first) for s in proposed if isinstance(s, Lookup | Walk) and s.ttl}
    assert all(s.why == HOP_TRIAL for s in sent)
    of_endpoints = Counter((s.host, s.ip if isinstance(s, Walk) else s.resolver) for s in sent)
    assert all(count <= MOST_TRIES + COMPARED + 1 for count in of_endpoints.values())


@given(worlds)
def test_repeats_are_bounded_and_spaced(world: World) -> None:
    for proposed, _ in play(world):
        for step in proposed:
            assert 1 <= step.attempt <= world.question.attempts
            # A look at the line stands beside a try, and does not wait.
            assert step.attempt == 1 or isinstance(step, AskLine) or step.not_before_s >= world.question.gap_s(2)
