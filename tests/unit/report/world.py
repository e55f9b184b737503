"""A small campaign to report on: four networks, six vantage points, two weeks, made through the store and the model.

wsws.org is reset by name on AS17557 in Lahore and Quetta from 29 Nov to 3 Dec 2024, but not in Karachi; x.com gets a
forged name answer everywhere throughout; one site is down for everyone for a day; one network goes dark.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from probe.model.kinds import DnsLookup, HttpFetch, PageFeatures, Record, TcpConnect, TcpInfo, TlsHandshake
from probe.model.measurement import Measurement
from probe.model.observation import Blob, Observation
from probe.model.vantage import Run, Vantage
from probe.store.sqlite import Store
from probe.wire.facts import row_of

Detail = DnsLookup | TcpConnect | TlsHandshake | HttpFetch
RULESET, REFERENCE = "2026.1", "ab" * 32
START = datetime(2024, 11, 24, 6, tzinfo=UTC)
_VERDICT = "INSERT INTO verdict VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def ident(*parts: object) -> str:
    """A measurement's, run's or vantage point's id: stable in tests."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:32]


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True)
class Said:
    """A verdict to store: layer rows are made from it."""

    outcome: str
    technique: str | None = None
    reason: str | None = None
    explanation: str = ""
    rule: str = "TLS-020"
    witness: tuple[int, ...] = ()
    control: str = "helper"
    extra: Mapping[str, Any] = field(default_factory=dict)


def vantage(name: str, asn: int | None, place: str = "", **more: Any) -> Vantage:
    return Vantage(ident("vantage", name), "field", "PK", asn, place, who_says="typed", version="0.1.0", **more)


