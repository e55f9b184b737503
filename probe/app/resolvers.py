"""Which resolvers are asked: those of this machine and its network, and a spread of public ones."""

from __future__ import annotations

from urllib.parse import urlsplit

from probe.model.errors import UsageError
from probe.model.target import address_of
from probe.verdict.reference import Reference


def own_resolvers() -> tuple[str, ...]:
    """The resolvers that this network configured, as URLs; empty where the system tells none."""
    import dns._features
    import dns.exception

    # Else dnspython loads aioquic, where it is installed, for a transport that nobody uses here: a tenth of a second.
    dns._features.force("doq", False)
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
