"""What is being done with one target, in words for whoever looks on: what step, and for an anomaly what is asked
again, and why. Pure."""

from __future__ import annotations

from probe.model.step import AskBytes, AskControl, AskLine, Lookup, QuicWalk, Step, Visit
from probe.verdict.read import ASTRAY, BELOW, HOP_TRIAL, PATH_TRIAL, SIBLING, TRIAL

_WHAT_FAILED = {
    "dns.lookup": "look-up",
    "tcp.connect": "connection",
    "tls.handshake": "TLS handshake",
    "quic.handshake": "QUIC handshake",
    "tls.verify": "certificate",
    "http.fetch": "page",
}
_HOW = {
    "connection_reset": "was reset",
    "generic_timeout_error": "got no answer",
    "eof_error": "was cut off",
    "connection_refused": "was refused",
    "dns_nxdomain_error": "says: no such name",
    "dns_no_answer": "gave no address",
    "dns_refused_error": "was refused",
    "dns_servfail_error": "failed at the resolver",
    "ssl_invalid_hostname": "is for another name",
    "ssl_unknown_authority": "is by nobody trusted",
}

_TRIALS = {
    HOP_TRIAL: "trial: how far away is it made?",
    PATH_TRIAL: "trial: does another page pass?",
    BELOW: "trial: a name below it",
    ASTRAY: "trial: asked where no resolver is",
}


def doing(step: Step) -> str:
    """`looking up`, `try 2: TLS handshake was reset`, `trial: does another name pass?`. Short, for narrow screens."""
    if step.why.startswith("again: "):
        return f"try {step.attempt}: {_what_failed(step.why.removeprefix('again: '))}"
    if isinstance(step, Visit):
        return "trial: its name at the helper's door"
    if step.why.startswith(TRIAL):
        return next(
            (said for why, said in _TRIALS.items() if step.why.startswith(why)), "trial: does another name pass?"
        )
    if isinstance(step, AskBytes):
        return "timing the line"
    if isinstance(step, AskLine):
        return "looking at the line itself"
    if isinstance(step, AskControl):
        return "asking the control" + (" about addresses only seen here" if step.endpoints else "")
    hop = " after a redirect" if step.why.startswith("redirect") else ""
    if isinstance(step, Lookup):
        return f"looking up{hop}"
    if step.why.startswith(SIBLING):
        return "trying the other port"
    over = " over HTTP/3" if isinstance(step, QuicWalk) else ""
    return ("fetching" if step.fetch is not None else "connecting") + over + hop


def is_recheck(step: Step) -> bool:
    """Whether an anomaly is being looked at once more."""
    return step.why.startswith(("again: ", TRIAL))


def _what_failed(text: str) -> str:
    kind, _, failure = text.rpartition(" ")
    what = _WHAT_FAILED.get(kind, "look-up" if not kind else kind)
    return f"{what} {_HOW.get(failure, 'failed, ' + failure)}"
