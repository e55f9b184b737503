"""Where a collector keeps its things, and setting it up.

DIR/collector.db   the union of everything taken in
DIR/bundles/       the bundles themselves, as they came (unless told not to keep them)
DIR/spool/         uploads on their way in
DIR/key.pem        the key that signs receipts
DIR/issuer.pem     the key that signs invited people's tokens, and
DIR/invites.db     which invitations there are (both from the first invitation on)
DIR/age.txt        the key that opens envelopes, where the extra `encrypt` is installed
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from probe.app.way import collector_url
from probe.collector.intake import Intake, IntakeLimits
from probe.collector.invitations import Invitations
from probe.collector.server import SERVE_LIMITS, card_of, collector_app
from probe.collector.spool import Spool, SpoolLimits
from probe.model.errors import StoreError
from probe.serve import Bound, Listen, Tls, serve_until_signal
from probe.store.envelope import can_encrypt
from probe.store.files import whole_file
from probe.store.keys import signing_key
from probe.wire.card import Card
from probe.wire.signed import public_hex


@dataclass(frozen=True, slots=True)
class Wish:
    """`place` is a folder, or the database file (the rest then lies in FILE.d). `quota` is bytes for everything."""

    place: Path
    quota: int = 20 * 1024 * 1024 * 1024
    keep: bool = True

    @property
    def db(self) -> Path:
        """The database file."""
        return self.place if self._is_file else self.place / "collector.db"

    @property
    def beside(self) -> Path:
        """The folder of everything but the database."""
        return self.place.with_name(self.place.name + ".d") if self._is_file else self.place

    @property
    def _is_file(self) -> bool:
        return self.place.is_file() or (not self.place.is_dir() and self.place.suffix in (".db", ".sqlite"))


def open_intake(wish: Wish) -> Intake:
    """The intake, its folders and key made where they are missing. Raises StoreError."""
    try:
        wish.beside.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = signing_key(wish.beside / "key.pem")
        kept = wish.beside / "bundles" if wish.keep else None
        identity = wish.beside / "age.txt" if can_encrypt() else None
        return Intake(
            wish.db, key, kept=kept, identity=identity, invitations=Invitations(wish.beside),
            limits=IntakeLimits(database=wish.quota),
        )  # fmt: skip
    except OSError as error:
        raise StoreError(f"{wish.place}: {error.strerror or error}") from None


def card_for(wish: Wish, urls: tuple[str, ...]) -> Card:
    """The collector's card for senders who reach it at `urls`; its keys are made when they are missing. Raises
    StoreError, UsageError."""
    # Onion services may be named, whatever this machine's own way is.
    checked = tuple(collector_url(url, proxy="tor") for url in urls)
    with open_intake(wish) as intake:
        return card_of(intake, checked)


def invite(wish: Wish, count: int, networks: int) -> tuple[list[str], int, int]:
    """New invitation codes, and how many tokens all invitations allow and gave out. Raises StoreError."""
    try:
        wish.beside.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"{wish.beside}: {error.strerror or error}") from None
    invitations = Invitations(wish.beside)
    return invitations.invite(count, networks), *invitations.counts()


def write_text(path: Path, text: str) -> None:
    """Text and a newline as a file, whole or not at all. Raises StoreError."""
    with whole_file(path) as file:
        file.write(text.encode() + b"\n")


async def serve_collector(
    wish: Wish, listen: Listen, tls: Tls | None, tell: Callable[[Bound, str, Path], None]
) -> None:
    """Serve until SIGINT or SIGTERM."""
    with open_intake(wish) as intake:
        others = (wish.db, wish.db.with_name(wish.db.name + "-wal"), wish.beside / "bundles")
        spool = Spool(wish.beside / "spool", SpoolLimits(quota=wish.quota), others)
        app = collector_app(intake, spool)
        key = public_hex(intake.key)
        await serve_until_signal(app, listen, SERVE_LIMITS, tls, tell=lambda bound: tell(bound, key, wish.db))
