"""The seam to the outside: what a performer may do, as a protocol. `trionet` does it for real, `fakenet` by script.

Nothing here resolves names by itself, races addresses or raises for the network: a failure is returned as a value,
with the public word and the raw origin, from the place where it was born.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from probe.model.kinds import Icmp, TcpInfo


@dataclass(frozen=True, slots=True)
class Failure:
    """`word` is from `probe.model.failure`; `raw` the exact origin (ECONNRESET, EAI_AGAIN, SSL reason ...)."""

    word: str
    raw: str


class Clock(Protocol):
    """Wall and monotonic time in microseconds, and how late the event loop has been running."""

    def now_us(self) -> int:
        """Unix time."""
        ...

    def mono_us(self) -> int:
        """Monotonic time; durations are differences of it."""
        ...

    def lag_us(self, since_mono_us: int) -> int:
        """The worst lag of the event loop seen since that moment; 0 when it is not sampled."""
        ...


class Stream(Protocol):
    """A connected byte stream. Never raises for the network: sending returns a Failure or None, receiving bytes or
    a Failure; b"" is an orderly close. Deadlines are the caller's cancel scopes; a cancelled operation leaves the
    stream open."""

    async def send(self, data: bytes) -> Failure | None: ...

    async def receive(self, limit: int = 65536) -> bytes | Failure: ...

    def info(self) -> TcpInfo | None:
        """The kernel's account of the connection so far; None where the system has none."""
        ...

    @property
    def bytes_in(self) -> int: ...

    @property
    def bytes_out(self) -> int: ...

    @property
    def wire_in(self) -> int:
        """Bytes taken from the connection at the bottom, whatever they are wrapped in: they tell that it moves."""
        ...

    def nudge(self) -> None:
        """Have the kernel ask the far end's kernel, once a second of silence, whether it is still there (TCP
        keepalive): `info().quiet_ms` tells whether it answers. No data is sent."""
        ...

    def narrow(self, window: int) -> None:
        """Let no more than about so many bytes be on their way to us at once."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Dialed:
    """The end of a connect: a stream, or a failure and the kernel's story from the socket that was kept."""

    stream: Stream | None
    failure: Failure | None
    at_us: int
    took_us: int
    info: TcpInfo | None = None
    icmp: Icmp | None = None
    lag_us: int = 0


