"""What we offer, and the chain through the public or the private door of `ssl`."""

from __future__ import annotations

import ssl

import pytest
import trustme

from probe.net.tlscontext import VERSIONS, context, peer_chain
from probe.wire.tls import ja4, parse_client_hello


def hello_of(made: ssl.SSLContext, name: str | None = "example.test") -> bytes:
    """The ClientHello that a context sends."""
    inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        made.wrap_bio(inward, outward, server_hostname=name).do_handshake()
    return outward.read()


def shaken(server: ssl.SSLContext) -> ssl.SSLObject:
    """A client's side of a handshake done in memory."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = context().wrap_bio(down, up, server_hostname="example.test")
    theirs = server.wrap_bio(up, down, server_side=True)
    for side in (ours, theirs, ours, theirs):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return ours


def test_the_chain_is_whole_and_as_sent() -> None:
    cert = trustme.CA().create_child_ca().issue_cert("other.test")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert.configure_cert(server)
    sent = tuple(ssl.PEM_cert_to_DER_cert(pem.bytes().decode()) for pem in cert.cert_chain_pems)
    assert len(sent) == 2 and peer_chain(shaken(server)) == sent


def test_before_any_certificate_there_is_no_chain() -> None:
    made = context().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())
    assert peer_chain(made) == ()


def test_contexts_are_made_once() -> None:
    assert context(("h2",)) is context(("h2",))
    assert context(("h2",)) is not context(())
    assert context().verify_mode is ssl.CERT_NONE


def test_the_offer() -> None:
    hello = parse_client_hello(hello_of(context(("h2", "http/1.1"))))
    assert hello is not None
    assert set(hello.versions) == {0x0301, 0x0302, 0x0303, 0x0304}
    assert (hello.sni, hello.alpn) == ("example.test", ("h2", "http/1.1"))


@pytest.mark.parametrize("version", sorted(VERSIONS))
def test_no_version_above_the_highest_wanted(version: str) -> None:
    hello = parse_client_hello(hello_of(context((), version)))
    assert hello is not None
    assert max(hello.versions or (hello.legacy_version,)) == VERSIONS[version]


@pytest.mark.skipif(not ssl.OPENSSL_VERSION.startswith("OpenSSL 3.0"), reason="values of Python with OpenSSL 3.0")
@pytest.mark.parametrize(
    ("alpn", "fingerprint"),
    [
        (["h2", "http/1.1"], "t13d1812h2_85036bcba153_d41ae481755e"),
        ([], "t13d181100_85036bcba153_d41ae481755e"),
    ],
)
def test_ja4_of_the_stdlibs_own_hello(alpn: list[str], fingerprint: str) -> None:
    """Values computed by another implementation from a capture."""
    made = ssl.create_default_context()
    if alpn:
        made.set_alpn_protocols(alpn)
    assert ja4(hello_of(made)) == fingerprint
