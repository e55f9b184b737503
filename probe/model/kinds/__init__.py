"""The kinds of observations: one frozen dataclass each, the detail of a fact. No field here is an opinion.

Kinds grow by optional fields only; a changed meaning is a new kind. A kind this version does not know survives
as `Opaque`, unchanged to the byte of its canonical JSON.
"""

from __future__ import annotations

from typing import Any

from probe.model.kinds.conduct import Conclusion, ControlAsk, HelperTransfer, LineState, Opaque, Skipped
from probe.model.kinds.net import DnsLookup, Icmp, QuicHandshake, Record, TcpConnect, TcpInfo, TlsHandshake, TlsVerify
from probe.model.kinds.page import HttpFetch, PageFeatures, PageMet

__all__ = [
    "Conclusion", "ControlAsk", "Detail", "DnsLookup", "HelperTransfer", "HttpFetch", "Icmp", "KINDS", "LineState",
    "Opaque", "PageFeatures", "PageMet", "QuicHandshake", "Record", "Skipped", "TcpConnect", "TcpInfo",
    "TlsHandshake", "TlsVerify",
]  # fmt: skip

Detail = (
    DnsLookup
    | TcpConnect
    | TlsHandshake
    | QuicHandshake
    | TlsVerify
    | HttpFetch
    | ControlAsk
    | HelperTransfer
    | Skipped
    | LineState
    | Conclusion
    | Opaque
)

KINDS: tuple[type[Any], ...] = (
    DnsLookup,
    TcpConnect,
    TlsHandshake,
    QuicHandshake,
    TlsVerify,
    HttpFetch,
    ControlAsk,
    HelperTransfer,
    Skipped,
    LineState,
    Conclusion,
)
