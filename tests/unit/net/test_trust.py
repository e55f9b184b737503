"""A pinned store's opinion of kept chains, at any time."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable
from functools import cache
from pathlib import Path

import certifi
import pytest
import trustme

from probe.model.errors import UsageError
from probe.net.trust import TrustStore, load_trust, pem_certificates

NOW = int(dt.datetime(2026, 6, 1, tzinfo=dt.UTC).timestamp())
YEAR = 365 * 86_400
BEFORE, AFTER = dt.datetime(2026, 1, 1), dt.datetime(2027, 1, 1)
Chain = tuple[bytes, ...]


def der(blob: trustme.Blob) -> bytes:
    return ssl.PEM_cert_to_DER_cert(blob.bytes().decode())


@cache
def root() -> trustme.CA:
    return trustme.CA()


@cache
def stranger() -> trustme.CA:
    return trustme.CA()


@cache
def store() -> TrustStore:
    return TrustStore([der(root().cert_pem)])


@cache
def issued(ca: Callable[[], trustme.CA], *names: str) -> Chain:
    cert = ca().issue_cert(*names, not_before=BEFORE, not_after=AFTER)
    return tuple(der(pem) for pem in cert.cert_chain_pems)


@cache
def under_intermediate() -> Chain:
    between = root().create_child_ca()
    cert = between.issue_cert("a.test", not_before=BEFORE, not_after=AFTER)
    return tuple(der(pem) for pem in cert.cert_chain_pems)


def alone() -> Chain:
    return (der(stranger().cert_pem),)


CASES: list[tuple[str, Chain, str, int, tuple[str, ...], int]] = [
    ("good", issued(root, "a.test"), "a.test", NOW, ("ok",), 0),
    ("case and dot", issued(root, "a.test"), "A.test.", NOW, ("ok",), 0),
    ("no name asked", issued(root, "a.test"), "", NOW, ("ok",), 0),
    ("wildcard", issued(root, "*.a.test"), "www.a.test", NOW, ("ok",), 0),
    ("wildcard is one label", issued(root, "*.a.test"), "x.www.a.test", NOW, ("wrong_name",), 0),
    ("address", issued(root, "192.0.2.1"), "192.0.2.1", NOW, ("ok",), 0),
    ("wrong address", issued(root, "192.0.2.1"), "192.0.2.2", NOW, ("wrong_name",), 0),
    ("intermediate", under_intermediate(), "a.test", NOW, ("ok",), 0),
    ("no intermediate", under_intermediate()[:1], "a.test", NOW, ("unknown_authority",), 20),
    ("wrong name", issued(root, "b.test"), "a.test", NOW, ("wrong_name",), 0),
    ("expired", issued(root, "a.test"), "a.test", NOW + YEAR, ("expired",), 10),
    ("not yet", issued(root, "a.test"), "a.test", NOW - YEAR, ("not_yet_valid",), 9),
    ("expired and wrong", issued(root, "b.test"), "a.test", NOW + YEAR, ("expired", "wrong_name"), 10),
    ("stranger", issued(stranger, "a.test"), "a.test", NOW, ("unknown_authority",), 20),
    ("stranger, expired", issued(stranger, "a.test"), "a.test", NOW + YEAR, ("unknown_authority", "expired"), 20),
    ("stranger's root sent along", issued(stranger, "a.test") + alone(), "a.test", NOW, ("self_signed",), 19),
    ("self-signed", alone(), "", NOW, ("self_signed",), 18),
    ("nothing", (), "a.test", NOW, ("incomplete",), 0),
    ("nonsense", (b"\x30\x03no!",), "a.test", NOW, ("invalid", "wrong_name"), 1),
    ("nonsense after the leaf", (*issued(root, "a.test"), b"junk"), "a.test", NOW, ("ok",), 0),
]


@pytest.mark.parametrize(("chain", "name", "at", "reasons", "code"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_every_reason(chain: Chain, name: str, at: int, reasons: tuple[str, ...], code: int) -> None:
    said = store().verify(chain, name, at)
    # OpenSSL 4 tells a leaf with no issuer at hand by another number (21) than 3 does (20).
    codes = {20, 21} if code == 20 else {code}
    assert said.reasons == reasons and said.reason == reasons[0] and said.code in codes
    assert (said.store, said.name) == (store().digest, name)


def test_the_time_is_told_and_the_last_second_is_outside() -> None:
    end = int(AFTER.replace(tzinfo=dt.UTC).timestamp())
    chain = issued(root, "a.test")
    assert store().verify(chain, "a.test", end - 1).reason == "ok"
    assert store().verify(chain, "a.test", end).reason == "expired"
    assert store().verify(chain, "a.test", NOW).at == "2026-06-01T00:00:00Z"


def test_answers_are_cached_between_moments_that_matter() -> None:
    fresh = TrustStore([der(root().cert_pem)])
    chain = issued(root, "a.test")
    for seconds in range(100):
        fresh.verify(chain, "a.test", NOW + seconds)
    assert fresh._judge.cache_info().misses == 1


def test_the_digest_names_the_set_and_nothing_else() -> None:
    one, two = der(root().cert_pem), der(stranger().cert_pem)
    assert TrustStore([one, two]).digest == TrustStore([two, one, one, b"junk"]).digest
    assert TrustStore([one]).digest != TrustStore([two]).digest
    assert TrustStore([one, b"junk"]).roots == 1


def test_certifi_and_files_of_the_users(tmp_path: Path) -> None:
    extra = tmp_path / "extra.pem"
    root().cert_pem.write_to_path(str(extra))
    plain, more = load_trust(environ={}), load_trust([extra], environ={})
    assert plain is load_trust(environ={})
    assert more.roots == plain.roots + 1 == len(pem_certificates(Path(certifi.where()).read_bytes())) + 1
    assert more.dated is not None and more.digest != plain.digest
    assert load_trust(environ={"SSL_CERT_FILE": str(extra)}).digest == more.digest
    assert more.verify(issued(root, "a.test"), "a.test", NOW).reason == "ok"
    assert plain.verify(issued(root, "a.test"), "a.test", NOW).reason == "unknown_authority"


def test_a_file_that_is_no_use_is_said_so(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing here")
    with pytest.raises(UsageError, match=r"no PEM certificate in .*empty\.pem"):
        load_trust([empty], environ={})
    with pytest.raises(UsageError, match="cannot read certificates"):
        load_trust([tmp_path / "missing.pem"], environ={})
