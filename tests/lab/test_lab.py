"""The lab's own machinery: packets and routers as values; then, as root, three cases and the hops of a real lab."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.lab import spaces
from tests.lab.atlas import ROUTERS, survey
from tests.lab.cases import LabCase, grouped, load
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
from tests.lab.rules import Rule, forged_answer, question_of, rule_json, rule_of
from tests.lab.runner import run_group
from tests.lab.score import compare, confusion
from tests.lab.world import open_lab

_CLIENT, _SERVER = packed("39.50.10.2"), packed("45.60.1.10")
_REQUEST = b"GET / HTTP/1.1\r\nHost: site.example\r\n\r\n"
_QUERY = bytes.fromhex("abcd01000001000000000000") + b"\x04site\x07example\x00\x00\x01\x00\x01"

_SMOKE = ("ok", "tls-reset-sni", "down-refused")
# Sends one datagram for each TTL and prints who returned it: the router's address stands in the error queue.
_HOPS = """
import socket, struct, time
for ttl in (1, 2, 3):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
    s.setsockopt(socket.IPPROTO_IP, 11, 1)
    s.sendto(b'x' * 20, ('8.8.8.8', 53))
    time.sleep(0.3)
    _, ancillary, _, _ = s.recvmsg(512, 512, socket.MSG_ERRQUEUE)
    print(socket.inet_ntoa(ancillary[0][2][20:24]))
"""


def _segment(flags: int, payload: bytes = b"", seq: int = 1000, ack: int = 5000) -> Packet:
    ends = Packet(bytearray(), 4, _CLIENT, _SERVER, 6, sport=40000, dport=80)
    return build_tcp(ends, False, seq, ack, flags, payload)


def _middlebox(*rules: Rule) -> Middlebox:
    return Middlebox(rules, ROUTERS[1], b"<p>no</p>")


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
    if case.kind == "innocent":
        assert not {"blocked", "likely_blocked"} & set(case.truth.outcome)


def test_a_technique_is_scored_by_its_prefixes() -> None:
    case = next(case for case in load() if case.id == "tls-reset-sni")
    line = {"outcome": "blocked", "layer": "tls", "techniques": ["tls.reset"], "reason": None, "rules": [],
            "explanation": "", "took_ms": 1}  # fmt: skip
    result = compare(case, line)
    assert result.right and result.precision == 1.0 and result.recall == 2 / 3
    assert "blocked" in confusion([result])


@pytest.fixture
def smoke() -> list[LabCase]:
    if reason := spaces.missing():
        pytest.skip(f"no lab here: {reason}")
    spaces.remove_orphans()
    return [case for case in load() if case.id in _SMOKE]


def _left_behind() -> list[str]:
    return [path.name for path in Path("/var/run/netns").glob(f"{spaces.own()}*")]


@pytest.mark.root
def test_each_router_is_a_hop(smoke: list[LabCase]) -> None:
    with open_lab(smoke) as lab:
        done = lab.volunteer(sys.executable, "-c", _HOPS)
        assert done.stdout.split() == ["39.50.0.1", "39.50.0.9", "62.115.0.1"], done.stderr
        assert _left_behind()
    assert not _left_behind()


@pytest.mark.root
def test_three_cases_come_out_right(smoke: list[LabCase]) -> None:
    results = run_group(smoke)
    assert [(r.id, r.got) for r in results if not r.right] == []
    assert len(results) == len(_SMOKE)
    assert not _left_behind()
