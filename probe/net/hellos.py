"""The kinds of ClientHello that we can send, each a profile by name (`probe.model.step.Walk.profile`).

""       the usual one: OpenSSL's own list of ciphers, ALPN, TLS 1.3 (`tlscontext`)
plain    a small one of the standard library: TLS 1.2 and six ciphers, without ALPN; fits into one segment
browser  Chrome's, post-quantum key share and all, by BoringSSL; needs the extra `mimic`
ech      the same with the server name encrypted (RFC 9849); needs the extra `mimic` and the site's configuration

The standard library cannot be shaped to a browser: order and set of extensions are OpenSSL's. What was really sent is
recorded with every handshake (JA4), whatever the profile's name promises.
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Protocol

from probe.net.tlscontext import context, context_of

PLAIN, BROWSER, ECH = "plain", "browser", "ech"
# The engine of the extra, and the profile of it that we send: the newest Chrome that it knows.
MIMIC = "utls"
CHROME = "chrome:stable"
# Elliptic curves with AES-GCM or ChaCha20 (RFC 5289, RFC 7905): what servers of the last ten years take.
PLAIN_CIPHERS = "ECDHE+CHACHA20:ECDHE+AESGCM@SECLEVEL=0"


class Connection(Protocol):
    """A client's TLS connection over two memory buffers: what `ssl.SSLObject` and its likes have in common."""

    def do_handshake(self) -> None: ...

    def read(self, limit: int, /) -> bytes: ...

    def write(self, data: Any, /) -> int: ...

    def cipher(self) -> tuple[str, str, int] | None: ...

    def version(self) -> str | None: ...

    def selected_alpn_protocol(self) -> str | None: ...


def available() -> frozenset[str]:
    """The profiles that this machine can send beside the usual one."""
    return frozenset({PLAIN, BROWSER, ECH} if find_spec(MIMIC) else {PLAIN})


def connect(
    profile: str,
    inward: ssl.MemoryBIO,
    outward: ssl.MemoryBIO,
    sni: str | None,
    alpn: tuple[str, ...],
    max_version: str | None,
    ech: bytes,
) -> Connection:
    """A connection that has not sent anything yet. `alpn` and `max_version` are the usual hello's; the others have
    their own. Raises ValueError for a name that no hello can carry, ssl.SSLError for an unusable `ech`, and KeyError
    for a profile that is not `available`."""
    if profile in (BROWSER, ECH):
        return _mimic(ech if profile == ECH else b"").wrap_bio(inward, outward, server_hostname=sni)  # type: ignore[no-any-return]
    made = context(alpn, max_version) if not profile else {PLAIN: _plain}[profile]()
    return made.wrap_bio(inward, outward, server_hostname=sni)


@lru_cache(maxsize=1)
def _plain() -> ssl.SSLContext:
    return context_of(PLAIN_CIPHERS, (), "TLSv1.2")


def _mimic(ech: bytes) -> Any:
    made = _chrome()
    # The library gives a copy of the context: a configuration belongs to one site.
    return made.set_ech_configs(ech) if ech else made


@lru_cache(maxsize=1)
def _chrome() -> Any:
    # Imported when first needed: few runs need it, and it is an extra.
    import utls

    made = utls.SSLContext(utls.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = utls.CERT_NONE
    made.set_fingerprint(CHROME)
    return made


def ech_answer(profile: str, connection: Connection, done: bool, chain: tuple[bytes, ...]) -> str | None:
    """What the server did with an encrypted server name: `accepted`, or `rejected` when it answered as if it had read
    the outer name only (RFC 9849); None where it did not get as far, or where there was none."""
    if profile != ECH:
        return None
    accepted = bool(getattr(connection, "ech_accepted", bool)())
    return "accepted" if done and accepted else "rejected" if chain and not accepted else None
