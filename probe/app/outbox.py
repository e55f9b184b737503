"""The outbox: what waits to be sent, and how patiently. Nothing in it is needed to send later; the database is.

PROBE_HOME/outbox/queue.json        for each vantage point whose sending failed: how often, why, and when to try again
PROBE_HOME/outbox/NAME-KEY.vpb.age  an envelope under way: encrypting again would give other bytes, and an upload that
                                    was cut could not go on where it stopped
PROBE_HOME/outbox/NAME.json         which measurements a bundle file holds that was made to be carried by hand

Failing takes nothing away: only a collector's signed receipt removes anything from here.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from probe.app.home import home_dir
from probe.model.errors import BundleError, StoreError
from probe.store.bundle import SUFFIX, Sealed
from probe.store.envelope import SUFFIX as AGE
from probe.store.envelope import encrypt
from probe.store.files import whole_file
from probe.wire.codec import CodecError, decode, encode
from probe.wire.facts import load_object

# After the first failure a quarter of an hour, then twice as long each time. Seconds.
FIRST_S, LONGEST_S = 15 * 60.0, 12 * 3600.0
# Two vantage points of one person shall not speak within minutes of each other.
APART_S = (30 * 60.0, 3 * 3600.0)


@dataclass(frozen=True, slots=True)
class Waiting:
    """The facts of one vantage point wait: `tries` failed, the last one because of `problem`; not before `not_before`
    (Unix time)."""

    tries: int
    not_before: int
    problem: str = ""

    @property
    def when(self) -> str:
        """`not_before` as RFC 3339 UTC."""
        return datetime.fromtimestamp(self.not_before, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Outbox:
    """The outbox in a folder. `now` gives Unix time, `chance` a number between two others."""

    folder: Path
    now: Callable[[], float] = time.time
    chance: Callable[[float, float], float] = field(default=random.uniform)

    # ---- the queue ----

    def waiting(self) -> dict[str, Waiting]:
        """By vantage id. What cannot be read is as good as empty: it only says how long to wait."""
        try:
            found = load_object((self.folder / "queue.json").read_bytes())
            return {name: decode(Waiting, value) for name, value in found.items()}
        except (OSError, BundleError, CodecError):
            return {}

    def is_due(self, vantage_id: str) -> bool:
        """True unless this vantage point is to wait longer."""
        waiting = self.waiting().get(vantage_id)
        return waiting is None or waiting.not_before <= self.now()

    def failed(self, vantage_id: str, problem: str) -> Waiting:
        """One more failure; returns when to try again. The wait doubles, and has a random part, so that everybody who
        was cut off by one outage does not come back in one moment."""
        before = self.waiting().get(vantage_id)
        tries = before.tries + 1 if before else 1
        longest = min(LONGEST_S, FIRST_S * 2.0 ** min(tries - 1, 20))
        waiting = Waiting(tries, int(self.now() + self.chance(longest / 2, longest)), problem[:500])
        self._keep({**self.waiting(), vantage_id: waiting})
        return waiting

    def put_off(self, vantage_ids: Iterable[str]) -> None:
        """Let these wait for a while, since another one is speaking now."""
        queue = self.waiting()
        for name in vantage_ids:
            before = queue.get(name, Waiting(0, 0))
            until = int(self.now() + self.chance(*APART_S))
            queue[name] = Waiting(before.tries, max(before.not_before, until), before.problem)
        self._keep(queue)

    def succeeded(self, vantage_id: str) -> None:
        """It came through: nothing to wait for any more."""
        queue = self.waiting()
        if queue.pop(vantage_id, None):
            self._keep(queue)

    def _keep(self, queue: dict[str, Waiting]) -> None:
        self._write("queue.json", json.dumps({name: encode(one) for name, one in queue.items()}, indent=1))

    # ---- envelopes and bundles that are carried ----

    def envelope(self, sealed: Sealed, recipient: str) -> Path:
        """The envelope of a bundle for one recipient: the one that was begun to be sent, or a new one."""
        self._make()
        path = self.folder / f"{sealed.name}-{recipient[-8:]}{SUFFIX}{AGE}"
        if not path.exists():
            encrypt(sealed.path, recipient, path)
        return path

    def carried(self, sealed: Sealed) -> None:
        """Remember what is in a bundle, for when its receipt comes back by hand."""
        self._write(f"{sealed.name}.json", json.dumps({"measurements": sealed.measurements}))

    def inside(self, bundle: str) -> tuple[str, ...]:
        """The measurements of a bundle that was remembered; empty when it was not."""
        try:
            names = load_object((self.folder / f"{bundle}.json").read_bytes()).get("measurements", [])
        except (OSError, BundleError):
            return ()
        return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()

    def acknowledged(self, bundle: str) -> None:
        """There is a receipt: what was kept for this bundle is not needed any more."""
        for path in self.folder.glob(f"{bundle}*"):
            path.unlink(missing_ok=True)

    def files(self) -> tuple[Path, ...]:
        """Everything in it."""
        return tuple(sorted(path for path in self.folder.glob("*") if path.is_file()))

    def _write(self, name: str, text: str) -> None:
        self._make()
        with whole_file(self.folder / name) as file:
            file.write(text.encode())

    def _make(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreError(f"{self.folder}: {error.strerror or error}") from None


def default_outbox() -> Outbox:
    """The outbox in PROBE_HOME."""
    return Outbox(home_dir() / "outbox")
