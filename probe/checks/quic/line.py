"""Whether this line carries QUIC to anybody, by the run's own count (`LineState.quic`)."""

from __future__ import annotations

from probe.model.kinds import LineState


def is_ipv6(ip: str) -> bool:
    return ":" in ip


def carries(state: LineState, ipv6: bool) -> bool | None:
    """Most canaries or most of the other targets that were asked over that IP version answered; None when none was
    asked. Either will do: targets may be blocked one by one, and a canary may have given QUIC up."""
    counts = [(tried, reached) for _, tried, reached in _counts(state, ipv6)]
    return any(2 * reached > tried for tried, reached in counts) if counts else None


def is_shut(state: LineState, ipv6: bool) -> bool:
    """Nobody at all answered over that IP version, a canary among them: further tries would only make a volunteer wait,
    since no rule would hold them against anybody. Other targets alone are no such sign: all of them may be blocked."""
    counts = _counts(state, ipv6)
    return any(whom == "canaries" for whom, _, _ in counts) and not any(reached for _, _, reached in counts)


def _counts(state: LineState, ipv6: bool) -> list[tuple[str, int, int]]:
    version = 6 if ipv6 else 4
    return [(whom, tried, reached) for whom, at, tried, reached in state.quic if at == version and tried]
