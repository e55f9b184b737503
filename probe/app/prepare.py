"""From what a person asked for to a plan: everything is read and checked before the first packet."""

from __future__ import annotations

import hashlib
import ipaddress
import platform
import random
import secrets
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from probe.app.campaign import Campaign
from probe.app.controls import Archive
from probe.app.home import home_dir
from probe.app.resolvers import own_resolvers, resolver_url, spread
from probe.app.sitting import Item
from probe.app.unfinished import GoOn, Unfinished
from probe.app.wanted import Wanted
from probe.checks import RULESET
from probe.inputs.categories import why_gated
from probe.inputs.deny import DenyList, read_denied
from probe.inputs.netdb import NetDb
from probe.inputs.reference import load_reference
from probe.inputs.targets import Planned, default_list, open_list
from probe.model.errors import UsageError
from probe.model.target import Target, parse_target
from probe.net.trust import TrustStore, load_trust
from probe.perform.world import WEB_PORTS, Policy
from probe.verdict.reference import Reference
from probe.wire.facts import canonical

CANARIES_AT_ONCE, CANARIES_AT_HOME = 3, 2
# Seeds that JSON numbers carry exactly everywhere (RFC 8259 section 6).
SEEDS = 2**53
DENY_FILE = "deny.txt"


@dataclass(frozen=True)
class Prepared:
    """A plan that can be announced and carried out. `items` are those to measure now, in their order; where it goes on
    from an unfinished run, that is `earlier`. `denied` counts the targets left out because the person denies them;
    `problems` are list lines that cannot be used, one line each."""

    wanted: Wanted
    items: tuple[Item, ...]
    canaries: tuple[Target, ...]
    canary_pool: tuple[Target, ...]
    resolvers: tuple[str, ...]
    local_resolvers: tuple[str, ...]
    helpers: tuple[str, ...]
    archives: tuple[Archive, ...]
    reference: Reference
    trust: TrustStore
    policy: Policy
    netdb: NetDb | None
    cc: str
    asn: int | None
    list_digest: str
    seed: int
    campaign: Campaign | None = None
    denied: int = 0
    earlier: GoOn | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def db(self) -> Path:
        return self.wanted.database

    def unfinished(self, run_id: str) -> Unfinished:
        """What to remember while the run of that id is under way."""
        if self.earlier is None:
            return Unfinished(self.wanted, self.items, self.seed, (run_id,))
        plan = self.earlier.plan
        return replace(plan, wanted=self.wanted, runs=(*plan.runs, run_id))

    def config(self) -> str:
        """What was asked for, as canonical JSON for the run's row: digests and choices, no path and no address of
        ours."""
        w = self.wanted
        value: dict[str, Any] = {
            "resolvers": list(self.resolvers), "helpers": list(self.helpers),
            "canaries": [c.url for c in self.canaries],
            "order_seed": self.seed, "concurrency": w.concurrency or "auto",
            "max_time_s": w.max_time_s, "max_data": w.max_data, "max_rate": w.max_rate,
            "categories": list(w.categories), "allow_nets": list(w.allow_nets), "allow_ports": list(w.allow_ports),
            "trust_store": self.trust.digest, "ruleset": RULESET.version, "reference": self.reference.digest,
            "netdb": [self.netdb.built, self.netdb.digest] if self.netdb else None, "denied": self.denied,
        }  # fmt: skip
        if self.campaign is not None:
            value["campaign"] = [self.campaign.dossier.id, self.campaign.digest]
        if self.earlier is not None:
            value["resumes"] = self.earlier.plan.runs[-1]
        return canonical(value)


