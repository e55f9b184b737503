"""DNS messages as values: the query we send and everything that can be read from whatever came back.

`decode` never raises: an answer may be forged, cut or nonsense, and is evidence all the same. dnspython's messages do
the parsing (DNS: RFC 1035; EDNS0: RFC 6891; extended errors: RFC 8914; HTTPS and SVCB: RFC 9460).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from probe.model.kinds import Record

# DNS Flag Day 2020: an answer up to this size crosses practically every path unfragmented.
UDP_PAYLOAD = 1232
# A section of escaped binary names at these bounds still fits into a fact with room to spare.
MAX_RECORDS = 128
MAX_DATA = 1_024
MAX_EDE_TEXT = 512
HEADER_BYTES = 12
# What a parser may throw at bytes that a hostile peer chose; anything else is a bug of ours.
PARSE_ERRORS = (
    dns.exception.DNSException, ValueError, LookupError, TypeError, AttributeError, struct.error, AssertionError,
)  # fmt: skip
_FLAGS = (
    ("qr", dns.flags.QR),
    ("aa", dns.flags.AA),
    ("tc", dns.flags.TC),
    ("rd", dns.flags.RD),
    ("ra", dns.flags.RA),
    ("ad", dns.flags.AD),
    ("cd", dns.flags.CD),
)
# Resolvers may leave the question out of these (RFC 8906 section 8.2 tells of some that do).
_QUESTIONLESS = frozenset({"FORMERR", "SERVFAIL", "NOTIMP", "REFUSED"})
_FAILURES = {"NXDOMAIN": "dns_nxdomain_error", "REFUSED": "dns_refused_error", "SERVFAIL": "dns_servfail_error"}


@dataclass(frozen=True, slots=True)
class DnsMessage:
    """What one datagram or stream message says. `question_ok` and `id_ok` compare it with what was asked; `failure` is
    the public word; `raw` is `malformed: <class>` where parsing stopped, with all that was read before it."""

    rcode: str | None = None
    flags: tuple[str, ...] = ()
    answers: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    ede: tuple[int, ...] = ()
    ede_text: tuple[str, ...] = ()
    question_ok: bool = False
    id_ok: bool = False
    failure: str | None = None
    raw: str | None = None


def build_query(host: str, qtype: str, message_id: int) -> bytes:
    """The bytes of one question: RD and AD set (AD asks for the AD bit in the answer, RFC 6840 section 5.7), EDNS0,
    no DO, no cookie, no padding. Raises ValueError for a name or type that no message can carry."""
    try:
        name = dns.name.from_text(host)
        rdtype = dns.rdatatype.from_text(qtype)
        query = dns.message.make_query(name, rdtype, use_edns=0, payload=UDP_PAYLOAD, id=message_id)
        query.flags = dns.flags.RD | dns.flags.AD
        return query.to_wire()
    except dns.exception.DNSException as error:
        raise ValueError(f"{host[:80]!r} {qtype[:20]!r} makes no question ({error.__class__.__name__})") from None


def frame(message: bytes) -> bytes:
    """A message behind its length, as streams carry it (RFC 1035 section 4.2.2)."""
    return len(message).to_bytes(2, "big") + message


def decode(data: bytes, host: str, qtype: str, message_id: int) -> DnsMessage:
    """What `data` says in answer to that question. Total: any bytes give a value."""
    id_ok = len(data) >= 2 and int.from_bytes(data[:2], "big") == message_id
    if len(data) < HEADER_BYTES:
        return _malformed(DnsMessage(id_ok=id_ok), "ShortHeader")
    head = DnsMessage(rcode=_rcode(data), flags=_flags(data), id_ok=id_ok)
    try:
        message = dns.message.from_wire(data, one_rr_per_rrset=True, ignore_trailing=True, continue_on_error=True)
    except PARSE_ERRORS as error:
        return _malformed(head, error.__class__.__name__)
    said = _read(message, head, host, qtype)
    # A message that says itself that it is cut short is no nonsense: whoever asks repeats the question over TCP.
    if message.errors and "tc" not in said.flags:
        return _malformed(said, message.errors[0].exception.__class__.__name__)
    if "qr" not in said.flags:
        return _malformed(replace(said, question_ok=False), "NotAResponse")
    return replace(said, failure=failure_of(said, qtype))


def failure_of(said: DnsMessage, qtype: str) -> str | None:
    """The public word of a well-formed answer: by rcode, or for want of a record of the type asked for."""
    if said.rcode != "NOERROR":
        return _FAILURES.get(said.rcode or "", "dns_server_misbehaving")
    if any(record.type == qtype for record in said.answers):
        return None
    return None if "tc" in said.flags else "dns_no_answer"


def _malformed(said: DnsMessage, why: str) -> DnsMessage:
    return replace(said, failure="dns_server_misbehaving", raw=f"malformed: {why}")


def _flags(data: bytes) -> tuple[str, ...]:
    bits = int.from_bytes(data[2:4], "big")
    return tuple(name for name, bit in _FLAGS if bits & bit)


def _rcode(data: bytes) -> str:
    return str(dns.rcode.to_text(dns.rcode.Rcode(data[3] & 0x0F)))


def _read(message: dns.message.Message, head: DnsMessage, host: str, qtype: str) -> DnsMessage:
    codes, texts = _extended_errors(message)
    try:
        rcode = str(dns.rcode.to_text(message.rcode()))
    except PARSE_ERRORS:
        rcode = head.rcode or ""
    return replace(
        head,
        rcode=rcode,
        answers=_records(message.sections[1]),
        authority=_records(message.sections[2]),
        ede=codes,
        ede_text=texts,
        question_ok=_is_asked(message.sections[0], rcode, host, qtype),
    )


def _is_asked(question: list[dns.rrset.RRset], rcode: str, host: str, qtype: str) -> bool:
    if not question:
        return rcode in _QUESTIONLESS
    asked = question[0]
    try:
        same = asked.name == dns.name.from_text(host) and asked.rdtype == dns.rdatatype.from_text(qtype)
    except dns.exception.DNSException:
        return False
    return len(question) == 1 and same and asked.rdclass == dns.rdataclass.IN


def _records(section: list[dns.rrset.RRset]) -> tuple[Record, ...]:
    found = []
    for rrset in section:
        for rdata in rrset:
            try:
                name = rrset.name.to_text(omit_final_dot=True)
                record = Record(name, dns.rdatatype.to_text(rrset.rdtype), rrset.ttl, rdata.to_text()[:MAX_DATA])
            except PARSE_ERRORS:
                continue
            found.append(record)
            if len(found) == MAX_RECORDS:
                return tuple(found)
    return tuple(found)


def _extended_errors(message: dns.message.Message) -> tuple[tuple[int, ...], tuple[str, ...]]:
    options = [option for option in message.options if isinstance(option, dns.edns.EDEOption)][:8]
    return tuple(int(o.code) for o in options), tuple((o.text or "")[:MAX_EDE_TEXT] for o in options)
