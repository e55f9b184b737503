"""What the deeds of a rule come to: the words that are forged, and what is done to the far end's answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.lab.notices import page_response, redirect_response
from tests.lab.packet import ACK, FIN, PSH, RST, Packet, build_tcp
from tests.lab.rules import Rule, Seen
from tests.quic.initial import Reader

# A fatal alert, access_denied (RFC 8446 section 6): the wording some filters use.
_ALERT = bytes((21, 3, 3, 0, 2, 2, 49))
# What no HTTP client can read.
_GARBAGE = bytes(range(128, 256)) * 4
# Deeds that let the request pass and are done to what comes back.
AT_THE_ANSWER = ("truncate", "break", "freeze", "mute", "police", "shape", "delay", "pass")


@dataclass(slots=True)
class Verdict:
    """What becomes of a packet: does it go on (after a delay, or to the box), and what is sent besides: `back` to
    where it came from, `on` to where it was going."""

    passes: bool = True
    divert: bool = False
    delay_s: float = 0.0
    back: list[Packet] = field(default_factory=list)
    on: list[Packet] = field(default_factory=list)


@dataclass(slots=True)
class Flow:
    """A connection as the router knows it. `struck` is the rule that has it in hand."""

    dice: float
    seen: Seen = field(default_factory=Seen)
    struck: Rule | None = None
    silenced: bool = False
    answered: int = 0
    tokens: float = 8000.0
    filled_s: float = 0.0
    initial: Reader = field(default_factory=Reader)


def at_the_answer(packet: Packet, flow: Flow, rule: Rule, now_s: float) -> Verdict:
    """A packet from the far end of a connection that a rule has in hand: it may be cut, slowed, or lost."""
    if rule.do in ("divert", "pass"):
        return Verdict()
    if flow.silenced or rule.do == "mute":
        return Verdict(passes=False)
    if rule.do == "delay":
        return Verdict(delay_s=rule.delay_ms / 1000)
    if rule.do == "police":
        return Verdict(passes=_within_rate(flow, rule, len(packet.payload), now_s))
    if rule.do == "shape":
        return _queued(flow, rule, len(packet.data), now_s)
    if rule.do in ("truncate", "break", "freeze"):
        return _cut_short(packet, flow, rule)
    # The far end's own words on a connection that was ended come too late.
    return Verdict(passes=rule.also)


def reset_of(packet: Packet, back: bool, moved_on: int) -> Packet:
    """A reset that fits into the stream after (or, towards its destination, in the place of) a packet."""
    number, ack = (packet.ack, packet.seq + moved_on) if back else (packet.seq + moved_on, packet.ack)
    return build_tcp(packet, back, number, ack, RST | ACK)


def _within_rate(flow: Flow, rule: Rule, size: int, now_s: float) -> bool:
    """A token bucket, 16 kB deep."""
    flow.tokens = min(16_000.0, flow.tokens + (now_s - flow.filled_s) * rule.rate_bps / 8)
    flow.filled_s = now_s
    if size > flow.tokens:
        return False
    flow.tokens -= size
    return True


def _queued(flow: Flow, rule: Rule, size: int, now_s: float) -> Verdict:
    """One packet after the other at the rate; what would wait for more than a second is lost."""
    begins_s = max(now_s, flow.filled_s)
    if begins_s - now_s > 1.0:
        return Verdict(passes=False)
    flow.filled_s = begins_s + size * 8 / rule.rate_bps
    return Verdict(delay_s=flow.filled_s - now_s)


def _cut_short(packet: Packet, flow: Flow, rule: Rule) -> Verdict:
    """Let the first bytes of an answer come, to the byte, and nothing after them: with a FIN, with resets, or without a
    word."""
    flow.answered += len(packet.payload)
    over = flow.answered - rule.after_bytes
    if over <= 0 or not packet.payload:
        return Verdict()
    flow.silenced = True
    kept = packet.payload[: len(packet.payload) - over]
    on = [build_tcp(packet, False, packet.seq, packet.ack, PSH | ACK, kept)] if kept else []
    if rule.do == "break":
        on.append(reset_of(packet, False, len(kept)))
        return Verdict(passes=False, on=on, back=[reset_of(packet, True, packet.length)])
    if rule.do == "truncate":
        on.append(build_tcp(packet, False, packet.seq + len(kept), packet.ack, FIN | ACK))
    return Verdict(passes=False, on=on)


def said(rule: Rule) -> bytes:
    """What the forged end of a connection says."""
    if rule.do == "page":
        return page_response(rule.to or "notice", rule.status)
    if rule.do == "redirect":
        return redirect_response(rule.to)
    return {"fin": b"", "alert": _ALERT, "garble": _GARBAGE}[rule.do]