def prepare(
    wanted: Wanted,
    *,
    local_resolvers: tuple[str, ...] | None = None,
    system: bool = True,
    earlier: GoOn | None = None,
    campaign: Campaign | None = None,
) -> Prepared:
    """Read lists, seeds, trust store and databases. Raises UsageError (a bad URL argument is one) before any
    traffic. With `earlier`, the targets are what is left of that run; a `campaign` names targets, canaries and helpers
    where the person did not."""
    wanted = earlier.plan.wanted if earlier else wanted
    reference = load_reference()
    cc = country_code(wanted.country)
    deny = read_denied((*wanted.deny, *own_deny_file()))
    seed, items, problems, notes = _going_on(earlier) if earlier else _beginning(wanted, cc, campaign)
    kept = tuple(item for item in items if not deny.covers(item.target.host))
    if not kept and items:
        raise UsageError("nothing to measure: every target is denied")
    pools = canary_pool(wanted.canaries, reference, cc, deny, campaign.dossier.canaries if campaign else ())
    dice = random.Random(seed)
    helpers, archives = _controls(wanted.controls or (campaign.dossier.helper.urls if campaign else ()), deny)
    own = own_resolvers() if local_resolvers is None else local_resolvers
    names = tuple("network" if n == 0 else f"network:{n}" for n in range(len(own)))
    public = tuple(resolver_url(text) for text in wanted.resolvers) or spread(reference)
    public = tuple(url for url in public if not deny.covers(urlsplit(url).hostname or ""))
    return Prepared(
        wanted=wanted,
        items=kept,
        canaries=_picked(wanted, pools, dice),
        canary_pool=(*pools[0], *pools[1]),
        resolvers=(*(("system",) if system else ()), *names, *public),
        local_resolvers=own,
        helpers=helpers,
        archives=archives,
        reference=reference,
        trust=load_trust(wanted.ca_files),
        policy=replace(
            policy_of(reference, wanted.allow_nets, (*wanted.allow_ports, *(_own_ports(wanted.urls)))), denied=deny
        ),
        netdb=NetDb.open(wanted.netdb) if wanted.netdb else None,
        cc=cc,
        asn=network_number(wanted.network),
        list_digest=hashlib.sha256("\n".join(sorted(item.target.normal for item in kept)).encode()).hexdigest(),
        seed=seed,
        campaign=campaign,
        denied=len(items) - len(kept),
        earlier=earlier,
        problems=tuple(problems),
        notes=tuple(notes),
    )


def own_deny_file() -> tuple[Path, ...]:
    """The deny list in PROBE_HOME, where there is one: it holds for every run."""
    path = home_dir() / DENY_FILE
    return (path,) if path.exists() else ()


Pool = tuple[Target, ...]
Beginning = tuple[int, tuple[Item, ...], list[str], list[str]]


def _beginning(wanted: Wanted, cc: str, campaign: Campaign | None) -> Beginning:
    """Seed, targets in their order, what was wrong in lists, and what to know, for a new run."""
    planned, problems, notes = _targets(wanted, cc, campaign)
    seed = secrets.randbelow(SEEDS) if wanted.seed is None else wanted.seed
    return seed, shuffled([Item(p.target, p.inputs) for p in planned], random.Random(seed)), problems, notes


def _going_on(earlier: GoOn) -> Beginning:
    return earlier.plan.seed, earlier.left, [], []


def shuffled(items: list[Item], dice: random.Random) -> tuple[Item, ...]:
    """The order of a run, by its seed alone. A fixed order would be a signature, and neighbours in a list are often
    neighbours on a server."""
    ordered = sorted(items, key=lambda item: item.target.normal)
    dice.shuffle(ordered)
    return tuple(ordered)


def _targets(wanted: Wanted, cc: str, campaign: Campaign | None) -> tuple[list[Planned], list[str], list[str]]:
    """Planned targets, one per normal form; what was wrong in lists; and what to know of gated categories."""
    found: dict[str, Planned] = {}
    problems: list[str] = []
    notes = [f"category {code.upper()} chosen: {why}" for code in wanted.categories if (why := why_gated(code.upper()))]

    def add(planned: Iterable[Planned]) -> None:
        for p in planned:
            known = found.get(p.target.normal)
            inputs = tuple(dict.fromkeys((*known.inputs, *p.inputs))) if known else p.inputs
            found[p.target.normal] = Planned(known.target if known else p.target, inputs, p.category, p.notes)

    for text in wanted.urls:
        add([Planned(parse_target(text), (text,))])
    lists = [open_list(name, wanted.categories) for name in wanted.lists]
    if campaign is not None:
        add(campaign.planned)
        notes.extend(f"campaign {campaign.dossier.id}: {url} left out: {why}" for url, why in campaign.held)
    elif not wanted.urls and not wanted.lists:
        lists = [default_list(cc, wanted.categories)]
    for one in lists:
        add(one.targets)
        problems.extend(f"{one.name}: {error}" for error in one.errors)
        notes.extend(f"{one.name}: {n} of category {code} left out: {why_gated(code)}" for code, n in one.held)
    if not found:
        raise UsageError("nothing to measure: every line was left out" if problems else "nothing to measure")
    return list(found.values()), problems, notes


