"""Throw-away certificates: a root, an intermediate, leaves, and the interceptor's rival authority.

Keys live only in a temporary folder for as long as the world does. P-256 throughout: quick to make, and what sites use.
"""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)
_PEM = serialization.Encoding.PEM


def _name(common: str, organisation: str = "Vantage Probe demo") -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


class Authority:
    """A certificate authority in memory. `chain_pem` is what a server sends above its leaf; `root_pem` what a visitor
    must trust. With `intermediate` the leaves are signed by one, as real ones are."""

    def __init__(self, common: str, folder: Path, *, intermediate: bool = True) -> None:
        self._folder = folder
        self._now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        root_key = ec.generate_private_key(ec.SECP256R1())
        root = self._sign_authority(f"{common} root", root_key, None)
        self.root_pem = root.public_bytes(_PEM)
        self._key, self._certificate = root_key, root
        if intermediate:
            self._key = ec.generate_private_key(ec.SECP256R1())
            self._certificate = self._sign_authority(f"{common} issuing", self._key, (root, root_key))
        self.chain_pem = self._certificate.public_bytes(_PEM)

    def _sign_authority(
        self,
        common: str,
        key: ec.EllipticCurvePrivateKey,
        parent: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None,
    ) -> x509.Certificate:
        subject = _name(common)
        issuer, signer = (parent[0].subject, parent[1]) if parent else (subject, key)
        builder = self._builder(subject, issuer, key, self._now - 900 * _DAY, self._now + 900 * _DAY, signer)
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        return (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(signer, hashes.SHA256())
        )

    @staticmethod
    def _builder(
        subject: x509.Name,
        issuer: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        begins: datetime.datetime,
        ends: datetime.datetime,
        signer: ec.EllipticCurvePrivateKey,
    ) -> x509.CertificateBuilder:
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(above, critical=False)
        )

    def issue(self, names: tuple[str, ...], *, expired: bool = False) -> bytes:
        """PEM of a key, a leaf for `names` and the chain above it. An expired one ended forty days ago."""
        begins, ends = (
            (self._now - 130 * _DAY, self._now - 40 * _DAY) if expired else (self._now - _DAY, self._now + 89 * _DAY)
        )
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        leaf = (
            self._builder(_name(names[0]), self._certificate.subject, self._leaf_key, begins, ends, self._key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
            .add_extension(usage, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        key_pem = self._leaf_key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return key_pem + leaf.public_bytes(_PEM) + self.chain_pem

    def context(self, names: tuple[str, ...], alpn: tuple[str, ...], *, expired: bool = False) -> ssl.SSLContext:
        """A server's TLS context with a fresh certificate for `names`, offering `alpn`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # load_cert_chain takes files only; this one is gone again before the function returns.
        held = self._folder / "held.pem"
        held.touch(mode=0o600)
        held.write_bytes(self.issue(names, expired=expired))
        try:
            context.load_cert_chain(held)
        finally:
            held.unlink()
        context.set_alpn_protocols(list(alpn))
        return context
