"""Every server of a lab in one process: `python -m tests.lab.services CONFIG`.

Its sockets stand in the namespaces of the servers, the ISP and the box; it says `ready`, serves until SIGTERM, and
leaves the trusted root in the lab's folder.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import trio

from probe.app.demo.authority import serve_framed, serve_udp
from probe.app.demo.webserver import PEER_FAULTS, Ends
from tests.lab.atlas import CA_FILE, ISP, RESOLVERS
from tests.lab.authority import LabResolver
from tests.lab.certs import Notary
from tests.lab.http3 import start_http3
from tests.lab.origins import Box, Origins
from tests.lab.rules import rule_of
from tests.lab.spaces import inside

Service = Callable[[trio.SocketStream, Ends], Awaitable[None]]


def _tcp(name: str, port: int, address: str = "") -> list[socket.socket]:
    """Listening sockets of both families in a namespace, at one address or at all."""
    found = []
    with inside(name):
        for where in (address,) if address else ("0.0.0.0", "::"):
            family = socket.AF_INET6 if ":" in where else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # A real server may have some of these addresses for its own.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((where, port))
            sock.listen(512)
            sock.setblocking(False)
            found.append(sock)
    return found


def _udp(name: str, address: str) -> socket.socket:
    with inside(name):
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.bind((address, 53))
        sock.setblocking(False)
    return sock


def _start(nursery: trio.Nursery, socks: list[socket.socket], secure: bool, service: Service) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        try:
            async with stream:
                peer, local = stream.socket.getpeername()[0], stream.socket.getsockname()[0]
                await service(stream, Ends(peer, local, secure))
        except PEER_FAULTS:
            return  # the peer's business; the lab goes on

    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(sock)) for sock in socks]
    nursery.start_soon(trio.serve_listeners, serve, listeners)


async def serve_lab(config: dict[str, Any]) -> None:
    """Open every door, say so, serve for ever."""
    prefix, rows = config["prefix"], config["sites"]
    notary = Notary(Path(config["folder"]))
    rules = [rule_of(row) for row in config["rules"]]
    public = LabResolver(rows, ())
    isp = LabResolver(rows, [r for r in rules if r.at == "resolver"], at_home=True, dns64=config["line"]["nat64"])
    origins = Origins(rows, notary, public)
    box = Box([r for r in rules if r.do == "divert"], notary, origins)

    async def dns(resolver: LabResolver, stream: trio.SocketStream, ends: Ends) -> None:
        await serve_framed(stream, ends.peer, resolver)

    async def dot(stream: trio.SocketStream, ends: Ends) -> None:
        context = notary.context(RESOLVERS.get(ends.local, ("hosting.example",)), ("dot",))
        tls = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        await serve_framed(tls, ends.peer, public)
        await tls.aclose()

    async with trio.open_nursery() as nursery:
        servers, there = f"{prefix}servers", f"{prefix}box"
        _start(nursery, _tcp(servers, 80), False, origins.serve_plain)
        _start(nursery, _tcp(servers, 443), True, origins.serve_tls)
        _start(nursery, _tcp(servers, 853), True, dot)
        start_http3(nursery, servers, rows, notary, origins.answer)
        _start(nursery, _tcp(there, 80), False, box.serve_plain)
        _start(nursery, _tcp(there, 443), True, box.serve_tls)
        for address in () if config["resolver"] else ISP:
            _start(nursery, _tcp(f"{prefix}isp", 53, address), False, partial(dns, isp))
            nursery.start_soon(serve_udp, trio.socket.from_stdlib_socket(_udp(f"{prefix}isp", address)), isp)
        for address in RESOLVERS:
            _start(nursery, _tcp(servers, 53, address), False, partial(dns, public))
            nursery.start_soon(serve_udp, trio.socket.from_stdlib_socket(_udp(servers, address)), public)
        _write_down(Path(config["folder"]), notary, rows)
        _say_ready()


def _write_down(folder: Path, notary: Notary, rows: list[dict[str, Any]]) -> None:
    """The roots, and what real servers need to serve their sites."""
    (folder / CA_FILE).write_bytes(notary.root_pem)
    for word in ("expired", "national"):
        (folder / f"trust-{word}.pem").write_bytes(notary.trust_pem(word))
    for site in (row["site"] for row in rows):
        if site["server"] and site["alpn"]:
            held = folder / f"{site['name']}.pem"
            held.touch(mode=0o600)
            held.write_bytes(notary.key_and_chain((site["name"], f"www.{site['name']}")))


def _say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


async def _until_told(config: dict[str, Any]) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_lab, config)
            async for _ in signals:
                nursery.cancel_scope.cancel()


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    trio.run(_until_told, json.loads(Path(sys.argv[1]).read_text()))


if __name__ == "__main__":
    main()
