"""What we offer in a TLS handshake, and what OpenSSL lets us see of it: contexts, the peer's chain, alert names.

A context costs 0.3 ms and 12 kB when it loads no roots, 40 ms when it does; a handshake here verifies nothing (the
chain is kept and judged later, against a store whose digest is recorded), so it never needs any.
"""

from __future__ import annotations

import ssl
import sys
import warnings
from functools import lru_cache
from typing import Any, cast

from probe.wire.tls import ALERTS

VERSIONS: dict[str, ssl.TLSVersion] = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
# An old or careless server is not a blocked one: security level 0 lets through 1024-bit keys, SHA-1 signatures and,
# in OpenSSL 3, TLS 1.0 and 1.1 at all. Nothing secret crosses these connections. DEFAULT has no anonymous ciphers,
# and being OpenSSL's own list it gives the hello the cipher half of curl's fingerprint, not one that only we have.
CIPHERS = "DEFAULT@SECLEVEL=0"
# SSL_OP_LEGACY_SERVER_CONNECT: servers without RFC 5746; `ssl` names it only since Python 3.12. We do not set
# SSL_OP_IGNORE_UNEXPECTED_EOF: a stream cut without close_notify is exactly what we want to be told of.
_LEGACY_SERVER_CONNECT = 0x4
# _ssl.ENCODING_DER
_DER = 2


@lru_cache(maxsize=32)
def context(alpn: tuple[str, ...] = (), max_version: str | None = None) -> ssl.SSLContext:
    """The context of our usual hello. Raises KeyError for an unknown `max_version`."""
    return context_of(CIPHERS, alpn, max_version)


def context_of(ciphers: str, alpn: tuple[str, ...], max_version: str | None) -> ssl.SSLContext:
    """A context that verifies nothing and accepts TLS 1.0 and up. Raises KeyError for an unknown `max_version`."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.set_ciphers(ciphers)
    made.options |= _LEGACY_SERVER_CONNECT
    with warnings.catch_warnings():
        # TLS 1.0 is deprecated for good reasons, none of which is ours.
        warnings.simplefilter("ignore", DeprecationWarning)
        made.minimum_version = VERSIONS["TLSv1"]
        made.maximum_version = VERSIONS[max_version or "TLSv1.3"]
    if alpn:
        made.set_alpn_protocols(list(alpn))
    return made


def peer_chain(connection: object) -> tuple[bytes, ...]:
    """All certificates the peer sent (DER, leaf first), verified or not; empty if it had sent none yet."""
    try:
        if sys.version_info >= (3, 13) and isinstance(connection, ssl.SSLObject):
            return tuple(connection.get_unverified_chain() or ())
        # Public only since 3.13. Present since 3.10 on the object below, where items wrap themselves in a class; so do
        # those of other engines, where the method is public.
        below = getattr(connection, "_sslobj", connection)
        return tuple(item.public_bytes(_DER) for item in cast(Any, below).get_unverified_chain() or ())
    except (ssl.SSLError, ValueError, AttributeError):
        return ()


def _alert_reasons() -> dict[str, str]:
    # OpenSSL's names for received alerts carry the version that introduced them; errors of our own have no such prefix.
    prefixes = ("SSLV3_ALERT_", "TLSV1_ALERT_", "TLSV13_ALERT_", "TLSV1_")
    named = {prefix + name.upper(): name for name in ALERTS.values() for prefix in prefixes}
    return named | {"TLSV1_ALERT_USER_CANCELLED": "user_canceled"}


ALERT_REASONS: dict[str, str] = _alert_reasons()

# The peer speaks TLS, but nothing that we speak. Not nonsense, and not the path's doing.
INCOMPATIBLE: frozenset[str] = frozenset(
    {
        "UNSUPPORTED_PROTOCOL",
        "DH_KEY_TOO_SMALL",
        "EE_KEY_TOO_SMALL",
        "CA_KEY_TOO_SMALL",
        "CA_MD_TOO_WEAK",
        "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
        "WRONG_CIPHER_RETURNED",
        "UNKNOWN_CIPHER_RETURNED",
        "WRONG_SIGNATURE_TYPE",
        "WRONG_CURVE",
        "NO_SHARED_CIPHER",
        "NO_SUITABLE_SIGNATURE_ALGORITHM",
        "INAPPROPRIATE_FALLBACK",
    }
)
