"""What a pinned set of roots says of a kept chain, at a chosen time: recomputable years later.

The system's own store is no use here: it differs between machines, may go to the network, and cannot be named. Ours is
certifi plus files the user added, named by a digest. OpenSSL gives the code, but only of the first problem it meets
and never of the name; so the dates and the name are looked at by ourselves, and the reasons listed are all that apply.
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
from binascii import Error as Base64Error
from binascii import a2b_base64
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import certifi
from OpenSSL import crypto

from probe.model.errors import UsageError
from probe.model.kinds import TlsVerify
from probe.wire.certificates import Certificate, covers, summarize

# OpenSSL x509_vfy.h: verify codes that have a reason of their own; any other is `invalid`.
CODE_REASONS: dict[int, str] = {
    2: "unknown_authority",
    9: "not_yet_valid",
    10: "expired",
    18: "self_signed",
    19: "self_signed",
    20: "unknown_authority",
    21: "unknown_authority",
}
# X509_V_FLAG_NO_CHECK_TIME, for which pyOpenSSL has no name.
_NO_CHECK_TIME = 0x200000
_PEM = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.+?)-----END", re.DOTALL)
# A peer may send any number; a path is never this long.
MAX_CHAIN = 16
CACHED_RESULTS = 4096


class TrustStore:
    """A set of roots (DER). `digest` is SHA-256 over their sorted SHA-256 digests, so order and source do not count;
    `dated` is certifi's release, if it is in; `skipped` counts roots that OpenSSL would not take."""

    def __init__(self, roots: Iterable[bytes], dated: str | None = None) -> None:
        usable = {hashlib.sha256(der).digest(): (der, cert) for der in roots if (cert := _load(der))}
        self.digest = hashlib.sha256(b"".join(sorted(usable))).hexdigest()
        self.dated = dated
        self.roots = len(usable)
        self.ders = tuple(der for der, _ in usable.values())
        self._certs = [cert for _, cert in usable.values()]
        self._moments = _moments(summarize(der) for der, _ in usable.values())
        self._judge = lru_cache(CACHED_RESULTS)(self._judge_once)

    def verify(self, chain: tuple[bytes, ...], name: str, at_unix_s: int) -> TlsVerify:
        """What this store says of a chain (DER, leaf first) for a name (host or address; "" checks none) at a time."""
        at = datetime.fromtimestamp(at_unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if not chain:
            return TlsVerify(self.digest, "incomplete", ("incomplete",), name=name, at=at)
        kept = chain[:MAX_CHAIN]
        # Between two moments at which some certificate begins or ends, the answer cannot change: cached by that span.
        span = bisect_right(self._moments, at_unix_s), bisect_right(_moments(map(_summary, kept)), at_unix_s)
        return replace(self._judge(kept, name, span, Moment(at_unix_s)), at=at)

    def _judge_once(self, chain: tuple[bytes, ...], name: str, span: tuple[int, int], moment: Moment) -> TlsVerify:
        code, depth = self._check(chain, moment.unix_s)
        timeless, _ = self._check(chain, None)
        by_code = [CODE_REASONS.get(found, "invalid") for found in (code, timeless) if found]
        dates = _date_reasons(_summary(chain[0]), moment.unix_s)
        names = [] if not name or covers(chain[0], name) else ["wrong_name"]
        reasons = tuple(dict.fromkeys(by_code + dates + names))
        reason = reasons[0] if reasons else "ok"
        return TlsVerify(self.digest, reason, reasons or ("ok",), code, depth, name)

    def _check(self, chain: tuple[bytes, ...], at_unix_s: int | None) -> tuple[int, int]:
        """OpenSSL's verify code and the depth it is about; for a leaf that does not parse 1, its "unspecified"."""
        leaf, *others = [_load(der) for der in chain]
        if leaf is None:
            return 1, 0
        store = self._openssl_store(at_unix_s)
        try:
            crypto.X509StoreContext(store, leaf, [cert for cert in others if cert]).verify_certificate()
        except crypto.X509StoreContextError as exc:
            return int(exc.errors[0]), int(exc.errors[1])
        return 0, 0

    def _openssl_store(self, at_unix_s: int | None) -> crypto.X509Store:
        """A store for one time, or for no time at all. Made anew (0.1 ms, the roots are parsed already): OpenSSL keeps
        the first time that a store was given, and silently ignores any later one."""
        store = crypto.X509Store()
        for cert in self._certs:
            store.add_cert(cert)
        if at_unix_s is None:
            store.set_flags(_NO_CHECK_TIME)
        else:
            store.set_time(datetime.fromtimestamp(at_unix_s, UTC))
        return store


class Moment:
    """A time that is equal to every other: it rides along with a cache key whose span already says what matters."""

    __slots__ = ("unix_s",)

    def __init__(self, unix_s: int) -> None:
        self.unix_s = unix_s

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Moment)

    def __hash__(self) -> int:
        return 0


