"""The helper's trial door: every name is taken, by every kind of hello, and nothing is kept."""

from __future__ import annotations

import pytest
import trio

from probe.helper.trialdoor import open_door
from probe.model.errors import ProbeError
from probe.model.kinds import HttpFetch, TlsHandshake, TlsVerify
from probe.model.step import Fetch, Walk
from probe.net.hellos import available
from probe.net.trionet import TrioNet
from probe.net.trust import TrustStore
from probe.perform import perform_walk
from probe.serve import Listen
from tests.loopback.net_peers import HOST
from tests.unit.perform.kit import Facts, world_of

NAMES = ("banned.example", "www.example.org", "www.v0123456789.example", "")


@pytest.mark.parametrize("profile", ["", *sorted(available() - {"ech"})])
async def test_any_name_is_shaken_hands_with_alike(profile: str) -> None:
    async with trio.open_nursery() as nursery:
        port = await nursery.start(open_door, Listen(HOST, 0))
        leaves = set()
        for name in NAMES:
            facts = Facts()
            world = world_of(TrioNet(), TrustStore(()))
            await perform_walk(Walk("banned.example", HOST, port, name, profile=profile), world, facts)
            draft, detail = facts.one(TlsHandshake)
            assert draft.failure is None and detail.sni == (name or None)
            # Nobody could take it for the site's own.
            assert facts.one(TlsVerify)[1].reason == "self_signed"
            leaves.add(detail.chain[0])
        nursery.cancel_scope.cancel()
    assert len(leaves) == 1


@pytest.mark.parametrize("host", ["banned.example", "www.example.org"])
async def test_any_plain_request_is_given_the_same_page(host: str) -> None:
    async with trio.open_nursery() as nursery:
        port = await nursery.start(open_door, Listen(HOST, 0))
        facts = Facts()
        walk = Walk("banned.example", HOST, port, None, Fetch(f"http://{host}/story?x=1"))
        await perform_walk(walk, world_of(TrioNet()), facts)
        nursery.cancel_scope.cancel()
    draft, page = facts.one(HttpFetch)
    assert draft.failure is None and (page.status, page.truncated) == (200, None)
    assert page.features is not None and page.features.title == "Trial door"
    assert host.encode() not in facts.blobs[page.body or ""].data


async def test_a_request_without_end_is_not_listened_to_for_ever() -> None:
    async with trio.open_nursery() as nursery:
        port = await nursery.start(open_door, Listen(HOST, 0))
        stream = await trio.open_tcp_stream(HOST, port)
        with pytest.raises(trio.BrokenResourceError):
            while True:
                await stream.send_all(b"GET / HTTP/1.1\r\nX: " + b"x" * 4096)
        await stream.aclose()
        nursery.cancel_scope.cancel()


async def test_visitors_who_talk_nonsense_or_leave_do_not_close_it() -> None:
    async with trio.open_nursery() as nursery:
        port = await nursery.start(open_door, Listen(HOST, 0))
        for said in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff"):
            stream = await trio.open_tcp_stream(HOST, port)
            if said:
                await stream.send_all(said)
            await stream.aclose()
        facts = Facts()
        await perform_walk(Walk("site.example", HOST, port, "site.example"), world_of(TrioNet()), facts)
        nursery.cancel_scope.cancel()
    assert facts.one(TlsHandshake)[0].failure is None


async def test_a_port_that_is_taken_is_said_in_one_line() -> None:
    async with trio.open_nursery() as nursery:
        port = await nursery.start(open_door, Listen(HOST, 0))
        with pytest.raises(ProbeError, match="cannot listen"):
            await open_door(Listen(HOST, port))
        nursery.cancel_scope.cancel()
