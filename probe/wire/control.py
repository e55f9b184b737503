"""What field and helper say to each other: one request, and an answer of JSON lines. Pure: bytes in, values out.

    request   {"url": "https://example.org/", "endpoints": [["example.org", "192.0.2.1", 443]], "version": "...",
               "quic": true}
    line 1    {"helper": 1, "software", "version", "client": {"address", "cc", "asn", "says"}, "vantage_id"}
    lines     facts (probe.wire.facts) of one control measurement: vantage, run, measurement, then observations and
              certificates as they came about. Bodies stay at the helper; their features are in the facts.
    last      {"end": 1, "counts": n}: n fact lines came before. An answer without it was cut.

The field's measurement id is in no request: a helper (or whoever reads its disk) could otherwise join its control
measurement to a published field measurement, and so to the address that asked. The field itself fills in `answers`.

A reader trusts nothing. It bounds bytes and lines before it parses them, takes one measurement only, of the URL that
was asked, and refuses an answer in which any line does not belong to it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

from probe.model.errors import BundleError, TargetError
from probe.model.measurement import Measurement
from probe.model.observation import Blob
from probe.model.target import address_of, normal_host, parse_target
from probe.model.vantage import Run, Vantage
from probe.wire.codec import CodecError, decode, encode
from probe.wire.facts import ObservationRow, Row, canonical, load_object, parse_fact

PROTOCOL = 1
MEASURE_PATH = "/v1/measure"
HEALTH_PATH = "/v1/health"
# In what `HEALTH_PATH` says: ports, at the helper's own addresses, that shake hands for any server name and answer any
# plain request; so many at most.
TRIAL_PORTS = "trial_ports"
MAX_TRIAL_PORTS = 4
# `GET /v1/bytes/N`: so many bytes without meaning, by which an asker learns how fast its own line is.
BYTES_PATH = "/v1/bytes"
MAX_BYTES = 131_072
LINES_TYPE = "application/x-ndjson"
CERTIFICATE_TYPE = "application/pkix-cert"
MAX_ENDPOINTS = 16
# `checks` of a measurement of given endpoints, and of a whole one (probe.verdict.case knows the first as well).
ENDPOINTS_CHECK = "endpoints"
WHOLE_CHECK = "web"
_GZIP = 31  # zlib's wbits for a gzip wrapper
_STEP = 65_536


@dataclass(frozen=True, slots=True)
class HelperRequest:
    """`url` as the field was given it; with `endpoints`, (host, ip, port) triples, only those are walked; with `quic`
    over QUIC as well, by a helper that knows how. `version` of the asking program."""

    url: str
    endpoints: tuple[tuple[str, str, int], ...] = ()
    version: str = ""
    quic: bool = False


@dataclass(frozen=True, slots=True)
class SeenClient:
    """What the helper sees of who asks: the address (told to the asker alone, for scrubbing, and kept nowhere), and
    country and network by a database that `says` names (`netdb:<date>:<digest>`); empty where it has none."""

    address: str = ""
    cc: str = ""
    asn: int | None = None
    says: str = ""


@dataclass(frozen=True, slots=True)
class HelperHead:
    """Line 1. `helper` is the version of the protocol."""

    helper: int
    software: str
    version: str
    vantage_id: str
    client: SeenClient = SeenClient()


@dataclass(frozen=True, slots=True)
class HelperEnd:
    """The last line. `counts` are the fact lines before it."""

    end: int
    counts: int


@dataclass(frozen=True, slots=True)
class AnswerBounds:
    """Of one answer, decompressed: bytes, lines, bytes of a line."""

    plain: int = 4 * 1024 * 1024
    lines: int = 8192
    line: int = 1024 * 1024


DEFAULT_BOUNDS = AnswerBounds()


# ---- the request ----


def request_body(request: HelperRequest) -> bytes:
    """The body of a POST to `MEASURE_PATH`."""
    return canonical(encode(request)).encode()


def parse_request(body: bytes) -> HelperRequest:
    """A request from hostile bytes; fields of a newer asker are passed over. Raises BundleError with one line."""
    try:
        request = decode(HelperRequest, load_object(body))
        parse_target(request.url)
    except (CodecError, TargetError) as error:
        raise BundleError(str(error)) from None
    if len(request.endpoints) > MAX_ENDPOINTS:
        raise BundleError(f"more than {MAX_ENDPOINTS} endpoints")
    if len(request.version) > 64:
        raise BundleError("version is too long")
    for host, ip, port in request.endpoints:
        if not _is_host(host) or address_of(ip) != ip or not 1 <= port <= 65535:
            raise BundleError("an endpoint is (host, ip, port): host and ip in normal form, port from 1 to 65535")
    return request


def _is_host(host: str) -> bool:
    try:
        return normal_host(host) == host
    except ValueError:
        return False


# ---- the answer ----


def head_line(head: HelperHead) -> str:
    """Line 1, without its newline."""
    return canonical(encode(head))


def end_line(counts: int) -> str:
    """The last line, without its newline."""
    # Not `encode`: it leaves out fields that hold a default, and a reader must find both.
    return canonical({"end": 1, "counts": counts})


@dataclass(slots=True)
class AnswerReader:
    """Reads an answer as it arrives: `feed` chunks, then `close` for the facts. Both raise BundleError.

    `request` is what was asked, `gzipped` whether the bytes are compressed. `head` is there as soon as line 1 was read:
    the asker's address must be known to the scrubber before anything of the answer is stored.
    """

    request: HelperRequest
    gzipped: bool = False
    bounds: AnswerBounds = DEFAULT_BOUNDS
    head: HelperHead | None = None
    measurement: Measurement | None = None
    _rows: list[Row] = field(default_factory=list)
    _held: bytearray = field(default_factory=bytearray)
    _plain: int = 0
    _lines: int = 0
    _ended: bool = False
    _run: Run | None = None
    _vantage: Vantage | None = None
    _seq: int = -1
    _unpacker: Any = None

    def feed(self, chunk: bytes) -> None:
        """Take in some bytes, at most one step of them decompressed at a time."""
        if not self.gzipped:
            self._take(chunk)
            return
        if self._unpacker is None:
            self._unpacker = zlib.decompressobj(_GZIP)
        while chunk and not self._unpacker.eof:
            try:
                piece = self._unpacker.decompress(chunk, _STEP)
            except zlib.error:
                raise BundleError("the answer is not gzip") from None
            chunk = self._unpacker.unconsumed_tail
            self._take(piece)

    def close(self) -> tuple[Row, ...]:
        """The facts, once all has come and is whole."""
        if not self._ended or self._held:
            raise BundleError("the answer is cut")
        return tuple(self._rows)

    def _take(self, piece: bytes) -> None:
        self._plain += len(piece)
        if self._plain > self.bounds.plain:
            raise BundleError("the answer is too big")
        *whole, rest = piece.split(b"\n")
        for end in whole:
            line = bytes(self._held) + end
            self._held.clear()
            self._line(line)
        self._held += rest
        if len(self._held) > self.bounds.line:
            raise BundleError("a line is too long")

    def _line(self, line: bytes) -> None:
        self._lines += 1
        if self._lines > self.bounds.lines or len(line) > self.bounds.line:
            raise BundleError("a line is too long, or there are too many")
        if self._ended:
            raise BundleError("something comes after the end")
        if self.head is None:
            self.head = _parse_head(line)
        elif line.startswith((b'{"counts":', b'{"end":')):
            self._finish(_decoded(HelperEnd, line))
        else:
            self._fact(parse_fact(line))

    def _fact(self, row: Row) -> None:
        match row:
            case Vantage() if self._vantage is None and self.head is not None:
                _must(row.role == "control" and row.vantage_id == self.head.vantage_id, "vantage")
                self._vantage = row
            case Run() if self._run is None and self._vantage is not None:
                _must(row.vantage_id == self._vantage.vantage_id, "run")
                self._run = row
            case Measurement() if self.measurement is None and self._run is not None:
                check = ENDPOINTS_CHECK if self.request.endpoints else WHOLE_CHECK
                belongs = row.run_id == self._run.run_id and row.url == self.request.url and row.answers is None
                _must(belongs and row.checks == check, "measurement")
                self.measurement = row
            case ObservationRow() if self.measurement is not None:
                belongs = row.measurement_id == self.measurement.measurement_id and row.seq > self._seq
                _must(belongs and (row.parent is None or 0 <= row.parent < row.seq), "observation")
                self._seq = row.seq
            case Blob() if self.measurement is not None:
                _must(row.media == CERTIFICATE_TYPE, "blob")
            case _:
                raise BundleError("a fact is out of order, or there are two where one belongs")
        self._rows.append(row)

    def _finish(self, end: HelperEnd) -> None:
        _must(end.end == 1 and end.counts == len(self._rows) and self.measurement is not None, "end")
        self._ended = True


def _parse_head(line: bytes) -> HelperHead:
    head: HelperHead = _decoded(HelperHead, line)
    if head.helper != PROTOCOL:
        raise BundleError(f"helper protocol {head.helper} is not known here")
    client = head.client
    # What is no address must never reach the scrubber: it would cut that text out of evidence.
    if client.address and address_of(client.address) is None:
        raise BundleError("the address seen is no address")
    if len(client.cc) > 2 or len(client.says) > 120 or len(head.software) > 64 or len(head.version) > 64:
        raise BundleError("a field of the first line is too long")
    return head


def _decoded(cls: type[Any], line: bytes) -> Any:
    try:
        return decode(cls, load_object(line))
    except CodecError as error:
        raise BundleError(str(error)) from None


def _must(belongs: bool, what: str) -> None:
    if not belongs:
        raise BundleError(f"{what}: does not belong to what was asked")
