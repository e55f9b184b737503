"""What is being done with one target, in words for whoever looks on: what step, and for an anomaly what is asked
again, and why. Pure."""

from __future__ import annotations

from probe.model.step import AskBytes, AskControl, AskLine, Lookup, Step, Visit
from probe.verdict.read import ASTRAY, BELOW, HOP_TRIAL, PATH_TRIAL, SIBLING, TRIAL

_WHAT_FAILED = {
    "dns.lookup": "the look-up",
    "tcp.connect": "the connection",
    "tls.handshake": "the TLS handshake",
    "tls.verify": "the certificate",
    "http.fetch": "the page",
}
_HOW = {
    "connection_reset": "was reset",
    "generic_timeout_error": "got no answer",
    "eof_error": "was cut off",
    "connection_refused": "was refused",
}

_TRIALS = {
    HOP_TRIAL: "trial: how far away is it made?",
    PATH_TRIAL: "trial: does another page pass?",
    BELOW: "trial: a name below it",
    ASTRAY: "trial: asked where no resolver is",
}


def doing(step: Step) -> str:
    """`looking up`, `again (try 2): the TLS handshake was reset`, `innocent name to the same address`."""
    if step.why.startswith("again: "):
        return f"again (try {step.attempt}): {_what_failed(step.why.removeprefix('again: '))}"
    if step.why.startswith(TRIAL):
        return "trial: does an innocent name pass at the same address?"
    if isinstance(step, AskBytes):
        return "timing the line"
    if isinstance(step, Visit):
        return "trial: its name at the helper's door"
    if isinstance(step, AskLine):
        return "looking at the line itself"
    if isinstance(step, AskControl):
        return "asking the control" + (" about addresses only seen here" if step.endpoints else "")
    hop = " after a redirect" if step.why.startswith("redirect") else ""
    if isinstance(step, Lookup):
        return f"looking up{hop}"
    if step.why.startswith(SIBLING):
        return "trying the other port"
    return ("fetching" if step.fetch is not None else "connecting") + hop


def is_recheck(step: Step) -> bool:
    """Whether an anomaly is being looked at once more."""
    return step.why.startswith(("again: ", TRIAL))


def _what_failed(text: str) -> str:
    kind, _, failure = text.rpartition(" ")
    what = _WHAT_FAILED.get(kind, "the look-up" if not kind else kind)
    return f"{what} {_HOW.get(failure, 'failed: ' + failure)}"
