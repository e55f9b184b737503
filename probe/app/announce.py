"""What a run would contact and about how much it would move: for `--dry-run`, and for a person to decide on.

Honest, not small: the figures below are of complete measurements of real sites. What is unknown beforehand, such as
addresses and redirects, is said to be unknown.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from probe import __version__
from probe.app.eta import size
from probe.app.prepare import Prepared
from probe.app.trials import trials
from probe.model.target import Target
from probe.net.meter import LOOKUP, OPENING, on_the_wire
from probe.perform.world import Limits

# Bytes of one exchange, both ways, headers included. A DNS question with EDNS takes about 80, an answer with a handful
# of records and their signatures 300.
DNS = 380
# A ClientHello of a browser's size, a chain of two or three certificates, the finish: 5 to 6 kB.
HANDSHAKE = OPENING + on_the_wire(5_500)
# The compressed front page alone: half of all sites stay below 35 kB, a tenth is above 150.
PAGE = 60_000
# Addresses walked, pages asked for and hops of a site that is well: www and https cost a redirect now and then.
ADDRESSES, PAGES, HOPS = 3, 1.5, 1.4
# Of sites, half announce HTTP/3: an Initial or two each way and the chain, at two addresses, and a page up to its cap.
HTTP3_SHARE, HANDSHAKE_QUIC = 0.5, 8_000
# The control's facts, gzipped, and the question.
CONTROL = 14_000
# Bytes by a resolver's scheme for A and AAAA together: each over a connection of its own where it has one.
_LOOKUPS = {
    "system": 2 * LOOKUP,
    "network": 2 * DNS,
    "udp": 2 * DNS,
    "tcp": 2 * (DNS + OPENING),
    "tls": 2 * (DNS + HANDSHAKE),
    "https": 2 * (2 * DNS + HANDSHAKE),
}


@dataclass(frozen=True, slots=True)
class Expected:
    """Bytes: in all as expected, for one target that is well, and the cap of one page."""

    total: int
    per_target: int
    page_cap: int


def expected(prepared: Prepared) -> Expected:
    """About how much a run moves. A target that fails is asked again up to three times, but brings no page."""
    lookups = sum(_LOOKUPS[url.partition("://")[0].partition(":")[0]] for url in prepared.resolvers)
    sealed = sum(url.startswith(("tls://", "https://")) for url in prepared.resolvers)
    service_records = DNS + (DNS + HANDSHAKE if sealed else 0)
    hop = lookups + ADDRESSES * HANDSHAKE + PAGES * PAGE
    http3 = 2 * HANDSHAKE_QUIC + min(PAGE, Limits().http3_cap) if importlib.util.find_spec("aioquic") else 0
    hop += HTTP3_SHARE * http3
    per_target = round(HOPS * hop + service_records + 2 * OPENING + CONTROL * len(prepared.helpers))
    canary = HANDSHAKE + 2 * LOOKUP + 2 * DNS
    total = per_target * len(prepared.items) + canary * len(prepared.canaries)
    bound = prepared.wanted.max_data
    return Expected(min(total, bound) if bound else total, per_target, Limits().body_cap)


def announce(prepared: Prepared) -> dict[str, Any]:
    """Everything that would be contacted, as JSON. Addresses of the network's own resolvers are shown on this terminal
    and stored nowhere."""
    p, figures = prepared, expected(prepared)
    # Which canaries are asked is thrown with the dice of the order: without a seed, any of the pool.
    canaries = p.canaries if p.wanted.seed is not None or p.earlier else p.canary_pool
    return {
        "campaign": p.campaign.dossier.id if p.campaign else None,
        "targets": [item.target.normal for item in p.items],
        "hosts": hosts_of(item.target for item in p.items),
        "resolvers": [*p.resolvers],
        "network_resolvers": [*p.local_resolvers],
        "helpers": list(p.helpers),
        "canaries": [c.normal for c in canaries],
        "canaries_asked": len(p.canaries),
        "denied": p.denied,
        "database": str(p.db),
        "bytes_expected": figures.total,
        "bytes_per_target": figures.per_target,
        "bytes_per_page_at_most": figures.page_cap,
        "max_data": p.wanted.max_data or None,
        "max_rate": p.wanted.max_rate or None,
        "max_time_s": p.wanted.max_time_s or None,
        "also": "addresses and redirects of these names, on ports "
        + " ".join(map(str, sorted(p.policy.ports)))
        + "; once over QUIC too (UDP, port 443 or another of these), where they announce HTTP/3 and the extra "
        "`quic` is there",
        "on_anomaly": trials(p.helpers),
        "software": f"vantage-probe {__version__}",
    }


def hosts_of(targets: Iterable[Target]) -> dict[str, list[int]]:
    """Every host with the ports that its targets name, and port 80 or 443 beside it, which is tried for the record."""
    found: dict[str, set[int]] = {}
    for target in targets:
        found.setdefault(target.host, set()).update((target.port, target.sibling_port))
    return {host: sorted(found[host]) for host in sorted(found)}


def announced_text(plan: dict[str, Any]) -> list[str]:
    """The same in lines for a person."""
    hosts: dict[str, list[int]] = plan["hosts"]
    lines = [f"Hosts to look up and connect to ({len(hosts)}):"]
    lines += [f"  {host}  ports {' '.join(map(str, ports))}" for host, ports in hosts.items()]
    lines += [f"Targets ({len(plan['targets'])}), in this order:", *(f"  {url}" for url in plan["targets"])]
    lines.append("Resolvers, which learn every name:")
    lines += [f"  {_resolver(name, plan['network_resolvers'])}" for name in plan["resolvers"]]
    lines.append("Control helpers, which learn every target and its addresses:" if plan["helpers"] else "No helper.")
    lines += [f"  {url}" for url in plan["helpers"]]
    asked, pool = plan["canaries_asked"], plan["canaries"]
    lines.append(f"Canaries, innocent sites that tell whether this line lives ({asked} of these {len(pool)}):")
    lines += [f"  {url}" for url in pool]
    lines += [f"Also: {plan['also']}", "Where something looks wrong, besides:", *(f"  {t}" for t in plan["on_anomaly"])]
    lines += _amounts(plan)
    return lines


def _resolver(name: str, own: list[str]) -> str:
    base, _, index = name.partition(":")
    if name == "system":
        return "system (this machine's getaddrinfo)"
    if base == "network":
        return f"{name} ({own[int(index or 0)]}, configured by this network)"
    return f"{name} ({urlsplit(name).hostname})" if "?" in name else name


def _amounts(plan: dict[str, Any]) -> list[str]:
    count = len(plan["targets"])
    lines = [
        f"Left out, because you deny them: {plan['denied']}" if plan["denied"] else "",
        f"About {size(plan['bytes_expected'])} in all: {size(plan['bytes_per_target'])} for each of {count} "
        f"target{'s' * (count != 1)} that is well; a page is cut at {size(plan['bytes_per_page_at_most'])}.",
        f"Never more than {size(plan['max_data'])} and one page, as you bound it."
        if plan["max_data"]
        else "Not bounded; --max-data 20M would bound it.",
        f"On average at most {size(plan['max_rate'])} a second." if plan["max_rate"] else "",
        f"Results go to {plan['database']} and to nobody else.",
    ]
    return [line for line in lines if line]