def _own_ports(urls: Iterable[str]) -> tuple[int, ...]:
    """A port that a person typed in a URL is one that they want dialled."""
    return tuple(parse_target(text).port for text in urls)


def _controls(controls: tuple[str, ...], deny: DenyList) -> tuple[tuple[str, ...], tuple[Archive, ...]]:
    helpers, archives = [], []
    for control in controls:
        if control == "none":
            continue
        if "://" in control:
            parts = urlsplit(control)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise UsageError(f"--control {control!r}: a helper is an http or https URL")
            if deny.covers(parts.hostname):
                raise UsageError(f"--control {control!r}: your deny list covers it")
            helpers.append(control.rstrip("/"))
        elif Path(control).exists():
            archives.append(Archive(Path(control)))
        else:
            raise UsageError(f"--control {control!r}: neither a helper's URL, an existing database, nor none")
    return tuple(helpers), tuple(archives)


def canary_pool(
    choice: str | None, reference: Reference, cc: str, deny: DenyList, ids: Sequence[str] = ()
) -> tuple[Pool, Pool]:
    """From where this run's canaries are picked: those abroad, or all of a person's own list; and those at home. Where
    there are `ids`, only those of our list."""
    if choice == "none":
        return (), ()
    if choice:
        return tuple(p.target for p in open_list(choice, ()).targets if not deny.covers(p.target.host)), ()
    known = [(c.home, parse_target(c.url)) for c in reference.canaries if not ids or c.id in ids]
    free = [(home, target) for home, target in known if not deny.covers(target.host)]
    return tuple(t for home, t in free if not home), tuple(t for home, t in free if home and home == cc)


def _picked(wanted: Wanted, pools: tuple[Pool, Pool], dice: random.Random) -> Pool:
    if wanted.canaries:
        return pools[0]
    abroad, home = pools
    return (
        *dice.sample(abroad, min(CANARIES_AT_ONCE, len(abroad))),
        *dice.sample(home, min(CANARIES_AT_HOME, len(home))),
    )


def policy_of(reference: Reference, nets: Iterable[str], ports: Iterable[int]) -> Policy:
    """Where may be dialled: nothing special-purpose but `nets`, and the web's ports and `ports`."""
    special = tuple((b.network, b.name) for b in reference.special if b.reachable is not True)
    allowed = []
    for text in nets:
        try:
            allowed.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            raise UsageError(f"--allow-net {text!r}: not an address range such as 10.0.0.0/8") from None
    return Policy(special, tuple(allowed), frozenset(WEB_PORTS | set(ports)))


def country_code(text: str | None) -> str:
    """An ISO 3166-1 alpha-2 code in upper case, or empty."""
    if not text:
        return ""
    if len(text) != 2 or not text.isascii() or not text.isalpha():
        raise UsageError(f"--country {text!r}: two letters such as PK")
    return text.upper()


def network_number(text: str | None) -> int | None:
    """An autonomous system number from `17557` or `AS17557`."""
    if not text:
        return None
    digits = text.upper().removeprefix("AS")
    if not digits.isdigit() or not 0 < int(digits) < 2**32:
        raise UsageError(f"--network {text!r}: a number such as AS17557")
    return int(digits)


def platform_text() -> str:
    """Operating system family and Python version; nothing that singles out a machine."""
    return f"{platform.system() or 'unknown'} Python {sys.version_info[0]}.{sys.version_info[1]}"
