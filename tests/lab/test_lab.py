"""The lab's own machinery, without a lab: packets and routers as values, cases, scores."""

from __future__ import annotations

import json

import pytest
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

from tests.lab.atlas import ROUTERS, survey
from tests.lab.cases import LabCase, grouped, load
from tests.lab.controls import HONEST, NOBODY
from tests.lab.liar import LIES
from tests.lab.manners import MANNERS, RAW_MANNERS
from tests.lab.middlebox import Middlebox
from tests.lab.packet import (
    ACK,
    RST,
    SYN,
    Packet,
    build_icmp,
    build_ip,
    build_tcp,
    build_udp_back,
    checksum,
    hop,
    packed,
)
from tests.lab.real import NGINX_MANNERS, UNBOUND_DEEDS, lacking
from tests.lab.rules import Rule, ciphers_of, forged_answer, our_ciphers, question_of, rule_json, rule_of
from tests.lab.score import by_technique, compare, confusion, misses, summary
from tests.lab.timing import SAMPLE, sample

_CLIENT, _SERVER = packed("39.50.10.2"), packed("45.60.1.10")
_REQUEST = b"GET / HTTP/1.1\r\nHost: site.example\r\n\r\n"
_QUERY = bytes.fromhex("abcd01000001000000000000") + b"\x04site\x07example\x00\x00\x01\x00\x01"


def _segment(flags: int, payload: bytes = b"", seq: int = 1000, ack: int = 5000) -> Packet:
    ends = Packet(bytearray(), 4, _CLIENT, _SERVER, 6, sport=40000, dport=80)
    return build_tcp(ends, False, seq, ack, flags, payload)


def _middlebox(*rules: Rule) -> Middlebox:
    return Middlebox(rules, ROUTERS[1])


def test_a_hop_keeps_the_header_checksum_true() -> None:
    packet = build_ip(_CLIENT, _SERVER, 17, b"\0" * 8, ttl=2)
    assert hop(packet)
    assert checksum(bytes(packet.data[:20])) == 0
    assert not hop(packet)


def test_transport_checksums_are_true() -> None:
    packet = _segment(ACK, b"odd")
    pseudo = _CLIENT + _SERVER + (len(packet.data) - 20).to_bytes(4, "big") + (6).to_bytes(4, "big")
    assert checksum(pseudo + bytes(packet.data[20:])) == 0


@pytest.mark.parametrize("version", [4, 6])
def test_an_icmp_error_quotes_what_it_is_about(version: int) -> None:
    src, dst = (_CLIENT, _SERVER) if version == 4 else (packed("2400::1"), packed("2a0d::1"))
    about = build_ip(src, dst, 17, b"question")
    error = build_icmp(about, ROUTERS[1][version], 3, 13)
    assert error.dst == src and bytes(about.data) in bytes(error.data)


def test_a_reset_fits_both_ends() -> None:
    box = _middlebox(Rule(on="host", do="reset", names=("site.example",)))
    assert box.meet(_segment(SYN, ack=0), True, 0.0).passes
    verdict = box.meet(_segment(ACK, _REQUEST), True, 0.1)
    (back,), (onward,) = verdict.back, verdict.on
    assert not verdict.passes
    assert (back.dst, back.flags & RST, back.seq, back.ack) == (_CLIENT, RST, 5000, 1000 + len(_REQUEST))
    assert (onward.dst, onward.flags & RST, onward.seq) == (_SERVER, RST, 1000)


def test_a_name_split_over_segments_is_read() -> None:
    box = _middlebox(Rule(on="host", do="drop", names=("site.example",)))
    first, second = _REQUEST[:20], _REQUEST[20:]
    assert box.meet(_segment(ACK, first), True, 0.0).passes
    assert not box.meet(_segment(ACK, second, seq=1000 + len(first)), True, 0.0).passes


def test_an_innocent_name_passes() -> None:
    box = _middlebox(Rule(on="host", do="drop", names=("other.example",)))
    assert box.meet(_segment(ACK, _REQUEST), True, 0.0).passes


def test_the_residue_ends() -> None:
    box = _middlebox(Rule(on="host", do="drop", names=("site.example",), residual_s=60))
    box.meet(_segment(ACK, _REQUEST), True, 0.0)
    fresh = build_tcp(Packet(bytearray(), 4, _CLIENT, _SERVER, 6, sport=40001, dport=80), False, 1, 0, SYN)
    later = build_tcp(Packet(bytearray(), 4, _CLIENT, _SERVER, 6, sport=40002, dport=80), False, 1, 0, SYN)
    assert not box.meet(fresh, True, 30.0).passes
    assert box.meet(later, True, 61.0).passes


def _answer(payload: bytes, seq: int = 5000, flags: int = ACK) -> Packet:
    return build_tcp(_segment(ACK), True, seq, 1000 + len(_REQUEST), flags, payload)


