"""A campaign's dossier: what is claimed, what else could explain it, what is measured for it, and on whose word.

A TOML file holds one; docs/schema/campaign.schema.json is rendered from here, and `probe.wire.strict` holds a file
against the same bounds, which are pieces of JSON Schema. Days are `2024-11-29`, UTC; an empty text means none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

SCHEMA = 1

Version = Annotated[int, {"const": SCHEMA, "description": f"{SCHEMA}"}]
Id = Annotated[str, {"pattern": "^[a-z0-9][a-z0-9-]{1,63}$", "description": "small letters, digits and hyphens"}]
Day = Annotated[str, {"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "description": "a day such as 2024-11-29"}]
OpenDay = Annotated[
    str, {"pattern": "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$", "description": "a day such as 2024-11-29, or empty"}
]
Every = Annotated[str, {"pattern": "^[1-9][0-9]{0,3}[mhd]$", "description": "a time such as 90m, 6h or 1d"}]
Language = Annotated[str, {"pattern": "^[a-z]{2,3}$", "description": "a language code such as ur"}]
Web = Annotated[str, {"pattern": "^https?://", "maxLength": 2000, "description": "a URL with https:// or http://"}]
Secure = Annotated[str, {"pattern": "^https://", "maxLength": 2000, "description": "a URL with https://"}]
Category = Annotated[str, {"pattern": "^([A-Z0-9_-]{1,16})?$", "description": "a category code such as NEWS"}]
Key = Annotated[str, {"pattern": "^([0-9a-f]{64})?$", "description": "an Ed25519 public key: 64 hex digits"}]
Recipient = Annotated[str, {"pattern": "^(age1[a-z0-9]{3,100})?$", "description": "an age public key: age1..."}]
Issuer = Annotated[str, {"pattern": "^[A-Za-z0-9+/=]{0,1000}$", "description": "an RSA public key: base64 of its DER"}]
Signature = Annotated[str, {"pattern": "^([0-9a-f]{128})?$", "description": "a signature: 128 hex digits"}]
Name = Annotated[str, {"minLength": 1, "maxLength": 200}]
Word = Annotated[str, {"maxLength": 80}]
Text = Annotated[str, {"maxLength": 2000}]
Sentence = Annotated[str, {"minLength": 1, "maxLength": 2000}]
Essay = Annotated[str, {"minLength": 1, "maxLength": 20000}]


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence that somebody made, about which targets, places and days. No places: the whole country."""

    id: Id
    statement: Sentence
    targets: Annotated[tuple[Web, ...], {"minItems": 1, "maxItems": 50}]
    since: Day
    source: Sentence
    places: Annotated[tuple[Word, ...], {"maxItems": 50}] = ()
    until: OpenDay = ""
    until_note: Text = ""


@dataclass(frozen=True, slots=True)
class Rival:
    """Something else that could explain claims, and what would exclude it."""

    id: Id
    explains: Annotated[tuple[Id, ...], {"minItems": 1, "maxItems": 50}]
    statement: Sentence
    source: Sentence
    excluded_by: Text = ""
    kind: Word = ""
    places: Annotated[tuple[Word, ...], {"maxItems": 50}] = ()
    since: OpenDay = ""
    until: OpenDay = ""


@dataclass(frozen=True, slots=True)
class Aim:
    """A target of the campaign and why it is one. A sensitive category holds it back until the volunteer opens it."""

    url: Web
    why: Text = ""
    category: Category = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often a volunteer measures, and the last day on which anybody does (empty: until it is stopped)."""

    every: Every
    until: OpenDay = ""


@dataclass(frozen=True, slots=True)
class Safety:
    """What a volunteer should know before saying yes."""

    note: Essay


@dataclass(frozen=True, slots=True)
class HelperOf:
    """Control vantage points to compare with, in order of preference."""

    urls: Annotated[tuple[Secure, ...], {"maxItems": 10}] = ()


@dataclass(frozen=True, slots=True)
class CollectorOf:
    """Where results may be sent: several ways to one collector, and its public keys: the one that signs receipts, the
    one to encrypt to (age), and the one that signs invited people's tokens. They are those of `probe collector key`."""

    urls: Annotated[tuple[Secure, ...], {"maxItems": 10}] = ()
    key: Key = ""
    recipient: Recipient = ""
    issuer: Issuer = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A claim's statement in another language."""

    id: Id
    statement: Sentence


@dataclass(frozen=True, slots=True)
class Translation:
    """The dossier's prose in another language; what is missing is shown as the author wrote it."""

    language: Language
    title: Annotated[str, {"maxLength": 200}] = ""
    incident: Annotated[str, {"maxLength": 20000}] = ""
    note: Annotated[str, {"maxLength": 20000}] = ""
    claim: Annotated[tuple[Said, ...], {"maxItems": 50}] = ()


@dataclass(frozen=True, slots=True)
class Dossier:
    """A campaign. `languages` are those it is written in, the author's own first; `canaries` are ids of
    seeds/canaries.toml. `key` and `signature` are the author's, Ed25519 over everything else; both are empty where
    nobody has signed."""

    schema: Version
    id: Id
    title: Name
    author: Name
    revision: Day
    languages: Annotated[tuple[Language, ...], {"minItems": 1, "maxItems": 20}]
    incident: Essay
    safety: Safety
    schedule: Schedule
    target: Annotated[tuple[Aim, ...], {"minItems": 1, "maxItems": 500}]
    claim: Annotated[tuple[Claim, ...], {"maxItems": 50}] = ()
    rival: Annotated[tuple[Rival, ...], {"maxItems": 50}] = ()
    canaries: Annotated[tuple[Word, ...], {"maxItems": 40}] = ()
    helper: HelperOf = HelperOf()
    collector: CollectorOf = CollectorOf()
    translation: Annotated[tuple[Translation, ...], {"maxItems": 20}] = ()
    source: Text = ""
    key: Key = ""
    signature: Signature = ""

    def prose(self, language: str) -> Translation:
        """Title, incident, note and statements in a language, or as the author wrote them."""
        found = next((t for t in self.translation if t.language == language), Translation(language))
        own = {said.id: said.statement for said in found.claim}
        claims = tuple(Said(c.id, own.get(c.id, c.statement)) for c in self.claim)
        return Translation(
            language, found.title or self.title, found.incident or self.incident, found.note or self.safety.note, claims
        )
