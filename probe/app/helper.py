"""What `probe helper` does: a control vantage point put together from options, and served until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from probe import __version__
from probe.app.prepare import country_code, network_number, platform_text, policy_of
from probe.app.recent import RecentReach
from probe.app.resolvers import resolver_url, spread
from probe.app.sitting import new_id, utc_text
from probe.helper.app import Helper, helper_app
from probe.helper.limits import SERVE_LIMITS, HelperLimits
from probe.helper.trialdoor import open_door
from probe.inputs.netdb import NetDb
from probe.inputs.reference import load_reference
from probe.model.vantage import Vantage
from probe.net.systemtrust import SystemTrust
from probe.net.trionet import TrioNet
from probe.net.trust import TrustStore, load_trust
from probe.perform.world import Limits, Policy, World
from probe.serve import Bound, Listen, Tls, serve, serve_until_signal
from probe.store.sqlite import FLUSH_S, Store
from probe.wire.control import TRIAL_PORTS

# A helper that listens to the whole world by default would be an open door nobody asked for.
DEFAULT_LISTEN = "127.0.0.1:8765"


@dataclass(frozen=True, slots=True)
class HelperWish:
    """The options of `probe helper`, as typed. `system` asks this machine's own resolver as well; `source` is the
    address of ours to dial from, where there are several; `trial_listens` where the trial doors are, if any."""

    listen: Listen
    tls: Tls | None = None
    trial_listens: tuple[Listen, ...] = ()
    ca_files: tuple[Path, ...] = ()
    resolvers: tuple[str, ...] = ()
    db: Path | None = None
    netdb: Path | None = None
    country: str | None = None
    network: str | None = None
    allow_nets: tuple[str, ...] = ()
    allow_ports: tuple[int, ...] = ()
    rate_per_min: float = HelperLimits().rate_per_min
    system: bool = True
    source: str | None = None


@dataclass(frozen=True)
class ReadyHelper:
    """Options read and checked, before anything listens."""

    wish: HelperWish
    vantage: Vantage
    resolvers: tuple[str, ...]
    trust: TrustStore
    policy: Policy
    netdb: NetDb | None


def prepare_helper(wish: HelperWish) -> ReadyHelper:
    """Raises UsageError for an option that cannot be followed."""
    reference = load_reference()
    cc, asn = country_code(wish.country), network_number(wish.network)
    vantage = Vantage(
        vantage_id=new_id(),
        role="control",
        cc=cc,
        asn=asn,
        who_says="typed" if cc or asn else "",
        version=__version__,
        platform=platform_text(),
    )
    public = tuple(resolver_url(text) for text in wish.resolvers) or spread(reference)
    return ReadyHelper(
        wish=wish,
        vantage=vantage,
        resolvers=(*(("system",) if wish.system else ()), *public),
        trust=load_trust(wish.ca_files),
        policy=policy_of(reference, wish.allow_nets, wish.allow_ports),
        netdb=NetDb.open(wish.netdb) if wish.netdb else None,
    )


async def help_until_signal(ready: ReadyHelper, tell: Callable[[Bound], None], limits: Limits | None = None) -> None:
    """Serve until SIGINT or SIGTERM. Raises ProbeError where it cannot listen, StoreError when facts cannot be kept."""
    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        stack.callback(nursery.cancel_scope.cancel)
        app = helper_app(await _open(ready, stack, nursery, limits))
        await serve_until_signal(app, ready.wish.listen, SERVE_LIMITS, ready.wish.tls, tell=tell)


async def help_until_cancelled(
    ready: ReadyHelper,
    limits: Limits | None = None,
    *,
    task_status: trio.TaskStatus[Bound] = trio.TASK_STATUS_IGNORED,
) -> None:
    """The same for `nursery.start`, as in the demo."""
    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        stack.callback(nursery.cancel_scope.cancel)
        app = helper_app(await _open(ready, stack, nursery, limits))
        await serve(app, ready.wish.listen, SERVE_LIMITS, ready.wish.tls, task_status=task_status)


async def _open(ready: ReadyHelper, stack: AsyncExitStack, nursery: trio.Nursery, limits: Limits | None) -> Helper:
    store = stack.enter_context(Store.open(ready.wish.db)) if ready.wish.db else None
    if store is not None:
        nursery.start_soon(_flush_forever, store)
    net = await TrioNet.start(nursery, source=ready.wish.source)
    clock = net.clock
    health: dict[str, Any] = {}
    if ready.wish.trial_listens:
        health[TRIAL_PORTS] = [await nursery.start(open_door, listen) for listen in ready.wish.trial_listens]
    return Helper(
        world=World(
            net=net, trust=ready.trust, policy=ready.policy, limits=limits or Limits(), system_trust=SystemTrust()
        ),
        vantage=ready.vantage,
        resolvers=ready.resolvers,
        new_id=new_id,
        now_text=lambda: utc_text(clock.now_us()),
        see=_seer(ready.netdb),
        line=RecentReach(clock.mono_us).state,
        keep=store.append if store is not None else None,
        health=health.copy,
        limits=HelperLimits(rate_per_min=ready.wish.rate_per_min),
    )


async def _flush_forever(store: Store) -> None:
    while True:
        await trio.sleep(FLUSH_S)
        store.flush()


def _seer(netdb: NetDb | None) -> Callable[[str], tuple[str, int | None, str] | None]:
    def see(address: str) -> tuple[str, int | None, str] | None:
        found = netdb.lookup(address) if netdb is not None else None
        return (found.cc, found.asn, found.says) if found is not None else None

    return see
