"""Where a host says that it speaks HTTP/3. Nobody is asked over QUIC who does not say so."""

from __future__ import annotations

from collections.abc import Iterator

from probe.model.kinds import DnsLookup
from probe.model.observation import Observation
from probe.model.target import Target
from probe.verdict.case import Case
from probe.verdict.read import Tried, accepted, of_kind, walks_of
from probe.wire.announce import alt_svc_ports, service_of

HTTPS_PORT = 443


def announced_port(case: Case, target: Target) -> int | None:
    """The UDP port at which the target's host offers HTTP/3, by the first that said so; None where nobody does. The
    field's own facts come first, so that what controls say later changes nothing."""
    sides = (case.observations, *(c.observations for c in case.controls))
    found = (port for facts in sides for port in offers(facts, target))
    return next(found, None)


def offers(facts: tuple[Observation, ...], target: Target) -> Iterator[int]:
    """The ports that one side's facts tell of: its HTTPS records, then the headers of pages that came over a path which
    is proven (RFC 7838 section 2.1 asks for no less)."""
    if target.scheme != "https":
        return
    if target.port == HTTPS_PORT:
        # For other ports the record has another name (RFC 9460 section 9.1), which nobody looks up.
        for o, detail in of_kind(facts, DnsLookup):
            if o.host == target.host and detail.qtype == "HTTPS" and accepted(detail):
                yield from _in_records(detail)
    for walk in walks_of(facts):
        if walk.host == target.host and walk.port == target.port and walk.proven and not walk.is_trial:
            yield from _in_headers(walk)


def _in_records(detail: DnsLookup) -> Iterator[int]:
    for record in detail.answers:
        service = service_of(record)
        if service is not None and service.speaks_h3 and not service.target:
            yield service.port or HTTPS_PORT


def _in_headers(walk: Tried) -> Iterator[int]:
    page = walk.page
    for name, value in page.headers if page is not None else ():
        if name.lower() == "alt-svc":
            yield from alt_svc_ports(value)
