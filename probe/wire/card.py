"""A collector's card: what people need to know to send to it, as one small signed file that can be handed round.

Whoever gets the card by a way they trust (a campaign's page, a friend) need trust nothing that the network says later:
receipts are checked against `key`, and bundles are encrypted to `recipient`.
"""

from __future__ import annotations

from dataclasses import dataclass

from probe.model.collector import Collector
from probe.model.errors import BundleError
from probe.wire.signed import check_signature, closed

CARD_FORMAT = 1
CARD_MAX = 20_000
URLS_MAX = 20


@dataclass(frozen=True, slots=True)
class Card:
    """`urls` are the collector's addresses in the order to try them, `key` the Ed25519 public key of its receipts and
    of this card's signature (hex), `recipient` the age public key to encrypt to, `issuer` the RSA public key (base64 of
    its DER SubjectPublicKeyInfo) that its invitations are signed with."""

    card: int
    urls: tuple[str, ...]
    key: str
    signature: str
    recipient: str = ""
    issuer: str = ""

    @property
    def collector(self) -> Collector:
        """The collector that it describes."""
        return Collector(self.urls, self.key, self.recipient, self.issuer)


def read_card(text: str | bytes) -> Card:
    """A card from JSON, its signature checked. Raises BundleError."""
    if len(text) > CARD_MAX:
        raise BundleError("the card is too long")
    card = closed(Card, text)
    if card.card != CARD_FORMAT:
        raise BundleError(f"card format {card.card} is not known here")
    if len(card.urls) > URLS_MAX:
        raise BundleError("the card names too many addresses")
    check_signature(card)
    return card
