"""What a run may send besides, to whom, and how much of it, where something looks wrong: said by `--dry-run`."""

from __future__ import annotations

from probe.app.canaries import PER_ROUND
from probe.checks import Question
from probe.checks.quic.steps import ADDRESSES, FRESH
from probe.checks.speed.series import UNTRIED
from probe.checks.speed.steps import MOST_WALKS, REPEAT_MOST
from probe.checks.web.astray import TRIES
from probe.checks.web.born import COMPARED
from probe.checks.web.injected import MOST_SILENCES
from probe.checks.web.ladder import MOST_TRIES
from probe.checks.web.nearer import MOST_BESIDE


def trials(helpers: tuple[str, ...]) -> list[str]:
    """One line for each sort of packet. All of them follow an anomaly, and none goes to a stranger."""
    name = Question.__dataclass_fields__["trial_name"].default
    nobody = "the addresses of your helpers, then of the target" if helpers else "an address of the target"
    doors = "to a helper's trial doors: handshakes and plain requests for the target's name and for innocent ones"
    return [
        f"to the target's addresses: handshakes and requests with an innocent name ({name}) in place of its own, or "
        "with none; handshakes with its own name and another ClientHello",
        *([doors] if helpers else []),
        f"to {PER_ROUND} canaries: a lookup and a connect each, beside every try that failed",
        f"to one address of the target: at most {MOST_TRIES + COMPARED + 1} hellos, and {MOST_TRIES + MOST_BESIDE} "
        "plain requests, that live for some hops only",
        f"over QUIC (UDP) to the target's addresses, where it announces HTTP/3: at most {ADDRESSES + FRESH} of them, "
        "as often as over TLS; to the helpers about those; and to the canaries that announce it, once",
        f"to UDP port 53 of {nobody}: at most {2 * MOST_SILENCES} questions about the target's name and an innocent "
        f"one, and {MOST_TRIES} that live for some hops only",
        f"to two addresses of the target, where its page is slow: at most {MOST_WALKS} requests for {REPEAT_MOST} "
        f"bytes each, with its own name and an innocent one" + (f"; to a helper: {UNTRIED} of them" if helpers else ""),
        f"to the resolvers: {2 * TRIES} questions each about an innocent name, and one below the target's",
    ]
