"""Whatever a peer sends, a performer returns, and its facts can be stored and read back."""

from __future__ import annotations

import dns.message
import dns.name
import dns.rrset
import h2.config
import h2.connection
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.model.kinds import HttpFetch
from probe.model.step import Fetch, Lookup, Walk
from probe.net.fakenet import FakeNet, Hello, Peer
from probe.perform import perform_lookup, perform_walk
from probe.wire.facts import MAX_DETAIL, detail_of, detail_text
from tests.unit.perform.kit import Facts, world_of

HEAD = b"HTTP/1.1 200 OK\r\n"
FRAGMENTS = (
    HEAD,
    b"\r\n",
    b"\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 7\r\n",
    b"Location: //[\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Content-Type: text/html; charset=utf-16\r\n",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    b"Set-Cookie: \xff=\x80\r\n",
    b"<title>\xd8\x00</title>",
    b"HTTP/1.1 103 x\r\n\r\n",
    b"HTTP/1.1 302 \xff\r\n",
)
PIECES = st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(FRAGMENTS)), max_size=8)
FRAMES = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 255), st.sampled_from([0, 1, 3]), st.binary(max_size=40)), max_size=6
)


def storable(facts: Facts) -> None:
    for draft in facts.drafts:
        text = detail_text(draft.detail)
        assert len(text.encode()) < MAX_DETAIL
        assert detail_of(draft.kind, text) == draft.detail


def fetched(alpn: str, says: tuple[bytes, ...]) -> Facts:
    facts = Facts()

    async def run() -> None:
        net = FakeNet()
        net.peers["192.0.2.1", 443] = Peer(tls={"*": Hello(chain=(b"leaf",), alpn=alpn, says=says)})
        step = Walk("example.org", "192.0.2.1", 443, "example.org", Fetch("https://example.org/"))
        await perform_walk(step, world_of(net), facts)

    trio.run(run)
    return facts


@given(PIECES)
@settings(max_examples=150, deadline=None)
def test_http1(pieces: list[bytes]) -> None:
    facts = fetched("http/1.1", tuple(piece for piece in pieces if piece))
    draft, _ = facts.one(HttpFetch)
    assert draft.failure != "unknown_failure"
    storable(facts)


@given(FRAMES, st.binary(max_size=20))
@settings(max_examples=150, deadline=None)
def test_http2(frames: list[tuple[int, int, int, bytes]], tail: bytes) -> None:
    wire = b"\0\0\0\4\0\0\0\0\0" + b"".join(
        len(body).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + body
        for kind, flags, stream, body in frames
    )
    facts = fetched("h2", (wire + tail,))
    draft, detail = facts.one(HttpFetch)
    assert draft.failure != "unknown_failure", detail.raw
    storable(facts)


@given(FRAMES)
@settings(max_examples=100, deadline=None)
def test_http2_after_a_good_head(frames: list[tuple[int, int, int, bytes]]) -> None:
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    client = h2.connection.H2Connection()
    client.initiate_connection()
    client.send_headers(1, [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "x")])
    server.initiate_connection()
    server.receive_data(client.data_to_send())
    server.send_headers(1, [(":status", "200"), ("content-length", "9")])
    rest = b"".join(
        len(body).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + body
        for kind, flags, stream, body in frames
    )
    facts = fetched("h2", (server.data_to_send() + rest,))
    draft, detail = facts.one(HttpFetch)
    assert detail.status == 200 or draft.failure is not None
    storable(facts)


@given(st.lists(st.binary(max_size=80), max_size=3))
@settings(max_examples=100, deadline=None)
def test_datagrams(datagrams: list[bytes]) -> None:
    facts = Facts()

    async def run() -> None:
        net = FakeNet()
        net.resolvers["192.0.2.53", 53] = lambda q: tuple(q[:2] + d for d in datagrams)
        await perform_lookup(Lookup("example.org", "A", "udp://192.0.2.53"), world_of(net), facts)

    trio.run(run)
    assert len(facts.drafts) >= len(datagrams)
    storable(facts)


async def test_the_biggest_answer_fits_into_a_fact() -> None:
    def huge(question: bytes) -> tuple[bytes, ...]:
        response = dns.message.make_response(dns.message.from_wire(question))
        owner = dns.name.Name([b"\x01" * 63, b"\x02" * 63, b"\x03" * 63, b"\x04" * 60, b""])
        for section in (response.answer, response.authority):
            for i in range(400):
                section.append(dns.rrset.from_text(owner, i, "IN", "NS", owner.to_text()))
        return (response.to_wire(max_size=65_535),)

    net, facts = FakeNet(), Facts()
    net.resolvers["192.0.2.53", 53] = huge
    await perform_lookup(Lookup("example.org", "A", "udp://192.0.2.53"), world_of(net), facts)
    storable(facts)
