"""The first words with helpers, and the doors that come of them."""

from __future__ import annotations

import ipaddress

import httpx
import pytest

from probe.app.greeting import Greeting, find_doors, greet, opened, seen_by
from probe.checks.question import Door
from probe.net.base import Failure
from probe.net.fakenet import FakeNet
from probe.perform.world import Policy
from probe.wire.control import SeenClient

A, B = "https://a.example", "https://b.example:8443"
PRIVATE = Policy(((ipaddress.ip_network("10.0.0.0/8"), "Private-Use"),))


def client(answers: dict[str, dict[str, object]]) -> httpx.AsyncClient:
    def handle(request: httpx.Request) -> httpx.Response:
        said = answers.get(request.url.host)
        return httpx.Response(200, json=said) if said is not None else httpx.Response(200, content=b"nonsense")

    return httpx.AsyncClient(transport=httpx.MockTransport(handle))


@pytest.mark.parametrize(
    "ports,wanted",
    [([443, 80], (443, 80)), ([0, 70_000, "443", None, True, 8443], ()), ([1, 2, 3, 4, 5], (1, 2, 3, 4)), (443, ())],
)
async def test_a_helper_says_what_it_sees_and_where_its_door_is(ports: object, wanted: tuple[int, ...]) -> None:
    learnt: list[str] = []
    said = {"b.example": {"client": {"address": "203.0.113.9", "cc": "FD"}, "trial_ports": ports}}
    (greeting,) = await greet(client(said), (A, B), learnt.append)
    assert greeting == Greeting(B, SeenClient("203.0.113.9", "FD"), wanted) and learnt == ["203.0.113.9"]
    assert seen_by((greeting,)).cc == "FD" and seen_by(()) == SeenClient()


async def test_doors_are_the_trial_port_and_where_questions_go_over_tls() -> None:
    net = FakeNet()
    net.names["b.example", False] = ("198.51.100.5", "198.51.100.6")
    net.names["b.example", True] = ("2001:db8::5",)
    doors = await find_doors([Greeting(B, trial_ports=(443,))], net, Policy())
    assert doors == tuple(Door(ip, port, 8443) for ip in ("198.51.100.5", "2001:db8::5") for port in (443, 8443))
    assert [d.is_apart for d in doors] == [True, False, True, False]
    assert opened(doors[:1]) == {("198.51.100.5", 443), ("198.51.100.5", 8443)}


@pytest.mark.parametrize(
    "greeting",
    [
        Greeting("http://198.51.100.5:8765"),
        Greeting("https://10.1.2.3", trial_ports=(443,)),
        Greeting("https://gone.example", trial_ports=(443,)),
    ],
    ids=["neither TLS nor a door", "a private address", "a name that leads nowhere"],
)
async def test_no_door(greeting: Greeting) -> None:
    net = FakeNet()
    net.names["gone.example", False] = net.names["gone.example", True] = Failure("dns_nxdomain_error", "EAI_NONAME")
    assert await find_doors([greeting], net, PRIVATE) == ()


async def test_a_door_beside_plain_questions() -> None:
    (door,) = await find_doors([Greeting("http://198.51.100.5:8765", trial_ports=(443,))], FakeNet(), PRIVATE)
    assert door == Door("198.51.100.5", 443, 8765)
