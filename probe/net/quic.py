"""A QUIC handshake over one UDP socket: aioquic's protocol core driven by trio.

Every way of failing stays apart: nothing ever came, it stopped, a CONNECTION_CLOSE with a TLS alert or with another
code, an ICMP message, a version that nobody speaks.
"""

from __future__ import annotations

import socket
from dataclasses import replace

import trio

from probe.net.base import Clock, QuicPlan, QuicShaken
from probe.net.classify import errno_failure
from probe.net.dial import open_socket
from probe.net.http3 import HeldHttp3
from probe.net.quiccore import new_core
from probe.net.quicheld import HeldQuic


async def shake_quic(
    clock: Clock, ip: str, port: int, sni: str | None, alpn: tuple[str, ...], plan: QuicPlan, source: str | None = None
) -> QuicShaken:
    """See `base.Net.shake_quic`. The socket is closed unless the handshake succeeded."""
    at_us, began = clock.now_us(), clock.mono_us()
    await trio.lowlevel.checkpoint()
    try:
        sock = open_socket(ip, socket.SOCK_DGRAM, source)
    except OSError as exc:
        return QuicShaken(None, errno_failure(exc.errno or 0), at_us, clock.mono_us() - began)
    held = HeldQuic(clock, sock, (ip, port), new_core(sni, alpn))
    kept = False
    try:
        failure = await held.shake(plan)
        kept = failure is None
        shaken = replace(held.told(failure), at_us=at_us, took_us=clock.mono_us() - began, lag_us=clock.lag_us(began))
        return replace(shaken, http3=HeldHttp3(held)) if kept else shaken
    finally:
        if not kept:
            sock.close()
