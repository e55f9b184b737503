"""What this machine itself trusts: a second opinion on chains of which the pinned store knows no authority.

The system's store differs between machines and says nothing that others could recompute, so it never makes a chain
valid. It tells apart two things that look the same to the pinned store: an authority that somebody installed on this
very machine (an antivirus, a company's proxy), and one that is newer than our store.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from probe.model.kinds import TlsVerify
from probe.net.trust import TrustStore, pem_certificates

# Where systems keep all their roots in one file: Debian, Fedora, SUSE, then Alpine, the BSDs and macOS.
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


class SystemTrust:
    """The system's roots as a store, read when first asked: few runs ever ask."""

    @cached_property
    def store(self) -> TrustStore:
        return TrustStore(system_roots())

    @property
    def digest(self) -> str:
        return self.store.digest

    def verify(self, chain: tuple[bytes, ...], name: str, at_unix_s: int) -> TlsVerify:
        """As `TrustStore.verify`."""
        return self.store.verify(chain, name, at_unix_s)


def system_roots(bundles: Iterable[str] = BUNDLES) -> list[bytes]:
    """The system's roots (DER); empty where it tells none. Roots that a user added on macOS are not among them."""
    if sys.platform == "win32":
        return [der for der, encoding, _ in ssl.enum_certificates("ROOT") if encoding == "x509_asn"]
    default = ssl.get_default_verify_paths().openssl_cafile
    for path in (default, *bundles):
        try:
            roots = pem_certificates(Path(path).read_bytes())
        except OSError:
            continue
        if roots:
            return roots
    return []
