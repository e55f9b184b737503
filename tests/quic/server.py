"""An HTTP/3 server over one UDP socket: many names, the demo's handlers, and some ways of being broken.

The core is aioquic's, the loop is trio's. Answers leave from the address that was dialled, so that one socket can be a
whole country's web (IP_PKTINFO; Linux).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import trio
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionIdIssued, ConnectionTerminated, HandshakeCompleted, QuicEvent
from aioquic.tls import load_pem_private_key, load_pem_x509_certificates

from probe.app.demo.webserver import Ends, Handler, Response
from probe.wire.quic import read_header
from tests.quic.initial import Reader

_IP_PKTINFO = 8  # linux/in.h; the module names it only since Python 3.12
# linux/in6.h: without it, answers may leave only from addresses that an interface bears, not from owned networks.
_IPV6_FREEBIND = 78
_CONTROL = 64


@dataclass(frozen=True)
class Identity:
    """What a name is served with: PEM of key, leaf and chain. `refuse` closes with that error code instead, and
    `silent` answers nothing at all; `idle_s` is how long it waits for the other end."""

    pem: bytes = b""
    refuse: int | None = None
    silent: bool = False
    idle_s: float = 60.0

    def configuration(self) -> QuicConfiguration:
        made = QuicConfiguration(is_client=False, alpn_protocols=["h3"], idle_timeout=self.idle_s)
        key, _, certificates = self.pem.partition(b"-----END PRIVATE KEY-----\n")
        made.private_key = load_pem_private_key(key + b"-----END PRIVATE KEY-----\n")
        made.certificate, *made.certificate_chain = load_pem_x509_certificates(certificates)
        return made


# The identity for a server name and the address that was dialled.
Choose = Callable[[str | None, str], Identity]


@dataclass
class _Peer:
    core: QuicConnection
    ends: Ends
    address: tuple[Any, ...]
    info: list[tuple[int, int, bytes]]
    http: H3Connection | None = None


@dataclass
class Http3Server:
    """`sock` is bound and non-blocking; see `udp_socket`."""

    sock: socket.socket
    choose: Choose
    handler: Handler
    _peers: dict[bytes, _Peer] = field(default_factory=dict)
    _readers: dict[tuple[Any, ...], Reader] = field(default_factory=dict)

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            timers = [at for peer in self._all() if (at := peer.core.get_timer()) is not None]
            with trio.move_on_at(min(timers, default=float("inf"))):
                await trio.lowlevel.wait_readable(self.sock)
            self._take_all()
            now = trio.current_time()
            for peer in self._all():
                timer = peer.core.get_timer()
                if timer is not None and timer <= now:
                    peer.core.handle_timer(now)
                self._serve(peer)

    def _all(self) -> list[_Peer]:
        return list({id(peer): peer for peer in self._peers.values()}.values())

    def _take_all(self) -> None:
        for _ in range(256):
            try:
                data, ancillary, _, address = self.sock.recvmsg(65536, _CONTROL)
            except OSError:
                return
            header = read_header(data)
            cid = header.dcid if header else data[1:9]
            peer = self._peers.get(cid) or (self._meet(data, address, ancillary) if header else None)
            if peer is not None:
                peer.core.receive_datagram(data, peer.address, now=trio.current_time())
                self._serve(peer)

    def _meet(self, data: bytes, address: tuple[Any, ...], ancillary: list[tuple[int, int, bytes]]) -> _Peer | None:
        """A new connection, once the name it asks for is known."""
        reader = self._readers.setdefault(address, Reader())
        if not reader.feed(data):
            return None
        del self._readers[address]
        local, info = _local(ancillary)
        identity = self.choose(reader.sni, local or self.sock.getsockname()[0])
        header = read_header(data)
        if identity.silent or header is None:
            return None
        core = QuicConnection(
            configuration=identity.configuration(), original_destination_connection_id=header.dcid
        )  # fmt: skip
        peer = _Peer(core, Ends(address[0], local, True), address, info)
        self._peers[header.dcid] = self._peers[core.host_cid] = peer
        if identity.refuse is not None:
            core.receive_datagram(data, address, now=trio.current_time())
            core.close(error_code=identity.refuse, frame_type=0, reason_phrase="not here")
            self._send(peer)
            return None
        return peer

    def _serve(self, peer: _Peer) -> None:
        while (event := peer.core.next_event()) is not None:
            self._handle(peer, event)
        self._send(peer)

    def _handle(self, peer: _Peer, event: QuicEvent) -> None:
        if isinstance(event, ConnectionIdIssued):
            self._peers[event.connection_id] = peer
        elif isinstance(event, ConnectionTerminated):
            self._peers = {cid: other for cid, other in self._peers.items() if other is not peer}
        elif isinstance(event, HandshakeCompleted):
            peer.http = H3Connection(peer.core)
        for told in peer.http.handle_event(event) if peer.http else ():
            if isinstance(told, HeadersReceived):
                self._answer(peer, peer.http, told)

    def _answer(self, peer: _Peer, http: H3Connection | None, told: HeadersReceived) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in told.headers}
        request = peer.ends.request(headers.get(":method", "GET"), headers.get(":path", "/"), headers, b"")
        response: Response = self.handler(request)
        if http is None:
            return
        if response.reset:
            peer.core.reset_stream(told.stream_id, 0x10B)
            return
        head = [(name.encode(), value.encode("latin-1")) for name, value in response.all_headers()]
        http.send_headers(told.stream_id, [(b":status", b"%d" % response.status), *head])
        body = response.body if response.cut_after is None else response.body[: response.cut_after]
        http.send_data(told.stream_id, body, end_stream=response.cut_after is None)
        if response.cut_after is not None:
            peer.core.close(error_code=0x102)

    def _send(self, peer: _Peer) -> None:
        for data, address in peer.core.datagrams_to_send(now=trio.current_time()):
            try:
                self.sock.sendmsg([data], peer.info, 0, address)
            except OSError:
                return  # a full buffer, or a peer that left: loss, as on any path


def _local(ancillary: list[tuple[int, int, bytes]]) -> tuple[str, list[tuple[int, int, bytes]]]:
    """The address that was dialled, and the control message that makes answers leave from it."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
            here = data[8:12]
            return socket.inet_ntoa(here), [(level, kind, struct.pack("=I4s4s", 0, here, b"\0" * 4))]
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            here = data[:16]
            return socket.inet_ntop(socket.AF_INET6, here), [(level, kind, here + b"\0" * 4)]
    return "", []


def udp_socket(address: str, port: int) -> socket.socket:
    """A bound UDP socket that tells which of our addresses a datagram came to."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    sock.bind((address, port))
    sock.setblocking(False)
    return sock