@dataclass
class Book:
    """Writes measurements with facts and verdicts into one database."""

    store: Store
    verdicts: list[tuple[Any, ...]] = field(default_factory=list)

    def measure(
        self,
        who: Vantage,
        url: str,
        at: datetime,
        said: Said | None,
        facts: Iterable[tuple[Detail, dict[str, Any]]] = (),
        control: Iterable[tuple[Detail, dict[str, Any]]] = (),
    ) -> str:
        """One measurement, its control's, and its verdict; `said` None leaves it not judged."""
        run_id, mid = ident("run", who.vantage_id, at.date()), ident("m", who.vantage_id, url, at)
        known = self.store.query("SELECT 1 FROM run WHERE run_id = ?", (run_id,))
        self.store.append(who)
        if not known:
            self.store.append(Run(run_id, who.vantage_id, stamp(at)))
        self.store.append(Measurement(mid, run_id, url, "web", stamp(at)))
        self._facts(mid, at, facts)
        self._control(mid, url, at, control)
        if said:
            self.verdicts.extend(_rows(mid, said))
        return mid

    def _facts(self, mid: str, at: datetime, facts: Iterable[tuple[Detail, dict[str, Any]]]) -> None:
        for seq, (detail, envelope) in enumerate(facts):
            base: dict[str, Any] = {"host": None, "ip": None, "port": None, "failure": None, "took_us": 0, **envelope}
            at_us = int(at.timestamp() * 1_000_000) + seq * 40_000
            o = Observation(
                mid, seq, None, detail.kind, base["host"], base["ip"], base["port"], 1, "plan", base["failure"],
                at_us, base["took_us"], detail,
            )  # fmt: skip
            self.store.append(row_of(o))

    def _control(self, mid: str, url: str, at: datetime, facts: Iterable[tuple[Detail, dict[str, Any]]]) -> None:
        facts = list(facts)
        if not facts:
            return
        helper = Vantage(ident("vantage", "helper"), "control", "DE", 64500)
        run_id, cid = ident("run", "helper", mid), ident("c", mid)
        self.store.append(helper)
        self.store.append(Run(run_id, helper.vantage_id, stamp(at)))
        self.store.append(Measurement(cid, run_id, url, "web", stamp(at), answers=mid))
        self._facts(cid, at, facts)

    def blob(self, media: str, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self.store.append(Blob(digest, media, data))
        return digest

    def close(self) -> None:
        self.store.flush()
        self.store.write(_VERDICT, self.verdicts)
        self.store.close()


def _rows(mid: str, said: Said) -> Iterator[tuple[Any, ...]]:
    witness = " ".join(f"{mid}:{seq}" for seq in said.witness)
    detail = {"explanation": said.explanation, "control": said.control, "attempts": 2, **said.extra}
    layer = said.technique.split(".")[0] if said.technique else "http"
    base = (said.outcome, said.technique, said.rule, said.rule, witness, said.reason, "path")
    yield (mid, layer, RULESET, REFERENCE, *base, "{}")
    yield (mid, "headline", RULESET, REFERENCE, *base, json.dumps(detail))


def book(path: Path) -> Book:
    return Book(Store.open(path))


# ---- what was seen ----


def reset_facts() -> list[tuple[Detail, dict[str, Any]]]:
    """A true name answer, a connection, and a reset as soon as the name was sent."""
    info = TcpInfo(7, 121_000, 119_000, 0, 3, 5, 518, 0, 0)
    end = {"host": "www.wsws.org", "ip": "104.18.20.77", "port": 443}
    return [
        (DnsLookup("udp://9.9.9.9", "A", rcode="NOERROR", answers=(Record("www.wsws.org", "A", 300, "104.18.20.77"),)),
         {"host": "www.wsws.org", "took_us": 131_000}),
        (TcpConnect(info=info), {**end, "took_us": 120_400}),
        (TlsHandshake("www.wsws.org", ended="rst", bytes_out=517, raw="ECONNRESET", info=info),
         {**end, "failure": "connection_reset", "took_us": 38_200}),
    ]  # fmt: skip


def fine_facts(certificate: str | None = None) -> list[tuple[Detail, dict[str, Any]]]:
    """The same steps where nothing stands in the way."""
    end = {"host": "www.wsws.org", "ip": "104.18.20.77", "port": 443}
    chain = (certificate,) if certificate else ()
    page = PageFeatures(title="World Socialist Web Site")
    return [
        (DnsLookup("udp://9.9.9.9", "A", rcode="NOERROR", answers=(Record("www.wsws.org", "A", 300, "104.18.20.77"),)),
         {"host": "www.wsws.org", "took_us": 9_000}),
        (TcpConnect(), {**end, "took_us": 8_100}),
        (TlsHandshake("www.wsws.org", version="TLSv1.3", alpn="h2", chain=chain, bytes_in=4_211),
         {**end, "took_us": 17_900}),
        (HttpFetch("https://www.wsws.org/en", protocol="h2", status=200, body_bytes=182_331, features=page),
         {**end, "took_us": 96_000}),
    ]  # fmt: skip


def forged_facts(body: str | None) -> list[tuple[Detail, dict[str, Any]]]:
    """Two answers to one question, and a block page behind the forged one."""
    page = PageFeatures(title="Surf Safely!")
    return [
        (DnsLookup("udp://8.8.8.8", "A", nth=0, rcode="NOERROR", answers=(Record("x.com", "A", 60, "10.10.34.34"),)),
         {"host": "x.com", "took_us": 3_100}),
        (DnsLookup("udp://8.8.8.8", "A", nth=1, rcode="NOERROR", answers=(Record("x.com", "A", 300, "172.66.0.227"),)),
         {"host": "x.com", "took_us": 128_000}),
        (HttpFetch("http://x.com/", status=200, body=body, body_bytes=812, features=page,
                   headers=(("Content-Type", "text/html"),)), {"host": "x.com", "ip": "10.10.34.34", "port": 80}),
    ]  # fmt: skip


BLOCK_PAGE = (
    b"<html><head><title>Surf Safely!</title><style>p{color:red}</style></head><body><h1>Surf Safely!</h1>"
    b"<script>alert(1)</script><p>This website is not accessible. The site you are trying to access contains content "
    b"that is prohibited for viewership from within Pakistan.</p></body></html>"
)
OK = Said("ok", explanation="The site answered with a valid certificate and the page that the control saw.")
RESET = Said(
    "blocked", "tls.reset.sni", None,
    "The connection was reset as soon as www.wsws.org was named, while another name passed at the same address.",
    "TLS-020", (1, 2),
)  # fmt: skip
RESET_ONLY = Said(
    "likely_blocked", "tls.reset", None,
    "The connection to www.wsws.org was reset during the handshake, here only and on spaced retries.", "TLS-030", (2,),
)  # fmt: skip
FORGED = Said(
    "blocked", "dns.injection.bogon", None,
    "One question for x.com got two answers; the first, a private address, contradicts the trusted one.",
    "DNS-010", (0, 1, 2),
)  # fmt: skip
DOWN = Said("down", explanation="The site failed from the control as well.", rule="HTTP-090")
DARK = Said("insufficient", reason="no_network", explanation="This line reached nothing at all.", control="unreachable")
NO_CONTROL = Said("insufficient", reason="no_control", explanation="It failed and there is no control.", control="none")
REFUSED = Said("restricted", explanation="The server refused with status 451 over a proven path.", rule="HTTP-040")
FLAKY = Said("impaired", explanation="Half of the attempts worked.", rule="TCP-060")

VOLUNTEERS = (
    vantage("lahore-1", 17557, "Lahore", access="fixed", gateway="PTCL"),
    vantage("lahore-2", 17557, "Lahore", access="fixed", gateway="PTCL"),
    vantage("quetta-1", 17557, "Quetta", access="fixed", gateway="PTCL"),
    vantage("karachi-1", 17557, "Karachi", access="fixed", gateway="TWA"),
    vantage("karachi-2", 45669, "Karachi", access="mobile", gateway="TWA"),
    vantage("islamabad-1", 23674, "", access="fixed"),
)
WSWS, X, CANARY = "https://www.wsws.org/en/", "https://x.com/", "https://en.wikipedia.org/"
NEWS, SHOP = "https://news.example/", "https://shop.example/"


def campaign(folder: Path) -> tuple[Path, ...]:
    """Three databases of two volunteers each, over ten days, four times a day."""
    folder.mkdir(exist_ok=True, parents=True)
    paths = []
    for number, pair in enumerate((VOLUNTEERS[:2], VOLUNTEERS[2:4], VOLUNTEERS[4:])):
        path = folder / f"volunteers-{number + 1}.db"
        one = book(path)
        body = one.blob("text/html", BLOCK_PAGE)
        for who in pair:
            for step in range(40):
                _sitting(one, who, START + timedelta(hours=6 * step, minutes=7 * (number + 1)), body)
        one.close()
        paths.append(path)
    return tuple(paths)


def _sitting(one: Book, who: Vantage, at: datetime, body: str) -> None:
    dark = who.asn == 45669 and at.day in (26, 27) and at.month == 11
    if dark:
        for url in (WSWS, X, CANARY):
            one.measure(who, url, at, DARK)
        return
    one.measure(who, CANARY, at, OK)
    one.measure(who, X, at, FORGED, forged_facts(body), [
        (DnsLookup("udp://9.9.9.9", "A", rcode="NOERROR", answers=(Record("x.com", "A", 300, "172.66.0.227"),)),
         {"host": "x.com", "took_us": 7_000})])  # fmt: skip
    one.measure(who, NEWS, at, DOWN if at.day == 28 else OK)
    if who.asn == 23674:
        one.measure(who, SHOP, at, REFUSED)
        one.measure(who, WSWS, at, NO_CONTROL)
        return
    one.measure(who, SHOP, at, FLAKY if who.asn == 45669 else OK)
    hit = datetime(2024, 11, 29, 13, tzinfo=UTC) < at < datetime(2024, 12, 3, 4, tzinfo=UTC)
    if hit and who.place in ("Lahore", "Quetta"):
        one.measure(who, WSWS, at, RESET if who.place == "Lahore" else RESET_ONLY, reset_facts(), fine_facts())
    else:
        one.measure(who, WSWS, at, OK)
