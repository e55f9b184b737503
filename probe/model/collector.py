"""A collector as those who send to it know it: where it listens, and the keys that it is known by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Collector:
    """One collector. `urls` are its addresses, tried in turn; `key` is the Ed25519 public key (hex) that its receipts
    are signed with, empty where it is not known yet: then the first receipt's key is expected again. `recipient` is the
    age public key (`age1...`) that bundles are encrypted to, empty for none. `issuer` is the public key (base64 of DER)
    that its invitations are signed with, empty for none."""

    urls: tuple[str, ...]
    key: str = ""
    recipient: str = ""
    issuer: str = ""
