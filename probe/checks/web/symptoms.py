"""The words for what an endpoint did, at the TCP and at the TLS layer, and what can prove how it came about."""

from __future__ import annotations

from probe.model.kinds import TlsHandshake, TlsVerify
from probe.model.observation import Observation
from probe.verdict.findings import Domain

# What a handshake can meet that a name may have set off.
NAMED = ("timeout", "reset", "eof", "alert")
TCP = Domain("tcp", "TCP", ("none", "timeout", "reset", "refused", "unreachable", "error"), {})
TLS = Domain(
    "tls",
    "TLS",
    ("none", "timeout", "reset", "eof", "alert", "garbage", "error", "self_signed", "ca_signed", "bad_chain"),
    {
        "contradicted": ("self_signed", "ca_signed"),
        "elsewhere": NAMED,
        "name": NAMED,
        "name_partly": NAMED,
        "not_name": NAMED,
        "home": NAMED,
        "door": NAMED,
        "early": (*NAMED[1:], "garbage"),
        "early_other": NAMED[1:],
        "hello": (*NAMED, "garbage", "error"),
        "size": ("timeout",),
    },
    never_bare=("self_signed", "ca_signed"),
)
FORGED = ("self_signed", "ca_signed")
_WORDS = {
    "generic_timeout_error": "timeout",
    "connection_reset": "reset",
    "connection_aborted": "reset",
    "connection_refused": "refused",
    "host_unreachable": "unreachable",
    "permission_denied": "unreachable",
    "eof_error": "eof",
}


def word_of(o: Observation) -> str:
    """The symptom that a failed operation shows."""
    detail = o.detail
    if isinstance(detail, TlsVerify):
        return "bad_chain"
    if isinstance(detail, TlsHandshake) and o.failure == "ssl_failed_handshake":
        return "alert" if detail.alert else "garbage"
    # A word that is unusual for the operation, or in no table yet, is an error and no more than that.
    word = _WORDS.get(o.failure or "", "error")
    return word if word in (TLS if isinstance(detail, TlsHandshake) else TCP).symptom else "error"
