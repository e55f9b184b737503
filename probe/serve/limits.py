"""How much one client may ask, and all together. In memory only: a client is a salted hash whose salt dies with us."""

from __future__ import annotations

import hashlib
import ipaddress
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import trio

# After a last answer the rest of a request is read and thrown away for this long, in seconds and bytes: closing on
# unread bytes makes the kernel send a reset, which can overtake the answer (RFC 9112 section 9.6).
LINGER_S = 1.0
LINGER_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class ServeLimits:
    """Bytes, seconds and counts. `rate_per_min` and `burst` are requests of one client (IPv4 address or IPv6 /64);
    `connections_each` and `connections` are open at once, by one client and by all; `requests` are in work at once.
    `body_s` runs until the app has read the whole body, so an app must read it before it works long."""

    body: int = 65_536
    body_s: float = 20.0
    request_s: float = 60.0
    header: int = 16_384
    send_s: float = 20.0
    idle_s: float = 30.0
    connections: int = 512
    connections_each: int = 64
    requests: int = 256
    rate_per_min: float = 600.0
    burst: int = 120

    @property
    def quiet_s(self) -> float:
        """How long a connection may be silent both ways: an app may take `request_s` before it says a word."""
        return max(self.idle_s, self.request_s)


def client_key(address: str, salt: bytes) -> bytes:
    """A client as the limits know it: salted hash of the IPv4 address or of the IPv6 /64 (one household)."""
    try:
        ip = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return hashlib.blake2b(address.encode(), key=salt, digest_size=12).digest()
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    part = ip.packed[:8] if ip.version == 6 else ip.packed
    return hashlib.blake2b(part, key=salt, digest_size=12).digest()


class Meter:
    """A token bucket a client, in memory only. At most `most` are remembered; beyond that the oldest is forgotten."""

    def __init__(
        self, per_min: float, burst: int, now: Callable[[], float] = trio.current_time, most: int = 100_000
    ) -> None:
        self._per_s, self._burst, self._now, self._most = per_min / 60, burst, now, most
        self._salt = os.urandom(16)
        self._buckets: dict[bytes, tuple[float, float]] = {}

    def wait_s(self, address: str, cost: float = 1) -> float:
        """Take `cost` tokens (at most `burst`): 0.0 when there were so many, else the seconds until there are."""
        key, now = client_key(address, self._salt), self._now()
        tokens, at = self._buckets.pop(key, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - at) * self._per_s)
        cost = min(cost, self._burst)
        allowed = tokens >= cost
        self._buckets[key] = (tokens - cost if allowed else tokens, now)
        while len(self._buckets) > self._most:
            del self._buckets[next(iter(self._buckets))]
        return 0.0 if allowed else (cost - tokens) / self._per_s


class Places:
    """How many may be inside at once: `each` of one client, `most` of all."""

    def __init__(self, each: int, most: int) -> None:
        self._each, self._most = each, most
        self._salt = os.urandom(16)
        self._held: Counter[bytes] = Counter()

    @contextmanager
    def hold(self, address: str) -> Iterator[bool]:
        """A place for the length of the block; the value tells whether there was one."""
        key = client_key(address, self._salt)
        free = self._held[key] < self._each and self._held.total() < self._most
        self._held[key] += free
        try:
            yield free
        finally:
            self._held[key] -= free
            if not self._held[key]:
                del self._held[key]
