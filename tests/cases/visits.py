"""Pages in the clear that are not the control's, where nobody stands between: drawn at random. The site shows visitors
from here something else, or every visitor; a proxy carries it; the line's own portal or filter answers for everything.
Round trips and answers come as the network has them: no answer is faster than the way to the server and back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from probe.model.kinds import PageMet
from tests.cases.build import Side, page_met

SORTS = ("by visitor", "by visitor", "by visitor", "by visit", "restless", "editions", "for everybody")
STRANGE = ("page 200", "page 200", "page 403", "page 451", "page 503", "page 404", "page 511", "page 302")
# Whose page it is, and what it says: an office's note, a login, an empty error, a page like any other.
TEXTS = ("unknown", "unknown-host", "challenge", "", "story", "unknown-page")
PROXIES = ((), (), [["Via", "1.1 cache"]], [["X-Cache", "MISS from gate"]])
MAKERS = ((), (), [["Server", "cloudflare"]], [["X-Edge-Ray", "17"]], [["Set-Cookie", "edge_visitor=7"]])
CANARY = page_met("canary.example", "203.0.113.9", 301, "unknown-page", "https://canary.example/")
DOOR = "198.51.100.5"
# Who wakes a sleeping radio, or waits for a table to be written, waits for the first packet only.
WAKES_US = (0, 0, 5_000, 30_000, 120_000)
Walk = tuple[str, dict[str, Any]]


@dataclass
class Visits:
    """One drawn situation of pages. `host` and `ip` are the site's."""

    rng: Random
    host: str
    ip: str
    sort: str = field(init=False)

    def __post_init__(self) -> None:
        r = self.rng
        self.sort, self.met, self.text = r.choice(SORTS), r.choice(STRANGE), r.choice(TEXTS)
        self.proxy, self.maker = r.choice(PROXIES), r.choice(MAKERS)
        self.path_us, self.wakes_us = r.choice((2_000, 9_000, 40_000, 150_000)), r.choice(WAKES_US)
        self.think_us = r.choice((0, 20_000, 400_000))
        self.queue_us = r.choice((0, 0, 2_000, 40_000, 300_000))
        # What the server says to names that are not its own: the site's page, or another.
        self.any_name = r.random() < 0.3
        self.editions = [self._fresh() for _ in range(r.randint(2, 4))]

    def walks(self, side: Side, ip: str, attempt: int) -> None:
        """This visitor's fetches at an address, again and again, with trials of the name there and at the helper's."""
        for n in range(attempt, attempt + self.rng.choice((1, 3, 4))):
            met, given = self._here()
            side.walk(ip, met, attempt=n, **given)
        for n in range(1, self.rng.choice((1, 3, 4))):
            met, given = self._trial()
            side.walk(ip, met, trial=True, attempt=n, **given)
        self._hops(side, ip)
        for why, times in (("innocent_host_there", 2), ("host_there", 2), ("innocent_host_there", 1)):
            for n in range(1, times + 1):
                met, given = self._door(named=why == "host_there")
                side.walk(DOOR, met, trial=why, attempt=n, **given)

    def walks_there(self, side: Side, ip: str) -> None:
        """A control's fetches."""
        for attempt in range(1, self.rng.choice((1, 2, 2)) + 1):
            met, given = self._there()
            side.walk(ip, met, attempt=attempt, **given)

    def _here(self) -> Walk:
        """One of this visitor's fetches."""
        if self.sort == "restless":
            return "ok", {"page": self._fresh()} | self._times()
        if self.sort == "editions":
            return "ok", {"page": self.rng.choice(self.editions)} | self._times()
        if self.sort == "by visit" and self.rng.random() < 0.5:
            return "ok", self._times()
        return self.met, self._strange() | self._times()

    def _there(self) -> Walk:
        """One of a control's."""
        headers = {"headers": self.maker} if self.maker else {}
        if self.sort == "restless":
            return "ok", {"page": self._fresh()} | headers
        return "ok", ({"page": self.rng.choice(self.editions)} if self.sort == "editions" else {}) | headers

    def _trial(self) -> Walk:
        """The same address, asked for an innocent name."""
        if self.any_name or self.sort == "for everybody":
            return self._here()
        return "page 404", {"page": self.rng.choice(("", "story")), **self._times()}

    def _hops(self, side: Side, ip: str) -> None:
        """Requests with a hop limit, about as far as the server is; each finds a way of its own, which may be a hop
        longer. Any of them may be lost, or come when the server has had enough."""
        far, varied, lost = self.rng.randint(1, 9), self.rng.random() < 0.4, self.rng.choice((0.0, 0.0, 0.1))
        enough = self.rng.random() < 0.1
        hop = max(far - (self.rng.random() < 0.1), 1)
        for ttl, trial, times in (
            (hop - 1, False, 2), (hop, False, 3), (hop + 1, True, 4), (255, True, 1),
        ):  # fmt: skip
            for attempt in range(1, times + 1) if ttl else ():
                reached = ttl >= far + (varied and self.rng.random() < 0.5) and self.rng.random() >= lost
                met, given = self._trial() if trial else self._here()
                if not reached or (trial and enough):
                    met, given = "http timeout", {}
                side.walk(ip, met, attempt=attempt, trial=trial, ttl=ttl, **given)

    def _door(self, *, named: bool) -> Walk:
        """The helper's door: it answers itself; or a proxy takes every name to where it leads, or answers for it."""
        if self.sort == "for everybody":
            return self._here()
        if self.proxy and self.think_us:
            return self._here() if named else ("page 503", {"page": self.rng.choice(("", "unknown-page"))})
        return "ok", {"page": "door"}

    def line(self) -> dict[str, Any]:
        """What the line's state holds of pages."""
        strange = replace(self._page(), host="canary.example", ip="203.0.113.9")
        canaries = (strange, strange) if self.sort == "for everybody" else (CANARY,) * self.rng.randint(0, 3)
        before = (self._page(),) if self.rng.random() < 0.2 else ()
        return {"pages_canaries": canaries, "pages_elsewhere": self._elsewhere(), "pages_before": before}

    def _elsewhere(self) -> tuple[PageMet, ...]:
        """The same page in the place of sites that have to do with this one, and of one that has not."""
        page, r = self._page(), self.rng
        made = ("server:cloudflare", "header:x-edge-ray", "cookie:edge_visitor") if self.maker else ()
        kin = [
            replace(page, host=f"a{n}.{self.host}", ip=f"198.51.100.{n}") if r.random() < 0.5
            else replace(page, host=f"other{n}.test", ip=f"{self.ip.rpartition('.')[0]}.{n}") if ":" not in self.ip
            else replace(page, host=f"{self.host.split('.')[0]}.test", ip=f"198.51.{n}.1")
            for n in range(r.randint(0, 4))
        ]  # fmt: skip
        kin += [
            replace(page, host=f"made{n}.test", ip=f"100.{n}.1.1", makers=made)
            for n in range(r.randint(0, 4) if made else 0)
        ]
        alone = [replace(page, host="bread.test", ip="203.0.113.9")] if r.random() < 0.5 else []
        return (*alone, *kin)

    def _page(self) -> PageMet:
        options = self._strange()
        return page_met(self.host, self.ip, int(self.met.split()[1]), self.text, options.get("location"))

    def _strange(self) -> dict[str, Any]:
        options: dict[str, Any] = {"page": self.text, "headers": [*self.proxy, *self.maker]}
        return options | ({"location": "http://geo.test/away"} if self.met == "page 302" else {})

    def _times(self) -> dict[str, int]:
        """Each connection has a path of its own, and queues come and go."""
        way = self.path_us * self.rng.uniform(1, 1.3)
        opened = way + self.wakes_us + self._queue()
        least = min(opened, way + self._queue())
        return {"rtt": round(opened), "least": round(least), "first": round(way + self.think_us + self._queue())}

    def _queue(self) -> float:
        return self.rng.uniform(0, self.queue_us)

    def _fresh(self) -> str:
        words = " ".join(str(self.rng.randrange(10**6)) for _ in range(80))
        return f"<title>{self.rng.randrange(10**9)}</title><p>{words}"
