"""The failure words: OONI's df-007 list and the few words the field's tools added to it since, in one table.

A word says what the operation met. Who is at fault says whether it can be evidence at all: a `local` fault is
never evidence about a target. `raw` in an observation's detail keeps the exact origin (errno name, SSL reason,
alert, rcode). Source: ooni/spec data-formats/df-007-errors.md; newer words as ooni/probe-cli writes them.
`dns_bogon_error` is deliberately absent: it is a judgement, so only the OONI exporter writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Fault = Literal["remote", "path", "local"]


@dataclass(frozen=True, slots=True)
class FailureWord:
    """One row: the public word, who may be at fault (`path` includes the remote), and a short explanation."""

    word: str
    fault: Fault
    meaning: str


FAILURES: tuple[FailureWord, ...] = (
    FailureWord("connection_refused", "path", "the peer, or something posing as it, refused the connection"),
    FailureWord("connection_reset", "path", "a TCP reset ended the connection, or a sudden close over QUIC"),
    FailureWord("connection_aborted", "path", "the connection was aborted"),
    FailureWord("eof_error", "path", "the peer closed the connection before it had answered in full"),
    FailureWord("generic_timeout_error", "path", "nothing came before the deadline"),
    FailureWord("host_unreachable", "path", "an ICMP message or the kernel said the host cannot be reached"),
    FailureWord("network_unreachable", "local", "this machine has no route to that network"),
    FailureWord("network_down", "local", "the local interface is down"),
    FailureWord("address_family_not_supported", "local", "this machine does not speak that IP version"),
    FailureWord("address_not_available", "local", "this machine has no address to send from"),
    FailureWord("permission_denied", "path", "a firewall here or an ICMP prohibition forbade it"),
    FailureWord("message_size", "path", "a datagram was too big for the path"),
    FailureWord("dns_nxdomain_error", "path", "the answer says that the name does not exist"),
    FailureWord("dns_refused_error", "path", "the resolver refused to answer"),
    FailureWord("dns_servfail_error", "path", "the resolver failed to find an answer"),
    FailureWord("dns_server_misbehaving", "path", "the resolver answered with another error code or nonsense"),
    FailureWord("dns_no_answer", "path", "the answer holds no record of the type asked for"),
    FailureWord("dns_temporary_failure", "path", "the system resolver could not answer now (EAI_AGAIN)"),
    FailureWord("dns_non_recoverable_failure", "path", "the system resolver failed for good (EAI_FAIL)"),
    FailureWord("ssl_failed_handshake", "path", "the TLS handshake ended in an alert or in nonsense"),
    FailureWord("ssl_invalid_hostname", "path", "the certificate is not for this name"),
    FailureWord("ssl_unknown_authority", "path", "no trusted authority signed the certificate"),
    FailureWord("ssl_invalid_certificate", "path", "the certificate is expired, not yet valid or malformed"),
    FailureWord("quic_incompatible_version", "path", "the peer speaks no version of QUIC that we speak"),
    FailureWord("http_request_failed", "path", "the answer is not HTTP, or breaks its rules"),
    FailureWord("http_invalid_redirect", "remote", "a redirect leads nowhere that can be asked"),
    FailureWord("http_body_too_large", "remote", "a header block, or what a body expands to, passed the cap"),
    FailureWord("json_parse_error", "remote", "an answer of our own services was not understood"),
    FailureWord("interrupted", "local", "we stopped it ourselves"),
    FailureWord("out_of_descriptors", "local", "this machine ran out of sockets or memory"),
    FailureWord("skipped", "local", "not tried, on purpose; the detail says why"),
    FailureWord("unknown_failure", "path", "not in this table yet: see the raw origin"),
)

BY_WORD: dict[str, FailureWord] = {row.word: row for row in FAILURES}


def is_local(word: str | None) -> bool:
    """True when the failure is this machine's own, hence never evidence about a target."""
    return word is not None and word in BY_WORD and BY_WORD[word].fault == "local"


def explain_failure(word: str) -> str:
    """A short plain explanation; unknown words (of a newer probe) are shown as they are."""
    row = BY_WORD.get(word.split(" ", 1)[0].rstrip(":"))
    return row.meaning if row else word
