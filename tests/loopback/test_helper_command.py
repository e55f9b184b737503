"""`probe helper` as a command: it says where it is, measures, and stops when told."""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path

import httpx
import pytest
import trio

from probe.app.helper import HelperWish, help_until_cancelled, prepare_helper
from probe.model.errors import UsageError
from probe.model.kinds import TlsHandshake
from probe.model.measurement import Measurement
from probe.model.step import Walk
from probe.model.vantage import Vantage
from probe.net.trionet import TrioNet
from probe.perform import perform_walk
from probe.serve import Bound, parse_listen
from probe.store.sqlite import Store
from probe.wire.control import AnswerReader, HelperRequest
from tests.loopback.net_peers import tcp_peer
from tests.loopback.test_helper import page
from tests.unit.perform.kit import Facts, world_of

COMMAND = [sys.executable, "-c", "from probe.cli import main; main()", "helper"]


async def test_the_command_serves_and_ends_on_a_signal(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery, tcp_peer(page) as port:
        db = tmp_path / "control.db"
        options = [
            "--listen",
            "127.0.0.1:0",
            "--no-system-resolver",
            "--resolver",
            "udp://127.0.0.1:9",
            "--db",
            str(db),
        ]
        allowed = ["--allow-net", "127.0.0.0/8", "--allow-port", str(port), "--country", "nl"]
        process = await trio.lowlevel.open_process([*COMMAND, *options, *allowed], stderr=-1)
        assert process.stderr is not None
        with trio.fail_after(20):
            said = b""
            while not (found := re.search(rb"(http://127\.0\.0\.1:\d+):", said)):
                said += await process.stderr.receive_some(4096)
            url = f"http://127.0.0.1:{port}/"
            async with httpx.AsyncClient(base_url=found[1].decode(), trust_env=False, timeout=15) as http:
                health = await http.get("/v1/health")
                answer = await http.post("/v1/measure", json={"url": url})
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
            rest = await process.stderr.receive_some(4096)
        await process.stderr.aclose()
        nursery.cancel_scope.cancel()
    assert health.json()["ok"] is True
    assert b"neither kept nor logged" in said + rest
    reader = AnswerReader(HelperRequest(url))
    reader.feed(answer.content)
    rows = reader.close()
    kinds = [json.loads(line).get("kind") for line in answer.text.splitlines()]
    assert "http.fetch" in kinds
    with Store.open(db, writable=False) as store:
        assert [v.cc for v in store.rows(Vantage)] == ["NL"]
        kept = list(store.rows(Measurement))
        assert [m.answers for m in kept] == [None]
        assert len(store.observations(kept[0].measurement_id)) == kinds.count("tcp.connect") + len(
            [kind for kind in kinds if kind and kind != "tcp.connect"]
        )
    assert len(rows) > 4


async def test_askers_are_told_their_network(tmp_path: Path) -> None:
    table = tmp_path / "net.csv"
    table.write_text("network,country,asn\n127.0.0.0/8,PK,64501\n")
    wish = HelperWish(
        parse_listen("127.0.0.1:0"), netdb=table, allow_nets=("127.0.0.0/8",), resolvers=("udp://127.0.0.1:9",)
    )
    async with trio.open_nursery() as nursery:
        bound: Bound = await nursery.start(help_until_cancelled, prepare_helper(wish))
        async with httpx.AsyncClient(base_url=bound.url, trust_env=False) as http:
            answer = await http.post("/v1/measure", json={"url": "http://127.0.0.1:80/"})
        nursery.cancel_scope.cancel()
    client = json.loads(answer.text.splitlines()[0])["client"]
    assert (client["cc"], client["asn"], client["says"][:6]) == ("PK", 64501, "netdb:")


async def test_the_trial_door_is_told_of_and_open() -> None:
    here = parse_listen("127.0.0.1:0")
    async with trio.open_nursery() as nursery:
        bound: Bound = await nursery.start(
            help_until_cancelled, prepare_helper(HelperWish(here, trial_listens=(here, here)))
        )
        async with httpx.AsyncClient(base_url=bound.url, trust_env=False) as http:
            port, other = (await http.get("/v1/health")).json()["trial_ports"]
        facts = Facts()
        await perform_walk(Walk("any.example", "127.0.0.1", port, "any.example"), world_of(TrioNet()), facts)
        nursery.cancel_scope.cancel()
    assert len({port, other, bound.port}) == 3 and facts.one(TlsHandshake)[0].failure is None


@pytest.mark.parametrize(
    "wish",
    [
        HelperWish(parse_listen("127.0.0.1:0"), country="Netherlands"),
        HelperWish(parse_listen("127.0.0.1:0"), resolvers=("udp://dns.example",)),
        HelperWish(parse_listen("127.0.0.1:0"), allow_nets=("here",)),
    ],
)
def test_bad_options_are_wrong_usage(wish: HelperWish) -> None:
    with pytest.raises(UsageError):
        prepare_helper(wish)
