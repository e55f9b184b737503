"""Where a collector keeps its things, and setting it up.

DIR/collector.db   the union of everything taken in
DIR/bundles/       the bundles themselves, as they came (unless told not to keep them)
DIR/spool/         uploads on their way in
DIR/key.pem        the key that signs receipts
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from probe.collector.intake import Intake, IntakeLimits
from probe.collector.server import SERVE_LIMITS, collector_app
from probe.collector.spool import Spool, SpoolLimits
from probe.model.errors import StoreError
from probe.serve import Bound, Listen, Tls, serve_until_signal
from probe.store.keys import signing_key
from probe.wire.bundle import public_hex


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
        return Intake(wish.db, key, kept=kept, limits=IntakeLimits(database=wish.quota))
    except OSError as error:
        raise StoreError(f"{wish.place}: {error.strerror or error}") from None


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
