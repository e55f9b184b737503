"""Walks that repeat an earlier failure of their endpoint at another layer, and are no failure of that layer's own.

Residual blocking keeps an endpoint shut for some minutes after its trigger (Bock et al. 2021): what was broken off by
name at first then no longer gets a connection. The other way round, a reset right behind the SYN-ACK is met in the
connect or, where this machine is quick, only in the handshake that follows.
"""

from __future__ import annotations

from probe.model.failure import is_local
from probe.model.observation import Observation
from probe.model.target import Target
from probe.verdict.pair import Pairing
from probe.verdict.read import Tried

_RESET = ("connection_reset", "connection_aborted")


def residual(pairing: Pairing, target: Target) -> frozenset[Tried]:
    """Walks that no longer got a connection where an earlier one did and was then broken off: in its handshake, or
    over plain HTTP in its request."""
    late = belated(pairing, target)
    broken: set[str] = set()
    found = []
    for w in _walks(pairing, target):
        if w.connected and failed(_asked(w)) and w not in late:
            broken.add(w.ip)
        elif not w.connected and w.ip in broken and failed(w.connect):
            found.append(w)
    return frozenset(found)


def belated(pairing: Pairing, target: Target) -> frozenset[Tried]:
    """Walks whose handshake or request was reset where an earlier connect was: that reset, met a moment later."""
    reset: set[str] = set()
    found = []
    for w in _walks(pairing, target):
        asked = _asked(w)
        if w.connect.failure in _RESET:
            reset.add(w.ip)
        elif w.ip in reset and asked is not None and asked.failure in _RESET:
            found.append(w)
    return frozenset(found)


def met_at(walk: Tried) -> Observation:
    """The operation in which such a walk met its reset."""
    return _asked(walk) or walk.connect


def failed(o: Observation | None) -> bool:
    """A failure that is not this machine's own."""
    return o is not None and o.failure is not None and not is_local(o.failure)


def _walks(pairing: Pairing, target: Target) -> list[Tried]:
    return [w for w in pairing.here if (w.host, w.port) == (target.host, target.port)]


def _asked(walk: Tried) -> Observation | None:
    """What a walk sent first on its connection: the handshake, or the request where there is none."""
    return walk.handshake or walk.fetch
