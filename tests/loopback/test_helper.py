"""The helper and who asks it, over real sockets: the same engine behind the door, and a field that believes nothing."""

from __future__ import annotations

import gzip
import ipaddress
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import httpx
import pytest
import trio

from probe.helper.app import Helper, helper_app
from probe.helper.limits import SERVE_LIMITS, HelperLimits
from probe.model.kinds import ControlAsk, HelperTransfer, TlsVerify
from probe.model.measurement import Measurement
from probe.model.observation import Blob, Draft
from probe.model.step import AskBytes, AskControl
from probe.model.vantage import Run, Vantage
from probe.net.clock import RealClock
from probe.net.system import SystemResolver
from probe.net.trionet import TrioNet
from probe.perform import control, perform_bytes
from probe.perform.control import perform_control
from probe.perform.world import Limits, Policy, World
from probe.serve import Bound, Listen, ServeLimits, serve
from probe.wire.control import CERTIFICATE_TYPE, AnswerReader, HelperRequest
from probe.wire.facts import ObservationRow, Row, canonical
from tests.loopback.net_peers import authority, server_context, tcp_peer

HERE = ipaddress.ip_network("127.0.0.0/8")
PAGE = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 44\r\nconnection: close\r\n\r\n"
    + (b"<html><title>Hello</title>secret words</html>"[:44])
)
NAMES = {"site.test": "127.0.0.1", "rebind.test": "127.0.0.1", "inside.test": "10.0.0.1"}
QUICK = Limits(connect_s=2, handshake_s=2, stall_s=1, fetch_s=2)
VANTAGE = Vantage("f" * 32, "control", "NL", 64500, who_says="typed", version="1")


class NoTrust:
    """No root is trusted; verifying is not what these tests are about."""

    digest = "0" * 64

    def verify(self, chain: tuple[bytes, ...], name: str, at_unix_s: int) -> TlsVerify:
        return TlsVerify(self.digest, "ok", ("ok",), name=name)


def lookup(host: str, family: int) -> Sequence[Any]:
    """The system resolver of these tests."""
    if host not in NAMES or family != socket.AF_INET:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")
    return [(family, socket.SOCK_STREAM, 6, "", (NAMES[host], 0))]


def world_of(ports: Sequence[int], nets: Sequence[Any] = (HERE,), **more: Any) -> World:
    clock = RealClock()
    special = ((HERE, "Loopback"), (ipaddress.ip_network("10.0.0.0/8"), "Private-Use"))
    policy = Policy(special, tuple(nets), frozenset(ports))
    return World(TrioNet(clock, SystemResolver(clock, lookup)), NoTrust(), policy, QUICK, **more)


def helper_of(world: World, **more: Any) -> Helper:
    ids = iter(range(1, 10_000))
    return Helper(
        world, VANTAGE, ("system",), new_id=lambda: f"{next(ids):032x}", now_text=lambda: "2026-01-01T00:00:00Z", **more
    )


@asynccontextmanager
async def serving(helper: Helper, limits: ServeLimits = SERVE_LIMITS) -> AsyncIterator[Bound]:
    async with trio.open_nursery() as nursery:
        bound: Bound = await nursery.start(partial(serve, helper_app(helper), Listen("127.0.0.1", 0), limits))
        yield bound
        nursery.cancel_scope.cancel()


