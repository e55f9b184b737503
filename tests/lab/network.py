"""The wires between the namespaces: a chain of routers in one process, which owns the far end of every TUN device.

    volunteer -- line -- access router -- censor -- core -- servers
                              |             |         |
                         ISP resolver      box      control, abroad

Kernels at the ends do all of TCP; here packets only travel. Each router takes one from the TTL, answers for packets
whose life ended, and applies its rules. Links have a delay; the volunteer's line may lose packets and be slow.
"""

from __future__ import annotations

import heapq
import os
import random
import select
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.lab.deeds import Verdict
from tests.lab.door import Door
from tests.lab.line import Line
from tests.lab.middlebox import Middlebox
from tests.lab.packet import Packet, build_icmp, hop, parse

ACCESS, CENSOR, CORE = 0, 1, 2
# The router each end hangs on.
HOMES: dict[str, int] = {
    "volunteer": ACCESS, "isp": ACCESS, "box": CENSOR, "servers": CORE, "control": CORE, "abroad": CORE,
}  # fmt: skip
_TIME_EXCEEDED = {4: (11, 0), 6: (3, 0)}
# One-way delays of the fixed links, seconds: access to censor, core to the controls. The rest is the line's, or next
# door.
_TO_CENSOR = 0.002
_ABROAD = {"control": 0.005, "abroad": 0.040}


@dataclass(order=True, slots=True)
class _Due:
    at: float
    number: int
    packet: Packet = field(compare=False)
    router: int = field(compare=False)
    end: str = field(compare=False)
    outward: bool = field(compare=False)


class Network:
    """Forwards until `stop` is set. `ports` are TUN descriptors by end; `homes` tell to which end an address belongs
    (all others lie with the servers)."""

    def __init__(
        self,
        ports: Mapping[str, int],
        homes: Mapping[bytes, str],
        routers: tuple[Middlebox, Middlebox, Middlebox],
        addresses: tuple[dict[int, bytes], ...],
        line: Line,
        seed: int = 1,
    ) -> None:
        self._ports, self._homes, self._routers, self._addresses = dict(ports), dict(homes), routers, addresses
        self._line, self._random = line, random.Random(seed)
        self._door = Door(line.nat64, line.vpn)
        self._due: list[_Due] = []
        self._number = 0
        self._line_free = {True: 0.0, False: 0.0}
        self._began: float | None = None
        self.forwarded = 0
        self.stop = False

    def run(self) -> None:
        poll = select.epoll()
        for fd in self._ports.values():
            os.set_blocking(fd, False)
            poll.register(fd, select.EPOLLIN)
        names = {fd: name for name, fd in self._ports.items()}
        while not self.stop:
            wait = max(0.0, min(0.2, self._due[0].at - time.monotonic())) if self._due else 0.2
            for fd, _ in poll.poll(wait):
                self._drain(fd, names[fd])
            self._deliver()

    def _drain(self, fd: int, name: str) -> None:
        for _ in range(64):
            try:
                data = os.read(fd, 65535)
            except BlockingIOError:
                return
            packet = parse(data)
            if packet is not None and not _is_chatter(packet):
                self._enter(packet, name)

    def _enter(self, packet: Packet, source: str) -> None:
        """A packet leaves one of the ends."""
        if source == "volunteer":
            if self._began is None:
                self._began = time.monotonic()
            for delay in self._cross_line(packet, True):
                outside = self._door.out(packet)
                if outside is not None:
                    self._schedule(delay, outside, ACCESS, self._homes.get(outside.dst, "servers"), True)
            return
        end = self._homes.get(packet.dst, "servers")
        outward = source in _ABROAD and end == "servers"
        self._schedule(_ABROAD.get(source, 0.0), packet, HOMES[source], end, outward)

    def _cross_line(self, packet: Packet, up: bool) -> list[float]:
        """Seconds that the volunteer's line takes, one for each time that the packet arrives: none when it is lost."""
        line, dice = self._line, self._random
        if (line.mtu and len(packet.data) > line.mtu) or (line.loss and dice.random() < line.loss):
            return []
        delay = line.rtt_ms / 2000 + (line.vpn_ms / 2000 if self._door.is_tunnelled(packet, up) else 0.0)
        if line.rate_bps:
            now = time.monotonic()
            start = max(now, self._line_free[up])
            if start - now > line.queue_s:
                return []
            self._line_free[up] = start + len(packet.data) * 8 / line.rate_bps
            delay += self._line_free[up] - now
        if line.jitter_ms:
            delay += dice.random() * line.jitter_ms / 1000
        return [delay, delay] if line.double and dice.random() < line.double else [delay]

    def _schedule(self, delay: float, packet: Packet, router: int, end: str, outward: bool) -> None:
        self._number += 1
        heapq.heappush(self._due, _Due(time.monotonic() + delay, self._number, packet, router, end, outward))

    def _deliver(self) -> None:
        now = time.monotonic()
        while self._due and self._due[0].at <= now:
            due = heapq.heappop(self._due)
            if due.router < 0:
                self._write(due.end, due.packet)
            else:
                self._at_router(due)

    def _at_router(self, due: _Due) -> None:
        """A tap on the wire reads along before the router counts the hop, so that what stands at the n-th router is
        set off by packets that live for n hops. No router sees into a tunnel."""
        packet, router = due.packet, due.router
        if router != CORE and self._door.is_inside(packet):
            self._onward(packet, router, due.end, due.outward, 0.0)
            return
        box = self._routers[router]
        verdict = Verdict()
        if not box.is_plain:
            verdict = box.meet(packet, due.outward, time.monotonic() - (self._began or time.monotonic()))
        back_to = self._homes.get(packet.src, "servers")
        for made in verdict.back:
            self._onward(made, router, back_to, not due.outward, 0.0)
        if (verdict.passes or verdict.divert) and not hop(packet):
            kind, code = _TIME_EXCEEDED[packet.version]
            error = build_icmp(packet, self._addresses[router][packet.version], kind, code)
            self._onward(error, router, back_to, not due.outward, 0.0)
        elif verdict.divert:
            self._onward(packet, router, "box", due.outward, 0.0)
        elif verdict.passes:
            self._onward(packet, router, due.end, due.outward, verdict.delay_s)
        for made in verdict.on:
            self._onward(made, router, due.end, due.outward, 0.0)

    def _onward(self, packet: Packet, router: int, end: str, outward: bool, delay: float) -> None:
        """From one router towards an end: to the next router, or out of the network."""
        home = HOMES[end]
        if home == router:
            crossed = self._cross_line(packet, False) if end == "volunteer" else [_ABROAD.get(end, 0.0)]
            for more in crossed:
                arriving = self._door.back(packet) if end == "volunteer" else packet
                if arriving is not None:
                    self._schedule(delay + more, arriving, -1, end, outward)
            return
        following = router + 1 if home > router else router - 1
        link = _TO_CENSOR if ACCESS in (router, following) else self._line.abroad_ms / 2000
        self._schedule(delay + link, packet, following, end, home > router)

    def _write(self, end: str, packet: Packet) -> None:
        try:
            os.write(self._ports[end], packet.data)
            self.forwarded += 1
        except OSError:
            # The end's queue is full or it is gone: a lost packet, as on any wire.
            return


def _is_chatter(packet: Packet) -> bool:
    """Multicast and link-local: neighbours and routers looking for each other, which no router forwards."""
    if packet.version == 4:
        return packet.dst[0] >= 224
    return packet.dst[0] == 0xFF or packet.src[:2] == b"\xfe\x80"