def test_an_answer_is_cut_to_the_byte() -> None:
    box = _middlebox(Rule(on="host", do="break", names=("site.example",), after_bytes=1500))
    assert box.meet(_segment(ACK, _REQUEST), True, 0.0).passes
    assert box.meet(_answer(b"x" * 1000), False, 0.1).passes
    verdict = box.meet(_answer(b"x" * 1000, 6000), False, 0.1)
    kept, reset = verdict.on
    assert not verdict.passes and len(kept.payload) == 500
    assert (reset.dst, reset.flags & RST, reset.seq) == (_CLIENT, RST, 6500)
    assert [p.dst for p in verdict.back] == [_SERVER]
    assert not box.meet(_answer(b"x", 7000), False, 0.2).passes


def test_a_muted_far_end_hears_everything() -> None:
    box = _middlebox(Rule(on="host", do="mute", names=("site.example",)))
    assert box.meet(_segment(ACK, _REQUEST), True, 0.0).passes
    assert not box.meet(_answer(b"HTTP/1.1 200 OK"), False, 0.1).passes
    assert box.meet(_segment(ACK, _REQUEST), True, 1.0).passes


def test_a_reset_may_follow_the_greeting() -> None:
    box = _middlebox(Rule(on="syn_ack", do="reset", addresses=(_SERVER,), ports=(80,)))
    assert box.meet(_segment(SYN, ack=0), True, 0.0).passes
    verdict = box.meet(build_tcp(_segment(ACK), True, 5000, 1001, SYN | ACK), False, 0.1)
    assert verdict.passes
    assert [(p.dst, p.seq) for p in (*verdict.on, *verdict.back)] == [(_CLIENT, 5001), (_SERVER, 1001)]


def test_so_many_connections_are_free() -> None:
    box = _middlebox(Rule(at="core", on="address", do="refuse", addresses=(_SERVER,), free=2))
    ends = [Packet(bytearray(), 4, _CLIENT, _SERVER, 6, sport=40000 + n, dport=80) for n in range(4)]
    syns = [build_tcp(end, False, 1, 0, SYN) for end in ends]
    assert [box.meet(syn, True, 1.0).passes for syn in syns[:3]] == [True, True, False]
    assert box.meet(syns[3], True, 62.0).passes


def test_a_query_over_tcp_is_a_matter_of_its_own() -> None:
    framed = len(_QUERY).to_bytes(2, "big") + _QUERY
    ends = Packet(bytearray(), 4, _CLIENT, packed("8.8.8.8"), 6, sport=40000, dport=53)
    packet = build_tcp(ends, False, 1, 1, ACK, framed)
    rule = {"on": "query", "do": "reset", "names": ("site.example",)}
    assert _middlebox(Rule(**rule)).meet(packet, True, 0.0).passes  # type: ignore[arg-type]
    assert not _middlebox(Rule(**rule, protocol="tcp")).meet(packet, True, 0.0).passes  # type: ignore[arg-type]


def test_our_own_hello_is_known_by_its_ciphers() -> None:
    ours = our_ciphers()
    assert len(ours) >= 6 and len(ours) % 2 == 0
    assert ciphers_of(_REQUEST) == b""


def test_a_forged_answer_answers_the_question() -> None:
    import dns.message

    assert question_of(_QUERY) == ("site.example", "A")
    wire = forged_answer(_QUERY, Rule(on="query", do="forge", to="10.10.34.36"), "A")
    message = dns.message.from_wire(wire)
    assert message.id == 0xABCD and message.answer[0].to_text().endswith("IN A 10.10.34.36")


def test_forged_datagrams_come_from_whoever_was_asked() -> None:
    query = Packet(bytearray(), 4, _CLIENT, packed("8.8.8.8"), 17, sport=40000, dport=53, payload=_QUERY)
    made = build_udp_back(query, b"lie")
    assert (made.src, made.dport, made.payload) == (packed("8.8.8.8"), 40000, b"lie")


def _initials(name: str, port: int = 40000) -> list[Packet]:
    """A client's first datagrams, and the same once more, as it resends them."""
    client = QuicConnection(configuration=QuicConfiguration(alpn_protocols=["h3"], server_name=name))
    client.connect(("45.60.1.10", 443), now=0.0)
    sent = [data for data, _ in client.datagrams_to_send(now=0.0)]
    return [
        Packet(bytearray(100), 4, _CLIENT, _SERVER, 17, sport=port, dport=443, payload=data) for data in (*sent, *sent)
    ]


def test_a_name_in_quics_first_datagrams_is_read() -> None:
    box = _middlebox(Rule(on="initial", do="drop", names=("site.example",)))
    assert not any(box.meet(packet, True, 0.0).passes for packet in _initials("www.site.example"))
    assert all(box.meet(packet, True, 0.0).passes for packet in _initials("other.example", 40001))


