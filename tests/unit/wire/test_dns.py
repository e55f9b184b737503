"""DNS messages: what is sent, and that any bytes at all can be read."""

from __future__ import annotations

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.wire.dns import UDP_PAYLOAD, build_query, decode, frame

HOST = "www.example.org"


def _answer(*texts: str, qtype: str = "A", rcode: int = 0, message_id: int = 7) -> dns.message.Message:
    response = dns.message.make_response(dns.message.from_wire(build_query(HOST, qtype, message_id)))
    for text in texts:
        name, rdtype, data = text.split(" ", 2)
        response.answer.append(dns.rrset.from_text(name, 300, "IN", rdtype, data))
    response.set_rcode(dns.rcode.Rcode(rcode))
    return response


def test_query_is_plain() -> None:
    query = dns.message.from_wire(build_query(HOST, "AAAA", 0x1234))
    assert query.id == 0x1234
    assert query.flags == dns.flags.RD | dns.flags.AD
    assert (query.edns, query.payload, query.ednsflags, query.options) == (0, UDP_PAYLOAD, 0, ())
    assert query.question[0].rdtype == dns.rdatatype.AAAA


@pytest.mark.parametrize("host,qtype", [("a" * 64 + ".org", "A"), ("a..b", "A"), ("example.org", "NONSENSE")])
def test_impossible_questions(host: str, qtype: str) -> None:
    with pytest.raises(ValueError):
        build_query(host, qtype, 1)


def test_chain_with_times() -> None:
    wire = _answer("www.example.org. CNAME cdn.example.net.", "cdn.example.net. A 192.0.2.1").to_wire()
    said = decode(wire, HOST, "A", 7)
    assert [(r.name, r.type, r.ttl, r.data) for r in said.answers] == [
        ("www.example.org", "CNAME", 300, "cdn.example.net."),
        ("cdn.example.net", "A", 300, "192.0.2.1"),
    ]
    assert (said.failure, said.id_ok, said.question_ok, said.raw) == (None, True, True, None)


@pytest.mark.parametrize(
    "rcode,word",
    [
        (dns.rcode.NXDOMAIN, "dns_nxdomain_error"),
        (dns.rcode.REFUSED, "dns_refused_error"),
        (dns.rcode.SERVFAIL, "dns_servfail_error"),
        (dns.rcode.NOTIMP, "dns_server_misbehaving"),
        (dns.rcode.NOERROR, "dns_no_answer"),
    ],
)
def test_failure_words(rcode: int, word: str) -> None:
    said = decode(_answer(rcode=rcode).to_wire(), HOST, "A", 7)
    assert said.failure == word
    assert said.rcode == dns.rcode.to_text(dns.rcode.Rcode(rcode))


def test_extended_errors_and_flags() -> None:
    response = _answer(rcode=dns.rcode.NXDOMAIN)
    response.flags |= dns.flags.AD
    codes = dns.edns.EDECode
    response.use_edns(0, options=[dns.edns.EDEOption(codes.CENSORED, "by order"), dns.edns.EDEOption(codes(22))])
    said = decode(response.to_wire(), HOST, "A", 7)
    assert said.ede == (16, 22)
    assert said.ede_text == ("by order", "")
    assert "ad" in said.flags and "qr" in said.flags


def test_service_records_in_presentation_form() -> None:
    said = decode(_answer('www.example.org. HTTPS 1 . alpn="h2,h3"', qtype="HTTPS").to_wire(), HOST, "HTTPS", 7)
    assert said.failure is None
    assert said.answers[0].type == "HTTPS" and 'alpn="h2,h3"' in said.answers[0].data


def test_wrong_id_and_wrong_question() -> None:
    wire = _answer("www.example.org. A 192.0.2.1").to_wire()
    assert not decode(wire, HOST, "A", 8).id_ok
    assert not decode(wire, "other.example", "A", 7).question_ok
    assert not decode(wire, HOST, "AAAA", 7).question_ok
    assert decode(wire, HOST.upper(), "A", 7).question_ok


def test_cut_answer_is_no_nonsense() -> None:
    response = _answer()
    response.flags |= dns.flags.TC
    said = decode(response.to_wire(), HOST, "A", 7)
    assert "tc" in said.flags and said.failure is None


def test_errors_may_leave_the_question_out() -> None:
    response = _answer(rcode=dns.rcode.REFUSED)
    response.question.clear()
    assert decode(response.to_wire(), HOST, "A", 7).question_ok
    response.set_rcode(dns.rcode.NOERROR)
    assert not decode(response.to_wire(), HOST, "A", 7).question_ok


def test_what_was_read_before_the_nonsense_is_kept() -> None:
    whole = _answer("www.example.org. A 192.0.2.1", "www.example.org. A 192.0.2.2")
    whole.use_edns(False)
    said = decode(whole.to_wire()[:-2], HOST, "A", 7)
    assert said.raw is not None and said.raw.startswith("malformed: ")
    assert said.failure == "dns_server_misbehaving"
    assert [r.data for r in said.answers] == ["192.0.2.1"]


def test_our_own_question_come_back_is_no_answer() -> None:
    said = decode(build_query(HOST, "A", 7), HOST, "A", 7)
    assert said.raw == "malformed: NotAResponse" and not said.question_ok


def test_frame() -> None:
    assert frame(b"abc") == b"\x00\x03abc"


@given(st.binary(max_size=200))
def test_any_bytes_can_be_read(data: bytes) -> None:
    decode(data, HOST, "A", 7)


@given(st.data())
def test_any_damage_can_be_read(data: st.DataObject) -> None:
    response = _answer(
        "www.example.org. CNAME cdn.example.net.", 'cdn.example.net. HTTPS 1 . alpn="h2" ipv4hint=192.0.2.1',
        'cdn.example.net. TXT "words"', "cdn.example.net. A 192.0.2.1",
    )  # fmt: skip
    response.use_edns(0, options=[dns.edns.EDEOption(dns.edns.EDECode.CENSORED, "by order")])
    wire = bytearray(response.to_wire())
    for _ in range(data.draw(st.integers(1, 6))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    decode(bytes(wire[: data.draw(st.integers(0, len(wire)))]), HOST, "A", 7)
