"""Where a broken handshake was broken: by the server, by the path, or at the first router of all.

Two witnesses. Physics: what ends a connection sooner than the least round trip ever seen to that address was not sent
by the server in answer to our hello. And hop limits: a hello that dies before the server, yet is answered, was answered
by somebody on the way. The innocent name takes the same steps, so that the distance of the server is known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from probe.checks.web.common import home_locus, is_at_home
from probe.checks.web.ladder import Ladder
from probe.checks.web.proofs import Proof
from probe.model.failure import is_local
from probe.model.kinds import TcpConnect, TlsHandshake
from probe.model.observation import Observation
from probe.model.target import Target
from probe.verdict.pair import Pairing
from probe.verdict.read import Tried

# Ways of ending a handshake that somebody must have sent: silence is sent by nobody.
SENT = ("rst", "fin", "alert", "garbage")
# A hop limit that nothing dies of.
ALL_THE_WAY = 255
# How often the innocent name takes the step at which the other one is answered.
COMPARED = 2
# An ending this much sooner than the least round trip cannot be the server's. Where no exchange with the address ever
# went through, the round trip of the SYN alone is all there is, which a first packet's way through some networks makes
# longer than it is: then it takes half of it, and this margin besides, and so many connections to see it.
TOO_EARLY, TOO_EARLY_BY_SYN, MARGIN_US, CONNECTIONS = 0.6, 0.5, 40_000, 3
# So many endings must have come too early.
ENDINGS = 2
# Proofs that the name is the trigger.
OF_NAME = ("name", "name_partly", "elsewhere")


def born(pairing: Pairing, target: Target, ips: Sequence[str], proof: Proof) -> Proof:
    """The proof of the trials, deepened by where and when the handshakes at these addresses were broken."""
    found = _born(pairing, target, ips, proof)
    trials = (w for w in (*pairing.trials, *pairing.hop_trials) if w.port == target.port and w.ip in ips)
    facts = (w.handshake for w in trials if w.handshake is not None)
    return replace(found, facts=(*proof.facts, *facts))


def _born(pairing: Pairing, target: Target, ips: Sequence[str], proof: Proof) -> Proof:
    if proof.word in OF_NAME:
        return _of_name(pairing, target, ips, proof)
    if proof.word in ("none", "not_name") and any(is_too_early(pairing, target, ip) for ip in ips):
        return replace(proof, word="early_other" if proof.word == "not_name" else "early", locus="path")
    return proof


def _of_name(pairing: Pairing, target: Target, ips: Sequence[str], proof: Proof) -> Proof:
    for ip in ips:
        mine = [w for w in pairing.hop_trials if (w.ip, w.port) == (ip, target.port)]
        hop = located(target.host, mine, kind_of(pairing.here, target.host, ip, target.port))
        if hop is None:
            continue
        reached = _reached(target.host, mine, hop)
        if hop == 1 and reached:
            # The server itself is the next machine (a site in our own house, a tunnel's end): no hop could tell them
            # apart.
            continue
        if is_at_home(pairing, hop):
            return replace(proof, word="home", locus=home_locus(pairing), located=hop)
        if reached is False:
            return replace(proof, locus="path", located=hop)
        if reached and proof.word != "elsewhere":
            return replace(proof, word="door", locus="server", located=hop)
    return replace(proof, locus="path")


# ---- hop limits ----


def kind_of(walks: Iterable[Tried], host: str, ip: str, port: int) -> str | None:
    """How handshakes at an address end for the host's own name, where that is always the same and somebody sent it."""
    mine = [w for w in walks if (w.host, w.ip, w.port) == (host, ip, port) and w.handshake is not None]
    kinds = {ending(w) for w in mine}
    return kinds.pop() if len(mine) >= ENDINGS and len(kinds) == 1 and kinds <= set(SENT) else None


def ending(walk: Tried) -> str | None:
    """How its handshake ended; None where it did not fail."""
    detail = walk.handshake.detail if walk.handshake else None
    return detail.ended if isinstance(detail, TlsHandshake) else None


def tls_ladder(host: str, walks: Iterable[Tried], kind: str) -> Ladder:
    """What hellos with the host's name and a hop limit met."""
    met: dict[int, dict[int, bool]] = defaultdict(dict)
    for w in walks:
        if w.handshake is not None and w.sni == host and w.ttl and not is_local(w.handshake.failure):
            met[w.ttl][w.attempt] = ending(w) == kind
    return Ladder({ttl: tuple(tries[n] for n in sorted(tries)) for ttl, tries in met.items()})


def located(host: str, walks: Sequence[Tried], kind: str | None) -> int | None:
    """The hop at which hellos with the host's name are answered. None unless the innocent name still came all the way
    afterwards: where it does not, the endpoint was shut in answer to our tries, and they tell nothing."""
    if kind is None or not any(w.ttl == ALL_THE_WAY and _is_heard(w) for w in walks if w.sni != host):
        return None
    return tls_ladder(host, walks, kind).hop


def _reached(host: str, walks: Sequence[Tried], hop: int) -> bool | None:
    """Whether hellos with the innocent name and this hop limit reach the server; None where that is not settled."""
    innocent = [w for w in walks if w.sni != host and w.ttl == hop and w.handshake is not None]
    heard = {_is_heard(w) for w in innocent}
    return heard.pop() if len(innocent) >= COMPARED and len(heard) == 1 else None


def _is_heard(walk: Tried) -> bool:
    """Something came back: a handshake, or an end that somebody sent."""
    return walk.shaken or ending(walk) in SENT


# ---- physics ----


def is_too_early(pairing: Pairing, target: Target, ip: str) -> bool:
    """Most broken handshakes at the address, and several for the host's own name, ended sooner than the server could
    have ended them. One that ended later says nothing: it may be this machine that was late to look."""
    walks = [w for w in (*pairing.here, *pairing.trials) if (w.ip, w.port) == (ip, target.port)]
    ended = [(us, w) for w in walks if ending(w) in SENT and (us := _answer_us(w)) is not None]
    floor_us, exchanged = _floor_us(walks)
    if floor_us is None:
        return False
    limit_us = TOO_EARLY * floor_us if exchanged else min(TOO_EARLY_BY_SYN * floor_us, floor_us - MARGIN_US)
    early = [w for us, w in ended if us < limit_us]
    enough = len(early) >= (ENDINGS if exchanged else CONNECTIONS) and 2 * len(early) > len(ended)
    return enough and sum(not w.is_trial for w in early) >= ENDINGS


def _answer_us(walk: Tried) -> int | None:
    detail = walk.handshake.detail if walk.handshake else None
    return detail.answer_us if isinstance(detail, TlsHandshake) else None


def _floor_us(walks: Sequence[Tried]) -> tuple[int | None, bool]:
    """The least round trip that the kernel saw, and whether an exchange of data had a part in it."""
    opened = [us for w in walks if (us := _round_trip_us(w.connect)) is not None]
    exchanged = [us for w in walks if w.shaken and (us := _round_trip_us(w.handshake)) is not None]
    return min([*opened, *exchanged], default=None), bool(exchanged)


def _round_trip_us(o: Observation | None) -> int | None:
    """The kernel's least round trip by then; None where a packet had to be sent twice (Karn and Partridge 1987)."""
    info = o.detail.info if o is not None and isinstance(o.detail, TcpConnect | TlsHandshake) else None
    return info.min_rtt_us if info is not None and info.min_rtt_us > 0 and not info.retransmits else None
