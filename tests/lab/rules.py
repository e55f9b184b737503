"""What a router may do to packets, as data: one `Rule` a line of a case, and how the trigger is read off a packet."""

from __future__ import annotations

import contextlib
import ssl
import struct
from dataclasses import dataclass, field
from typing import Any, Literal

from probe.app.demo.censor import sni_of
from probe.net.tlscontext import context
from tests.lab.packet import packed

Where = Literal["access", "censor", "core", "resolver"]
Sight = Literal["query", "sni", "hello", "initial", "host", "url", "data", "syn_ack", "address", "any"]
Deed = Literal[
    "drop", "mute", "reset", "refuse", "icmp", "fin", "alert", "page", "garble", "redirect", "divert", "truncate",
    "break", "freeze", "police", "shape", "delay", "forge", "nxdomain", "empty", "refused", "servfail", "search",
    "pass",
]  # fmt: skip

# What a DNS deed answers with (RFC 1035 section 4.1.1): rcode, or None where an address is given.
RCODES: dict[str, int] = {"nxdomain": 3, "empty": 0, "refused": 5, "servfail": 2}


@dataclass(frozen=True, slots=True)
class Rule:
    """When `at` a place `on` seeing something of `names` or `addresses`: `do` it.

    on          a query's name (UDP, unless `protocol` says tcp), a server name (`initial`: in QUIC's first
                datagrams), the offer of a ClientHello (`ciphers`), a Host header, a path; the first data of a
                connection whatever it says; the far end's SYN-ACK; an address; anything
    at          access router, censor, core (there the control is hit as well), or the ISP's resolver
    names       with every name below them, unless `exact`; empty means every name
    addresses   packed; of the far end; empty means every address
    clients     packed; of the near end; empty means everybody
    ports       of the far end; empty means every port
    to          the forged address, where a redirect leads, or the page that is shown (see `tests.lab.notices`)
    status      of a page
    ciphers     the cipher suites of a ClientHello, as sent
    also        let the true packet pass beside the forgery (a race); only then are there two answers
    ede         extended DNS error code in a forged refusal, -1 none
    part        share of connections that are hit, drawn for each anew
    free        connections of one client within a minute that pass before it begins
    residual_s  how long client, server and port stay hit afterwards
    after_s     idle until so long after the lab's first packet; `until_s` the end, 0 none
    after_bytes of the far end's answer that come through first (truncate, break, freeze)
    rate_bps    what is let through: by dropping (police), by a queue of a second (shape)
    delay_ms    for each packet of the answer
    """

    at: Where = "censor"
    on: Sight = "any"
    do: Deed = "drop"
    names: tuple[str, ...] = ()
    exact: bool = False
    path: str = ""
    addresses: tuple[bytes, ...] = ()
    clients: tuple[bytes, ...] = ()
    ports: tuple[int, ...] = ()
    protocol: Literal["", "tcp", "udp"] = ""
    family: Literal["", "ipv4", "ipv6"] = ""
    qtypes: tuple[str, ...] = ()
    to: str = ""
    status: int = 200
    ciphers: bytes = b""
    also: bool = False
    ede: int = -1
    part: float = 1.0
    free: int = 0
    residual_s: float = 0.0
    after_s: float = 0.0
    until_s: float = 0.0
    after_bytes: int = 0
    rate_bps: float = 0.0
    delay_ms: float = 0.0

    def named(self, name: str | None) -> bool:
        """The name is one of ours."""
        if name is None:
            return False
        if not self.names:
            return True
        if self.exact:
            return name in self.names
        return any(name == known or name.endswith("." + known) for known in self.names)


def rule_of(table: dict[str, Any]) -> Rule:
    """A rule from its JSON form: addresses are hex there."""
    values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in table.items()}
    for key in ("addresses", "clients"):
        values[key] = tuple(bytes.fromhex(text) for text in table.get(key, ()))
    values["ciphers"] = bytes.fromhex(table.get("ciphers", ""))
    return Rule(**values)