@dataclass(frozen=True, slots=True)
class Shaken:
    """The end of a TLS handshake. `stream` carries application data when it succeeded (whether or not the chain
    verifies: that is judged elsewhere). `chain` is DER, leaf first. `ended`: rst, fin, alert, silence, garbage, or
    None when it succeeded or the two sides had nothing in common. `bytes_*` and `info` are of the stream below.
    `answer_us` is from the hello's sending to the first thing that came back; None when nothing did. `ech` is accepted
    or rejected where an encrypted server name was sent and answered."""

    stream: Stream | None
    failure: Failure | None
    at_us: int
    took_us: int
    chain: tuple[bytes, ...] = ()
    version: str | None = None
    cipher: str | None = None
    alpn: str | None = None
    alert: str | None = None
    ended: str | None = None
    bytes_out: int = 0
    bytes_in: int = 0
    hello: bytes = b""
    first_bytes: bytes = b""
    info: TcpInfo | None = None
    lag_us: int = 0
    answer_us: int | None = None
    ech: str | None = None


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """The head of an HTTP/3 response: its status, and its headers as received (names are lower case there)."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]


class Http3(Protocol):
    """One request over a QUIC connection that is held. Never raises for the network. Deadlines are the caller's cancel
    scopes; a cancelled receive may be taken up again."""

    async def ask(self, headers: tuple[tuple[bytes, bytes], ...], header_cap: int) -> Failure | None:
        """Send the head of a request without a body, pseudo-headers first; once. More than `header_cap` bytes that
        bring nothing new are a failure."""
        ...

    async def receive(self) -> ResponseHead | bytes | Failure:
        """The head of the response, then its body as it comes; b"" at its end."""
        ...

    @property
    def ended(self) -> str | None:
        """How it ended, as far as we read: fin, reset (of the stream), close or silence (of the connection), or
        None."""
        ...

    @property
    def moved(self) -> tuple[int, int]:
        """Datagrams, and bytes in them, that the connection has moved both ways so far, its handshake included."""
        ...

    def close(self) -> None:
        """Close the connection, telling the peer."""
        ...


@dataclass(frozen=True, slots=True)
class QuicShaken:
    """The end of a QUIC handshake. `http3` is the connection when it succeeded (whether or not the chain verifies: that
    is judged elsewhere). `hello` is the ClientHello as a TLS record would carry it; all else as in `QuicHandshake`."""

    http3: Http3 | None
    failure: Failure | None
    at_us: int
    took_us: int
    chain: tuple[bytes, ...] = ()
    version: str | None = None
    cipher: str | None = None
    alpn: str | None = None
    alert: str | None = None
    ended: str | None = None
    close_code: int | None = None
    close_reason: str | None = None
    retry: bool = False
    versions: tuple[str, ...] = ()
    datagrams_out: int = 0
    datagrams_in: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    first_flight: int = 0
    first_us: int | None = None
    icmp: Icmp | None = None
    hello: bytes = b""
    lag_us: int = 0


@dataclass(frozen=True, slots=True)
class QuicPlan:
    """When to give up a QUIC handshake: `timeout_s` after it began, and `quiet_s` after the last datagram that came. By
    then an unanswered Initial has gone out five times (0, 0.2, 0.6, 1.4 and 3 s: RFC 9002 section 6.2, with aioquic's
    first guess of a round trip)."""

    timeout_s: float = 10.0
    quiet_s: float = 4.0


@dataclass(frozen=True, slots=True)
class Datagram:
    """One datagram that came back: when (microseconds after the first send), from where, whether the kernel stamped
    it, and how often the question had been sent by then."""

    data: bytes
    source: tuple[str, int]
    after_us: int
    kernel: bool
    sends: int = 1


# Called with each datagram the moment it arrives.
Heard = Callable[[Datagram], None]


@dataclass(frozen=True, slots=True)
class Echoes:
    """All that came back to one datagram question within its window."""

    datagrams: tuple[Datagram, ...]
    failure: Failure | None
    at_us: int
    took_us: int
    sends: int
    icmp: Icmp | None = None
    lag_us: int = 0


@dataclass(frozen=True, slots=True)
class Resolved:
    """What the system resolver said: addresses in its order, its canonical name, or a failure (`raw` is EAI_...)."""

    addresses: tuple[str, ...]
    failure: Failure | None
    at_us: int
    took_us: int
    canonical: str | None = None
    lag_us: int = 0


@dataclass(frozen=True, slots=True)
class UdpPlan:
    """When to send a datagram again (seconds after the first send), when to give up, and how long to go on listening
    after the first acceptable answer: `linger_rtts` round trips, by that answer or by what is known of the path to that
    address, whichever is longer; `linger_s` where nothing is known of it. `ttl` is the hop limit, 0 the usual one."""

    resend_s: tuple[float, ...] = (0.8, 2.0)
    timeout_s: float = 4.0
    linger_s: float = 0.15
    linger_rtts: float = 2.0
    max_datagrams: int = 8
    max_bytes: int = field(default=65535)
    ttl: int = 0


class Net(Protocol):
    """Everything a performer may ask of the outside world."""

    @property
    def clock(self) -> Clock: ...

    @property
    def profiles(self) -> frozenset[str]:
        """The kinds of ClientHello that can be sent beside the usual one: see `probe.net.hellos`."""
        ...

    async def dial(self, ip: str, port: int, timeout_s: float) -> Dialed:
        """Connect TCP to an address. Keeps the socket after a timeout long enough to read the kernel's story."""
        ...

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
        """A TLS handshake over a stream we hold, without verifying; the chain is kept even when it would not verify.
        `profile` is one of `profiles`, or "" for the usual hello; `ech` an ECHConfigList (RFC 9849)."""
        ...

    def limit(self, stream: Stream, ttl: int) -> Failure | None:
        """Let whatever a connected stream sends from now on die after `ttl` hops; a failure where that cannot be."""
        ...

    async def ask_udp(self, ip: str, port: int, payload: bytes, plan: UdpPlan, heard: Heard | None = None) -> Echoes:
        """Send a datagram, again as planned, and keep every datagram that comes back; `heard` is told of each at once.
        `payload[:2]` is a DNS id: the first datagram with it and the response bit starts the linger."""
        ...

    @property
    def speaks_quic(self) -> bool:
        """Whether `shake_quic` can be asked at all: it needs the extra `quic`."""
        ...

    async def shake_quic(
        self, ip: str, port: int, sni: str | None, alpn: tuple[str, ...], plan: QuicPlan
    ) -> QuicShaken:
        """A QUIC handshake with an address, without verifying; the chain is kept even when it would not verify."""
        ...

    async def resolve(self, host: str, ipv6: bool, timeout_s: float) -> Resolved:
        """getaddrinfo for one family, off the event loop."""
        ...
