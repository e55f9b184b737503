"""Numbers of the system and of OpenSSL, each with its failure word: the tables behind `classify`.

Sources: errno(3); Linux net/ipv4/icmp.c (`icmp_err_convert`) for what ICMP errors become; Winsock error codes;
getaddrinfo(3); OpenSSL x509_vfy.h for verify codes and sslerr.h for reasons.
"""

from __future__ import annotations

import errno
import socket

# errno name -> word. EPIPE is what Linux reports for a reset that came after the peer's FIN (tcp_reset), so it is
# a reset. EBADF and ENOTSOCK mean that we closed the socket under the operation.
ERRNO_WORDS: dict[str, str] = {
    "ECONNREFUSED": "connection_refused",
    "ECONNRESET": "connection_reset",
    "ENETRESET": "connection_reset",
    "EPIPE": "connection_reset",
    "ESHUTDOWN": "connection_reset",
    "ECONNABORTED": "connection_aborted",
    "ENOTCONN": "connection_aborted",
    "ETIMEDOUT": "generic_timeout_error",
    "EHOSTUNREACH": "host_unreachable",
    "EHOSTDOWN": "host_unreachable",
    "ENONET": "host_unreachable",
    "ENOPROTOOPT": "host_unreachable",
    "ENETUNREACH": "network_unreachable",
    "ENETDOWN": "network_down",
    "EACCES": "permission_denied",
    "EPERM": "permission_denied",
    "EADDRNOTAVAIL": "address_not_available",
    "EADDRINUSE": "address_not_available",
    "EAFNOSUPPORT": "address_family_not_supported",
    "EPFNOSUPPORT": "address_family_not_supported",
    "EPROTONOSUPPORT": "address_family_not_supported",
    "EMSGSIZE": "message_size",
    "EMFILE": "out_of_descriptors",
    "ENFILE": "out_of_descriptors",
    "ENOBUFS": "out_of_descriptors",
    "ENOMEM": "out_of_descriptors",
    "EBADF": "interrupted",
    "ENOTSOCK": "interrupted",
}

# Winsock numbers do not collide with any errno, so the table is the same everywhere and tested everywhere.
WINSOCK: dict[int, tuple[str, str]] = {
    10013: ("WSAEACCES", "permission_denied"),
    10024: ("WSAEMFILE", "out_of_descriptors"),
    10038: ("WSAENOTSOCK", "interrupted"),
    10040: ("WSAEMSGSIZE", "message_size"),
    10043: ("WSAEPROTONOSUPPORT", "address_family_not_supported"),
    10046: ("WSAEPFNOSUPPORT", "address_family_not_supported"),
    10047: ("WSAEAFNOSUPPORT", "address_family_not_supported"),
    10048: ("WSAEADDRINUSE", "address_not_available"),
    10049: ("WSAEADDRNOTAVAIL", "address_not_available"),
    10050: ("WSAENETDOWN", "network_down"),
    10051: ("WSAENETUNREACH", "network_unreachable"),
    10052: ("WSAENETRESET", "connection_reset"),
    10053: ("WSAECONNABORTED", "connection_aborted"),
    10054: ("WSAECONNRESET", "connection_reset"),
    10055: ("WSAENOBUFS", "out_of_descriptors"),
    10057: ("WSAENOTCONN", "connection_aborted"),
    10058: ("WSAESHUTDOWN", "connection_reset"),
    10060: ("WSAETIMEDOUT", "generic_timeout_error"),
    10061: ("WSAECONNREFUSED", "connection_refused"),
    10064: ("WSAEHOSTDOWN", "host_unreachable"),
    10065: ("WSAEHOSTUNREACH", "host_unreachable"),
}

# getaddrinfo's own numbers, which differ between systems: looked up by name.
GAI_WORDS: dict[str, str] = {
    "EAI_NONAME": "dns_nxdomain_error",
    "EAI_NODATA": "dns_no_answer",
    "EAI_ADDRFAMILY": "dns_no_answer",
    "EAI_AGAIN": "dns_temporary_failure",
    "EAI_FAIL": "dns_non_recoverable_failure",
    "EAI_FAMILY": "address_family_not_supported",
    "EAI_MEMORY": "out_of_descriptors",
}
# What Windows gives where its EAI_ constants are silent.
GAI_WINSOCK: dict[int, tuple[str, str]] = {
    11001: ("WSAHOST_NOT_FOUND", "dns_nxdomain_error"),
    11002: ("WSATRY_AGAIN", "dns_temporary_failure"),
    11003: ("WSANO_RECOVERY", "dns_non_recoverable_failure"),
    11004: ("WSANO_DATA", "dns_no_answer"),
}

# OpenSSL verify codes; every other code is an invalid certificate.
VERIFY_WORDS: dict[int, str] = {
    2: "ssl_unknown_authority",
    18: "ssl_unknown_authority",
    19: "ssl_unknown_authority",
    20: "ssl_unknown_authority",
    21: "ssl_unknown_authority",
    62: "ssl_invalid_hostname",
    63: "ssl_invalid_hostname",
    64: "ssl_invalid_hostname",
}

# Reasons that are an end of stream in disguise; every other reason is a failed handshake.
SSL_REASON_WORDS: dict[str, str] = {
    "UNEXPECTED_EOF_WHILE_READING": "eof_error",
    "EOF_OCCURRED": "eof_error",
}


def _by_number() -> dict[int, tuple[str, str]]:
    here = {getattr(errno, name): (name, word) for name, word in ERRNO_WORDS.items() if hasattr(errno, name)}
    return {**WINSOCK, **here}


def _gai_by_number() -> dict[int, tuple[str, str]]:
    here = {getattr(socket, name): (name, word) for name, word in GAI_WORDS.items() if hasattr(socket, name)}
    return {**GAI_WINSOCK, **here}


ERRNOS: dict[int, tuple[str, str]] = _by_number()
GAIS: dict[int, tuple[str, str]] = _gai_by_number()
