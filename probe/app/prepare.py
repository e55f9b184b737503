"""From what a person asked for to a plan: everything is read and checked before the first packet."""

from __future__ import annotations

import hashlib
import ipaddress
import platform
import random
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from probe import __version__
from probe.app.controls import Archive
from probe.app.home import default_db
from probe.app.sitting import Item
from probe.app.trials import trials
from probe.checks import RULESET
from probe.inputs.categories import why_gated
from probe.inputs.netdb import NetDb
from probe.inputs.reference import load_reference
from probe.inputs.targets import Planned, default_list, open_list
from probe.model.errors import UsageError
from probe.model.target import Target, address_of, parse_target
from probe.net.trust import TrustStore, load_trust
from probe.perform.world import WEB_PORTS, Policy
from probe.verdict.reference import Reference
from probe.wire.facts import canonical

# Bytes on the wire of one complete measurement without retries: lookups, handshakes, one page. Used for the estimate
# only.
BYTES_PER_TARGET = 180_000
AUTO_CONCURRENCY = 8
CANARIES_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of `probe run`, as typed. Zero and empty mean not given."""

    urls: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    resolvers: tuple[str, ...] = ()
    db: Path | None = None
    concurrency: int = 0
    max_time_s: float = 0
    max_data: int = 0
    ca_files: tuple[Path, ...] = ()
    proxy: str | None = None
    canaries: str | None = None
    country: str | None = None
    network: str | None = None
    place: str = ""
    access: str = ""
    netdb: Path | None = None
    allow_nets: tuple[str, ...] = ()
    allow_ports: tuple[int, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """A plan that can be announced and carried out. `problems` are list lines that cannot be used, one line
    each."""

    wanted: Wanted
    items: tuple[Item, ...]
    canaries: tuple[Target, ...]
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
    concurrency: int
    list_digest: str
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def db(self) -> Path:
        return self.wanted.db or default_db()

    def config(self) -> str:
        """What was asked for, as canonical JSON for the run's row: digests and choices, no path and no address of
        ours."""
        w = self.wanted
        value = {
            "resolvers": list(self.resolvers), "helpers": list(self.helpers),
            "canaries": [c.url for c in self.canaries],
            "concurrency": self.concurrency, "max_time_s": w.max_time_s, "max_data": w.max_data,
            "categories": list(w.categories), "allow_nets": list(w.allow_nets), "allow_ports": list(w.allow_ports),
            "trust_store": self.trust.digest, "ruleset": RULESET.version, "reference": self.reference.digest,
            "netdb": [self.netdb.built, self.netdb.digest] if self.netdb else None,
        }  # fmt: skip
        return canonical(value)


def prepare(wanted: Wanted, *, local_resolvers: tuple[str, ...] | None = None, system: bool = True) -> Prepared:
    """Read lists, seeds, trust store and databases. Raises UsageError (a bad URL argument is one) before any
    traffic."""
    reference = load_reference()
    cc = country_code(wanted.country)
    planned, problems, notes = _targets(wanted, cc)
    helpers, archives = _controls(wanted.controls)
    own = own_resolvers() if local_resolvers is None else local_resolvers
    names = tuple("network" if n == 0 else f"network:{n}" for n in range(len(own)))
    public = tuple(resolver_url(text) for text in wanted.resolvers) or spread(reference)
    items = [Item(p.target, p.inputs) for p in planned]
    # A fixed order would be a signature, and neighbours in a list are often neighbours on a server.
    random.shuffle(items)
    return Prepared(
        wanted=wanted,
        items=tuple(items),
        canaries=_canaries(wanted.canaries, reference, cc),
        resolvers=(*(("system",) if system else ()), *names, *public),
        local_resolvers=own,
        helpers=helpers,
        archives=archives,
        reference=reference,
        trust=load_trust(wanted.ca_files),
        policy=policy_of(reference, wanted.allow_nets, (*wanted.allow_ports, *(_own_ports(wanted.urls)))),
        netdb=NetDb.open(wanted.netdb) if wanted.netdb else None,
        cc=cc,
        asn=network_number(wanted.network),
        concurrency=wanted.concurrency or AUTO_CONCURRENCY,
        list_digest=hashlib.sha256("\n".join(sorted(p.target.normal for p in planned)).encode()).hexdigest(),
        problems=tuple(problems),
        notes=tuple(notes),
    )


def _targets(wanted: Wanted, cc: str) -> tuple[list[Planned], list[str], list[str]]:
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
    if not wanted.urls and not wanted.lists:
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


def _controls(controls: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Archive, ...]]:
    helpers, archives = [], []
    for control in controls:
        if control == "none":
            continue
        if "://" in control:
            parts = urlsplit(control)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise UsageError(f"--control {control!r}: a helper is an http or https URL")
            helpers.append(control.rstrip("/"))
        elif Path(control).exists():
            archives.append(Archive(Path(control)))
        else:
            raise UsageError(f"--control {control!r}: neither a helper's URL, an existing database, nor none")
    return tuple(helpers), tuple(archives)


def own_resolvers() -> tuple[str, ...]:
    """The resolvers that this network configured, as URLs; empty where the system tells none."""
    import dns.exception
    import dns.resolver

    try:
        found = [str(ns) for ns in dns.resolver.Resolver(configure=True).nameservers]
    except (dns.exception.DNSException, OSError):
        return ()
    return tuple(udp_url(ip) for ip in found if address_of(ip))[:3]


def udp_url(ip: str, port: int = 53) -> str:
    return f"udp://[{ip}]:{port}" if ":" in ip else f"udp://{ip}:{port}"


def resolver_url(text: str) -> str:
    """A `--resolver` as given, checked: a known scheme and an address to dial (a name would need a resolver first)."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("udp", "tcp", "tls", "https") and address_of(parts.hostname or "") and parts.port != 0
    except ValueError:
        good = None
    if not good:
        raise UsageError(f"--resolver {text!r}: not udp://, tcp://, tls:// or https:// followed by an IP address")
    return text


