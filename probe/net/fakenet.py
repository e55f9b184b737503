"""A scripted world behind `base.Net`, for tests of performers and of the engine: no sockets, no waiting.

    net = FakeNet()
    net.peers["192.0.2.1", 443] = Peer(tls={"example.org": Hello(says=(b"HTTP/1.1 200 OK\\r\\n\\r\\n",))})
    net.peers["192.0.2.2", 443] = Peer(connect=Failure("connection_refused", "ECONNREFUSED"))
    net.quic["192.0.2.1", 443] = {"example.org": QuicHello(says=(ResponseHead(200, ()), b"hello"))}
    net.resolvers["192.0.2.53", 53] = lambda question: (answer_to(question),)
    net.names["example.org", False] = ("192.0.2.1",)

Whatever is not scripted is silence: it times out. Time moves only by what operations are said to take, all of them on
one clock. `net.asked` lists every operation in order. A scripted SILENCE in a stream waits for ever, so the caller's
deadline must end it (use trio's `autojump_clock` fixture).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import trio

from probe.model.kinds import Icmp, TcpInfo
from probe.net.base import (
    Datagram,
    Dialed,
    Echoes,
    Failure,
    Heard,
    QuicPlan,
    QuicShaken,
    Resolved,
    Shaken,
    Stream,
    UdpPlan,
)
from probe.net.classify import DEADLINE
from probe.net.fakequic import FakeHttp3, QuicHello

# In a stream's script: nothing more ever comes. (A failure word of its own would be an end.)
SILENCE = DEADLINE
Part = bytes | Failure
# What a peer says: parts in order, or a function from the bytes sent since it last spoke to further parts.
Says = tuple[Part, ...] | Callable[[bytes], tuple[Part, ...]]
# What a resolver answers to a question: datagrams (bytes come from its own address after 10 ms), or a failure.
Answers = Callable[[bytes], tuple[bytes | Datagram, ...] | Failure]
# Any name that is not scripted by itself, and handshakes without one. A name after a profile and a slash is for hellos
# of that profile: `plain/example.org`, `browser/*`.
ANY_NAME = "*"


@dataclass(frozen=True, slots=True)
class Hello:
    """How a peer answers a ClientHello. With `failure` the handshake fails, else `says` is the application data. `hops`
    is how far a hello must come to be answered so; 0 means to the peer itself."""

    failure: Failure | None = None
    chain: tuple[bytes, ...] = ()
    says: Says = ()
    version: str | None = "TLSv1.3"
    cipher: str | None = "TLS_AES_128_GCM_SHA256"
    alpn: str | None = None
    alert: str | None = None
    ended: str | None = None
    first_bytes: bytes = b""
    hops: int = 0
    answer_us: int | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """What lives at an address and port: how it takes a connect, what it says in the clear, its TLS by name. `hops` is
    how far away it is; 0 is too near for any hop limit."""

    connect: Failure | None = None
    says: Says = ()
    tls: Mapping[str, Hello] = field(default_factory=dict)
    info: TcpInfo | None = None
    icmp: Icmp | None = None
    took_us: int = 10_000
    hops: int = 0


class FakeClock:
    """Moves only when told. Starts at a fixed Unix time (2026-01-01) and at monotonic 0; lag is a settable constant."""

    def __init__(self, unix_us: int = 1_767_225_600_000_000) -> None:
        self.unix_us, self.elapsed_us, self.lag = unix_us, 0, 0

    def advance(self, us: int) -> None:
        """Let time pass."""
        self.elapsed_us += us

    def now_us(self) -> int:
        return self.unix_us + self.elapsed_us

    def mono_us(self) -> int:
        return self.elapsed_us

    def lag_us(self, since_mono_us: int) -> int:
        return self.lag


class FakeStream:
    """A stream that follows a script, and an orderly close at its end. `sent` is everything sent."""

    def __init__(self, says: Says = (), peer: Peer | None = None) -> None:
        self.peer = peer or Peer()
        self.sent = b""
        self.closed = False
        self.ttl = 0
        self._answer = says if callable(says) else None
        self._parts = [] if callable(says) else list(says)
        self._answered = 0
        self._bytes_in = 0

    async def send(self, data: bytes) -> Failure | None:
        await trio.lowlevel.checkpoint()
        self.sent += data
        return Failure("interrupted", "closed") if self.closed else None

    async def receive(self, limit: int = 65536) -> bytes | Failure:
        await trio.lowlevel.checkpoint()
        part = self._next()
        if part is SILENCE:
            await trio.sleep_forever()
        if isinstance(part, Failure):
            return part
        data, rest = part[:limit], part[limit:]
        if rest:
            self._parts.insert(0, rest)
        self._bytes_in += len(data)
        return data

    def _next(self) -> Part:
        asked = self.sent[self._answered :]
        if not self._parts and self._answer and asked:
            self._answered = len(self.sent)
            self._parts = list(self._answer(asked))
        return self._parts.pop(0) if self._parts else b""

    @property
    def wire_in(self) -> int:
        return self._bytes_in

    def nudge(self) -> None:
        """Nobody to ask."""

    def narrow(self, window: int) -> None:
        """The script goes on as it is written."""

    def info(self) -> TcpInfo | None:
        return self.peer.info

    @property
    def bytes_in(self) -> int:
        return self._bytes_in

    @property
    def bytes_out(self) -> int:
        return len(self.sent)

    def close(self) -> None:
        self.closed = True


class FakeNet:
    """A scripted `base.Net`; see the top of the file."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.peers: dict[tuple[str, int], Peer] = {}
        self.quic: dict[tuple[str, int], Mapping[str, QuicHello]] = {}
        self.speaks_quic = True
        self.resolvers: dict[tuple[str, int], Answers] = {}
        self.names: dict[tuple[str, bool], tuple[str, ...] | Failure] = {}
        self.profiles = frozenset({"plain"})
        self.asked: list[tuple[object, ...]] = []
        self.streams: list[FakeStream] = []
        self.http3: list[FakeHttp3] = []
        # What setting a hop limit says: None where the system lets us.
        self.unlimited: Failure | None = None

    async def dial(self, ip: str, port: int, timeout_s: float) -> Dialed:
        self.asked.append(("dial", ip, port))
        peer = self.peers.get((ip, port), Peer(connect=DEADLINE))
        at_us, took_us = await self._spend(peer.connect, peer.took_us, timeout_s)
        stream = None if peer.connect else self._opened(peer.says, peer)
        return Dialed(stream, peer.connect, at_us, took_us, peer.info, peer.icmp, self.clock.lag)

    async def shake(
        self,
        stream: Stream,
        sni: str | None,
        alpn: tuple[str, ...],
        timeout_s: float,
        max_version: str | None = None,
        profile: str = "",
        ech: bytes = b"",
    ) -> Shaken:
        self.asked.append(("shake", sni, alpn, max_version, *((profile,) if profile else ())))
        # A stream that counts for one of ours has it inside.
        inner = getattr(stream, "inner", stream)
        peer = inner.peer if isinstance(inner, FakeStream) else Peer()
        silent = Hello(failure=DEADLINE, version=None, cipher=None, ended="silence")
        by_profile = peer.tls.get(f"{profile}/{sni or ANY_NAME}") if profile else None
        hello = by_profile or peer.tls.get(sni or ANY_NAME) or peer.tls.get(ANY_NAME, silent)
        if isinstance(inner, FakeStream) and 0 < inner.ttl < (hello.hops or peer.hops):
            hello = silent
        at_us, took_us = await self._spend(hello.failure, peer.took_us, timeout_s)
        return Shaken(
            stream=None if hello.failure else self._opened(hello.says, peer),
            failure=hello.failure,
            at_us=at_us,
            took_us=took_us,
            chain=hello.chain,
            version=hello.version,
            cipher=hello.cipher,
            alpn=hello.alpn,
            alert=hello.alert,
            ended=hello.ended,
            first_bytes=hello.first_bytes,
            info=peer.info,
            lag_us=self.clock.lag,
            answer_us=hello.answer_us,
        )

    def limit(self, stream: Stream, ttl: int) -> Failure | None:
        self.asked.append(("limit", ttl))
        if isinstance(stream, FakeStream):
            stream.ttl = ttl
        return self.unlimited

    async def ask_udp(self, ip: str, port: int, payload: bytes, plan: UdpPlan, heard: Heard | None = None) -> Echoes:
        self.asked.append(("ask_udp", ip, port, payload, plan.ttl))
        if plan.ttl and self.unlimited:
            return Echoes((), self.unlimited, self.clock.now_us(), 0, 0)
        resolver = self.resolvers.get((ip, port))
        answer = resolver(payload) if resolver else DEADLINE
        failure = answer if isinstance(answer, Failure) else None
        came = () if isinstance(answer, Failure) else answer
        datagrams = tuple(d if isinstance(d, Datagram) else Datagram(d, (ip, port), 10_000, False) for d in came)
        at_us, took_us = await self._spend(failure, 10_000, plan.timeout_s)
        if heard is not None:
            for datagram in datagrams[: plan.max_datagrams]:
                heard(datagram)
        return Echoes(datagrams[: plan.max_datagrams], failure, at_us, took_us, 1, lag_us=self.clock.lag)

    async def shake_quic(
        self, ip: str, port: int, sni: str | None, alpn: tuple[str, ...], plan: QuicPlan
    ) -> QuicShaken:
        self.asked.append(("shake_quic", ip, port, sni))
        names = self.quic.get((ip, port), {})
        hello = names.get(sni or ANY_NAME) or names.get(ANY_NAME, QuicHello(DEADLINE, ended="silence"))
        at_us, took_us = await self._spend(hello.failure, hello.took_us, plan.quiet_s)
        if hello.failure is None:
            self.http3.append(FakeHttp3(hello.says))
        return hello.shaken(None if hello.failure else self.http3[-1], at_us, took_us, self.clock.lag)

    async def resolve(self, host: str, ipv6: bool, timeout_s: float) -> Resolved:
        self.asked.append(("resolve", host, ipv6))
        found = self.names.get((host, ipv6), DEADLINE)
        failure = found if isinstance(found, Failure) else None
        addresses = () if isinstance(found, Failure) else found
        at_us, took_us = await self._spend(failure, 5_000, timeout_s)
        return Resolved(addresses, failure, at_us, took_us, lag_us=self.clock.lag)

    def _opened(self, says: Says, peer: Peer) -> FakeStream:
        self.streams.append(FakeStream(says, peer))
        return self.streams[-1]

    async def _spend(self, failure: Failure | None, usual_us: int, timeout_s: float) -> tuple[int, int]:
        """Begin now, take the usual time or, in silence, all there is."""
        await trio.lowlevel.checkpoint()
        at_us = self.clock.now_us()
        took_us = round(timeout_s * 1_000_000) if failure == DEADLINE else usual_us
        self.clock.advance(took_us)
        return at_us, took_us