async def post(bound: Bound, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        return await http.post(f"{bound.url}/v1/measure", content=content, headers=headers)


async def page(stream: trio.SocketStream) -> None:
    await stream.receive_some(4096)
    await stream.send_all(PAGE)


async def page_over_tls(stream: trio.SocketStream) -> None:
    context = server_context(authority().issue_cert("site.test"), ("http/1.1",))
    tls = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
    await tls.receive_some(4096)
    await tls.send_all(PAGE)
    await tls.aclose()


def facts_of(answer: httpx.Response, request: HelperRequest) -> tuple[Row, ...]:
    reader = AnswerReader(request)
    reader.feed(answer.content)
    return reader.close()


def observed(rows: Sequence[Row]) -> list[tuple[str, str | None]]:
    return [(row.kind, row.failure) for row in rows if isinstance(row, ObservationRow)]


# ---- the real engine behind the door ----


async def test_a_whole_measurement_over_tls_comes_home() -> None:
    kept: list[Row] = []
    async with tcp_peer(page_over_tls) as port:
        url = f"https://site.test:{port}/"
        async with serving(helper_of(world_of([port]), keep=kept.append)) as bound:
            answer = await post(bound, {"url": url, "version": "1"})
    rows = facts_of(answer, HelperRequest(url))
    kinds = dict(observed(rows))
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert {"tcp.connect", "tls.handshake", "tls.verify", "http.fetch", "measurement.end"} <= set(kinds)
    assert kinds["http.fetch"] is None
    # Only certificates travel; the helper's own copy has the body as well.
    assert {row.media for row in rows if isinstance(row, Blob)} == {CERTIFICATE_TYPE}
    assert any(isinstance(row, Blob) and b"secret" in row.data for row in kept)
    assert b"secret" not in answer.content


async def test_given_endpoints_are_walked_and_nothing_else() -> None:
    async with tcp_peer(page_over_tls) as port:
        endpoints = [["site.test", "127.0.0.1", port], ["site.test", "10.0.0.1", port]]
        url = f"https://site.test:{port}/"
        async with serving(helper_of(world_of([port]))) as bound:
            answer = await post(bound, {"url": url, "endpoints": endpoints})
    rows = facts_of(answer, HelperRequest(url, (("site.test", "127.0.0.1", port),)))
    kinds = observed(rows)
    assert "dns.lookup" not in dict(kinds) and "http.fetch" not in dict(kinds)
    assert ("tls.handshake", None) in kinds and ("skipped", "skipped") in kinds


@pytest.mark.parametrize("name", ["rebind.test", "inside.test"])
async def test_a_name_that_leads_inside_is_refused_at_the_socket(name: str) -> None:
    reached = False

    async def peer(stream: trio.SocketStream) -> None:
        nonlocal reached
        reached = True

    async with tcp_peer(peer) as port:
        url = f"http://{name}:{port}/"
        async with serving(helper_of(world_of([port], nets=()))) as bound:
            rows = facts_of(await post(bound, {"url": url}), HelperRequest(url))
    assert ("skipped", "skipped") in observed(rows)
    assert not reached and "tcp.connect" not in dict(observed(rows))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://site.test:25/", "port 25"),
        ("https://site.test:22/", "port 22"),
        ("http://127.0.0.1/", "Loopback"),
        ("http://10.0.0.1/", "Private-Use"),
        ("http://[::ffff:127.0.0.1]/", "Loopback"),
        ("http://[64:ff9b::7f00:1]/", "Loopback"),
    ],
)
async def test_ports_and_special_addresses_are_refused_early(url: str, says: str) -> None:
    async with serving(helper_of(world_of([80, 443], nets=()))) as bound:
        answer = await post(bound, {"url": url})
    assert answer.status_code == 403
    assert says in answer.json()["error"]


# ---- refusals ----


@dataclass
class FakeEngine:
    """An engine that waits to be let go, then tells `facts` facts of `size` bytes."""

    go: trio.Event = field(default_factory=trio.Event)
    facts: int = 1
    size: int = 10
    running: int = 0
    ended: list[str | None] = field(default_factory=list)

    async def __call__(
        self, question: Any, measurement: Measurement, world: World, keep: Callable[[Row], None], **more: Any
    ) -> None:
        scope = more["stop"].enter()
        self.running += 1
        with scope:
            await self.go.wait()
        self.running -= 1
        self.ended.append(more["stop"].reason)
        for seq in range(self.facts):
            keep(ObservationRow(measurement.measurement_id, seq, "test.fact", canonical({"text": "x" * self.size})))


def fake(**more: Any) -> FakeEngine:
    engine = FakeEngine(**more)
    engine.go.set()
    return engine


