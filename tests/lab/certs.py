"""The lab's authorities, and the certificates that are wrong in a way of their own."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from probe.app.demo.certs import Authority

BOTH = ("h2", "http/1.1")


class Notary:
    """Issues server contexts: from the authority that the lab trusts, from a stranger's, or from nobody's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._honest = Authority("Lab", folder)
        self._stranger = Authority("National Gateway", folder, intermediate=False)
        self.root_pem = self._honest.root_pem
        self._held: dict[tuple[tuple[str, ...], tuple[str, ...], str, str], ssl.SSLContext] = {}

    def context(
        self, names: tuple[str, ...], alpn: tuple[str, ...] = BOTH, cert: str = "ok", newest: str = ""
    ) -> ssl.SSLContext:
        """A server context. `cert` and `newest` are words of `Site.cert` and `Site.tls`."""
        key = (names, alpn, cert, newest)
        if key not in self._held:
            self._held[key] = self._make(names, alpn, cert)
            if newest == "1.2":
                self._held[key].maximum_version = ssl.TLSVersion.TLSv1_2
        return self._held[key]

    def trust_pem(self, word: str) -> bytes:
        """What a volunteer trusts who has this lab's root, an expired copy of it, or the censor's authority as well."""
        if word == "national":
            return self.root_pem + self._stranger.root_pem
        return _expired(self.root_pem) if word == "expired" else self.root_pem

    def key_and_chain(self, names: tuple[str, ...], cert: str = "ok") -> bytes:
        """PEM of a key and a chain; `cert` is a word of `Site.cert`, but for self_signed."""
        if cert == "unknown_ca":
            return self._stranger.issue(names)
        named = ("somebody-else.example",) if cert == "other_name" else names
        return self._honest.issue(named, expired=cert == "expired")

    def _make(self, names: tuple[str, ...], alpn: tuple[str, ...], cert: str) -> ssl.SSLContext:
        if cert == "self_signed":
            return self._self_signed(names, alpn)
        if cert == "unknown_ca":
            return self._stranger.context(names, alpn)
        named = ("somebody-else.example",) if cert == "other_name" else names
        return self._honest.context(named, alpn, expired=cert == "expired")

    def _self_signed(self, names: tuple[str, ...], alpn: tuple[str, ...]) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        leaf = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        held = self._folder / "self-signed.pem"
        held.touch(mode=0o600)
        held.write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            + leaf.public_bytes(pem)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(held)
        held.unlink()
        context.set_alpn_protocols(list(alpn))
        return context


def _expired(root_pem: bytes) -> bytes:
    """The same authority, name and key, as an old trust store holds it: its time is over. What signs it does not
    matter, since nobody checks that of a root."""
    root, key = x509.load_pem_x509_certificate(root_pem), ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(root.subject)
        .issuer_name(root.issuer)
        .public_key(root.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(root.not_valid_before_utc - datetime.timedelta(days=3000))
        .not_valid_after(root.not_valid_before_utc)
    )
    for extension in root.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
