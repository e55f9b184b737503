"""Visits to a helper's door: stage by stage, one visitor at a time, and what each leaves behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from probe.model.kinds import HttpFetch, Skipped, TcpConnect
from probe.model.step import Visit
from probe.net.base import Dialed, Failure
from probe.net.fakenet import FakeNet, Hello, Peer
from probe.perform import PERFORMERS
from probe.perform.turns import PATIENCE_S, SHUT_S
from probe.perform.world import World
from probe.verdict.read import ALIVE_THERE, HOST_THERE, INNOCENT_HOST_THERE, INNOCENT_THERE, NAMED_THERE
from tests.unit.perform.kit import Facts, world_of

RESET = Failure("connection_reset", "ECONNRESET")
REFUSED = Failure("connection_refused", "ECONNREFUSED")
IP, DOOR, ASKS = "198.51.100.5", 443, 8765
INNOCENT = ("www.example.org", "www.v0.example")
GOOD, CUT = Hello(chain=(b"door",)), Hello(failure=RESET, ended="rst")


def visit(host: str = "site.example") -> Visit:
    return Visit(host, IP, DOOR, ASKS, INNOCENT, why="name trial: at the helper")


class Residual(FakeNet):
    """A net in which the door is refused once the stopped name was sent there."""

    async def dial(self, ip: str, port: int, timeout_s: float) -> Dialed:
        if port == DOOR and ("shake", "site.example", ("h2", "http/1.1"), None) in self.asked:
            self.peers[ip, port] = Peer(connect=REFUSED)
        return await super().dial(ip, port, timeout_s)


def net_with(make: Callable[[], FakeNet] = FakeNet, /, **tls: Hello) -> FakeNet:
    net = make()
    names = {"name": "site.example", "first": INNOCENT[0], "second": INNOCENT[1]}
    net.peers[IP, DOOR] = Peer(tls={"*": GOOD} | {names[key]: hello for key, hello in tls.items()})
    net.peers[IP, ASKS] = Peer()
    return net


async def told(net: FakeNet, world: World | None = None) -> list[tuple[str, int, str | None]]:
    """(why, attempt, failure) of every handshake of a visit, then of connects that failed or were all there was."""
    facts = Facts()
    await PERFORMERS[Visit](visit(), world or world_of(net), facts)
    rows = [(d.why, d.attempt, d.failure) for d in facts.drafts if d.kind == "tls.handshake"]
    rows += [(d.why, d.attempt, d.failure) for d in facts.drafts if d.kind == "tcp.connect" and d.failure]
    rows += [(d.why, d.attempt, d.failure) for d in facts.drafts if d.why == ALIVE_THERE]
    return rows


BEFORE = [(INNOCENT_THERE, 1, None), (INNOCENT_THERE, 1, None)]
STOPPED = [(NAMED_THERE, 1, RESET.word), (NAMED_THERE, 2, RESET.word)]


@pytest.mark.parametrize(
    "tls,rows",
    [
        ({"name": CUT}, [*BEFORE, *STOPPED, (INNOCENT_THERE, 2, None)]),
        ({}, [*BEFORE, (NAMED_THERE, 1, None)]),
        ({"first": CUT}, [(INNOCENT_THERE, 1, RESET.word)]),
        ({"second": CUT, "name": CUT}, [BEFORE[0], (INNOCENT_THERE, 1, RESET.word)]),
    ],
    ids=["the name is stopped", "the name passes", "the door leads nowhere", "a server that knows no such name"],
)
async def test_it_goes_as_far_as_it_leads(
    tls: dict[str, Hello], rows: list[tuple[str, int, str | None]], autojump_clock: trio.testing.MockClock
) -> None:
    assert await told(net_with(**tls)) == rows


async def test_a_door_left_shut_is_told_from_a_helper_that_is_gone(autojump_clock: trio.testing.MockClock) -> None:
    rows = await told(net_with(Residual, name=CUT))
    assert rows == [
        *BEFORE, STOPPED[0],
        (NAMED_THERE, 2, REFUSED.word), (INNOCENT_THERE, 2, REFUSED.word), (ALIVE_THERE, 1, None),
    ]  # fmt: skip


async def test_one_visitor_at_a_time(autojump_clock: trio.testing.MockClock) -> None:
    """Each visit ends before the next one begins, whoever comes first."""
    net = net_with(name=CUT)
    facts, world = Facts(), world_of(net)
    async with trio.open_nursery() as nursery:
        for host in ("a.example", "b.example", "c.example"):
            nursery.start_soon(PERFORMERS[Visit], visit(host), world, facts)
    hosts = [d.host for d in facts.drafts if d.kind == "tcp.connect"]
    assert len(set(hosts)) == 3 and hosts == sorted(hosts, key=lambda host: hosts.index(host))


async def test_after_a_door_was_left_shut_it_is_spared(autojump_clock: trio.testing.MockClock) -> None:
    net = net_with(Residual, name=CUT)
    world = world_of(net)
    await told(net, world)
    dialled = len(net.asked)
    facts = Facts()
    await PERFORMERS[Visit](visit("b.example"), world, facts)
    draft, detail = facts.one(Skipped)
    assert (draft.failure, detail.step, detail.because, len(net.asked)) == ("skipped", "visit", "budget", dialled)
    net.peers[IP, DOOR] = Peer(tls={"*": GOOD})
    net.asked.clear()
    await trio.sleep(SHUT_S - PATIENCE_S)
    await PERFORMERS[Visit](visit("b.example"), world, facts)
    assert [draft.failure for draft, _ in facts.of(TcpConnect)] == [None, None, None]


async def test_who_cannot_wait_any_longer_goes_without(autojump_clock: trio.testing.MockClock) -> None:
    world, facts = world_of(net_with()), Facts()

    async def stay(task_status: trio.TaskStatus[None]) -> None:
        async with world.turns.wait_turn(IP):
            task_status.started()
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        await nursery.start(stay)
        await PERFORMERS[Visit](visit(), world, facts)
        nursery.cancel_scope.cancel()
    assert facts.one(Skipped)[1].because == "budget"


# ---- in the clear ----

URL = "http://site.example/story"
DOOR_PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndoor"
NOTICE = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nnotice"


def in_the_clear(answer: bytes | Failure) -> FakeNet:
    """A door that gives its page to every name; the path answers, or breaks off, for the site's own."""
    net = FakeNet()
    net.peers[IP, DOOR] = Peer(says=lambda sent: (answer if b"Host: site.example" in sent else DOOR_PAGE,))
    return net


@pytest.mark.parametrize(
    "answer,failure,body",
    [(NOTICE, None, 6), (RESET, RESET.word, 0), (DOOR_PAGE, None, 4)],
    ids=["a notice", "a reset", "the door's page"],
)
async def test_in_the_clear_all_tries_are_made(
    answer: bytes | Failure, failure: str | None, body: int, autojump_clock: trio.testing.MockClock
) -> None:
    facts = Facts()
    step = Visit("site.example", IP, DOOR, ASKS, INNOCENT, 2, URL, why="name trial: at the helper")
    await PERFORMERS[Visit](step, world_of(in_the_clear(answer)), facts)
    told = [(d.why, d.attempt, d.failure, fetch.url, fetch.body_bytes) for d, fetch in facts.of(HttpFetch)]
    fronts = [f"http://{name}/" for name in INNOCENT]
    assert told == [
        *((INNOCENT_HOST_THERE, 1, None, front, 4) for front in fronts),
        *((HOST_THERE, n, failure, URL, body) for n in (1, 2)),
        (INNOCENT_HOST_THERE, 2, None, fronts[0], 4),
    ]
