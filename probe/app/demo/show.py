"""`probe demo`: the real prober against the small internet on loopback, with a real helper abroad, store, judge and
report.

Nothing in the prober knows of the demo: resolvers, ports, allowed nets and the trust store are options like any others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol

import trio

from probe.app.demo.world import Place, World, open_world
from probe.app.helper import HelperWish, help_until_cancelled, prepare_helper
from probe.app.prepare import Prepared, prepare
from probe.app.run import Outcome, sit
from probe.app.sitting import Watcher
from probe.app.wanted import Wanted
from probe.model.target import parse_target
from probe.model.verdict import Judgement
from probe.perform.world import Limits
from probe.serve import Listen

# On loopback nothing takes long, so what stays silent may be given up early; the real defaults are several times this.
DEMO_LIMITS = Limits(connect_s=2.0, handshake_s=2.0, stall_s=3.0, fetch_s=10.0)


@dataclass(frozen=True, slots=True)
class Shown:
    """One site of the demo: what was done to it, what was found, and whether that is right."""

    place: Place
    outcome: str
    layer: str | None
    techniques: tuple[str, ...]
    explanation: str

    @property
    def right(self) -> bool:
        expect = self.place.expect
        return bool(expect.met_by(self.outcome, self.layer, self.techniques))


class Onlooker(Watcher, Protocol):
    """A watcher that is also entered and left, and remembers what was judged, by URL."""

    judged: dict[str, Judgement]

    def __enter__(self) -> object: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """A demo that was shown."""

    outcome: Outcome
    world: World
    prepared: Prepared
    watcher: Onlooker


async def show(folder: Path, watch: Callable[[Prepared], Onlooker]) -> Seen:
    """Open the world, start a helper that sees the truth, and measure every site while `watch`'s watcher looks on. The
    database is `folder`/demo.db, made anew."""
    db = folder / "demo.db"
    for old in (db, db.with_name("demo.db-wal"), db.with_name("demo.db-shm")):
        old.unlink(missing_ok=True)
    async with open_world() as world, trio.open_nursery() as nursery:
        helper = prepare_helper(
            HelperWish(
                listen=Listen("127.0.0.1", 0),
                ca_files=(world.ca_file,),
                resolvers=world.control_resolvers,
                allow_nets=world.allow_nets,
                allow_ports=world.allow_ports,
                rate_per_min=6000,
                system=False,
                source=world.control_source,
            )
        )
        bound = await nursery.start(help_until_cancelled, helper, DEMO_LIMITS)
        prepared = _prepared(world, db, bound.url)
        watcher = watch(prepared)
        with watcher:
            outcome = await sit(prepared, watcher, limits=DEMO_LIMITS)
        nursery.cancel_scope.cancel()
    return Seen(outcome, world, prepared, watcher)


def _prepared(world: World, db: Path, helper: str) -> Prepared:
    wanted = Wanted(
        urls=tuple(place.url for place in world.places),
        controls=(helper,),
        resolvers=world.resolvers,
        db=db,
        # Loopback bears more than the careful beginning of `auto`.
        concurrency=8,
        ca_files=(world.ca_file,),
        canaries="none",
        country=world.country,
        network="AS64500",
        place="",
        access="fixed",
        allow_nets=world.allow_nets,
        allow_ports=world.allow_ports,
    )
    made = prepare(wanted, local_resolvers=(world.isp_resolver,), system=False)
    return replace(made, canaries=tuple(parse_target(url) for url in world.canaries))
