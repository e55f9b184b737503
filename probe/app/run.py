"""Carrying out a prepared run: network, helper client, signals and store put together for one sitting."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import httpx
import trio

from probe import __version__
from probe.app.greeting import find_doors, greet, opened, seen_by
from probe.app.guard import Guard
from probe.app.lock import only_run
from probe.app.own import local_scrubber, own_addresses
from probe.app.prepare import Prepared, platform_text
from probe.app.sitting import Plan, Sitting, Watcher, new_id, utc_text
from probe.app.unfinished import Unfinished, forget_plan, judge_rest, remember
from probe.model.vantage import Run, Vantage
from probe.net.load import Governor
from probe.net.meter import Meter
from probe.net.meterhttp import MeteredTransport
from probe.net.systemtrust import SystemTrust
from probe.net.trionet import TrioNet
from probe.net.trust import ssl_context
from probe.perform.world import Limits, World
from probe.store.sqlite import Store
from probe.wire.control import SeenClient

# What is under way when a person says stop has this long: most targets that answer need less. Seconds.
GRACE_S = 8.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a sitting ended: `interrupted` by a person, `incomplete` when its budget ran out."""

    run_id: str
    interrupted: bool
    incomplete: bool
    bytes_used: int

    @property
    def finished(self) -> bool:
        """Everything planned was measured to its end."""
        return not (self.interrupted or self.incomplete)


def carry_out(prepared: Prepared, watcher: Watcher) -> Outcome:
    """A person's run: alone on its database and home, with its plan beside the database until all of it is measured.
    Raises BusyError, and as `sit`."""
    plans: list[Unfinished] = []

    def begun(run_id: str) -> None:
        plans.append(prepared.unfinished(run_id))
        remember(prepared.db, plans[0])

    with only_run(prepared.db):
        outcome = trio.run(partial(sit, prepared, watcher, begun=begun))
        if outcome.finished:
            forget_plan(prepared.db, plans[0])
    return outcome


async def sit(
    prepared: Prepared,
    watcher: Watcher,
    *,
    source: str | None = None,
    limits: Limits | None = None,
    begun: Callable[[str], None] = lambda run_id: None,
) -> Outcome:
    """Measure as prepared; facts and verdicts go to the database. Raises StoreError when that cannot be written.

    `source` is the address of ours to dial from, where there are several; `begun` is told the run's id before the first
    target.
    """
    guard = Guard(local_scrubber(), tuple(own_addresses()))
    async with AsyncExitStack() as stack:
        store = stack.enter_context(Store.open(prepared.db))
        nursery = await stack.enter_async_context(trio.open_nursery())
        stack.callback(nursery.cancel_scope.cancel)
        net = await TrioNet.start(nursery, source=source)
        meter = Meter(prepared.wanted.max_data, prepared.wanted.max_rate)
        client = await stack.enter_async_context(helper_client(prepared, meter)) if prepared.helpers else None
        greetings = await greet(client, prepared.helpers, guard.learn) if client else ()
        # Through a proxy a helper is asked so that nobody sees it being asked: then it is not dialled either.
        doors = () if prepared.wanted.proxy else await find_doors(greetings, net, prepared.policy)
        world = World(
            net=net,
            trust=prepared.trust,
            policy=replace(prepared.policy, doors=opened(doors)),
            limits=limits or Limits(),
            local_resolvers=prepared.local_resolvers,
            helper_client=client,
            helper_direct=not prepared.wanted.proxy,
            learn_address=guard.learn,
            system_trust=SystemTrust(),
        )
        plan = replace(plan_of(prepared, store, utc_text(net.clock.now_us()), seen_by(greetings)), doors=doors)
        begun(plan.run.run_id)
        if prepared.earlier is not None:
            judge_rest(store, prepared.earlier.plan.runs, prepared.reference)
        sitting = Sitting(plan, store, world, prepared.reference, watcher, Governor(), scrub=guard, meter=meter)
        nursery.start_soon(_stop_on_signal, sitting)
        await sitting.run()
        ended = sitting.ended
        return Outcome(plan.run.run_id, ended == "interrupted", ended == "budget", meter.used)


async def _stop_on_signal(sitting: Sitting) -> None:
    """The first Ctrl-C begins nothing new and lets what is under way finish, within reason; the second one cuts that
    short; the third ends the program at once. Facts are kept in each case."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        await anext(signals)
        sitting.wind_down()
        sitting.watcher.stopping(GRACE_S)
        with trio.move_on_after(GRACE_S):
            await anext(signals)
        sitting.stop.halt("interrupted")
    # Out of the block, the signals have their old handlers back.
    await trio.sleep_forever()


def helper_client(prepared: Prepared, meter: Meter) -> httpx.AsyncClient:
    """The one client for helpers: HTTP/2, connections kept, our own trust store, an optional proxy, all counted."""
    transport = httpx.AsyncHTTPTransport(
        http2=True, verify=ssl_context(prepared.trust), trust_env=False, proxy=prepared.wanted.proxy
    )
    return httpx.AsyncClient(
        transport=MeteredTransport(transport, meter),
        timeout=httpx.Timeout(60, connect=10),
        trust_env=False,
        headers={"user-agent": f"vantage-probe/{__version__}"},
    )


def where(prepared: Prepared, seen: SeenClient) -> tuple[str, int | None, str]:
    """Country, network and who says so: what was typed, else a database of the volunteer's, else what the helper
    saw."""
    if prepared.cc or prepared.asn:
        return prepared.cc, prepared.asn, "typed"
    found = prepared.netdb.lookup(seen.address) if prepared.netdb and seen.address else None
    if found is not None:
        return found.cc, found.asn, found.says
    return (seen.cc, seen.asn, "seen") if seen.cc or seen.asn else ("", None, "")


def plan_of(prepared: Prepared, store: Store, started_at: str, seen: SeenClient) -> Plan:
    """The plan with this run's identity. A vantage point that says the same of itself as before is the same one."""
    cc, asn, who_says = where(prepared, seen)
    wanted = Vantage(
        vantage_id="",
        role="field",
        cc=cc,
        asn=asn,
        place=prepared.wanted.place,
        access=prepared.wanted.access,
        who_says=who_says,
        version=__version__,
        platform=platform_text(),
    )
    vantage = _known_vantage(store, wanted)
    run = Run(new_id(), vantage.vantage_id, started_at, prepared.list_digest, prepared.config())
    return Plan(
        items=prepared.items,
        canaries=prepared.canaries,
        resolvers=prepared.resolvers,
        helpers=prepared.helpers,
        vantage=vantage,
        run=run,
        archives=prepared.archives,
        concurrency=prepared.wanted.concurrency,
        max_time_s=prepared.wanted.max_time_s,
    )


def _known_vantage(store: Store, wanted: Vantage) -> Vantage:
    for known in store.rows(Vantage, "role = 'field'"):
        if _same(known, wanted):
            return known
    return Vantage(**{**_fields(wanted), "vantage_id": new_id()})


def _same(a: Vantage, b: Vantage) -> bool:
    return {**_fields(a), "vantage_id": ""} == _fields(b)


def _fields(vantage: Vantage) -> dict[str, Any]:
    return {name: getattr(vantage, name) for name in Vantage.__dataclass_fields__}
