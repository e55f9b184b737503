"""Who has which address in a lab, and the cases' rules made concrete with those addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.lab.cases import LabCase, Site
from tests.lab.packet import packed
from tests.lab.rules import Rule, our_ciphers

# Public-looking on purpose: a prober rightly refuses to dial addresses that cannot be a site's. Nothing of it leaves
# the namespaces, which have no other way out than the lab's own routers.
VOLUNTEER = ("39.50.10.2", "2400:adc0:10::2")
ISP = ("39.50.0.53", "2400:adc0::53")
PORTAL = ("39.50.66.1", "2400:adc0:66::1")
CONTROL = ("5.9.10.10", "2a01:4f8:10::10")
ABROAD = ("13.248.10.10", "2600:9000:10::10")
# Where the tunnel of a volunteer who uses one comes out.
EXIT = ("185.65.135.10", "2a03:1b20:10::10")
# A second notice server's name and address, which have no fingerprint; the box answers there too.
WARNING_HOST, WARNING = "warning.isp.example", "39.50.66.2"
# The opt-in filter of a provider (seeds/fingerprints.toml, FP-PK-004), which shows the page of FP-PK-003.
FAMILY = "203.82.48.83"
CA_FILE = "lab-ca.pem"  # in the lab's folder
HELPER_PORT, LIAR_PORT = 8765, 8766
PLACES = (
    ("volunteer", (*VOLUNTEER, *EXIT)), ("isp", ISP), ("control", CONTROL), ("abroad", ABROAD),
    ("box", (*PORTAL, WARNING, FAMILY)),
)  # fmt: skip
ROUTERS = (
    {4: packed("39.50.0.1"), 6: packed("2400:adc0::1")},
    {4: packed("39.50.0.9"), 6: packed("2400:adc0::9")},
    {4: packed("62.115.0.1"), 6: packed("2001:2030::1")},
)
# Address to the certificate names of the public resolvers in the lab: what the prober asks by default, and neighbours.
RESOLVERS: dict[str, tuple[str, ...]] = {
    "8.8.8.8": ("dns.google",),
    "1.1.1.1": ("cloudflare-dns.com", "one.one.one.one"),
    "9.9.9.10": ("dns10.quad9.net",),
    "9.9.9.9": ("dns.quad9.net",),
}
# What the namespaces of the servers and of the box take as their own (AnyIP).
WEB_NETS = ("45.60.0.0/16", "2a0d:5600::/32", *(f"{ip}/32" for ip in RESOLVERS))
BOX_NETS = (*WEB_NETS, f"{WARNING}/32", f"{FAMILY}/32")
NOTICE_HOST = "notice.isp.example"
CANARIES = 3


@dataclass(frozen=True)
class Placed:
    """A site with its addresses, IPv4 first; `part` is which side of a rule `addresses` counts."""

    site: Site
    v4: tuple[str, ...]
    v6: tuple[str, ...]

    def given(self, abroad: bool) -> tuple[str, ...]:
        """What resolvers answer with: its addresses, or the nonsense that its owner wrote into the zone."""
        if self.site.dns[:1].isdigit():
            return (self.site.dns,)
        chosen = self.site.there if abroad else self.site.here
        v4 = self.v4 if chosen is None else tuple(self.v4[n] for n in chosen if n < len(self.v4))
        return (*v4, *self.v6)


@dataclass(frozen=True)
class Atlas:
    """Everything the lab's processes need to know of a group of cases."""

    sites: tuple[Placed, ...]
    rules: tuple[Rule, ...]

    def servers_json(self) -> dict[str, Any]:
        return {
            "sites": [
                {"site": asdict(p.site), "v4": list(p.v4), "v6": list(p.v6), "here": list(p.given(False)),
                 "there": list(p.given(True)), "stray": [ip for word in p.site.stray for ip in _addresses(word, p)]}
                for p in self.sites
            ],
        }  # fmt: skip


def survey(cases: Sequence[LabCase], canaries: int = CANARIES) -> Atlas:
    """Give every site addresses of its own and every rule its addresses and names."""
    number = 0
    placed: list[Placed] = []
    rules: list[Rule] = []
    for n in range(canaries):
        placed.append(_place(Site(canary_name(n), v6=1, alpn=("h3", "h2", "http/1.1")), 250 - n))
    for case in cases:
        mine = []
        for site in case.sites:
            number += 1
            mine.append(_place(site, number))
        placed.extend(mine)
        rules.extend(_rule(table, mine[0]) for table in case.rules)
        rules.extend(rule for p in mine for rule in _closed(p))
    return Atlas(tuple(placed), tuple(rules))


def canary_name(n: int) -> str:
    return f"canary-{n}.example"


def _place(site: Site, number: int) -> Placed:
    v4 = tuple(f"45.60.{number}.{n + 10}" for n in range(site.v4))
    v6 = tuple(f"2a0d:5600:{number}::{n + 10:x}" for n in range(site.v6))
    return Placed(site, v4, v6)


def _closed(placed: Placed) -> list[Rule]:
    """Ports at which the site has nothing: the servers' namespace listens at every address, so the core says no."""
    site, addresses = placed.site, tuple(packed(ip) for ip in (*placed.v4, *placed.v6))
    shut = [port for port, closed in ((443, not site.alpn), (80, site.plain == "closed")) if closed]
    return [Rule("core", "address", "refuse", addresses=addresses, ports=tuple(shut))] if shut else []


def _rule(table: dict[str, Any], mine: Placed) -> Rule:
    values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in table.items()}
    if values.get("on") in ("query", "sni", "initial", "host", "url"):
        values.setdefault("names", (mine.site.name,))
    words = values.get("addresses", ("all",) if values.get("on") in ("address", "data", "hello", "syn_ack") else ())
    if values.get("do") == "divert":
        values.setdefault("protocol", "tcp")
    values["addresses"] = tuple(packed(ip) for word in words for ip in _addresses(str(word), mine))
    if values.get("on") == "hello":
        values["ciphers"] = our_ciphers()
    values["clients"] = tuple(packed(ip) for word in values.get("clients", ()) for ip in _addresses(str(word), mine))
    return Rule(**values)


def _addresses(word: str, mine: Placed) -> tuple[str, ...]:
    places = {
        "all": (*mine.v4, *mine.v6), "isp": ISP, "portal": PORTAL, "helper": CONTROL, "abroad": ABROAD,
        "volunteer": VOLUNTEER, "resolvers": tuple(RESOLVERS),
    }  # fmt: skip
    if word in places:
        return places[word]
    if word.startswith("6:"):
        return (mine.v6[int(word[2:])],)
    return (mine.v4[int(word)],) if word.isdigit() else (word,)
