"""Facts in few words: a side (field or control) is told what it met, and gives the observations of it.

A lookup is (resolver, type, said): `said` is addresses, or one of the words of `DNS_WORDS`. A walk is (address, met):

    ok                 connected, shaken hands, certificate valid, the site's page
    shaken             the same without a page
    tcp WORD           the connect failed            tls WORD    the handshake failed
    cert REASON        a chain that does not verify  http WORD   nothing came of the page
    page STATUS        an answer with that status    cut         a page that breaks off
    still              a page that begins and stands still

A walk's `flow` says how its bytes came: see `flow.py`. `speed` marks one that was taken for the sake of speed alone.

A walk over QUIC is (address, met) too: ok, shaken, cert REASON and http WORD as above, `skipped BECAUSE`, else a word
of `WORDS` for how the handshake failed. A host announces HTTP/3 by an HTTPS record (`said` is its data) or by the
option `alt_svc` of a page.

Documentation addresses (RFC 5737, 3849) stand for ordinary public ones: the reference below leaves their blocks out.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass, field, replace
from typing import Any

from probe.checks.quic.steps import QUIC_NAMELESS, QUIC_TRIAL
from probe.model.kinds import (
    Conclusion,
    ControlAsk,
    Detail,
    DnsLookup,
    HelperTransfer,
    HttpFetch,
    LineState,
    PageMet,
    QuicHandshake,
    Record,
    Skipped,
    TcpConnect,
    TcpInfo,
    TlsHandshake,
    TlsVerify,
)
from probe.model.observation import Observation
from probe.model.target import Target, parse_target
from probe.verdict.read import (
    ALIVE_THERE,
    ASTRAY,
    BELOW,
    HELLO_TRIAL,
    HOP_TRIAL,
    HOST_THERE,
    INNOCENT,
    INNOCENT_HOST_THERE,
    INNOCENT_THERE,
    NAMED_THERE,
    NAMELESS_TRIAL,
    SIBLING,
    SPEED,
    SPEED_TRIAL,
    TRIAL,
)
from probe.verdict.reference import Fingerprint, Reference, SpecialBlock
from probe.wire.door import PAGE as DOOR_PAGE
from probe.wire.page import page_features
from tests.cases.flow import Flow

SITE, OTHER_SITE = "192.0.2.1", "192.0.2.2"
HELPER = "https://helper.example"
NOTICE = "This site has been withheld by order of the Authority of Freedonia"
DNS_WORDS = {
    "nxdomain": "dns_nxdomain_error",
    "servfail": "dns_servfail_error",
    "refused": "dns_refused_error",
    "empty": "dns_no_answer",
    "timeout": "generic_timeout_error",
    "again": "dns_temporary_failure",
}
RCODES = {"nxdomain": "NXDOMAIN", "servfail": "SERVFAIL", "refused": "REFUSED", "empty": "NOERROR"}
# What a trial changes: its `why`, and the server name that it sends ("" the site's own).
TRIALS: dict[bool | str, tuple[str, str | None]] = {
    True: (f"{TRIAL}: another name", "www.example.org"),
    "path": (f"{TRIAL}: path", "www.example.org"),
    "nameless": (NAMELESS_TRIAL, None),
    "named_there": (NAMED_THERE, ""),
    "innocent_there": (INNOCENT_THERE, "www.example.org"),
    "alive_there": (ALIVE_THERE, None),
    "host_there": (HOST_THERE, None),
    "innocent_host_there": (INNOCENT_HOST_THERE, None),
}
WORDS = {
    "timeout": "generic_timeout_error",
    "reset": "connection_reset",
    "refused": "connection_refused",
    "unreachable": "host_unreachable",
    "eof": "eof_error",
    "noroute": "network_unreachable",
    "alert": "ssl_failed_handshake",
    "garbage": "ssl_failed_handshake",
    "garbled": "http_request_failed",
    "unknown": "unknown_failure",
    "version": "quic_incompatible_version",
}
LOOKUP_WHY = {"astray": ASTRAY, "innocent": INNOCENT, "below": BELOW, "hop": HOP_TRIAL}
ENDINGS = {"reset": "rst", "eof": "fin", "alert": "alert", "garbage": "garbage", "timeout": "silence"}
BROKEN_OFF = {"cut": "eof_error", "still": "generic_timeout_error"}
QUIC_ENDED = {"refused": "icmp", "unreachable": "icmp", "reset": "close", "alert": "alert", "version": "version"}
CERT_WORDS = {"self_signed": "ssl_unknown_authority", "unknown_authority": "ssl_unknown_authority"}
CERT_CODES = {"self_signed": 18, "unknown_authority": 20, "expired": 10, "not_yet_valid": 9}
PAGES = {
    "home": "<title>Home of the site</title><p>" + "the news of the day in many words " * 30,
    "story": "<title>Another thing</title><div><ul><li>" + "nothing of this is like the first page at all " * 25,
    "home-today": "<title>Home of the site</title><p>" + "the news of this very day in many words " * 30,
    "notice": f"<h1>{NOTICE}</h1>",
    "unknown": "<title>Note</title><p>" + "you may not read this here, says an office that nobody knows of " * 3,
    "unknown-host": "<title>Note</title><p>www.example.org: "
    + "you may not read this here, says an office that nobody knows of " * 3,
    "unknown-page": "<title>No such site here</title><p>this server has no page of that name, and never heard of it",
    "report": f"<title>On blocking</title><blockquote>{NOTICE}</blockquote><p>"
    + "what happened next is told in many words " * 60,
    "brief": f"<title>On blocking</title><p>{NOTICE}. Read by 17 people, and what they said of it is told elsewhere.",
    "brief-later": f"<title>On blocking</title><p>{NOTICE}. Read by 93 people, and what they said is told elsewhere.",
    "challenge": "<title>Just a moment</title><p>checking whether the browser is a browser",
    "family": "<title>Your family filter</title><p>you chose this filter",
    "door": DOOR_PAGE,
    "login": "<title>Welcome to our hotel</title><form>room number</form>",
}

_SPECIAL = (
    ("0.0.0.0/8", "This network"), ("10.0.0.0/8", "Private-Use"), ("127.0.0.0/8", "Loopback"),
    ("100.64.0.0/10", "Shared Address Space"), ("::1/128", "Loopback Address"), ("fc00::/7", "Unique-Local"),
)  # fmt: skip
REFERENCE = Reference(
    "f" * 64,
    special=tuple(SpecialBlock(ipaddress.ip_network(block), name, False) for block, name in _SPECIAL),
    fingerprints=(
        Fingerprint("FP-FD-001", "blockpage", "body", NOTICE, scope_cc="FD"),
        Fingerprint("FP-FD-002", "blockpage", "location", "notice.freedonia.example", scope_cc="FD"),
        Fingerprint("FP-FD-003", "blockpage", "address", "198.51.100.66", scope_cc="FD"),
        Fingerprint("FP-FLT-1", "parental", "address", "198.51.100.77"),
        Fingerprint("FP-REF-1", "refusal", "title", "Just a moment"),
        Fingerprint("FP-FLT-2", "parental", "title", "Your family filter"),
        Fingerprint("FP-POR-1", "portal", "title", "Welcome to our hotel"),
    ),
)


def body_of(page: str) -> bytes:
    """A page by its name, or the text itself."""
    return PAGES.get(page, page).encode()


def page_met(host: str, ip: str, status: int, page: str, location: str | None = None) -> PageMet:
    """A page that was given elsewhere, as a line's state holds it."""
    body = body_of(page)
    sha = hashlib.sha256(body).hexdigest()
    return PageMet(host, ip, status, location, sha, page_features(body, "text/html"))


