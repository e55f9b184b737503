"""How much a helper does for one asker, for all of them, and for one measurement."""

from __future__ import annotations

from dataclasses import dataclass

from probe.checks.question import Question
from probe.model.target import Target
from probe.serve import ServeLimits
from probe.wire.control import DEFAULT_BOUNDS, HelperRequest

# Endpoints that one token of an asker's rate pays for: a helper must not become a cheap scanner of others' hosts.
ENDPOINTS_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class HelperLimits:
    """`total_s` bounds a whole measurement. `rate_per_min` and `burst` are measurements of one client, `each` those of
    one client at once, `most` of all. `lines` and `plain` (bytes) bound an answer; they stay below what an asker takes
    (`AnswerBounds`), so that an answer that reached them still ends properly."""

    total_s: float = 45.0
    rate_per_min: float = 120.0
    burst: int = 60
    each: int = 8
    most: int = 64
    lines: int = DEFAULT_BOUNDS.lines - 64
    plain: int = DEFAULT_BOUNDS.plain - 65_536
    line: int = DEFAULT_BOUNDS.line
    addresses: int = 8
    redirects: int = 10


# Bytes without meaning that one token pays for.
BYTES_A_TOKEN = 65_536

# A request is a URL and 16 endpoints; an answer takes as long as a measurement and the sending of it.
SERVE_LIMITS = ServeLimits(body=16_384, body_s=10.0, request_s=75.0, rate_per_min=900.0, burst=240)


def cost_of(request: HelperRequest) -> int:
    """Tokens of the asker's rate that a request takes; over QUIC an endpoint is walked a second time."""
    return 1 + len(request.endpoints) * (1 + request.quic) // ENDPOINTS_A_TOKEN


def question_for(request: HelperRequest, target: Target, resolvers: tuple[str, ...], limits: HelperLimits) -> Question:
    """What the engine is asked on an asker's behalf: two attempts at most, close together, since somebody waits."""
    return Question(
        target,
        role="control",
        resolvers=resolvers,
        endpoints=request.endpoints,
        quic=request.quic,
        attempts=2,
        gaps_s=(1.0,),
        addresses_max=limits.addresses,
        redirects_max=limits.redirects,
    )
