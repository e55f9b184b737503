"""The censor of the demo: whom it watches, what it looks for, and how it strikes.

Nobody can stand between two sockets of one loopback, so the censor stands at every server's door instead and looks at
who is coming. Visitors from the field pass it, visitors from the control's address do not, just as if it lay on the
field's path only. It looks at the name and not at the address, on whichever door it is spoken, as such boxes do.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable, Iterable, Mapping

import trio

from probe.app.demo.sites import Act, Deed, Site, Where
from probe.app.demo.webserver import IDLE_S

_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME = 22, 1, 0
_MAX_HELLO = 16384 + 5
# A fatal alert, unrecognized_name (RFC 8446 section 6.2), in a TLS 1.2 record as any first alert is.
_ALERT = bytes((21, 3, 3, 0, 2, 2, 112))


class Censor:
    """The lists of names, by the sight that triggers. `is_field` says whether a peer's address is the field's."""

    def __init__(self, sites: Iterable[Site], is_field: Callable[[str], bool]) -> None:
        self.is_field = is_field
        self._lists: dict[Where, dict[str, Deed]] = {"isp_dns": {}, "path_dns": {}, "hello": {}, "host": {}}
        for site in sites:
            if site.deed:
                self._lists[site.deed.where].update(dict.fromkeys(site.names, site.deed))

    def at_hello(self, sni: str | None, peer: str) -> Act | None:
        """What to do to a TLS connection that begins with this name."""
        deed = self._seen("hello", sni or "", peer)
        return deed.act if deed else None

    def at_host(self, host: str, peer: str) -> Act | None:
        """What to do to a plain request with this Host."""
        deed = self._seen("host", host, peer)
        return deed.act if deed else None

    def at_query(self, name: str, peer: str) -> str | None:
        """The address that the path injects ahead of the true answer to a plain UDP query for A."""
        deed = self._seen("path_dns", name, peer)
        return deed.to if deed else None

    def of_resolver(self, name: str) -> Deed | None:
        """The lie that the ISP's resolver tells about this name, to anybody who asks it."""
        return _covering(self._lists["isp_dns"], name)

    def _seen(self, where: Where, name: str, peer: str) -> Deed | None:
        return _covering(self._lists[where], name) if self.is_field(peer) else None


def _covering(listed: Mapping[str, Deed], name: str) -> Deed | None:
    """The entry for the name or for a domain above it."""
    labels = name.lower().rstrip(".").split(".")
    return next((listed[held] for i in range(len(labels)) if (held := ".".join(labels[i:])) in listed), None)


async def read_hello(stream: trio.abc.ReceiveStream) -> bytes:
    """The bytes of the first TLS record, whole, and whatever came with it; shorter when the peer stopped or does not
    speak TLS."""
    held = b""
    with trio.move_on_after(IDLE_S):
        while len(held) < 5 or (held[0] == _HANDSHAKE and len(held) < _record_end(held)):
            data = await stream.receive_some(_MAX_HELLO)
            if not data:
                break
            held += data
    return held


def _record_end(head: bytes) -> int:
    return min(_MAX_HELLO, 5 + int.from_bytes(head[3:5], "big"))


def sni_of(record: bytes) -> str | None:
    """The server name in a ClientHello (RFC 8446 section 4.1.2, RFC 6066 section 3); None when there is none, or when
    the bytes are something else. A reader of its own, so that a fault in the probe's cannot hide behind itself."""
    try:
        return _walk_hello(record)
    except (IndexError, UnicodeDecodeError):
        return None


def _walk_hello(record: bytes) -> str | None:
    if record[0] != _HANDSHAKE or record[5] != _CLIENT_HELLO:
        return None
    at = 5 + 4 + 2 + 32  # record and handshake heads, version, random
    at += 1 + record[at]  # session id
    at += 2 + int.from_bytes(record[at : at + 2], "big")  # cipher suites
    at += 1 + record[at]  # compression methods
    end = at + 2 + int.from_bytes(record[at : at + 2], "big")
    at += 2
    while at + 4 <= min(end, len(record)):
        kind, size = int.from_bytes(record[at : at + 2], "big"), int.from_bytes(record[at + 2 : at + 4], "big")
        if kind == _SERVER_NAME:
            # A list length (2), a name type (1), a name length (2), the name.
            length = int.from_bytes(record[at + 7 : at + 9], "big")
            return record[at + 9 : at + 9 + length].decode("ascii").lower()
        at += 4 + size
    return None


async def strike(stream: trio.SocketStream, act: Act) -> None:
    """Do to a TLS connection what `act` says: reset, silence, alert, or a polite close."""
    if act == "reset":
        await send_reset(stream)
    elif act == "silence":
        await keep_silent(stream)
    elif act == "alert":
        await stream.send_all(_ALERT)
    await stream.aclose()


async def send_reset(stream: trio.SocketStream) -> None:
    """Close so that the kernel sends a RST: lingering for no time throws everything away (socket(7), SO_LINGER)."""
    shape = "hh" if sys.platform == "win32" else "ii"
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(shape, 1, 0))
    await stream.aclose()


async def keep_silent(stream: trio.SocketStream) -> None:
    """Take everything, answer nothing, until the peer gives up."""
    with trio.move_on_after(4 * IDLE_S):
        while await stream.receive_some(65536):
            pass
