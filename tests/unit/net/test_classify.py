"""Every exception gets a failure, from its type and numbers alone."""

from __future__ import annotations

import errno
import importlib
import json
import socket
import ssl

import h2.exceptions
import h11
import httpcore
import httpx
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from probe.model.failure import BY_WORD
from probe.net import codes
from probe.net.base import Failure
from probe.net.classify import TYPES, classify, errno_failure
from probe.net.tlscontext import ALERT_REASONS


def ssl_error(reason: str | None, cls: type[ssl.SSLError] = ssl.SSLError, number: int = 1) -> ssl.SSLError:
    """An SSLError as OpenSSL's binding makes it."""
    made = cls(number, "some text")
    made.reason = reason  # type: ignore[assignment]
    return made


def verify_error(code: int) -> ssl.SSLCertVerificationError:
    made = ssl.SSLCertVerificationError(1, "some text")
    made.verify_code = code
    return made


def caused(outer: BaseException, inner: BaseException) -> BaseException:
    outer.__cause__ = inner
    return outer


CASES: list[tuple[BaseException, str, str]] = [
    (OSError(errno.ECONNREFUSED, "x"), "connection_refused", "ECONNREFUSED"),
    (OSError(errno.ECONNRESET, "x"), "connection_reset", "ECONNRESET"),
    (OSError(errno.EPIPE, "x"), "connection_reset", "EPIPE"),
    (OSError(errno.ESHUTDOWN, "x"), "connection_reset", "ESHUTDOWN"),
    (OSError(errno.ETIMEDOUT, "x"), "generic_timeout_error", "ETIMEDOUT"),
    (OSError(errno.EHOSTUNREACH, "x"), "host_unreachable", "EHOSTUNREACH"),
    (OSError(errno.ENETUNREACH, "x"), "network_unreachable", "ENETUNREACH"),
    (OSError(errno.EACCES, "x"), "permission_denied", "EACCES"),
    (OSError(errno.EPERM, "x"), "permission_denied", "EPERM"),
    (OSError(errno.EADDRNOTAVAIL, "x"), "address_not_available", "EADDRNOTAVAIL"),
    (OSError(errno.EAFNOSUPPORT, "x"), "address_family_not_supported", "EAFNOSUPPORT"),
    (OSError(errno.EMFILE, "x"), "out_of_descriptors", "EMFILE"),
    (OSError(errno.ENOBUFS, "x"), "out_of_descriptors", "ENOBUFS"),
    (OSError(errno.EMSGSIZE, "x"), "message_size", "EMSGSIZE"),
    (OSError(10061, "x"), "connection_refused", "WSAECONNREFUSED"),
    (OSError(errno.EDOM, "x"), "unknown_failure", "EDOM"),
    (OSError(99_999, "x"), "unknown_failure", "errno 99999"),
    (ConnectionResetError("no errno at all"), "connection_reset", "builtins.ConnectionResetError"),
    (socket.gaierror(socket.EAI_NONAME, "x"), "dns_nxdomain_error", "EAI_NONAME"),
    (socket.gaierror(socket.EAI_AGAIN, "x"), "dns_temporary_failure", "EAI_AGAIN"),
    (socket.gaierror(socket.EAI_FAIL, "x"), "dns_non_recoverable_failure", "EAI_FAIL"),
    (socket.gaierror(11004, "x"), "dns_no_answer", "WSANO_DATA"),
    (ssl_error("WRONG_VERSION_NUMBER"), "ssl_failed_handshake", "WRONG_VERSION_NUMBER"),
    (ssl_error("SSLV3_ALERT_HANDSHAKE_FAILURE"), "ssl_failed_handshake", "SSLV3_ALERT_HANDSHAKE_FAILURE"),
    (ssl_error("UNEXPECTED_EOF_WHILE_READING", ssl.SSLEOFError, 8), "eof_error", "UNEXPECTED_EOF_WHILE_READING"),
    (ssl_error(None, ssl.SSLZeroReturnError, 6), "eof_error", "ssl.SSLZeroReturnError"),
    (ssl_error(None), "ssl_failed_handshake", "ssl.SSLError"),
    (verify_error(10), "ssl_invalid_certificate", "X509_V_10"),
    (verify_error(18), "ssl_unknown_authority", "X509_V_18"),
    (verify_error(62), "ssl_invalid_hostname", "X509_V_62"),
    (trio.TooSlowError(), "generic_timeout_error", "trio.TooSlowError"),
    (trio.ClosedResourceError(), "interrupted", "trio.ClosedResourceError"),
    (KeyboardInterrupt(), "interrupted", "builtins.KeyboardInterrupt"),
    (MemoryError(), "out_of_descriptors", "builtins.MemoryError"),
    (json.JSONDecodeError("x", "y", 0), "json_parse_error", "json.decoder.JSONDecodeError"),
    (h11.RemoteProtocolError("x"), "http_request_failed", "h11._util.RemoteProtocolError"),
    (h2.exceptions.FrameTooLargeError("x"), "http_request_failed", "h2.exceptions.FrameTooLargeError"),
    (httpcore.ConnectTimeout("x"), "generic_timeout_error", "httpcore.ConnectTimeout"),
    (httpx.ReadTimeout("x"), "generic_timeout_error", "httpx.ReadTimeout"),
    (httpx.TooManyRedirects("x"), "http_invalid_redirect", "httpx.TooManyRedirects"),
    (ZeroDivisionError(), "unknown_failure", "builtins.ZeroDivisionError"),
    (h11.LocalProtocolError("our own bug"), "unknown_failure", "h11._util.LocalProtocolError"),
]