ASK = {"url": "https://site.test/"}
ASKED = HelperRequest("https://site.test/")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"url": 7}', b'{"url": "gopher://x/"}', b"\xff" * 100])
async def test_malformed_questions_get_one_line(body: bytes) -> None:
    async with serving(helper_of(world_of([443]), engine=fake())) as bound:
        answer = await post(bound, body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"} and "\n" not in answer.json()["error"]


async def test_a_question_too_large_is_refused() -> None:
    async with serving(helper_of(world_of([443]), engine=fake())) as bound:
        answer = await post(bound, b'{"url": "https://site.test/' + b"x" * 100_000 + b'"}')
    assert (answer.status_code, list(answer.json())) == (413, ["error"])


async def test_other_paths_and_methods_are_refused_in_json() -> None:
    async with serving(helper_of(world_of([443]), engine=fake())) as bound:
        async with httpx.AsyncClient(base_url=bound.url, trust_env=False) as http:
            answers = [await http.get("/"), await http.get("/v1/measure"), await http.get("/v1/health")]
    assert [a.status_code for a in answers] == [404, 405, 200]
    assert "error" in answers[0].json() and answers[2].json()["ok"] is True


async def test_the_rate_of_one_client_is_bounded_and_endpoints_count() -> None:
    limits = HelperLimits(rate_per_min=60, burst=4)
    async with serving(helper_of(world_of([443]), engine=fake(), limits=limits)) as bound:
        first = await post(bound, {**ASK, "endpoints": [["site.test", "192.0.2.1", 443]] * 12})
        second = await post(bound, ASK)
    assert (first.status_code, second.status_code) == (200, 429)
    assert int(second.headers["retry-after"]) >= 1


async def test_measurements_at_once_are_bounded() -> None:
    engine = FakeEngine()
    async with serving(helper_of(world_of([443]), engine=engine, limits=HelperLimits(each=2))) as bound:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(post, bound, ASK)
            nursery.start_soon(post, bound, ASK)
            await until(lambda: engine.running == 2)
            assert (await post(bound, ASK)).status_code == 429
            engine.go.set()


async def test_an_asker_that_leaves_ends_its_measurement() -> None:
    engine = FakeEngine()
    async with serving(helper_of(world_of([443]), engine=engine)) as bound:
        with trio.move_on_after(0.3):
            await post(bound, ASK)
        await until(lambda: engine.running == 0)
    assert engine.ended == ["interrupted"]


async def test_a_measurement_ends_at_its_time_and_the_answer_is_whole() -> None:
    engine = FakeEngine()
    async with serving(helper_of(world_of([443]), engine=engine, limits=HelperLimits(total_s=0.2))) as bound:
        rows = facts_of(await post(bound, ASK), ASKED)
    assert engine.ended == ["budget"] and len(rows) == 4


async def test_an_answer_stays_within_its_size() -> None:
    engine, limits = fake(facts=500, size=1000), HelperLimits(plain=100_000, lines=80)
    async with serving(helper_of(world_of([443]), engine=engine, limits=limits)) as bound:
        answer = await post(bound, ASK, **{"accept-encoding": "identity"})
    assert len(answer.content) < 120_000
    assert 50 < len(facts_of(answer, ASKED)) < 90


async def test_gzip_where_it_is_accepted() -> None:
    async with serving(helper_of(world_of([443]), engine=fake(facts=5))) as bound:
        packed = await post(bound, ASK, **{"accept-encoding": "gzip"})
        plain = await post(bound, ASK, **{"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert len(facts_of(packed, ASKED)) == len(facts_of(plain, ASKED)) == 8


async def test_the_asker_is_told_its_address_and_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    kept: list[Row] = []
    see = {"127.0.0.1": ("PK", 64501, "netdb:2026-01-01:ab")}.get
    helper = helper_of(world_of([443]), engine=fake(), see=see, keep=kept.append)
    with caplog.at_level(logging.DEBUG):
        async with serving(helper) as bound:
            answer = await post(bound, ASK)
    head, *rest = answer.text.splitlines()
    assert json.loads(head)["client"] == {
        "address": "127.0.0.1", "asn": 64501, "cc": "PK", "says": "netdb:2026-01-01:ab"
    }  # fmt: skip
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith("http")]
    assert "127.0.0.1" not in "".join([*rest, *ours, repr(kept)])


async def test_questions_share_no_id() -> None:
    async with serving(helper_of(world_of([443]), engine=fake())) as bound:
        answers = [facts_of(await post(bound, ASK), ASKED) for _ in range(2)]
    first, second = ({row.run_id for row in rows if isinstance(row, Run | Measurement)} for rows in answers)
    assert len(first) == len(second) == 1 and first != second


async def get(bound: Bound, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=bound.url, trust_env=False) as http:
        return await http.get(path)


async def test_bytes_without_meaning_are_given_within_bounds() -> None:
    async with serving(helper_of(world_of([443]))) as bound:
        answers = [await get(bound, f"/v1/bytes/{size}") for size in ("64000", "0", "10000000", "x")]
    assert [a.status_code for a in answers] == [200, 400, 400, 404]
    assert len(answers[0].content) == 64_000 and len(gzip.compress(answers[0].content)) > 63_000


async def test_bytes_count_towards_the_rate() -> None:
    async with serving(helper_of(world_of([443]), limits=HelperLimits(rate_per_min=60, burst=4))) as bound:
        codes = [(await get(bound, "/v1/bytes/131072")).status_code for _ in range(2)]
    assert codes == [200, 429]


# ---- the field's side ----


@dataclass
class Field:
    """What an ask led to."""

    facts: list[Draft] = field(default_factory=list)
    rows: list[tuple[Row, ...]] = field(default_factory=list)
    learned: list[str] = field(default_factory=list)

    def emit(self, draft: Draft, blobs: tuple[Blob, ...] = ()) -> int:
        self.facts.append(draft)
        return len(self.facts) - 1

    @property
    def one(self) -> tuple[str | None, ControlAsk]:
        (draft,) = self.facts
        assert isinstance(draft.detail, ControlAsk)
        return draft.failure, draft.detail


async def ask(helper: str, url: str = "https://site.test/", endpoints: Any = ()) -> Field:
    """One AskControl, carried out for real."""
    met = Field()
    async with httpx.AsyncClient(trust_env=False, http2=True, timeout=10) as client:
        world = replace(world_of([443]), helper_client=client, learn_address=met.learned.append)
        await perform_control(AskControl(helper, url, endpoints), world, met.emit, met.rows.append)
    return met


async def test_the_field_asks_and_keeps_whole_answers() -> None:
    see = {"127.0.0.1": ("PK", 64501, "netdb:2026-01-01:ab")}.get
    async with serving(helper_of(world_of([443]), engine=fake(facts=300), see=see)) as bound:
        met = await ask(bound.url + "/")
    failure, detail = met.one
    assert (failure, detail.status, detail.seen_cc, detail.seen_asn) == (None, 200, "PK", 64501)
    assert detail.measurement == "2".rjust(32, "0")
    assert met.learned[0] == "127.0.0.1" and len(met.rows[0]) == 303


async def test_the_field_waits_for_a_busy_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine()
    async with serving(helper_of(world_of([443]), engine=engine, limits=HelperLimits(each=1))) as bound:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(post, bound, ASK)
            await until(lambda: engine.running == 1)
            met = Field()

            async def second() -> None:
                nonlocal met
                met = await ask(bound.url)

            nursery.start_soon(second)
            await trio.sleep(0.2)
            engine.go.set()
    assert met.one[0] is None


@pytest.mark.parametrize("closed", [True, False], ids=["nobody there", "never answers"])
async def test_a_helper_that_is_not_there_is_a_failure(closed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "EXCHANGE_S", 0.3)

    async def mute(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with tcp_peer(mute) as port:
        where = 1 if closed else port
        failure, detail = (await ask(f"http://127.0.0.1:{where}")).one
    assert failure == ("connection_refused" if closed else "generic_timeout_error")
    assert detail.measurement is None


HEAD = b'{"client":{"address":"192.0.2.7"},"helper":1,"software":"x","vantage_id":"%s","version":"1"}\n' % (b"a" * 32)
OK = b"HTTP/1.1 200 OK\r\nconnection: close\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def endless(stream: trio.SocketStream) -> None:
    await stream.send_all(CHUNKED + chunk(HEAD))
    while True:
        await stream.send_all(chunk(b"x" * 60_000))


async def endless_lines(stream: trio.SocketStream) -> None:
    await stream.send_all(CHUNKED + chunk(HEAD))
    while True:
        await stream.send_all(chunk(b'{"fact":"vantage","role":"control","vantage_id":"%s"}\n' % (b"a" * 32)))


async def drip(stream: trio.SocketStream) -> None:
    await stream.send_all(CHUNKED + chunk(HEAD))
    while True:
        await stream.send_all(chunk(b"{"))
        await trio.sleep(0.05)


def says(data: bytes) -> Callable[[trio.SocketStream], Awaitable[None]]:
    async def peer(stream: trio.SocketStream) -> None:
        await stream.send_all(data)

    return peer


BOMB = gzip.compress(b"\n" * 40_000_000)
HOSTILE: dict[str, tuple[Callable[[trio.SocketStream], Awaitable[None]], str]] = {
    "endless line": (endless, "json_parse_error"),
    "endless lines": (endless_lines, "json_parse_error"),
    "drip": (drip, "generic_timeout_error"),
    "cut": (says(CHUNKED + chunk(HEAD)), "http_request_failed"),
    "cut but closed well": (says(CHUNKED + chunk(HEAD) + b"0\r\n\r\n"), "json_parse_error"),
    "wrong types": (says(OK + b"\r\n" + b'{"helper":"1","client":[]}\n'), "json_parse_error"),
    "html": (says(OK + b"\r\n<html>Access denied</html>"), "json_parse_error"),
    "gzip bomb": (says(OK + b"content-encoding: gzip\r\n\r\n" + BOMB), "json_parse_error"),
    "other coding": (says(OK + b"content-encoding: br\r\n\r\nabc"), "http_request_failed"),
    "redirect": (
        says(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n"),
        "http_request_failed",
    ),
    "error": (says(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"), "http_request_failed"),
    "not http": (says(b"SSH-2.0-nope\r\n"), "http_request_failed"),
    "silence, then gone": (says(b""), "http_request_failed"),
    "huge header": (says(OK + b"x: " + b"y" * 300_000 + b"\r\n\r\n"), "http_request_failed"),
    "busy for ever": (
        says(b"HTTP/1.1 429 No\r\nretry-after: 99999\r\ncontent-length: 0\r\n\r\n"),
        "http_request_failed",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_helper_is_a_failure_and_keeps_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "EXCHANGE_S", 1.0)
    script, word = HOSTILE[name]

    async def peer(stream: trio.SocketStream) -> None:
        # All of the question: closing on unread bytes would be a reset, which is another story.
        asked = b""
        while not asked.endswith(b"}"):
            asked += await stream.receive_some(65_536)
        await script(stream)

    async with tcp_peer(peer) as port:
        with trio.fail_after(8):
            met = await ask(f"http://127.0.0.1:{port}")
    failure, detail = met.one
    assert (failure, detail.measurement, met.rows) == (word, None, [])
    assert detail.raw


async def test_a_helper_cannot_have_the_evidence_scrubbed() -> None:
    async def peer(stream: trio.SocketStream) -> None:
        await stream.receive_some(65_536)
        await stream.send_all(OK + b"\r\n" + HEAD)
        await stream.receive_some(65_536)

    async with tcp_peer(peer) as port:
        met = await ask(f"http://127.0.0.1:{port}", endpoints=(("site.test", "192.0.2.7", 443),))
    assert met.learned == []


async def test_an_ask_that_is_cancelled_is_still_a_fact() -> None:
    async with serving(helper_of(world_of([443]), engine=FakeEngine())) as bound:
        met = Field()
        async with httpx.AsyncClient(trust_env=False) as client:
            world = replace(world_of([443]), helper_client=client)
            with trio.move_on_after(0.2):
                await perform_control(AskControl(bound.url, "https://site.test/"), world, met.emit, met.rows.append)
    assert met.one[0] == "interrupted"


async def until(true: Callable[[], bool]) -> None:
    """Let the other tasks run until something is so."""
    with trio.fail_after(5):
        while not true():  # noqa: ASYNC110 - what is waited for is other code's state
            await trio.sleep(0.01)


async def taken(bound: Bound, size: int) -> tuple[str | None, HelperTransfer]:
    field = Field()
    async with httpx.AsyncClient(trust_env=False) as client:
        world = world_of([443], helper_client=client)
        await perform_bytes(AskBytes(bound.url, size, 2, why="because"), world, field.emit)
    (draft,) = field.facts
    assert isinstance(draft.detail, HelperTransfer) and (draft.attempt, draft.why) == (2, "because")
    return draft.failure, draft.detail


async def test_the_field_times_its_line() -> None:
    async with serving(helper_of(world_of([443]))) as bound:
        failure, detail = await taken(bound, 100_000)
    assert (failure, detail.status, detail.timeline[-1][1]) == (None, 200, 100_000)
    assert detail.timeline[0][1] == 0 and len(detail.timeline) <= 64
    assert detail.info is None or detail.info.bytes_received > 100_000


async def test_a_helper_that_gives_no_bytes_is_a_failure() -> None:
    async with serving(helper_of(world_of([443]))) as bound:
        failure, detail = await taken(bound, 10_000_000)
    assert (failure, detail.status) == ("http_request_failed", 400)
