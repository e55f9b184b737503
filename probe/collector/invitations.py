"""The invitations of a collector, and the signer behind them. A file of its own, since it never travels with the facts.

DIR/issuer.pem    the RSA key that signs tokens, made with the first invitation
DIR/invites.db    which invitations there are (their digests), and what was signed for each

No time is written, and what is signed is blinded: the file says which invitations were used, never for what. The same
request again gets the same answer, so an answer that was lost on the way costs nobody their invitation.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from probe.model.errors import RefusedError, StoreError
from probe.store.keys import secret_file
from probe.wire.blindrsa import EXPONENT, blind_sign, issuer_text
from probe.wire.voucher import code_digest, invitation_code, read_invitation

# NIST SP 800-57 part 1: 128 bits of strength, good beyond 2030.
BITS = 3072
NETWORKS_MOST = 20
_TABLES = (
    "CREATE TABLE IF NOT EXISTS invitation (code TEXT PRIMARY KEY, networks INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS signed (code TEXT, number INTEGER, blinded BLOB NOT NULL,"
    " PRIMARY KEY (code, number)) WITHOUT ROWID",
)


class UsedError(RefusedError):
    """The invitation was used for another token."""


class Invitations:
    """The invitations in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key: RSAPrivateKey | None = None

    @property
    def issuer(self) -> str:
        """The public key that tokens are signed with; empty while nobody was ever invited."""
        # Asked anew each time: a collector that serves learns of the first invitation without being started again.
        return issuer_text(self._signer().public_key()) if self._key or self._pem.exists() else ""

    def invite(self, count: int, networks: int = 1) -> list[str]:
        """So many new codes, each good for so many vantage points of one person. Raises StoreError."""
        self._signer()
        codes = [invitation_code(secrets.token_bytes(16)) for _ in range(count)]
        with self._open() as db, db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO invitation VALUES (?, ?)", [(code_digest(code), networks) for code in codes])
        return codes

    def sign(self, code: str, number: int, blinded: bytes) -> bytes:
        """The answer to the `number`th (from 0) blinded token of an invitation. Raises RefusedError: unknown;
        UsedError: it went to another token; BundleError: malformed; StoreError."""
        digest = code_digest(read_invitation(code))
        if not self._pem.exists():
            raise RefusedError("nobody was invited here")
        with self._open() as db, db:
            # Asked first, since signing is work that a stranger shall not be able to ask for.
            found = db.execute("SELECT networks FROM invitation WHERE code = ?", (digest,)).fetchone()
            if found is None or not 0 <= number < found[0]:
                raise RefusedError("this invitation is not known here, or gives no more")
            answer = blind_sign(self._signer(), blinded, secrets.randbits(2 * BITS))
            # The write lock: of two requests for one invitation only one may come first.
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT OR IGNORE INTO signed VALUES (?, ?, ?)", (digest, number, blinded))
            kept = db.execute("SELECT blinded FROM signed WHERE code = ? AND number = ?", (digest, number)).fetchone()
            if kept[0] != blinded:
                raise UsedError("this part of the invitation was used")
        return answer

    def counts(self) -> tuple[int, int]:
        """How many tokens the invitations allow, and how many were signed."""
        if not self._path.exists():
            return 0, 0
        with self._open() as db:
            (allowed,) = db.execute("SELECT coalesce(sum(networks), 0) FROM invitation").fetchone()
            (used,) = db.execute("SELECT count(*) FROM signed").fetchone()
        return allowed, used

    @property
    def _pem(self) -> Path:
        return self._folder / "issuer.pem"

    @property
    def _path(self) -> Path:
        return self._folder / "invites.db"

    def _signer(self) -> RSAPrivateKey:
        if self._key is None:
            try:
                key = load_pem_private_key(secret_file(self._pem, _new_key), password=None)
            except (ValueError, TypeError, UnsupportedAlgorithm):
                raise StoreError(f"{self._pem}: is not a private key in PEM form") from None
            if not isinstance(key, RSAPrivateKey):
                raise StoreError(f"{self._pem}: is not an RSA key")
            self._key = key
        return self._key

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            with closing(sqlite3.connect(self._path, timeout=10, isolation_level=None)) as db:
                # An answer that left must be remembered after a power cut, or the invitation could be used twice.
                db.execute("PRAGMA synchronous = FULL")
                for statement in _TABLES:
                    db.execute(statement)
                yield db
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{self._path}: {error}") from None


def _new_key() -> bytes:
    key = generate_private_key(EXPONENT, BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