def rule_json(rule: Rule) -> dict[str, Any]:
    """The JSON form of a rule; what has its default is left out."""
    plain = {name: getattr(rule, name) for name in rule.__dataclass_fields__}
    default = Rule()
    found = {name: value for name, value in plain.items() if value != getattr(default, name)}
    for key in ("addresses", "clients"):
        if key in found:
            found[key] = [address.hex() for address in found[key]]
    if rule.ciphers:
        found["ciphers"] = rule.ciphers.hex()
    return found


@dataclass(slots=True)
class Seen:
    """What a reader of packets makes of the first bytes of a connection."""

    sni: str | None = None
    ciphers: bytes = b""
    host: str | None = None
    path: str = ""
    heard: bytes = field(default=b"", repr=False)
    done: bool = False

    def feed(self, payload: bytes) -> bool:
        """Take bytes that the client sent; True when they gave a name just now. Reads the first 8 kB only."""
        if self.done:
            return False
        self.heard += payload
        if self.heard[:1] == b"\x16":
            whole = len(self.heard) >= 5 and len(self.heard) >= 5 + int.from_bytes(self.heard[3:5], "big")
            self.sni = sni_of(self.heard) if whole else None
            self.ciphers = ciphers_of(self.heard) if whole else b""
            self.done = whole or len(self.heard) > 8192
        elif b"\r\n\r\n" in self.heard:
            self.host, self.path = _http_head(self.heard)
            self.done = True
        else:
            self.done = len(self.heard) > 8192
        return self.sni is not None or bool(self.ciphers) or self.host is not None


def ciphers_of(record: bytes) -> bytes:
    """The cipher suites that a ClientHello offers, as sent (RFC 8446 section 4.1.2); empty for what is no hello."""
    if len(record) < 46 or record[0] != 22 or record[5] != 1:
        return b""
    at = 44 + record[43]  # heads, version and random; then the session id
    return record[at + 2 : at + 2 + int.from_bytes(record[at : at + 2], "big")]


def our_ciphers() -> bytes:
    """What the prober itself offers, so that a server or a censor can dislike just that."""
    outgoing = ssl.MemoryBIO()
    client = context(("h2", "http/1.1")).wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="any.example")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return ciphers_of(outgoing.read())


def _http_head(data: bytes) -> tuple[str | None, str]:
    lines = data.split(b"\r\n\r\n", 1)[0].split(b"\r\n")
    first = lines[0].split(b" ")
    if len(first) != 3 or not first[2].startswith(b"HTTP/"):
        return None, ""
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"host":
            return value.strip().decode("latin-1").lower().split(":")[0], first[1].decode("latin-1")
    return None, ""


def question_of(message: bytes) -> tuple[str, str] | None:
    """Name and type of a DNS query (RFC 1035 section 4.1.2); None for what is no single question."""
    if len(message) < 17 or message[2] & 0x80 or message[4:6] != b"\0\1":
        return None
    labels, at = [], 12
    while at < len(message) and (size := message[at]):
        labels.append(message[at + 1 : at + 1 + size].decode("latin-1").lower())
        at += 1 + size
    kind = int.from_bytes(message[at + 1 : at + 3], "big")
    return ".".join(labels), {1: "A", 28: "AAAA", 65: "HTTPS", 5: "CNAME"}.get(kind, str(kind))


def forged_answer(message: bytes, rule: Rule, qtype: str) -> bytes:
    """What an injector makes of a query: header and question copied, no EDNS, its own answer."""
    end = 12
    while message[end]:
        end += 1 + message[end]
    question = message[12 : end + 5]
    rcode = RCODES.get(rule.do, 0)
    records = _records(rule, qtype)
    head = message[:2] + bytes((0x81, 0x80 | rcode)) + b"\0\1" + len(records).to_bytes(2, "big") + b"\0\0\0\0"
    return head + question + b"".join(records)


def _records(rule: Rule, qtype: str) -> list[bytes]:
    if rule.do != "forge" or qtype != ("AAAA" if ":" in rule.to else "A"):
        return []
    data = packed(rule.to)
    kind = 28 if len(data) == 16 else 1
    # The name is a pointer to the question's; class IN, 300 seconds.
    return [b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 300, len(data)) + data]
