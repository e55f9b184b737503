"""The words for what an endpoint did, at the TCP, the TLS and the QUIC layer, and what can prove how it came about."""

from __future__ import annotations

from probe.model.kinds import HttpFetch, QuicHandshake, TlsHandshake, TlsVerify
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
# What a handshake over QUIC can meet that a name may have set off.
NAMED_QUIC = ("timeout", "reset", "refused", "unreachable", "alert")
QUIC = Domain(
    "quic",
    "QUIC",
    ("none", *NAMED_QUIC, "garbage", "version", "bad_chain", "error"),
    {"name": NAMED_QUIC, "not_name": NAMED_QUIC},
    path=("unproven", "proven"),
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
    "quic_incompatible_version": "version",
}
# Whose words an operation has; a connect's are those of TCP. A page speaks only for QUIC here.
_DOMAINS: dict[type[object], Domain] = {TlsHandshake: TLS, QuicHandshake: QUIC, HttpFetch: QUIC}


def word_of(o: Observation) -> str:
    """The symptom that a failed operation shows."""
    detail = o.detail
    if isinstance(detail, TlsVerify):
        return "bad_chain"
    if isinstance(detail, TlsHandshake | QuicHandshake) and o.failure == "ssl_failed_handshake":
        return "alert" if detail.alert else "garbage"
    # A word that is unusual for the operation, or in no table yet, is an error and no more than that.
    word = _WORDS.get(o.failure or "", "error")
    return word if word in _DOMAINS.get(type(detail), TCP).symptom else "error"
