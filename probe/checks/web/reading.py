"""All findings of one measurement: every layer of every hop of its redirect chain."""

from __future__ import annotations

from collections.abc import Iterator

from probe.checks.web.common import genuine
from probe.checks.web.endpoints import read_tcp, read_tls
from probe.checks.web.looks import leads_to_notice
from probe.checks.web.names import read_names
from probe.checks.web.pages import read_page
from probe.model.target import Target
from probe.verdict.case import Case
from probe.verdict.findings import Findings
from probe.verdict.pair import Pairing
from probe.verdict.read import redirect_target
from probe.verdict.reference import Reference


def read_web(case: Case, reference: Reference) -> tuple[Findings, ...]:
    """The findings of a web measurement, hop by hop, dns to http."""
    pairing = Pairing(case, reference)
    return tuple(f for number, target in enumerate(chain(pairing)) for f in _read_hop(pairing, target, number))


def _read_hop(pairing: Pairing, target: Target, hop: int) -> Iterator[Findings]:
    names = read_names(pairing, target.host, hop)
    if names is not None:
        yield names
    yield read_tcp(pairing, target, hop)
    tls = read_tls(pairing, target, hop)
    if tls is not None:
        yield tls
    yield read_page(pairing, target, hop)


def chain(pairing: Pairing) -> tuple[Target, ...]:
    """The targets of the redirect chain in order, each once. Where a stranger's redirect leads (at a false address,
    over an unproven TLS path, to a notice) is not the site's chain."""
    target = pairing.case.target
    found = {target.normal: target}
    for walk in pairing.here:
        page = walk.page
        source = found.get(page.url) if page is not None else None
        if page is None or source is None or walk.ip not in genuine(pairing, source):
            continue
        leads = redirect_target(page)
        if leads is not None and (walk.proven or source.scheme == "http") and not leads_to_notice(pairing, walk):
            found.setdefault(leads.normal, leads)
    return tuple(found.values())
