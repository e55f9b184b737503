"""Lookups against real resolvers on loopback: datagrams, TCP, TLS and HTTP/2, with a real trust store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rrset
import h2.config
import h2.connection
import h2.events
import pytest
import trio

from probe.model.kinds import DnsLookup
from probe.model.step import Lookup
from probe.net.trionet import TrioNet
from probe.net.trust import TrustStore
from probe.perform import perform_lookup
from probe.wire.dns import frame
from tests.loopback.servers import CA, serving, tls_context
from tests.unit.perform.kit import Facts, world_of

Answerer = Callable[[bytes], tuple[bytes, ...]]


def reply(question: bytes, address: str, *, tc: bool = False) -> bytes:
    query = dns.message.from_wire(question)
    response = dns.message.make_response(query, recursion_available=True)
    if tc:
        response.flags |= dns.flags.TC
    else:
        response.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", address))
    return response.to_wire()


@asynccontextmanager
async def datagrams(answer: Answerer, port: int = 0) -> AsyncIterator[int]:
    sock = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
    await sock.bind(("127.0.0.1", port))

    async def serve() -> None:
        while True:
            data, peer = await sock.recvfrom(4096)
            for wire in answer(data):
                await sock.sendto(wire, peer)

    with sock:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            yield sock.getsockname()[1]
            nursery.cancel_scope.cancel()


async def framed(stream: trio.abc.Stream) -> None:
    """A resolver that answers one framed question with 127.9.9.9, its answer in two pieces."""
    held = b""
    while len(held) < 2 or len(held) < 2 + int.from_bytes(held[:2], "big"):
        held += await stream.receive_some()
    answer = frame(reply(held[2:], "127.9.9.9"))
    await stream.send_all(answer[:1])
    await stream.send_all(answer[1:])


async def look(resolver: str, roots: tuple[bytes, ...] = ()) -> Facts:
    facts = Facts()
    await perform_lookup(Lookup("example.org", "A", resolver), world_of(TrioNet(), TrustStore(roots)), facts)
    return facts


async def test_two_answers_a_stray_and_rubbish() -> None:
    def answers(q: bytes) -> tuple[bytes, ...]:
        return b"\xff\xff" + reply(q, "127.1.1.1")[2:], reply(q, "127.6.6.6"), q[:2] + b"\x81", reply(q, "127.9.9.9")

    async with datagrams(answers) as port:
        facts = await look(f"udp://127.0.0.1:{port}")
    details = [detail for _, detail in facts.of(DnsLookup)]
    assert [detail.id_ok for detail in details] == [False, True, True, True]
    assert [record.data for detail in details for record in detail.answers] == ["127.1.1.1", "127.6.6.6", "127.9.9.9"]
    assert details[2].raw == "malformed: ShortHeader"
    assert all(draft.took_us > 0 for draft in facts.drafts)


async def test_a_wrong_id_alone_is_no_answer() -> None:
    async with datagrams(lambda q: (b"\xff\xff" + reply(q, "127.1.1.1")[2:],)) as port:
        facts = await look(f"udp://127.0.0.1:{port}")
    assert [draft.failure for draft in facts.drafts] == [None, "generic_timeout_error"]


async def test_cut_answer_is_asked_again_over_tcp() -> None:
    async with serving(framed) as port, datagrams(lambda q: (reply(q, "", tc=True),), port):
        facts = await look(f"udp://127.0.0.1:{port}")
    engines = [(detail.engine, detail.flags[1], len(detail.answers)) for _, detail in facts.of(DnsLookup)]
    assert [engine for engine, _, _ in engines] == ["udp", "tcp"]
    assert engines[0][1] == "tc" and engines[1][2] == 1


async def test_nobody_there() -> None:
    async with datagrams(lambda q: ()) as port:
        pass
    (draft,) = (await look(f"udp://127.0.0.1:{port}")).drafts
    assert draft.failure in ("connection_refused", "generic_timeout_error")
    (draft,) = (await look(f"tcp://127.0.0.1:{port}")).drafts
    assert draft.failure == "connection_refused"


@pytest.mark.parametrize("trusted,note", [(True, "verified"), (False, "unverified:")])
async def test_over_tls(trusted: bool, note: str) -> None:
    async with serving(framed, tls_context("dns.example")) as port:
        facts = await look(f"tls://127.0.0.1:{port}?name=dns.example", (CA,) if trusted else ())
    draft, detail = facts.one(DnsLookup)
    assert draft.failure is None and (detail.note or "").startswith(note)
    assert detail.answers[0].data == "127.9.9.9"


async def http2(stream: trio.abc.Stream) -> None:
    """A DoH server over HTTP/2, by hand."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    body = b""
    while data := await stream.receive_some():
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                body += event.data or b""
            elif isinstance(event, h2.events.StreamEnded):
                assert event.stream_id is not None
                headers = [(":status", "200"), ("content-type", "application/dns-message")]
                connection.send_headers(event.stream_id, headers)
                connection.send_data(event.stream_id, reply(body, "127.9.9.9"), end_stream=True)
        await stream.send_all(connection.data_to_send())


@pytest.mark.parametrize("name,note", [("dns.example", "verified"), ("other.example", "unverified:wrong_name")])
async def test_over_https(name: str, note: str) -> None:
    async with serving(http2, tls_context("dns.example", alpn=("h2",))) as port:
        facts = await look(f"https://127.0.0.1:{port}/dns-query?name={name}", (CA,))
    draft, detail = facts.one(DnsLookup)
    assert (draft.failure, detail.note, detail.engine) == (None, note, "https")
    assert detail.id_ok and detail.answers[0].data == "127.9.9.9"


async def test_https_that_does_not_know_the_question() -> None:
    async def refuses(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    async with serving(refuses, tls_context("dns.example")) as port:
        draft, detail = (await look(f"https://127.0.0.1:{port}/dns-query?name=dns.example", (CA,))).one(DnsLookup)
    assert (draft.failure, detail.raw) == ("http_request_failed", "HTTP 404")
