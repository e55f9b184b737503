"""Looking at what was measured: lists, one measurement beside its control, words; hostile text stays text."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from probe.app.timeline import Line, end_of, timeline, waterfall
from probe.cli import root
from probe.cli.text import columns, safe
from probe.model.failure import FAILURES
from probe.model.kinds import (
    ControlAsk,
    DnsLookup,
    HttpFetch,
    Icmp,
    QuicHandshake,
    Record,
    Skipped,
    TcpConnect,
    TlsHandshake,
)
from probe.model.measurement import Measurement
from probe.model.observation import Draft
from probe.model.observation import Observation as Fact
from probe.model.outcome import OUTCOMES, REASONS, TECHNIQUES
from probe.model.vantage import Run, Vantage
from probe.store.sqlite import Store, insert_statement
from probe.wire.facts import ObservationRow, observation_of, row_of

FIELD, CONTROL = "a1" * 16, "c2" * 16
EVIL = "https://evil.example/\x1b[2J\u202e"


def fact(measurement: str, seq: int, draft: Draft) -> ObservationRow:
    d = draft
    return row_of(
        Fact(
            measurement,
            seq,
            d.parent,
            d.kind,
            d.host,
            d.ip,
            d.port,
            d.attempt,
            d.why,
            d.failure,
            d.at_us,
            d.took_us,
            d.detail,
        )
    )


AT = ("a.example", "192.0.2.1", 443)
T0 = 10**15
HERE = (
    Draft(
        "dns.lookup", DnsLookup("system", "A", answers=(Record("a.example", "A", 60, AT[1]),)), "a.example", at_us=T0
    ),
    Draft("tcp.connect", TcpConnect(), *AT, at_us=T0 + 20_000, took_us=9_500),
    Draft(
        "tls.handshake", TlsHandshake("a.example", ended="rst", raw="ECONNRESET"), *AT, "connection_reset", T0 + 30_000
    ),
    Draft("control.ask", ControlAsk("https://helper.example", "https://a.example/", measurement=CONTROL, seen_cc="PK")),
    Draft("skipped", Skipped("walk", "special_address", "10.0.0.0/8"), "a.example", "10.0.0.1", 443, "skipped"),
)
THERE = (
    Draft(
        "tls.handshake", TlsHandshake("a.example", version="TLSv1.3", chain=("0" * 64,)), "a.example", "192.0.2.1", 443
    ),
    Draft(
        "http.fetch",
        HttpFetch("https://a.example/", status=200, protocol="h2", body_bytes=512),
        "a.example",
        "192.0.2.1",
        443,
    ),
)


def opinion(
    layer: str, ruleset: str, outcome: str, technique: str | None, witness: str = "", detail: str = "{}"
) -> tuple[object, ...]:
    return (FIELD, layer, ruleset, "f" * 64, outcome, technique, "TLS-001", "TLS-001", witness, None, "path", detail)


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "some.db"
    with Store.open(path) as store:
        store.append(Vantage("b1" * 16, "field", cc="PK", asn=64500, place="Lahore\x07"))
        store.append(Vantage("b2" * 16, "control"))
        store.append(Run("d1" * 16, "b1" * 16, "2026-11-24T10:00:00.000000Z"))
        store.append(Run("d2" * 16, "b2" * 16, "2026-11-24T10:00:00.000000Z"))
        store.append(Measurement(FIELD, "d1" * 16, "https://a.example/", "web", "2026-11-24T10:00:01.000000Z"))
        store.append(Measurement("a1ff" + "0" * 28, "d1" * 16, EVIL, "web", "2026-11-24T10:00:02.000000Z"))
        store.append(
            Measurement("e0" * 16, "d1" * 16, "https://canary.example/", "line", "2026-11-24T10:00:00.000000Z")
        )
        store.append(Measurement(CONTROL, "d2" * 16, "https://a.example/", "web", "2026-11-24T10:00:01.000000Z", FIELD))
        for seq, draft in enumerate(HERE):
            store.append(fact(FIELD, seq, draft))
        for seq, draft in enumerate(THERE):
            store.append(fact(CONTROL, seq, draft))
        store.flush()
        said = json.dumps({"explanation": "one plain\x1b sentence"})
        store.write(insert_statement("verdict"), [
            opinion("headline", "2025.1", "ok", None),
            opinion("headline", "2026.1", "blocked", "tls.reset", detail=said),
            opinion("tls", "2026.1", "blocked", "tls.reset", f"{FIELD}:2 {CONTROL}:0"),
        ])  # fmt: skip
    return path


def probe(*args: str) -> Result:
    return CliRunner().invoke(root, args, catch_exceptions=False)


def test_runs_of_field_vantage_points_are_listed(db: Path) -> None:
    out = probe("list", "--db", str(db)).stdout
    assert "d1d1d1d1" in out and "d2d2d2d2" not in out
    assert "1 blocked, 1 not judged" in out and "PK AS64500 Lahore\\x07" in out


def test_a_run_lists_its_targets_but_no_canary(db: Path) -> None:
    out = probe("list", "d1d1", "--db", str(db)).stdout
    assert "X blocked" in out and "tls.reset" in out and "not judged" in out
    assert "canary.example" not in out


def test_json_lines(db: Path) -> None:
    runs = [json.loads(line) for line in probe("list", "--db", str(db), "--json").stdout.splitlines()]
    assert [(r["targets"], r["outcomes"]) for r in runs] == [(2, {"blocked": 1, "not judged": 1})]
    first, second = (json.loads(line) for line in probe("list", "d1d1", "--db", str(db), "--json").stdout.splitlines())
    assert (first["headline"]["outcome"], second["headline"], second["url"]) == ("blocked", None, EVIL)


def test_show_tells_facts_beside_the_control_then_verdicts(db: Path) -> None:
    out = probe("show", "a1a1", "--db", str(db)).stdout
    for part in (
        "look up a.example A at system", "192.0.2.1 (TTL 60)", "connect 192.0.2.1:443", "connected",
        "connection_reset: a TCP reset ended the connection, or a sudden close over QUIC [ended by rst, ECONNRESET]",
        "TLSv1.3, 1 certificate",
        "not tried: special address (10.0.0.0/8)", "Only tried at the control", "status 200, h2, 512 bytes",
        "#2 control#0", "one plain\\x1b sentence", "Also judged by: 2025.1",
    ):  # fmt: skip
        assert part in out, part


def test_show_json_holds_every_fact_and_verdict(db: Path) -> None:
    value = json.loads(probe("show", FIELD, "--db", str(db), "--json").stdout)
    assert [f["seq"] for f in value["facts"]] == [0, 1, 2, 3, 4]
    assert value["controls"][0]["measurement"]["measurement_id"] == CONTROL
    assert [v["layer"] for v in value["verdicts"]] == ["headline", "tls"]


def test_hostile_text_does_not_steer_the_terminal(db: Path) -> None:
    for args in (["list", "d1d1"], ["show", "a1ff"], ["list"]):
        out = probe(*args, "--db", str(db)).stdout
        assert not any(c in out for c in "\x1b\u202e\x07")


@pytest.mark.parametrize("args", [["a1"], ["zzzz"], ["0000"], ["a1%'"]])
def test_ids_that_mean_nothing_are_wrong_usage(db: Path, args: list[str]) -> None:
    error = CliRunner().invoke(root, ["show", *args, "--db", str(db)]).exception
    assert getattr(error, "exit_code", None) == 2


def test_an_ambiguous_id_asks_for_more(db: Path) -> None:
    with Store.open(db) as store:
        store.append(
            Measurement("a1a1b" + "0" * 27, "d1" * 16, "https://b.example/", "web", "2026-11-24T10:00:03.000000Z")
        )
    error = CliRunner().invoke(root, ["show", "a1a1", "--db", str(db)]).exception
    assert "give more digits" in str(error)


def test_malformed_rows_are_one_clear_error(db: Path) -> None:
    with Store.open(db) as store:
        row = ("e1" * 16, "d1" * 16, b"\xff", "web", "x", None)
        store.write(insert_statement("measurement"), [row])
    error = CliRunner().invoke(root, ["show", "e1e1", "--db", str(db)]).exception
    assert "malformed" in str(error) and "\n" not in str(error)


def test_nothing_measured_yet() -> None:
    assert "probe demo" in str(CliRunner().invoke(root, ["list"]).exception)


# ---- explain ----


def test_every_word_is_explained() -> None:
    found = {json.loads(line)["word"] for line in probe("explain", "--json").stdout.splitlines()}
    assert found >= {*OUTCOMES, *REASONS, *TECHNIQUES, *(row.word for row in FAILURES)}


@pytest.mark.parametrize("word", ["TLS-001", "tls-001"])
def test_a_rule_is_explained_by_its_row(word: str) -> None:
    out = probe("explain", word).stdout
    assert "TLS-001 (rule)" in out and "when" in out
    assert json.loads(probe("explain", word, "--json").stdout)["tier"] == "validity"


def test_a_slip_of_the_pen_is_met_with_the_nearest_word() -> None:
    assert "did you mean blocked" in str(CliRunner().invoke(root, ["explain", "blokced"]).exception)


# ---- text ----


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("é漢", "é漢"),
        ("a\nb", "a\\x0ab"),
        ("\x9b1m", "\\x9b1m"),
        ("\u2028", "\\u2028"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_safe(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_safe_cuts_and_columns_align() -> None:
    assert len(safe("x" * 900)) == 500
    assert columns([("a", "b"), ("long", "c")]) == ["a     b", "long  c"]
    assert columns([]) == []


@pytest.mark.parametrize(
    ("at_ms", "took_ms", "bar"),
    [(0, 100, "\u2588" * 10), (0, 0, "\u2588" + " " * 9), (50, 20, " " * 5 + "\u2588" * 2 + " " * 3),
     (100, 0, " " * 9 + "\u2588")],
)  # fmt: skip
def test_a_bar_shows_when_and_how_long(at_ms: int, took_ms: float, bar: str) -> None:
    line = Line(0, at_ms, took_ms, "step", "here", "", False)
    assert waterfall(line, 100, 10) == bar and len(waterfall(line, 0, 10)) == 10


def test_steps_stand_below_what_led_to_them_with_the_controls_time_beside() -> None:
    facts = [observation_of(replace(fact(FIELD, n, d), parent=n - 1 if n == 2 else None)) for n, d in enumerate(HERE)]
    control = [observation_of(replace(fact(CONTROL, n, d), took_us=8_400)) for n, d in enumerate(THERE)]
    lines = timeline(facts, control)
    assert [line.depth for line in lines] == [0, 0, 1, 0, 0]
    assert (lines[2].control_ms, lines[1].control_ms) == (8.4, None)
    assert end_of(lines) == 30.0


def met(detail: QuicHandshake | HttpFetch, failure: str | None = None) -> Fact:
    return Fact(FIELD, 0, None, detail.kind, *AT, 1, "plan", failure, T0, 9_000, detail)


@pytest.mark.parametrize(
    "detail,failure,step,words",
    [
        (QuicHandshake("a.example", version="v1", alpn="h3", retry=True), None, "as a.example", "h3, after a retry"),
        (QuicHandshake(None, ended="silence", raw="deadline"), "generic_timeout_error", "no name", "ended by silence"),
        (
            QuicHandshake("a.example", ended="icmp", datagrams_out=2, icmp=Icmp(3, 3, "192.0.2.1")),
            "connection_refused", "QUIC handshake 192.0.2.1:443", "0 of 2 datagrams answered",
        ),
        (
            QuicHandshake("a.example", ended="close", close_code=2, close_reason="go away"),
            "connection_refused", "QUIC", 'ended by close, "go away"',
        ),
        (
            QuicHandshake("a.example", ended="version", versions=("v2",)),
            "quic_incompatible_version", "QUIC", "speaks v2",
        ),
    ],
)  # fmt: skip
def test_a_quic_handshake_in_words(detail: QuicHandshake, failure: str | None, step: str, words: str) -> None:
    (line,) = timeline([met(detail, failure)])
    assert step in line.step and words in line.here and line.failed is (failure is not None)


def test_the_same_page_over_another_protocol_is_another_subject() -> None:
    old, new = (HttpFetch("https://a.example/", protocol=name, status=200) for name in ("HTTP/2", "HTTP/3"))
    (line,) = timeline([met(old)], [met(new)])
    assert line.control == ""
