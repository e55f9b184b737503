"""Random situations in which nobody blocks anything: noise, loss, rotating answers, broken sites, broken lines, broken
controls. Whatever is drawn, neither `blocked` nor `likely_blocked` may be said.

Loss never takes every spaced try at an endpoint: three losses in a row, seconds apart, while everything else works, is
what CONTRACT calls `likely_blocked`. A site does not change between the field's asking and the control's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from probe.model.kinds import LineState
from probe.model.target import parse_target
from probe.verdict.case import Case, Control, ControlSource
from tests.cases import FIELD, case, measurement
from tests.cases.build import HELPER, Side
from tests.cases.paces import PART, Paces
from tests.cases.visits import DOOR, Visits

V4 = tuple(f"192.0.2.{n}" for n in range(1, 7))
V6 = tuple(f"2001:db8::{n}" for n in range(1, 4))
CONTROL = f"{1:032x}"
DOH = "https://192.0.2.99/dns-query?name=dns.example"
OWN = ("network", "system")
SITE = (
    *("ok",) * 6, "page 404", "page 403", "page 500", "cert expired", "cert self_signed", "cert wrong_name",
    "tcp refused", "tcp timeout", "tls reset", "tls alert", "picky reset", "picky alert", "http eof", "http timeout",
    "cut", "skipped special_address",
)  # fmt: skip
LINE = (*("healthy",) * 6, "no ipv6", "portal", "filter", "dead", "clock", "busy", "unwatched")
# What becomes of HTTP/3: not announced, served, announced and served to nobody, or with a certificate that is wrong for
# everybody. And what this line does with QUIC, to whomever it goes.
HTTP3 = (*("",) * 3, "ok", "ok", "nobody", "cert expired")
CARRIED = ("carried", "carried", "shut", "unknown")
CONTROLS = (*("helper",) * 5, "db", "old", "dead", "refused", "none", "unreachable")
LOST = ("tcp timeout", "tls timeout", "tls reset", "http timeout", "http reset", "cut")


@dataclass
class Innocent:
    """One drawn situation. `addresses` are the site's; those in `idle` are out of order for everybody."""

    rng: Random
    url: str = field(init=False)
    site: str = field(init=False)
    line: str = field(init=False)
    control: str = field(init=False)

    def __post_init__(self) -> None:
        r = self.rng
        self.url = r.choice(("https", "https", "http")) + "://site.example/"
        self.site, self.line, self.control = r.choice(SITE), r.choice(LINE), r.choice(CONTROLS)
        self.addresses = r.sample(V4, r.randint(1, 4)) + r.sample(V6, r.choice((0, 0, 1, 2)))
        self.idle = set(r.sample(self.addresses, r.choice((0, 0, 0, len(self.addresses) // 2))))
        self.loss = r.choice((0.0, 0.05, 0.2))
        self.rtt_us = r.choice((3_000, 40_000, 250_000))
        self.paces = Paces(r) if r.random() < 0.6 else None
        self.stalls = r.choice((*("",) * 8, "held", "died"))
        self.http3, self.quic = r.choice(HTTP3), r.choice(CARRIED)
        self.page = r.choice(("home", "home", "home-today", "story"))
        # A page in the clear that quotes the notice, with nobody to compare it with, passes for the notice itself: by
        # CONTRACT a mark within its scope needs no control.
        compared = self.url.startswith("https:") or (self.control in ("helper", "db") and not self.idle)
        self.notice = compared and r.random() < 0.1
        plain = self.url.startswith("http:") and self.site == "ok" and not self.notice
        self.visits = Visits(r, "site.example", self.addresses[0]) if plain and r.random() < 0.7 else None
        # "picky": the server dislikes our usual ClientHello and takes another one.
        self.picky = self.site.startswith("picky")
        self.site = self.site.replace("picky", "tls")
        # Who misses the helper's door: nobody, or everybody, since that was shut meanwhile.
        self.door = r.choice(("open", "open", "shut"))

    def case(self) -> Case:
        """The facts of both sides."""
        here = Side(FIELD, parse_target(self.url))
        there = self._control_side()
        self._names(here)
        for ip in self.addresses:
            self._field_walks(here, ip)
        self._trials(here)
        age = 90_000 if self.control == "old" else 3_600 if self.control == "db" else 0
        source: ControlSource = "db" if self.control in ("old", "db") else "helper" if there else "none"
        if there is not None:
            here.asked(CONTROL, helper=HELPER if source == "helper" else "db:b")
        elif self.control == "unreachable":
            here.asked(None)
            source = "unreachable"
        here.end(self._line_state(), "fixpoint")
        target = here.target
        facts = () if there is None else (Control(measurement(CONTROL, target, -age, FIELD), tuple(there.facts), age),)
        return case(here, facts, source, sides=[there] if there else [])

    # ---- the site and the control ----

    def _met(self, ip: str) -> str:
        """What anybody meets there whom nothing disturbs."""
        if ip in self.idle:
            return "tcp timeout"
        plain = self.url.startswith("http:")
        return "ok" if plain and self.site.startswith(("cert", "tls")) else self.site

    def _options(self, met: str, page: str) -> dict[str, Any]:
        # A site that quotes the notice shows it to everybody.
        if met != "ok":
            return {}
        return {"page": "notice" if self.notice else page} | ({"alt_svc": 'h3=":443"'} if self.http3 else {})

    def _there_options(self, met: str) -> dict[str, Any]:
        flow = {"flow": self.paces.there()} if self.paces and met.startswith(("ok", "page")) else {}
        return self._options(met, "home") | flow

    def _control_side(self) -> Side | None:
        if self.control in ("none", "unreachable"):
            return None
        side = Side(CONTROL, parse_target(self.url))
        if self.control == "dead":
            side.lookup("udp://192.0.2.53", "A", "timeout")
            return side
        self._answers(side, "udp://192.0.2.53")
        asks_all = self.control in ("helper", "refused")
        for ip in self.addresses if asks_all else self.addresses[:2]:
            met = "page 403" if self.control == "refused" and self._met(ip) == "ok" else self._met(ip)
            if self.visits is not None and met == "ok":
                self.visits.walks_there(side, ip)
                continue
            side.walk(ip, met, **self._there_options(met))
            if self.picky and met.startswith("tls"):
                side.walk(ip, "shaken", hello="plain")
            if self._speaks_http3(ip) and self.rng.random() < 0.7:
                side.quic(ip, "timeout" if self.http3 == "nobody" else self.http3)
        return side

    def _speaks_http3(self, ip: str) -> bool:
        return bool(self.http3) and self.url.startswith("https:") and self._met(ip) == "ok"

    # ---- names ----

    def _answers(self, side: Side, resolver: str, attempt: int = 1) -> None:
        """A true answer: some of the addresses, in any order."""
        for qtype in ("A", "AAAA"):
            pool = [ip for ip in self.addresses if (":" in ip) == (qtype == "AAAA")]
            chosen = self.rng.sample(pool, self.rng.randint(1, len(pool))) if pool else []
            sends = 2 if self.rng.random() < self.loss else 1
            query = self.rng.randrange(65536)
            side.lookup(resolver, qtype, " ".join(chosen) or "empty", attempt=attempt, query=query, sends=sends)
            if chosen and self.rng.random() < self.loss and resolver != "system":
                # A datagram comes twice; or a second send is answered, with the addresses rotated.
                again = chosen if sends == 1 else self.rng.sample(pool, self.rng.randint(1, len(pool)))
                side.lookup(resolver, qtype, " ".join(again), attempt=attempt, query=query, sends=sends, nth=1)

    def _names(self, side: Side) -> None:
        for resolver in (*OWN, DOH):
            if self.line == "dead":
                side.lookup(resolver, "A", "again" if resolver == "system" else "timeout")
            elif self.line == "filter" and resolver in OWN:
                side.lookup(resolver, "A", self.rng.choice(("0.0.0.0", "10.0.0.1")))
            elif self.line == "portal" and resolver in OWN and self.rng.random() < 0.5:
                side.lookup(resolver, "A", "198.51.100.9")
            elif self.rng.random() < self.loss:
                side.lookup(resolver, "A", "timeout")
                self._answers(side, resolver, attempt=2)
            else:
                self._answers(side, resolver)

    # ---- trials ----

    def _trials(self, side: Side) -> None:
        """Questions where no resolver is, beside other names, and with hop limits, as a line without a censor answers
        them: silence; or a carrier that takes every question to its own resolver. Anything may be lost."""
        if self.rng.random() < 0.5:
            return
        carrier = self.rng.random() < 0.5
        told = self.rng.choice((" ".join(ip for ip in self.addresses if ":" not in ip), "nxdomain", "198.51.100.200"))
        for resolver in (f"nobody://{self.addresses[0]}", "nobody://198.51.100.9"):
            for attempt in (1, 2, 3):
                for host, why, said in (("", "astray", told), ("www.example.org", "innocent", "93.184.215.14")):
                    # Each question is three datagrams, each of which may be lost either way.
                    lost = not carrier or self.rng.random() < (1 - (1 - self.loss) ** 2) ** 3
                    side.lookup(resolver, "A", "timeout" if lost else said, host=host, why=why, attempt=attempt)
            for ttl in range(1, 9):
                far = carrier and ttl > 3 and self.rng.random() > self.loss
                side.lookup(resolver, "A", told if far else "timeout", why="hop", ttl=ttl)
        deaf = self.rng.random() < 0.3
        for attempt in (1, 2, 3):
            for resolver, host, why in (
                ("network", "www.example.org", "innocent"), ("udp://192.0.2.8", "www.example.org", "innocent"),
                ("network", "abcde.site.example", "below"),
            ):  # fmt: skip
                said = "timeout" if deaf else self.rng.choice(("93.184.215.14", "nxdomain"))
                side.lookup(resolver, "A", said, host=host, why=why, attempt=attempt, took_us=self._rtt_us())
        side.lookup("tcp://192.0.2.8", "A", told, engine="tcp", rtt_us=self._rtt_us())

    def _rtt_us(self) -> int:
        """A round trip of this line: never less than it is, and more where something waits."""
        return round(self.rtt_us * self.rng.choice((1.0, 1.05, 1.3, 3.0)))

    # ---- the field's walks ----

    def _field_walks(self, side: Side, ip: str) -> None:
        if self.line == "dead":
            return
        met = self._met(ip)
        if self.line in ("no ipv6",) and ":" in ip:
            side.walk(ip, self.rng.choice(("tcp noroute", "tcp timeout")), times=3)
            return
        if self.line == "portal" and self.url.startswith("https:"):
            side.walk(ip, "cert self_signed", leaf="hotel", times=2)
            return
        if self.line == "clock" and met in ("ok", "page 404", "page 403") and self.url.startswith("https:"):
            side.walk(ip, "cert expired", times=2)
            return
        if self.line == "busy":
            side.walk(ip, "tcp timeout", times=3, lag=5_000_000)
            return
        lost = sum(self.rng.random() < self.loss for _ in range(2))
        for attempt in range(1, lost + 1):
            plain = self.url.startswith("http:") or met.startswith("tcp")
            # What the server itself ends comes after a round trip; a first packet may be held up on its way.
            side.walk(
                ip, self.rng.choice(LOST[:1] if plain else LOST[:4]), attempt=attempt,
                rtt=self._rtt_us(), answer=self._rtt_us(),
            )  # fmt: skip
        bad = met.startswith(("tcp", "tls", "http", "cut"))
        times = max(1, 3 - lost) if bad else 1
        if self.visits is not None and not bad:
            self.visits.walks(side, ip, lost + 1)
            return
        if self.paces is not None and not bad:
            self._timed_walks(side, ip, met, lost + 1)
        else:
            for attempt in range(lost + 1, lost + 1 + times):
                took = {"rtt": self._rtt_us(), "answer": self._rtt_us()}
                side.walk(ip, met, attempt=attempt, **took, **self._options(met, self.page))
        if met.startswith("tls") and self.url.startswith("https:"):
            self._handshake_trials(side, ip, met)
        if self._speaks_http3(ip) and ip in self.addresses[:2]:
            self._over_quic(side, ip)

    def _handshake_trials(self, side: Side, ip: str, met: str) -> None:
        """What is tried where handshakes fail: another hello, and the name at the helper's door, where nobody stops it.
        Loss takes no more than one try in two."""
        side.walk(ip, "shaken" if self.picky else met, hello="plain", times=2)
        side.walk(ip, met, trial=True, times=2)
        if self.control not in ("helper", "refused", "dead", "unreachable"):
            return
        door: dict[str, Any] = {"trial": "innocent_there", "leaf": "door"}
        side.walk(DOOR, "cert self_signed", **door)
        side.walk(DOOR, "cert self_signed", **door)
        if self.door == "shut":
            side.walk(DOOR, "tcp timeout", times=2, trial="named_there")
            side.walk(DOOR, "tcp timeout", attempt=2, **door)
            side.walk(DOOR, self.rng.choice(("tcp timeout", "ok")), trial="alive_there")
            return
        side.walk(DOOR, self.rng.choice((met, "tls timeout", "cert self_signed")), trial="named_there", leaf="door")
        side.walk(DOOR, "cert self_signed", attempt=2, trial="named_there", leaf="door")
        side.walk(DOOR, "cert self_signed", attempt=2, **door)

    def _timed_walks(self, side: Side, ip: str, met: str, attempt: int) -> None:
        """A page as it comes, and what the speed check may ask about it: the site's own name and an innocent one in
        turn, and bytes of the helper."""
        assert self.paces is not None
        paces, edge = self.paces, ip != self.addresses[0]
        if self.stalls == "held":
            for n in range(attempt, attempt + 3):
                side.walk(ip, "still", attempt=n, flow={"raw": 20_000, "quiet": self.rng.randint(20, 1_500)})
            return
        if self.stalls == "died":
            # The connection dies under the page, as with a translator that forgets it: never in every spaced try.
            flow = {"raw": self.rng.randint(4_000, 60_000), "quiet": 10_000}
            side.walk(ip, "still", attempt=attempt, flow=flow)
            attempt += 1
        side.walk(ip, met, attempt=attempt, flow=paces.own(attempt, edge=edge), **self._options(met, self.page))
        if edge and self.rng.random() < 0.5:
            return
        for n in range(1, self.rng.choice((0, 1, 3, 3, 5))):
            own, trial = paces.own(attempt + n, PART, edge), paces.trial(attempt + n)
            side.walk(ip, met, attempt=attempt + n, speed=True, flow=own)
            side.walk(ip, "ok", attempt=n, speed=True, trial=True, flow=trial)
        side.walk(ip, "ok", attempt=9, speed=True, trial=True, flow=paces.trial(9))
        for n in range(self.rng.choice((0, 3, 4, 5))):
            rate, rtt, out_of_order = paces.helpers()
            side.bytes(PART, rate, rtt=rtt, lost=out_of_order, attempt=n + 1)

    def _over_quic(self, side: Side, ip: str) -> None:
        if self.quic == "shut" or self.http3 == "nobody":
            word = self.rng.choice(("timeout", "refused"))
            side.quic(ip, word, times=4)
            side.quic(ip, word, times=2, trial=True)
            return
        lost = sum(self.rng.random() < self.loss for _ in range(2))
        if lost:
            side.quic(ip, "timeout", times=lost)
        side.quic(ip, self.http3, attempt=lost + 1)

    def _line_state(self) -> LineState | None:
        if self.line == "unwatched":
            return None
        reached = 0 if self.line == "dead" else 3
        return LineState(
            canaries_tried=3,
            canaries_reached=reached,
            control_reached=self.control in ("helper", "refused") and self.line != "dead",
            portal_suspects=3 if self.line == "portal" else 0,
            sinkholes=("10.0.0.1",) if self.line == "filter" else (),
            ipv6_reached=None if self.line in ("no ipv6", "dead") else True,
            transfers=self.paces.others() if self.paces and self.line != "dead" else (),
            **self._quic_counts(),
            **(self.visits.line() if self.visits else {}),
        )

    def _quic_counts(self) -> dict[str, Any]:
        if self.quic == "unknown":
            return {}
        reached = 0 if self.quic == "shut" else 4
        return {"quic": (("canaries", 4, 2, reached // 2), ("others", 4, 5, reached), ("others", 6, 2, reached // 2))}


def draw(seed: int) -> Innocent:
    """The situation of that number; the same one every time."""
    return Innocent(Random(seed))
