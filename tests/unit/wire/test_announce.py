"""What says that a host speaks HTTP/3: Alt-Svc and HTTPS records."""

from __future__ import annotations

import base64

import dns.message
import dns.rrset
import pytest

from probe.model.kinds import Record
from probe.wire.announce import Service, alt_svc_ports, service_of
from probe.wire.dns import decode

ECH = base64.b64encode(b"\x00\x09\xfe\x0d\x00\x05abcde").decode()


@pytest.mark.parametrize(
    "value,ports",
    [
        ('h3=":443"; ma=86400, h3-29=":443"; ma=86400', (443,)),
        ('h2=":443", h3=":8443"; persist=1, h3=":443"', (8443, 443)),
        ('h3="elsewhere.example:443"', ()),
        ('h3-29=":443", quic=":443"', ()),
        ('h3=":0", h3=":70000", h3=":x", h3=:443', ()),
        ("clear", ()),
        ("", ()),
        ('h3=":443' * 2000, ()),
    ],
)
def test_alt_svc(value: str, ports: tuple[int, ...]) -> None:
    assert alt_svc_ports(value) == ports


def record(data: str, type_: str = "HTTPS") -> Record:
    return Record("Site.example", type_, 60, data)


@pytest.mark.parametrize(
    "data,service",
    [
        ('1 . alpn="h3,h2"', Service(1, "", ("h3", "h2"), None, False)),
        ('1 site.example. alpn="h3" port=8443', Service(1, "", ("h3",), 8443, False)),
        ('2 other.example. alpn="h2"', Service(2, "other.example", ("h2",), None, False)),
        (f'1 . alpn="h2" ech="{ECH}"', Service(1, "", ("h2",), None, True)),
        ("\\# 3 000100", Service(1, "", (), None, False)),
        ("0 elsewhere.example.", None),
        ("1 .. alpn=h3", None),
        ('1 . ech="x"', None),
        ("", None),
    ],
)
def test_https_records(data: str, service: Service | None) -> None:
    assert service_of(record(data)) == service


def test_other_records_are_none() -> None:
    assert service_of(record("192.0.2.1", "A")) is None


def test_a_record_from_the_wire_keeps_its_parameters() -> None:
    query = dns.message.make_query("site.example", "HTTPS", id=7)
    answer = dns.message.make_response(query)
    answer.answer.append(dns.rrset.from_text("site.example.", 60, "IN", "HTTPS", f'1 . alpn="h3" ech="{ECH}"'))
    (found,) = decode(answer.to_wire(), "site.example", "HTTPS", 7).answers
    assert f'ech="{ECH}"' in found.data
    assert service_of(found) == Service(1, "", ("h3",), None, True)
