"""The sites of the demo's small internet, as data: what each is, what was done to it, what a good measurement finds.

Names lie under `.example` and `.test` (RFC 2606), addresses in 127.0.0.0/8 (RFC 1122), so nothing here can reach or
name anybody real. One deed per site: a site with two would not show which of them was found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Where the servers of this world live. The control dials from CONTROL_SOURCE; every other visitor is the field.
ISP_RESOLVER = "127.53.0.1"
PUBLIC_RESOLVER = "127.53.0.2"
ABROAD_RESOLVER = "127.53.0.3"
CONTROL_SOURCE = "127.9.9.9"
BLOCK_PORTAL = "127.66.0.1"
# The two edges of one content network: the first for visitors of this country, the second for everyone abroad.
EDGE_HERE, EDGE_ABROAD = "127.81.0.1", "127.81.0.2"
NOBODY_HOME = "127.80.9.9"
# A national filter's favourite private address, as seen in Iranian answers; never dialled here.
BOGON = "10.10.34.35"
PORTAL_NAME = "notice.isp.example"
IPV6 = "::1"

Where = Literal["isp_dns", "path_dns", "hello", "host"]
Act = Literal[
    "forge", "nxdomain", "refuse", "inject",
    "reset", "silence", "close", "alert", "intercept",
    "blockpage", "redirect", "truncate",
]  # fmt: skip
Manner = Literal["page", "to_https", "to_www", "geo_refusal", "legal", "slow"]


@dataclass(frozen=True, slots=True)
class Deed:
    """What a censor does, at which sight: `isp_dns` the ISP resolver lies, `path_dns` any plain UDP query is
    answered first by the path, `hello` the name in a ClientHello, `host` the Host of a plain HTTP request. `to` is an
    address."""

    where: Where
    act: Act
    to: str = ""


@dataclass(frozen=True, slots=True)
class Expect:
    """What a good measurement says: any of `outcomes` (best first); `techniques` are alternatives, best first, and
    empty where the contract asks for none."""

    outcomes: tuple[str, ...]
    layer: str | None = None
    techniques: tuple[str, ...] = ()

    def met_by(self, outcome: str, layer: str | None, techniques: tuple[str, ...]) -> bool:
        """True when a verdict says the same."""
        named = not self.techniques or bool(set(self.techniques) & set(techniques))
        return outcome in self.outcomes and layer == self.layer and named


@dataclass(frozen=True, slots=True)
class Site:
    """One site. `url` has `{http}` and `{https}` where the ports go; `told` is a plain sentence on what was done to
    it. `address` is what the field finds, `abroad` what the control finds where that differs. `alpn` is what its TLS
    offers, empty for a site without TLS. `up` is False where nothing listens. `canary` marks a site of no interest."""

    name: str
    url: str
    title: str
    told: str
    expect: Expect
    address: str
    deed: Deed | None = None
    abroad: str = ""
    ipv6: bool = False
    alias: str = ""
    cname: str = ""
    alpn: tuple[str, ...] = ("h2", "http/1.1")
    manner: Manner = "page"
    gzip: bool = False
    expired: bool = False
    up: bool = True
    canary: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Every name the site answers to."""
        return tuple(name for name in (self.name, self.alias) if name)


def _https(name: str) -> str:
    return f"https://{name}:{{https}}/"


def _http(name: str) -> str:
    return f"http://{name}:{{http}}/"


_OK = Expect(("ok",))
_SETTLED = ("blocked", "likely_blocked")


def _at(where: str, *techniques: str, outcomes: tuple[str, ...] = ("blocked",)) -> Expect:
    return Expect(outcomes, where, techniques)


FINE: tuple[Site, ...] = (
    Site("news.example", _https("news.example"), "The Morning Courier",
         "Nothing was done: a healthy site over HTTP/2, on IPv4 and, where this machine has it, on IPv6.",
         _OK, "127.80.1.1", ipv6=True),
    Site("weather.example", _https("weather.example"), "Weather for Sailors",
         "Nothing was done: a healthy site that speaks only HTTP/1.1 and compresses its pages.",
         _OK, "127.80.1.2", alpn=("http/1.1",), gzip=True),
    Site("library.example", _http("library.example"), "The Village Library",
         "Nothing was done: a healthy old site that speaks only plain HTTP.",
         _OK, "127.80.1.3", alpn=()),
    Site("shop.example", _http("shop.example"), "Garden Tools by Post",
         "Nothing was done: a healthy shop that sends its visitors to HTTPS, then to www, and insists on a cookie.",
         _OK, "127.80.1.4", alias="www.shop.example", manner="to_https"),
    Site("clips.example", _https("clips.example"), "Short Clips",
         "Nothing was done: a content network gives each country another address, all with the same valid certificate.",
         _OK, EDGE_HERE, abroad=EDGE_ABROAD, cname="clips.edge.test"),
    Site("slow.example", _https("slow.example"), "The Slow Museum",
         "Nothing was done: the site itself is slow for everybody.",
         _OK, "127.80.1.5", alpn=("http/1.1",), manner="slow"),
)  # fmt: skip

