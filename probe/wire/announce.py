"""How a host says that it speaks HTTP/3: the Alt-Svc header of its answers, and the HTTPS record in the DNS.

Only what is said of the host itself counts: an alternative on another host is another endpoint, with addresses that
nobody has looked up. Only the final version of the protocol counts (the token `h3`), not its drafts.
Alt-Svc: RFC 7838 section 3; HTTPS records: RFC 9460; ECH configurations in them: RFC 9848.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import dns.exception
import dns.rdata
import dns.rdtypes.svcbbase

from probe.model.kinds import Record

H3 = "h3"
# A header holds a handful of alternatives; more is somebody's joke.
MAX_ALTERNATIVES = 32
_ALTERNATIVE = re.compile(r'\s*([^=\s;,]{1,64})="([^"]{0,255})"')
_PARSE_ERRORS = (dns.exception.DNSException, ValueError, LookupError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True)
class Service:
    """One HTTPS record in service mode. `target` is "" when it is the record's owner itself; `port` None means the
    scheme's own; `ech` whether a configuration for Encrypted ClientHello came with it."""

    priority: int
    target: str
    alpn: tuple[str, ...]
    port: int | None
    ech: bool

    @property
    def speaks_h3(self) -> bool:
        return H3 in self.alpn


def alt_svc_ports(value: str) -> tuple[int, ...]:
    """The ports at which an Alt-Svc header offers HTTP/3 on the same host, in its order; none for `clear`."""
    found: dict[int, None] = {}
    for name, authority in _ALTERNATIVE.findall(value)[:MAX_ALTERNATIVES]:
        host, _, port = authority.rpartition(":")
        if name == H3 and not host and port.isascii() and port.isdigit() and 0 < int(port) < 65536:
            found[int(port)] = None
    return tuple(found)


def service_of(record: Record) -> Service | None:
    """An HTTPS record as a value; None for an alias (priority 0) and for what cannot be read."""
    if record.type != "HTTPS":
        return None
    try:
        data = dns.rdata.from_text("IN", "HTTPS", record.data)
    except _PARSE_ERRORS:
        return None
    if not isinstance(data, dns.rdtypes.svcbbase.SVCBBase) or not data.priority:
        return None
    keys = dns.rdtypes.svcbbase.ParamKey
    alpn, port = data.params.get(keys.ALPN), data.params.get(keys.PORT)
    target = data.target.to_text(omit_final_dot=True).lower()
    return Service(
        priority=data.priority,
        target="" if target in (".", record.name.lower()) else target,
        alpn=tuple(bytes(name).decode("latin-1") for name in getattr(alpn, "ids", ())),
        port=getattr(port, "port", None),
        ech=keys.ECH in data.params,
    )
