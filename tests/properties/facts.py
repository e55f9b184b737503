"""Random facts of every kind: fields from small pools, so that they meet one another, and a few from nowhere."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from probe.app.judge import control_source
from probe.model.failure import FAILURES
from probe.model.kinds import (
    Conclusion,
    ControlAsk,
    DnsLookup,
    HttpFetch,
    LineState,
    Opaque,
    PageFeatures,
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
from probe.model.target import parse_target
from probe.model.vantage import Vantage
from probe.verdict.case import Case, Control
from probe.verdict.read import (
    ASTRAY,
    BELOW,
    HOP_TRIAL,
    HOST_THERE,
    HOST_TRIAL,
    INNOCENT,
    INNOCENT_HOST_THERE,
)
from tests.cases import FIELD, VANTAGE, measurement
from tests.cases.build import HELPER

TRIALS = (ASTRAY, BELOW, HOP_TRIAL, INNOCENT, HOST_TRIAL, HOST_THERE, INNOCENT_HOST_THERE)
HOSTS = ("site.example", "www.site.example", "192.0.2.1")
URLS = ("https://site.example/", "http://site.example/", "https://www.site.example/x", "http://192.0.2.1/", "no url")
IPS = (
    "192.0.2.1", "192.0.2.2", "198.51.100.66", "198.51.100.77", "10.0.0.1", "0.0.0.0", "2001:db8::1",
    "64:ff9b::c000:201", "fe80::1%eth0", "nonsense", "",
)  # fmt: skip
RESOLVERS = (
    "system",
    "network",
    "network:1",
    "udp://192.0.2.53",
    "nobody://192.0.2.2",
    "nobody://[::1",
    "https://192.0.2.9/q",
    "tls://192.0.2.9",
    "",
)
REASONS = ("ok", "expired", "self_signed", "unknown_authority", "wrong_name", "not_yet_valid", "of_tomorrow")
WORDS = (*(row.word for row in FAILURES), "word_of_tomorrow")
CONTROLS = tuple(f"{n:032x}" for n in range(1, 4))
numbers = st.sampled_from((0, 1, 2, 3, 500_000, 5_000_000))
_some = st.sampled_from


def _maybe(pool: Any) -> Any:
    return st.none() | _some(pool)


features = st.builds(
    PageFeatures,
    title=_maybe(("Home", "Just a moment", "Welcome to our hotel", "Your family filter", "Trial door")),
    simhash=_maybe(("0" * 16, "f" * 16, "0f" * 8, "no hash")),
    tags=_maybe(("0" * 16, "f" * 16)),
    words=_some((0, 3, 500)),
    tag_count=_some((0, 3, 500)),
    sketch=_maybe(("0" * 192, "1" * 192, "00000000", "no sketch", "")),
    pointers=_maybe(("0" * 192, "0000000011111111", "no pointers")),
)
pages_met = st.lists(
    st.builds(
        PageMet,
        host=_some((*HOSTS, "bread.example", "wine.test", "")),
        ip=_some(IPS),
        status=_maybe((200, 302, 403, 451, 0)),
        location=_maybe(("http://notice.freedonia.example/", "mailto:x@y")),
        body=_maybe(("d" * 64,)),
        features=st.none() | features,
        makers=_some(((), ("server:x",))),
    ),
    max_size=3,
).map(tuple)
infos = st.builds(TcpInfo, st.just(1), numbers, numbers, _some((0, 0, 1)), numbers, numbers, numbers, numbers, numbers)
records = st.builds(Record, _some(HOSTS), _some(("A", "AAAA", "CNAME")), st.just(60), _some(IPS))
details = st.one_of(
    st.builds(
        DnsLookup,
        resolver=_some(RESOLVERS),
        qtype=_some(("A", "AAAA", "HTTPS", "")),
        query=_some((0, 1)),
        nth=_some((0, 1)),
        engine=_some(("", "udp", "tcp", "https")),
        rcode=_maybe(("NOERROR", "NXDOMAIN", "SERVFAIL", "?")),
        ede=_some(((), (16,), (17,), (16, 17), (-1,))),
        flags=_some(((), ("tc",))),
        answers=st.lists(records, max_size=3).map(tuple),
        sends=_some((0, 1, 2)),
        source_ok=st.booleans(),
        id_ok=_some((True, True, False)),
        lag_us=numbers,
        note=_maybe(("verified", "private")),
        ttl=_some((0, 0, 1, 2, 3, 300)),
        rtt_us=_maybe((0, 1, 50_000, -5)),
    ),
    st.builds(TcpConnect, lag_us=numbers, info=st.none() | infos),
    st.builds(
        TlsHandshake,
        sni=_maybe(HOSTS),
        chain=_some(((), ("a" * 64,), ("b" * 64, "c" * 64))),
        alert=_maybe(("handshake_failure",)),
        lag_us=numbers,
        ended=_maybe(("rst", "fin", "alert", "silence", "of_tomorrow")),
        answer_us=_maybe((0, 100, 500_000, -1)),
        ttl=_some((0, 0, 1, 2, 255, -1)),
        info=st.none() | infos,
    ),
    st.builds(
        QuicHandshake,
        sni=_maybe(("site.example", "www.example.org")),
        chain=_some(((), ("a" * 64,), ("b" * 64, "c" * 64))),
        alert=_maybe(("handshake_failure",)),
        ended=_maybe(("silence", "close", "icmp", "?")),
        lag_us=numbers,
    ),
    st.builds(TlsVerify, store=st.just("0" * 64), reason=_some(REASONS), code=_some((0, 10, 18, 19, 20, -3))),
    st.builds(
        HttpFetch,
        url=_some(URLS),
        hop=numbers,
        status=_maybe((200, 301, 302, 403, 404, 451, 500, 0, -1, 999)),
        location=_maybe((*URLS, "http://notice.freedonia.example/", "mailto:x@y", "")),
        headers=_some(((), (("Server", "x"),), (("Set-Cookie", "a=1"),), (("Via", "1.1 cache"),))),
        first_byte_us=_maybe((0, 5_000, -5)),
        body=_maybe(("d" * 64,)),
        truncated=_maybe(("cap", "cut", "stall", "bomb", "?")),
        features=st.none() | features,
        lag_us=numbers,
    ),
    st.builds(
        ControlAsk, helper=_some((HELPER, "db:b")), url=_some(URLS), measurement=_maybe((*CONTROLS, "e" * 32)),
        endpoints=_some(((), (("site.example", "192.0.2.1", 443),))),
    ),
    st.builds(Skipped, step=_some(("walk", "lookup")), because=_some(("special_address", "port"))),
    st.builds(
        LineState, canaries_tried=numbers, canaries_reached=numbers, others_reached=numbers, portal_suspects=numbers,
        control_reached=_maybe((True, False)), ipv6_reached=_maybe((True, False)),
        sinkholes=st.lists(_some(IPS), max_size=2).map(tuple),
        quic=_some(((), (("canaries", 4, 2, 2),), (("others", 6, 3, 0), ("of_tomorrow", 9, -1, 7)))),
        pages_canaries=pages_met, pages_elsewhere=pages_met, pages_before=pages_met,
    ),
    st.builds(Conclusion, ended=_some(("fixpoint", "budget", "interrupted", "of_tomorrow"))),
    st.builds(Opaque, fields=_some(({}, {"x": [1, {"y": None}]}))),
)  # fmt: skip


@st.composite
def observations(draw: st.DrawFn, name: str = FIELD, most: int = 25) -> tuple[Observation, ...]:
    """Facts of one measurement, in order, with parents that point anywhere."""
    found = draw(st.lists(details, max_size=most))
    return tuple(
        Observation(
            name,
            seq,
            draw(st.none() | st.integers(0, max(seq, 1))),
            getattr(detail, "kind", "kind.of_tomorrow"),
            draw(_maybe(HOSTS)) if draw(st.booleans()) else "site.example",
            draw(_maybe(IPS)),
            draw(_some((443, 80, None, 0))),
            draw(_some((1, 1, 2, 3, -1))),
            draw(_some(("plan", "name trial: server name", "sibling scheme", "again: x", *TRIALS))),
            draw(_maybe(WORDS)),
            draw(numbers),
            draw(numbers),
            detail,
        )
        for seq, detail in enumerate(found)
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A case of random facts on both sides."""
    target = parse_target(draw(_some(URLS[:4])))
    mine = draw(observations())
    ages = draw(st.lists(_some((0, 60, 86_400, 90_000)), max_size=3))
    controls = tuple(
        Control(measurement(name, target, -age, FIELD), draw(observations(name, 12)), age)
        for name, age in zip(CONTROLS, ages, strict=False)
    )
    vantage = Vantage(VANTAGE, "field", cc=draw(_some(("FD", "SY", ""))), asn=draw(_maybe((64500,))))
    return Case(target, measurement(FIELD, target), mine, controls, control_source(mine, controls), vantage)