@pytest.mark.parametrize(("exc", "word", "raw"), CASES, ids=lambda value: repr(value)[:40])
def test_a_single_exception(exc: BaseException, word: str, raw: str) -> None:
    assert classify(exc) == Failure(word, raw)


def test_the_cause_below_wrappers_is_found() -> None:
    inner = httpcore.ConnectError("x")
    inner.__cause__ = OSError(errno.ECONNREFUSED, "x")
    assert classify(caused(httpx.ConnectError("x"), inner)).raw == "ECONNREFUSED"
    assert classify(caused(trio.BrokenResourceError(), ssl_error("TLSV1_UNRECOGNIZED_NAME"))).raw == (
        "TLSV1_UNRECOGNIZED_NAME"
    )


def test_the_cause_within_a_group_is_found() -> None:
    group = BaseExceptionGroup("x", [KeyboardInterrupt(), ExceptionGroup("y", [OSError(errno.ECONNRESET, "x")])])
    assert classify(caused(trio.BrokenResourceError(), group)).raw == "ECONNRESET"


def test_what_was_being_handled_counts_unless_it_was_set_aside() -> None:
    exc = RuntimeError()
    exc.__context__ = OSError(errno.ECONNRESET, "x")
    assert classify(exc).raw == "ECONNRESET"
    exc.__suppress_context__ = True
    assert classify(exc).raw == "builtins.RuntimeError"


def test_an_endless_chain_ends() -> None:
    one, two = RuntimeError(), RuntimeError()
    one.__cause__, two.__cause__ = two, one
    assert classify(one).word == "unknown_failure"


SCALARS = st.none() | st.integers() | st.text(max_size=5) | st.booleans()
SINGLES = st.one_of(
    st.builds(lambda number: OSError(number, "x"), SCALARS),
    st.builds(lambda number: socket.gaierror(number, "x"), SCALARS),
    st.builds(ssl_error, st.none() | st.text(max_size=5), st.just(ssl.SSLError), st.integers(0, 200)),
    st.builds(ssl_error, st.none(), st.just(ssl.SSLSyscallError), st.integers(0, 200)),
    st.builds(verify_error, st.integers(0, 100)),
    st.sampled_from([RuntimeError, ValueError, trio.TooSlowError, GeneratorExit, SystemExit]).map(lambda cls: cls()),
)


def nested(children: st.SearchStrategy[BaseException]) -> st.SearchStrategy[BaseException]:
    groups = st.lists(children, min_size=1, max_size=3).map(lambda members: BaseExceptionGroup("x", members))
    return groups | st.builds(caused, SINGLES, children)


@given(st.recursive(SINGLES, nested, max_leaves=8))
def test_classify_is_total_and_speaks_the_public_words(exc: BaseException) -> None:
    failure = classify(exc)
    assert failure.word in BY_WORD and failure.raw


def test_every_row_of_the_tables_is_real() -> None:
    for module, name, word in TYPES:
        assert issubclass(getattr(importlib.import_module(module), name), BaseException) and word in BY_WORD
    for words in (codes.ERRNO_WORDS, codes.GAI_WORDS, codes.VERIFY_WORDS, codes.SSL_REASON_WORDS):
        assert set(words.values()) <= set(BY_WORD)
    assert {word for _, word in [*codes.WINSOCK.values(), *codes.GAI_WINSOCK.values()]} <= set(BY_WORD)


def test_aliases_of_an_errno_have_the_usual_name() -> None:
    assert errno_failure(errno.EAGAIN).word == "unknown_failure"
    assert errno_failure(0) == Failure("unknown_failure", "errno 0")


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "handshake_failure"),
        ("TLSV1_UNRECOGNIZED_NAME", "unrecognized_name"),
        ("TLSV1_ALERT_ACCESS_DENIED", "access_denied"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "protocol_version"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "certificate_required"),
        ("WRONG_VERSION_NUMBER", None),
        ("UNEXPECTED_MESSAGE", None),
    ],
)
def test_openssl_names_of_received_alerts(reason: str, name: str | None) -> None:
    assert ALERT_REASONS.get(reason) == name
