"""What this machine trusts: read where systems keep it, and only a second opinion."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from probe.net.systemtrust import SystemTrust, system_roots
from probe.net.trust import pem_certificates


@pytest.fixture(autouse=True)
def no_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As where OpenSSL's own default file does not exist."""

    class Paths:
        openssl_cafile = str(tmp_path / "missing.pem")

    monkeypatch.setattr("ssl.get_default_verify_paths", Paths)


def test_the_first_bundle_that_holds_certificates_counts(tmp_path: Path) -> None:
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    empty, bundle = tmp_path / "empty.pem", tmp_path / "bundle.pem"
    empty.write_text("nothing here\n")
    authority.cert_pem.write_to_path(str(bundle))
    paths = [str(tmp_path / "none.pem"), str(empty), str(bundle)]
    assert system_roots(paths) == pem_certificates(bundle.read_bytes())
    assert system_roots(paths[:2]) == []


def test_a_machine_that_tells_nothing_knows_no_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.net.systemtrust.system_roots", lambda: [])
    leaf = trustme.CA(key_type=trustme.KeyType.ECDSA).issue_cert("site.example")
    chain = tuple(der for pem in leaf.cert_chain_pems for der in pem_certificates(pem.bytes()))
    assert SystemTrust().verify(chain, "site.example", 1_800_000_000).reason == "unknown_authority"


def test_an_authority_that_was_put_into_the_machine_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    leaf = authority.issue_cert("site.example")
    monkeypatch.setattr("probe.net.systemtrust.system_roots", lambda: pem_certificates(authority.cert_pem.bytes()))
    chain = tuple(der for pem in leaf.cert_chain_pems for der in pem_certificates(pem.bytes()))
    assert SystemTrust().verify(chain, "site.example", 1_800_000_000).reason == "ok"