@dataclass
class Side:
    """The observations of one measurement, growing. `bodies` are what its pages hold."""

    name: str
    target: Target
    facts: list[Observation] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)

    def add(self, detail: Detail, kind: str, **envelope: Any) -> int:
        """One fact; returns its seq."""
        seq = len(self.facts)
        given: dict[str, Any] = {
            "parent": None, "host": self.target.host, "ip": None, "port": None, "attempt": 1, "why": "plan",
            "failure": None, "at_us": seq * 1_000_000, "took_us": 10_000,
        }  # fmt: skip
        self.facts.append(Observation(self.name, seq, kind=kind, detail=detail, **(given | envelope)))
        return seq

    def lookup(
        self, resolver: str, qtype: str, said: str, *, host: str = "", attempt: int = 1, why: str = "plan", **more: Any
    ) -> None:
        """One answer, or its absence. `why` is also one of the words of `LOOKUP_WHY`."""
        word = said if said in DNS_WORDS else ""
        addresses = () if word else (said,) if qtype == "HTTPS" else tuple(said.split())
        host = host or self.target.host
        note = "verified" if resolver.startswith("https://") else None
        rcode = None if resolver == "system" or word in ("timeout", "again") else RCODES.get(word, "NOERROR")
        more = {"note": note, "rcode": rcode, "query": len(self.facts)} | more
        took = {"took_us": more.pop("took_us")} if "took_us" in more else {}
        more["ede"], more["flags"] = tuple(more.get("ede", ())), tuple(more.get("flags", ()))
        answers = tuple(Record(host, qtype, 60, ip) for ip in addresses)
        detail = DnsLookup(resolver, qtype, answers=answers, **more)
        why = LOOKUP_WHY.get(why, why)
        self.add(detail, "dns.lookup", host=host, attempt=attempt, why=why, failure=DNS_WORDS.get(word), **took)

    def walk(self, ip: str, met: str, *, times: int = 1, attempt: int = 1, **more: Any) -> None:
        """A walk, or several with growing attempt. Options: url, page, body, location, headers, leaf, alt_svc, trial
        (see `TRIALS`), hello (a trial with that kind of ClientHello), second (what this machine's own store says), size
        (of the hello), torn (pieces out of order), sibling, lag; ttl (the hop limit of the hello, or of the request in
        the clear), rtt (the kernel's least round trip), answer (from hello to answer), first (from request to its
        answer) and least (the kernel's least round trip when the page was there), in microseconds; flow, speed."""
        for n in range(attempt, attempt + times):
            self._walk_once(ip, met, n, **more)

    def _walk_once(
        self,
        ip: str,
        met: str,
        attempt: int,
        *,
        url: str = "",
        leaf: str = "leaf",
        lag: int = 0,
        trial: bool | str = False,
        hello: str = "",
        second: str = "",
        size: int = 517,
        sibling: bool = False,
        fetch: str = "",
        ttl: int = 0,
        rtt: int = 0,
        answer: int | None = None,
        flow: dict[str, Any] | None = None,
        speed: bool = False,
        **page: Any,
    ) -> None:
        target = parse_target(url) if url else self.target
        stage, _, word = met.partition(" ")
        plain = SIBLING if sibling else f"{HELLO_TRIAL}: {hello}" if hello else "plan"
        why, name = TRIALS[trial] if trial else (plain, "")
        pace = Flow.of(flow) if flow else None
        why = HOP_TRIAL if ttl else why
        if speed:
            why = SPEED_TRIAL if trial else f"{SPEED}: again"
        info = TcpInfo(1, rtt, rtt, 0, 1, 1, 0, 0, 0) if rtt else None
        port = target.sibling_port if sibling else target.port
        at: dict[str, Any] = {"host": target.host, "ip": ip, "port": port, "attempt": attempt, "why": why}
        if stage == "skipped":
            self.add(Skipped("walk", word), "skipped", failure="skipped", **at)
            return
        failure = WORDS[word] if stage == "tcp" else None
        told = pace.connected() if pace else info
        connect = self.add(TcpConnect(lag_us=lag, info=told), "tcp.connect", failure=failure, **at)
        if stage == "tcp":
            return
        below = connect
        if target.scheme == "https" and not sibling and trial != "alive_there":
            failure = WORDS[word] if stage == "tls" else None
            sni = target.host if name == "" else name
            chain = () if failure else (hashlib.sha256(leaf.encode()).hexdigest(),)
            alert = "handshake_failure" if word == "alert" else None
            shake = TlsHandshake(
                sni, chain=chain, alert=alert, lag_us=lag, ended=ENDINGS.get(word) if failure else None,
                info=pace.shaken() if pace else info, answer_us=answer, ttl=ttl, profile=hello, hello_bytes=size,
            )  # fmt: skip
            below = self.add(shake, "tls.handshake", failure=failure, parent=connect, **at)
            if failure:
                return
            self._verified(word if stage == "cert" else "ok", "", below, at)
            if second:
                self._verified(second, "system", below, at)
        if (stage in ("shaken", "cert") and not fetch) or trial == "alive_there":
            return
        own = (speed and target.scheme == "https") or trial in (False, "host_there")
        named = "" if own else "www.example.org"
        detail = self._page(fetch or met, target, "path" if trial == "path" else named, lag, **page)
        failure = BROKEN_OFF.get(stage) or (WORDS[word] if stage == "http" else None)
        if ttl and target.scheme == "http":
            detail = replace(detail, ttl=ttl)
        if pace:
            detail = replace(detail, timeline=pace.timeline(), info=pace.fetched(), wire_bytes=pace.size)
        self.add(detail, "http.fetch", failure=failure, parent=below, **at)

    def _verified(self, reason: str, whose: str, handshake: int, at: dict[str, Any]) -> None:
        code = CERT_CODES.get(reason, 0)
        detail = TlsVerify("0" * 64, reason, (reason,), code, name=at["host"], whose=whose)
        failed = None if reason == "ok" else CERT_WORDS.get(reason, "ssl_invalid_certificate")
        self.add(detail, "tls.verify", failure=failed, parent=handshake, **at)

    def quic(self, ip: str, met: str, *, times: int = 1, attempt: int = 1, **more: Any) -> None:
        """A walk over QUIC, or several with growing attempt. Options: trial (true, or nameless), lag, host."""
        for n in range(attempt, attempt + times):
            self._quic_once(ip, met, n, **more)

    def _quic_once(
        self, ip: str, met: str, attempt: int, *, trial: bool | str = False, lag: int = 0, host: str = ""
    ) -> None:
        stage, _, word = met.partition(" ")
        host = host or self.target.host
        why = QUIC_NAMELESS if trial == "nameless" else QUIC_TRIAL if trial else "plan"
        at: dict[str, Any] = {"host": host, "ip": ip, "port": 443, "attempt": attempt, "why": why}
        if stage == "skipped":
            self.add(Skipped("quic", word), "skipped", failure="skipped", **at)
            return
        failure = WORDS.get(stage)
        sni = "www.example.org" if trial else host
        alert = "handshake_failure" if stage == "alert" else None
        ended = QUIC_ENDED.get(stage, "silence") if failure else None
        shake = QuicHandshake(sni, version=None if failure else "v1", alert=alert, ended=ended, lag_us=lag)
        below = self.add(shake, "quic.handshake", failure=failure, **at)
        if failure:
            return
        self._verified(word if stage == "cert" else "ok", "", below, at)
        if stage in ("ok", "http"):
            page = HttpFetch(f"https://{host}/", protocol="HTTP/3", status=200 if stage == "ok" else None)
            self.add(page, "http.fetch", failure=WORDS.get(word), parent=below, **at)

    def _page(
        self,
        met: str,
        target: Target,
        trial: str,
        lag: int,
        *,
        page: str = "home",
        location: str | None = None,
        alt_svc: str = "",
        headers: list[list[str]] | None = None,
        first: int | None = None,
        least: int = 0,
        torn: int = 0,
    ) -> HttpFetch:
        stage, _, word = met.partition(" ")
        url = f"http://{target.host}/" if trial == "path" else f"http://{trial}/" if trial else target.normal
        if stage == "http":
            return HttpFetch(url, lag_us=lag, info=TcpInfo(1, 0, 0, 0, 4, 4, 300, 0, 0, torn) if torn else None)
        body = body_of(page)
        sha = hashlib.sha256(body).hexdigest()
        self.bodies[sha] = body
        told = [(name, value) for name, value in headers or ()]
        return HttpFetch(
            url,
            status=int(word) if stage == "page" else 200,
            headers=(*told, ("Alt-Svc", alt_svc)) if alt_svc else tuple(told),
            location=location,
            body=sha,
            truncated={"cut": "cut", "still": "stall"}.get(stage),
            features=page_features(body, "text/html"),
            first_byte_us=first,
            info=TcpInfo(1, least, least, 0, 1, 1, 0, 0, 0) if least else None,
            lag_us=lag,
        )

    def bytes(
        self, size: int, rate: float, *, rtt: float = 60, lost: int = 0, attempt: int = 1, times: int = 1
    ) -> None:
        """Bytes without meaning from the helper, at so many a second."""
        for n in range(attempt, attempt + times):
            pace = Flow(rtt=rtt, size=size, rate=rate, lost=lost)
            detail = HelperTransfer(HELPER, size, 200, pace.timeline(), pace.fetched())
            self.add(detail, "helper.transfer", attempt=n, why=f"{SPEED}: the line itself")

    def asked(self, control: str | None, *, helper: str = HELPER, ip: str | None = None) -> None:
        """A helper's (or database's) answer, from its address, or with None that it could not be reached."""
        failure = None if control else "generic_timeout_error"
        self.add(ControlAsk(helper, self.target.url, measurement=control), "control.ask", failure=failure, ip=ip)

    def end(self, line: LineState | None, ended: str | None) -> None:
        """The line's state and the conclusion; without the latter it was cut off."""
        if line is not None:
            self.add(line, "line.state")
        if ended is not None:
            self.add(Conclusion(ended), "measurement.end")