def load_trust(
    extra_files: Sequence[str | Path] = (), environ: Mapping[str, str] = os.environ, with_certifi: bool = True
) -> TrustStore:
    """certifi's roots, those of SSL_CERT_FILE and of `extra_files` (PEM). The same files give the same store object.
    Raises UsageError for a file that cannot be read or holds no certificate."""
    named = [str(path) for path in extra_files]
    if environ.get("SSL_CERT_FILE"):
        named.append(environ["SSL_CERT_FILE"])
    return _store_of(tuple(_read(path) for path in named), with_certifi)


@lru_cache(maxsize=8)
def _store_of(extra: tuple[bytes, ...], with_certifi: bool) -> TrustStore:
    base = [Path(certifi.where()).read_bytes()] if with_certifi else []
    roots = [der for pem in [*base, *extra] for der in pem_certificates(pem)]
    return TrustStore(roots, dated=_certifi_version() if with_certifi else None)


def _read(path: str) -> bytes:
    try:
        pem = Path(path).read_bytes()
    except OSError as exc:
        raise UsageError(f"cannot read certificates from {path}: {exc.strerror}") from exc
    if not pem_certificates(pem):
        raise UsageError(f"no PEM certificate in {path}")
    return pem


def pem_certificates(pem: bytes) -> list[bytes]:
    """The certificates of a PEM text as DER; blocks that are not base64 are left out."""
    return [der for body in _PEM.findall(pem) if (der := _base64(body))]


def _base64(body: bytes) -> bytes:
    try:
        return a2b_base64(body)
    except Base64Error:
        return b""


def _certifi_version() -> str | None:
    try:
        return version("certifi")
    except PackageNotFoundError:
        return None


def _load(der: bytes) -> crypto.X509 | None:
    # One at a time, by OpenSSL itself: certifi has held roots that stricter parsers refuse.
    try:
        return crypto.load_certificate(crypto.FILETYPE_ASN1, der)
    except crypto.Error:
        return None


@lru_cache(maxsize=1024)
def _summary(der: bytes) -> Certificate:
    return summarize(der)


def _moments(certificates: Iterable[Certificate]) -> tuple[int, ...]:
    """Every second at which one of them begins or ceases to be valid, in order."""
    ends = (moment for cert in certificates for moment in (cert.not_before, cert.not_after) if moment is not None)
    return tuple(sorted(set(ends)))


def _date_reasons(leaf: Certificate, at_unix_s: int) -> list[str]:
    """As OpenSSL counts: valid from the first second on, no longer valid in the last one."""
    early = leaf.not_before is not None and at_unix_s < leaf.not_before
    late = leaf.not_after is not None and at_unix_s >= leaf.not_after
    return [reason for reason, applies in (("not_yet_valid", early), ("expired", late)) if applies]


def ssl_context(store: TrustStore) -> ssl.SSLContext:
    """A verifying client context with exactly the store's roots, for talking to our own helper and collector."""
    context = ssl.create_default_context(cadata="".join(ssl.DER_cert_to_PEM_cert(der) for der in store.ders))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
