"""Exceptions to failures: by type, errno, getaddrinfo code, SSL reason and verify code, never by message text.

A library wraps the cause, often twice, and sometimes in an exception group. The walk goes from the outside in and
takes the first link that means something; wrappers that say nothing by themselves (a `BrokenResourceError`, httpx's
`ConnectError`) are in no table and so are passed over. Total: what no table knows is `unknown_failure` with the
class's full name, which is a request to extend the tables.
"""

from __future__ import annotations

import errno
import socket
import ssl
import sys
from collections.abc import Iterator

from probe.net.base import Failure
from probe.net.codes import ERRNOS, GAIS, SSL_REASON_WORDS, VERIFY_WORDS

# Our own deadline passed: told apart from ETIMEDOUT, which is the kernel's.
DEADLINE = Failure("generic_timeout_error", "deadline")
# Chains are short; this only guards against an absurd one.
MAX_LINKS = 64

# (module, class, word), most telling first. The module is looked up among those already imported: an exception of
# a library that was never imported cannot be raised, and importing httpx costs a command 100 ms.
TYPES: tuple[tuple[str, str, str], ...] = (
    ("trio", "TooSlowError", "generic_timeout_error"),
    ("trio", "Cancelled", "interrupted"),
    ("trio", "ClosedResourceError", "interrupted"),
    ("builtins", "KeyboardInterrupt", "interrupted"),
    ("builtins", "MemoryError", "out_of_descriptors"),
    ("builtins", "TimeoutError", "generic_timeout_error"),
    ("builtins", "ConnectionRefusedError", "connection_refused"),
    ("builtins", "ConnectionResetError", "connection_reset"),
    ("builtins", "ConnectionAbortedError", "connection_aborted"),
    ("builtins", "BrokenPipeError", "connection_reset"),
    ("builtins", "EOFError", "eof_error"),
    ("json", "JSONDecodeError", "json_parse_error"),
    ("h11", "RemoteProtocolError", "http_request_failed"),
    ("h2.exceptions", "ProtocolError", "http_request_failed"),
    ("hpack.exceptions", "HPACKError", "http_request_failed"),
    ("hyperframe.exceptions", "HyperframeError", "http_request_failed"),
    ("httpcore", "TimeoutException", "generic_timeout_error"),
    ("httpcore", "RemoteProtocolError", "http_request_failed"),
    ("httpx", "TimeoutException", "generic_timeout_error"),
    ("httpx", "RemoteProtocolError", "http_request_failed"),
    ("httpx", "DecodingError", "http_request_failed"),
    ("httpx", "TooManyRedirects", "http_invalid_redirect"),
)


def classify(exc: BaseException) -> Failure:
    """The failure an exception stands for. Our own cancellation counts only where nothing else is found: in a
    group it is the echo of what went wrong first."""
    found = [failure for link in _links(exc) if (failure := _of_link(link)) is not None]
    first = next((failure for failure in found if failure.word != "interrupted"), None)
    return first or (found[0] if found else Failure("unknown_failure", _name(_innermost(exc))))


def errno_failure(code: int) -> Failure:
    """The failure of an errno (or Winsock) number; `raw` is its name."""
    row = ERRNOS.get(code)
    if row is None:
        return Failure("unknown_failure", errno.errorcode.get(code, f"errno {code}"))
    name, word = row
    return Failure(word, name)


def _links(exc: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    todo = [exc]
    while todo and len(seen) < MAX_LINKS:
        link = todo.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        todo += reversed(_inside(link))


def _inside(exc: BaseException) -> list[BaseException]:
    members = list(exc.exceptions) if isinstance(exc, BaseExceptionGroup) else []
    context = None if exc.__suppress_context__ else exc.__context__
    cause = exc.__cause__ or context
    return members + ([cause] if cause is not None else [])


def _innermost(exc: BaseException) -> BaseException:
    return next((link for link in _links(exc) if not isinstance(link, BaseExceptionGroup)), exc)


def _of_link(exc: BaseException) -> Failure | None:
    # SSLError and gaierror are OSErrors whose errno is a number of another kind (SSL_ERROR_SSL is 1, as EPERM is).
    if isinstance(exc, ssl.SSLError):
        return _of_ssl(exc)
    if isinstance(exc, socket.gaierror):
        return _of_gai(exc)
    if isinstance(exc, OSError) and _number(exc.errno):
        return errno_failure(_number(exc.errno))
    return _of_type(exc)


def _of_ssl(exc: ssl.SSLError) -> Failure:
    if isinstance(exc, ssl.SSLCertVerificationError):
        code = _number(getattr(exc, "verify_code", 0))
        return Failure(VERIFY_WORDS.get(code, "ssl_invalid_certificate"), f"X509_V_{code}")
    if isinstance(exc, ssl.SSLSyscallError) and _number(exc.errno) in ERRNOS:
        return errno_failure(_number(exc.errno))
    reason = getattr(exc, "reason", None)
    raw = reason if isinstance(reason, str) and reason else _name(exc)
    ended = isinstance(exc, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    return Failure("eof_error" if ended else SSL_REASON_WORDS.get(raw, "ssl_failed_handshake"), raw)


def _of_gai(exc: socket.gaierror) -> Failure:
    code = _number(exc.errno)
    name, word = GAIS.get(code, (f"EAI {code}", "unknown_failure"))
    return Failure(word, name)


def _of_type(exc: BaseException) -> Failure | None:
    for module, name, word in TYPES:
        cls = getattr(sys.modules.get(module), name, None)
        if isinstance(cls, type) and isinstance(exc, cls):
            return Failure(word, _name(exc))
    return None


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _name(exc: BaseException) -> str:
    cls = exc.__class__
    return f"{cls.__module__}.{cls.__qualname__}"
