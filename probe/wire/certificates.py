"""Certificates as small frozen values, however malformed: what a fact's chain says, without judging it.

Certificates from hell exist: unparsable names, two copies of an extension, negative serials, keys of no known kind. A
part that cannot be read is left empty and named in `broken`, and the rest is still told.
"""

from __future__ import annotations

import hashlib
import ipaddress
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

T = TypeVar("T")
U = TypeVar("U")
# dNSName and iPAddress entries.
Sans = tuple[tuple[str, ...], tuple[str, ...]]
# A summary shows this many names of a certificate, and this much of each text; matching looks at all of them.
MAX_NAMES, MAX_TEXT = 64, 256
# All that `cryptography` raises for bytes it cannot make sense of.
_HELL = (
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    OverflowError,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    UnsupportedAlgorithm,
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What one certificate says. `sha256` is of its DER, `spki_sha256` of its public key's, both hex, as `serial` is.
    Times are Unix seconds. `names` are its dNSName, `ips` its iPAddress entries (at most MAX_NAMES of each; `sans`
    counts all). `self_issued` means that issuer and subject are the same, which proves no signature. `broken` names
    the parts that could not be read; ("der",) when it is no certificate at all."""

    sha256: str
    subject: str = ""
    issuer: str = ""
    names: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    sans: int = 0
    not_before: int | None = None
    not_after: int | None = None
    serial: str = ""
    spki_sha256: str = ""
    self_issued: bool = False
    broken: tuple[str, ...] = ()


def summarize(der: bytes) -> Certificate:
    """The summary of a certificate; never raises for its content."""
    digest = hashlib.sha256(der).hexdigest()
    parsed = _load(der)
    if parsed is None:
        return Certificate(digest, broken=("der",))
    broken: list[str] = []

    def read(part: str, reader: Callable[[x509.Certificate], T], default: T) -> T:
        try:
            return _quietly(reader, parsed)
        except _HELL:
            broken.append(part)
            return default

    nothing: Sans = ((), ())
    names, ips = read("names", _alternative_names, nothing)
    return Certificate(
        sha256=digest,
        subject=read("subject", lambda cert: cert.subject.rfc4514_string()[:MAX_TEXT], ""),
        issuer=read("issuer", lambda cert: cert.issuer.rfc4514_string()[:MAX_TEXT], ""),
        names=tuple(name[:MAX_TEXT] for name in names[:MAX_NAMES]),
        ips=ips[:MAX_NAMES],
        sans=len(names) + len(ips),
        not_before=read("not_before", lambda cert: _unix(cert.not_valid_before_utc), None),
        not_after=read("not_after", lambda cert: _unix(cert.not_valid_after_utc), None),
        serial=read("serial", lambda cert: f"{cert.serial_number:x}", ""),
        spki_sha256=read("key", _spki_sha256, ""),
        self_issued=read("issuer", lambda cert: cert.issuer == cert.subject, False),
        broken=tuple(dict.fromkeys(broken)),
    )


def covers(der: bytes, name: str) -> bool:
    """Whether a certificate is for a host name or literal address, by its subject alternative names alone (RFC 9525:
    the common name is not looked at). False when it cannot be read."""
    parsed = _load(der)
    try:
        names, ips = _quietly(_alternative_names, parsed) if parsed else ((), ())
    except _HELL:
        return False
    return names_cover(names, ips, name)


def names_cover(names: tuple[str, ...], ips: tuple[str, ...], name: str) -> bool:
    """Whether some dNSName or iPAddress entries cover a name. An address is matched only by an address."""
    address = _address(name)
    if address:
        return address in ips
    wanted = _normal(name)
    return bool(wanted) and any(_pattern_covers(_normal(pattern), wanted) for pattern in names)


def _pattern_covers(pattern: str, name: str) -> bool:
    """A `*` stands for exactly the leftmost label, whole, and never directly for a top-level name."""
    if not pattern.startswith("*."):
        return pattern == name and "*" not in pattern
    label, dot, parent = name.partition(".")
    return bool(label and dot) and "." in parent and "*" not in parent and pattern[2:] == parent


def _normal(name: str) -> str:
    return name.lower().removesuffix(".")


def _address(name: str) -> str | None:
    try:
        return str(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return None


def _load(der: bytes) -> x509.Certificate | None:
    try:
        return _quietly(x509.load_der_x509_certificate, der)
    except _HELL:
        return None


def _quietly(reader: Callable[[T], U], value: T) -> U:
    """Read with the library's warnings off: it warns of what some certificates do, which is for us to record."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return reader(value)


def _alternative_names(cert: x509.Certificate) -> Sans:
    try:
        sans = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return (), ()
    ips = tuple(str(ip) for ip in sans.get_values_for_type(x509.IPAddress))
    return tuple(sans.get_values_for_type(x509.DNSName)), ips


def _spki_sha256(cert: x509.Certificate) -> str:
    spki = cert.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def _unix(moment: datetime) -> int | None:
    return int(moment.timestamp())