def spread(reference: Reference) -> tuple[str, ...]:
    """The default public resolvers: few questions, every transport, several operators."""
    by_id = {r.id: r for r in reference.resolvers}
    chosen = [by_id[name] for name in reference.default_resolvers if name in by_id]
    wishes = ("udp://", "udp://", "tcp://", "tls://", "https://")
    found: list[str] = []
    for n, scheme in enumerate(wishes):
        ready = [u for r in chosen[n % len(chosen) :] + chosen for u in r.urls if u.startswith(scheme) and "[" not in u]
        found.extend(url for url in ready[:1] if url not in found)
    return tuple(found)


def _canaries(choice: str | None, reference: Reference, cc: str) -> tuple[Target, ...]:
    if choice == "none":
        return ()
    if choice:
        return tuple(p.target for p in open_list(choice, ()).targets)
    abroad = [c for c in reference.canaries if not c.home]
    home = [c for c in reference.canaries if c.home and c.home == cc]
    picked = random.sample(abroad, min(CANARIES_AT_ONCE, len(abroad))) + random.sample(home, min(2, len(home)))
    return tuple(parse_target(c.url) for c in picked)


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


def announce(prepared: Prepared) -> dict[str, Any]:
    """What would be contacted, for `--dry-run`."""
    p = prepared
    return {
        "targets": [item.target.normal for item in p.items],
        "resolvers": [*p.resolvers],
        "helpers": list(p.helpers),
        "canaries": [c.normal for c in p.canaries],
        "database": str(p.db),
        "bytes_expected": BYTES_PER_TARGET * len(p.items) + 20_000 * len(p.canaries),
        "also": "addresses and redirects of these names, on ports " + " ".join(map(str, sorted(p.policy.ports))),
        "on_anomaly": trials(p.helpers),
        "software": f"vantage-probe {__version__}",
    }