DNS_CENSORED: tuple[Site, ...] = (
    Site("opposition.example", _http("opposition.example"), "The Opposition Voice",
         "The ISP's resolver gives the address of a block page instead of the site's.",
         _at("dns", "dns.injection.blockpage"), "127.80.2.1", Deed("isp_dns", "forge", BLOCK_PORTAL), alpn=()),
    Site("archive.example", _https("archive.example"), "The Open Archive",
         "The ISP's resolver says that the name does not exist.",
         _at("dns", "dns.nxdomain", outcomes=_SETTLED), "127.80.2.2", Deed("isp_dns", "nxdomain")),
    Site("rights.example", _https("rights.example"), "Rights Monitor",
         "The ISP's resolver gives a private address where no public site can be.",
         _at("dns", "dns.injection.bogon"), "127.80.2.3", Deed("isp_dns", "forge", BOGON)),
    Site("casino.example", _https("casino.example"), "Cards and Dice",
         "The ISP's resolver refuses to answer and says openly that it was told to (extended error 16).",
         _at("dns", "dns.refused"), "127.80.2.4", Deed("isp_dns", "refuse")),
    Site("radio.example", _https("radio.example"), "Radio Free Valley",
         "The path forges an answer to every plain UDP query for the name, ahead of the true one.",
         _at("dns", "dns.injection.other", "dns.injection"), "127.80.2.5", Deed("path_dns", "inject", EDGE_ABROAD)),
)  # fmt: skip

TLS_CENSORED: tuple[Site, ...] = (
    Site("dissent.example", _https("dissent.example"), "The Dissenter",
         "The path resets every TLS connection whose first message names the site.",
         _at("tls", "tls.reset.sni"), "127.80.3.1", Deed("hello", "reset")),
    Site("messenger.example", _https("messenger.example"), "Swift Messenger",
         "The path swallows every TLS connection whose first message names the site: silence.",
         _at("tls", "tls.timeout.sni"), "127.80.3.2", Deed("hello", "silence")),
    Site("forum.example", _https("forum.example"), "The Town Forum",
         "The path closes every TLS connection whose first message names the site, politely.",
         _at("tls", "tls.eof.sni"), "127.80.3.3", Deed("hello", "close")),
    Site("podcast.example", _https("podcast.example"), "Voices at Night",
         "The path answers every TLS first message that names the site with a fatal alert.",
         _at("tls", "tls.alert.sni"), "127.80.3.4", Deed("hello", "alert")),
    Site("mail.example", _https("mail.example"), "Open Mail",
         "The path answers in the site's place with a certificate from an authority of its own, and reads along.",
         _at("tls", "tls.mitm.ca_signed"), "127.80.3.5", Deed("hello", "intercept")),
)  # fmt: skip

HTTP_CENSORED: tuple[Site, ...] = (
    Site("satire.example", _http("satire.example"), "The Daily Jest",
         "The path answers plain requests for the site with a block page.",
         _at("http", "http.blockpage"), "127.80.4.1", Deed("host", "blockpage"), alpn=()),
    Site("blog.example", _http("blog.example"), "Notes from the Hills",
         "The path answers plain requests for the site with a redirect to the ISP's notice.",
         _at("http", "http.redirect", "http.blockpage", outcomes=_SETTLED),
         "127.80.4.2", Deed("host", "redirect"), alpn=()),
    Site("leaks.example", _http("leaks.example"), "Papers in the Open",
         "The path resets every plain connection whose request names the site.",
         _at("http", "http.reset.host"), "127.80.4.3", Deed("host", "reset"), alpn=()),
    Site("video.example", _http("video.example"), "Street Video",
         "The path cuts plain answers of the site after the first few kilobytes.",
         _at("http", "http.truncated", outcomes=_SETTLED), "127.80.4.4", Deed("host", "truncate"), alpn=()),
)  # fmt: skip

BROKEN: tuple[Site, ...] = (
    Site("bank.example", _https("bank.example"), "Hill Savings Bank",
         "No censor: the site itself refuses visitors from this country (403 over its own valid certificate).",
         Expect(("restricted",)), "127.80.5.1", manner="geo_refusal"),
    Site("legal.example", _https("legal.example"), "Case Reports",
         "No censor on the path: the site answers everybody with 451, unavailable for legal reasons.",
         Expect(("restricted",)), "127.80.5.2", manner="legal"),
    Site("closed.example", _https("closed.example"), "Closed for Good",
         "No censor: the site is down for everybody; its address refuses connections.",
         Expect(("down",)), NOBODY_HOME, up=False),
    Site("expired.example", _https("expired.example"), "The Forgetful Club",
         "No censor: the site let its certificate expire, for everybody.",
         Expect(("down",)), "127.80.5.3", expired=True),
)  # fmt: skip

CANARIES: tuple[Site, ...] = (
    Site("canary-one.example", _https("canary-one.example"), "First Canary",
         "Nothing was done: a canary.", _OK, "127.80.7.1", canary=True),
    Site("canary-two.example", _https("canary-two.example"), "Second Canary",
         "Nothing was done: a canary.", _OK, "127.80.7.2", canary=True),
)  # fmt: skip

SITES: tuple[Site, ...] = FINE + DNS_CENSORED + TLS_CENSORED + HTTP_CENSORED + BROKEN
