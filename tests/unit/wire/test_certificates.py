"""Summaries of certificates, and of what only claims to be one."""

from __future__ import annotations

import hashlib
import ssl
from datetime import UTC, datetime
from functools import cache

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from probe.wire.certificates import MAX_NAMES, Certificate, covers, names_cover, summarize

BEFORE, AFTER = datetime(2026, 1, 1), datetime(2027, 1, 1)


@cache
def leaf(*names: str) -> bytes:
    cert = trustme.CA().issue_cert(*names, common_name="shown.test", not_before=BEFORE, not_after=AFTER)
    return ssl.PEM_cert_to_DER_cert(cert.cert_chain_pems[0].bytes().decode())


def test_a_leaf() -> None:
    cert = summarize(leaf("a.test", "*.b.test", "192.0.2.1", "2001:db8::1"))
    assert (cert.names, cert.ips, cert.sans) == (("a.test", "*.b.test"), ("192.0.2.1", "2001:db8::1"), 4)
    assert cert.subject.startswith("CN=shown.test") and "trustme" in cert.issuer
    assert cert.not_before == BEFORE.replace(tzinfo=UTC).timestamp()
    assert cert.not_after == AFTER.replace(tzinfo=UTC).timestamp()
    assert cert.sha256 == hashlib.sha256(leaf("a.test", "*.b.test", "192.0.2.1", "2001:db8::1")).hexdigest()
    assert len(cert.spki_sha256) == 64 and int(cert.serial, 16) > 0
    assert (cert.self_issued, cert.broken) == (False, ())


def test_a_root_is_self_issued() -> None:
    root = summarize(ssl.PEM_cert_to_DER_cert(trustme.CA().cert_pem.bytes().decode()))
    assert root.self_issued and root.names == ()


def test_many_names_are_counted_but_not_all_shown_and_all_matched() -> None:
    der = leaf(*[f"host{n}.test" for n in range(MAX_NAMES + 10)])
    cert = summarize(der)
    assert (len(cert.names), cert.sans) == (MAX_NAMES, MAX_NAMES + 10)
    assert covers(der, f"host{MAX_NAMES + 9}.test")


@pytest.mark.parametrize("der", [b"", b"junk", b"\x30\x03abc", bytes(1000)])
def test_what_is_no_certificate(der: bytes) -> None:
    assert summarize(der) == Certificate(hashlib.sha256(der).hexdigest(), broken=("der",))
    assert covers(der, "a.test") is False


@given(st.data())
def test_certificates_from_hell(data: st.DataObject) -> None:
    """Bend bytes of a good one: the summary still comes, and names what it could not read."""
    bent = bytearray(leaf("a.test", "192.0.2.1"))
    for _ in range(data.draw(st.integers(1, 4))):
        bent[data.draw(st.integers(0, len(bent) - 1))] = data.draw(st.integers(0, 255))
    cert = summarize(bytes(bent))
    assert cert.sha256 == hashlib.sha256(bytes(bent)).hexdigest()
    assert "der" not in cert.broken or cert.broken == ("der",)
    covers(bytes(bent), "a.test")


@pytest.mark.parametrize(
    ("pattern", "name", "yes"),
    [
        ("a.test", "a.test", True),
        ("A.TEST", "a.test.", True),
        ("*.a.test", "x.a.test", True),
        ("*.a.test", "a.test", False),
        ("*.a.test", "y.x.a.test", False),
        ("*.test", "a.test", False),
        ("x*.a.test", "xy.a.test", False),
        ("*", "a", False),
        ("*.*.test", "x.y.test", False),
        ("*.a.test", "*.a.test", True),
        ("a.test", "", False),
        ("192.0.2.1", "192.0.2.1", False),
    ],
)
def test_host_names(pattern: str, name: str, yes: bool) -> None:
    assert names_cover((pattern,), (), name) is yes


def test_addresses_match_only_addresses() -> None:
    assert names_cover((), ("192.0.2.1",), "192.0.2.1")
    assert names_cover((), ("2001:db8::1",), "[2001:DB8:0::1]")
    assert not names_cover(("*.0.2.1",), (), "192.0.2.1")
