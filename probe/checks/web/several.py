"""The same strange page elsewhere: in the place of sites that share neither owner nor network nor server. Several of
those are not answered alike by chance; who answers them all stands between, or serves them all and hides it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from probe.model.kinds import HttpFetch, PageMet
from probe.model.target import site_of
from probe.verdict.likeness import makers, same_answer
from probe.verdict.pair import Pairing

# So many sites, the target among them, that have nothing in common: fewer may have met a host or a park by chance.
SEVERAL = 3
# The smallest networks that are announced by themselves: inside one, addresses are of one hand.
JOINT = {4: 24, 6: 48}
MAKERS_MAX = 16


def is_of_several(pairing: Pairing, host: str, ip: str, page: HttpFetch, given: Sequence[HttpFetch]) -> bool:
    """Several sites, the host among them, were answered with this page in this run, while innocent ones get through.
    `ip` is an address of the host's own."""
    state = pairing.line_state
    if not state.pages_canaries:
        # Nobody looked whether innocent sites get through in the clear.
        return False
    met = [m for m in state.pages_elsewhere if same_answer(page, m)]
    return len(unrelated([page_met(host, ip, page, given), *met])) >= SEVERAL


def page_met(host: str, ip: str, page: HttpFetch, given: Sequence[HttpFetch]) -> PageMet:
    """A page as other measurements of the run may know of it."""
    traits = sorted({trait for other in given for trait in makers(other)})
    return PageMet(host, ip, page.status, page.location, page.body, page.features, tuple(traits[:MAKERS_MAX]))


def unrelated(met: Sequence[PageMet]) -> list[PageMet]:
    """As many of them, from the first on, as share neither site, nor the name before its ending, nor network, nor what
    names their servers."""
    found: list[PageMet] = []
    for one in met:
        if not any(_related(one, other) for other in found):
            found.append(one)
    return found


def _related(a: PageMet, b: PageMet) -> bool:
    networks = _network(a.ip), _network(b.ip)
    if networks[0] == networks[1] or not set(a.makers).isdisjoint(b.makers):
        return True
    if (":" in networks[0]) != (":" in networks[1]):
        # An address of either family says nothing of the other's.
        return True
    sites = site_of(a.host), site_of(b.host)
    # example.com and example.de are often one owner's.
    return sites[0] == sites[1] or sites[0].split(".")[0] == sites[1].split(".")[0]


def _network(ip: str) -> str:
    try:
        address = ipaddress.ip_address(ip.split("%")[0])
    except ValueError:
        return ip
    return str(ipaddress.ip_network(f"{address}/{JOINT[address.version]}", strict=False))
