"""The volunteer's own line, as a case describes it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """The volunteer's own line. `rtt_ms` is its share of the round trip; `loss` and `double` are the shares of packets
    that are lost, or arrive twice, each way; `rate_bps` 0 means as fast as may be, `queue_s` is how much of it may wait
    (a home router's overlong buffer); `jitter_ms` the most that a packet is held up by chance; `mtu` the size above
    which packets vanish without a word, 0 none. `abroad_ms` is the round trip from the censor to the wide network.

    `nat64`: an IPv6-only line behind a translator. `vpn`: all but what goes to the ISP's resolver leaves through a
    tunnel that ends in the wide network, `vpn_ms` of round trip away.
    """

    rtt_ms: float = 10.0
    loss: float = 0.0
    rate_bps: float = 0.0
    queue_s: float = 0.4
    jitter_ms: float = 0.0
    double: float = 0.0
    mtu: int = 0
    abroad_ms: float = 20.0
    nat64: bool = False
    vpn: bool = False
    vpn_ms: float = 0.0