def test_a_forged_close_comes_from_the_server() -> None:
    box = _middlebox(Rule(on="initial", do="reset", names=("site.example",)))
    verdict = box.meet(_initials("site.example")[0], True, 0.0)
    (close,) = verdict.back
    assert not verdict.passes and (close.src, close.dport, close.payload[0] & 0xF0) == (_SERVER, 40000, 0xC0)


def test_refused_datagrams_are_told_by_icmp() -> None:
    box = _middlebox(Rule(on="address", do="refuse", addresses=(_SERVER,), protocol="udp", ports=(443,)))
    (icmp,) = box.meet(_initials("site.example")[0], True, 0.0).back
    assert icmp.protocol == 1 and bytes(icmp.data[20:22]) == b"\x03\x03"


def test_every_case_can_be_built() -> None:
    cases = load()
    for group in grouped(cases):
        atlas = survey(group)
        assert [rule_of(json.loads(json.dumps(rule_json(rule)))) for rule in atlas.rules] == list(atlas.rules)
        addresses = [ip for placed in atlas.sites for ip in (*placed.v4, *placed.v6)]
        assert len(set(addresses)) == len(addresses)
    assert len({case.url for case in cases}) == len(cases)


@pytest.mark.parametrize("case", load(), ids=lambda case: case.id)
def test_a_case_tells_what_it_means(case: LabCase) -> None:
    assert case.kind in ("blocking", "innocent") and case.done and case.title
    assert all(site.manner in MANNERS or site.manner in RAW_MANNERS for site in case.sites)
    for site in case.sites:
        assert site.server != "nginx" or site.manner in NGINX_MANNERS
    if case.run.resolver == "unbound":
        assert all(rule["do"] in UNBOUND_DEEDS for rule in case.rules if rule.get("at") == "resolver")
    assert set(case.run.control) <= {*HONEST, *NOBODY, *LIES}
    if case.kind == "innocent":
        assert not {"blocked", "likely_blocked"} & set(case.truth.outcome)


def test_a_technique_is_scored_by_its_prefixes() -> None:
    case = next(case for case in load() if case.id == "tls-reset-sni")
    line = {"outcome": "blocked", "layer": "tls", "techniques": ["tls.reset"], "reason": None, "rules": [],
            "explanation": "", "took_ms": 1}  # fmt: skip
    result = compare(case, line)
    assert result.right and (result.said, result.meant, result.both) == (2, 3, 2)
    assert "blocked" in confusion([result])


def _line(outcome: str, *techniques: str) -> dict[str, object]:
    layer = techniques[0].split(".")[0] if techniques else None
    return {"outcome": outcome, "layer": layer, "techniques": list(techniques), "reason": None, "rules": [],
            "explanation": "", "took_ms": 1}  # fmt: skip


def test_a_false_alarm_costs_precision_and_a_miss_recall() -> None:
    cases = {case.id: case for case in load()}
    alarm = compare(cases["ok"], _line("blocked", "tls.reset"))
    missed = compare(cases["tls-reset-sni"], _line("ok"))
    right = compare(cases["tls-timeout-sni"], _line("blocked", "tls.timeout.sni"))
    numbers = summary([alarm, missed, right])
    assert numbers["technique_precision"] == 0.6 and numbers["technique_recall"] == 0.5
    assert (numbers["blocking_share"], numbers["false_alarms"]) == (0.5, 1)
    assert [text.split(":")[0] for text in misses([missed, alarm, right])] == [
        "FALSE ALARM ok (innocent)",
        "tls-reset-sni (blocking)",
    ]
    assert by_technique([alarm, missed, right]).splitlines()[1].endswith("tls-reset-sni")


def test_a_case_that_fails_now_and_then_is_told_once() -> None:
    case = next(case for case in load() if case.id == "tls-reset-sni")
    results = [compare(case, _line(outcome)) for outcome in ("ok", "ok", "blocked")]
    (told,) = misses([*results[:2], compare(case, _line("blocked", "tls.reset.sni"))])
    assert "in 2 of 3 runs" in told


def test_healthy_pages_are_timed() -> None:
    chosen = sample(load())
    assert len(chosen) == SAMPLE
    assert all(case.kind == "innocent" and not case.rules for case in chosen)


def test_what_is_not_installed_is_named() -> None:
    assert lacking(("no-such-server", "sh")) == "no-such-server not installed"
    assert lacking(("sh",)) == ""


def test_the_patient_cases_go_first() -> None:
    groups = grouped(tuple(case for case in load() if case.run.alone))
    patient = [any(case.is_patient for case in group) for group in groups]
    assert patient == sorted(patient, reverse=True)
