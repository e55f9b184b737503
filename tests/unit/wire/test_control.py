"""The words of field and helper: what is read, and every kind of lie that is not."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import BundleError
from probe.model.measurement import Measurement
from probe.model.observation import Blob
from probe.model.vantage import Run, Vantage
from probe.wire.control import (
    CERTIFICATE_TYPE,
    MAX_ENDPOINTS,
    AnswerBounds,
    AnswerReader,
    HelperHead,
    HelperRequest,
    SeenClient,
    end_line,
    head_line,
    parse_request,
    request_body,
)
from probe.wire.facts import ObservationRow, Row, fact_line

URL = "https://example.org/"
ASKED = HelperRequest(URL, version="0")
V, R, M = "a" * 32, "b" * 32, "c" * 32
HEAD = HelperHead(1, "vantage-probe", "0", V, SeenClient("192.0.2.9", "NL", 64500, "netdb:2026:ab"))
NOW = "2026-01-01T00:00:00.000000Z"
CERT = Blob(hashlib.sha256(b"cert").hexdigest(), CERTIFICATE_TYPE, b"cert")
FACTS: tuple[Row, ...] = (
    Vantage(V, "control"),
    Run(R, V, NOW),
    Measurement(M, R, URL, "web", NOW),
    CERT,
    ObservationRow(M, 0, "tcp.connect", ip="192.0.2.1", port=443),
    ObservationRow(M, 1, "future.kind", '{"novel":[1,2]}', parent=0),
)


def answer(*facts: Row, head: HelperHead = HEAD, counts: int | None = None) -> bytes:
    told = [fact_line(row) for row in facts]
    lines = [head_line(head), *told, end_line(len(told) if counts is None else counts)]
    return "".join(line + "\n" for line in lines).encode()


def read(data: bytes, asked: HelperRequest = ASKED, step: int = 7, **more: Any) -> tuple[Row, ...]:
    reader = AnswerReader(asked, **more)
    for at in range(0, len(data), step):
        reader.feed(data[at : at + step])
    return reader.close()


@pytest.mark.parametrize("step", [1, 7, 1_000_000])
@pytest.mark.parametrize("gzipped", [False, True])
def test_an_answer_gives_its_facts_whatever_the_chunks(step: int, gzipped: bool) -> None:
    data = answer(*FACTS)
    assert read(gzip.compress(data) if gzipped else data, step=step, gzipped=gzipped) == FACTS


def test_the_head_is_there_before_any_fact() -> None:
    reader = AnswerReader(ASKED)
    reader.feed(head_line(HEAD).encode() + b"\n")
    assert reader.head == HEAD


def test_fields_of_a_newer_helper_are_passed_over() -> None:
    head = json.loads(head_line(HEAD)) | {"novel": {"deep": [1]}}
    assert read(json.dumps(head).encode() + b"\n" + answer(*FACTS).split(b"\n", 1)[1]) == FACTS


@pytest.mark.parametrize("cut", range(0, len(answer(*FACTS)), 31))
def test_a_cut_answer_is_no_answer(cut: int) -> None:
    with pytest.raises(BundleError):
        read(answer(*FACTS)[:cut])


OTHER = "d" * 32
LIES: dict[str, bytes] = {
    "another protocol": answer(*FACTS, head=HelperHead(2, "", "", V)),
    "no address": answer(*FACTS, head=HelperHead(1, "", "", V, SeenClient("the page's title"))),
    "long country": answer(*FACTS, head=HelperHead(1, "", "", V, SeenClient("", "NLX"))),
    "no facts": answer(),
    "field vantage": answer(Vantage(V, "field"), *FACTS[1:]),
    "another vantage": answer(Vantage(OTHER, "control"), *FACTS[1:]),
    "another run's vantage": answer(FACTS[0], Run(R, OTHER, NOW), *FACTS[2:]),
    "another run": answer(*FACTS[:2], Measurement(M, OTHER, URL, "web", NOW)),
    "another url": answer(*FACTS[:2], Measurement(M, R, "https://example.com/", "web", NOW)),
    "a claim to answer": answer(*FACTS[:2], Measurement(M, R, URL, "web", NOW, OTHER)),
    "another check": answer(*FACTS[:2], Measurement(M, R, URL, "endpoints", NOW)),
    "two measurements": answer(*FACTS[:3], Measurement(OTHER, R, URL, "web", NOW)),
    "another measurement's fact": answer(*FACTS[:3], ObservationRow(OTHER, 0, "tcp.connect")),
    "a fact twice": answer(*FACTS, FACTS[-1]),
    "a parent to come": answer(*FACTS[:3], ObservationRow(M, 0, "tcp.connect", parent=1)),
    "a body": answer(*FACTS, Blob(CERT.sha256, "text/html", CERT.data)),
    "facts before the run": answer(FACTS[0], FACTS[2]),
    "wrong count": answer(*FACTS, counts=5),
    "more after the end": answer(*FACTS) + fact_line(CERT).encode() + b"\n",
    "no json": head_line(HEAD).encode() + b"\n<html>\n",
    "wrong types": head_line(HEAD).encode() + b'\n{"fact":"vantage","vantage_id":7,"role":[]}\n',
    "deep": head_line(HEAD).encode() + b"\n" + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"\n",
    "nan": head_line(HEAD).encode() + b'\n{"counts":NaN,"end":1}\n',
}


@pytest.mark.parametrize("name", LIES)
def test_lies_are_refused(name: str) -> None:
    with pytest.raises(BundleError):
        read(LIES[name], step=4096)


@pytest.mark.parametrize("gzipped", [False, True])
def test_endless_answers_stop_at_the_bounds(gzipped: bool) -> None:
    bounds = AnswerBounds(plain=100_000, lines=50, line=10_000)
    for flood in (b"\n" * 60, b"x" * 20_000, b"x" * 200_000):
        data = head_line(HEAD).encode() + b"\n" + flood
        with pytest.raises(BundleError):
            read(gzip.compress(data) if gzipped else data, gzipped=gzipped, bounds=bounds, step=65_536)


def test_a_gzip_bomb_stops_before_it_is_unpacked() -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    reader = AnswerReader(ASKED, gzipped=True)
    with pytest.raises(BundleError, match="too"):
        reader.feed(bomb)
    assert reader._plain < 5_000_000


def test_what_is_no_gzip_is_refused() -> None:
    with pytest.raises(BundleError, match="gzip"):
        AnswerReader(ASKED, gzipped=True).feed(b"plain text")


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_a_bundle_error(data: bytes) -> None:
    for gzipped in (False, True):
        try:
            read(data, gzipped=gzipped)
        except BundleError:
            continue


def test_a_request_goes_there_and_back() -> None:
    request = HelperRequest(URL, (("example.org", "2001:db8::1", 443),), "2026.1")
    assert parse_request(request_body(request)) == request


def test_the_request_holds_nothing_but_the_question() -> None:
    assert set(json.loads(request_body(HelperRequest(URL, (("a.example", "192.0.2.1", 80),), "1")))) == {
        "url",
        "endpoints",
        "version",
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"url": 1}',
        b'{"url": "ftp://example.org/"}',
        b'{"url": "https://user:pw@example.org/"}',
        b'{"url": "https://example.org/", "endpoints": [["example.org", "192.0.2.1"]]}',
        b'{"url": "https://example.org/", "endpoints": [["example.org", "192.0.2.1", 0]]}',
        b'{"url": "https://example.org/", "endpoints": [["example.org", "192.0.2.1", true]]}',
        b'{"url": "https://example.org/", "endpoints": [["example.org", "localhost", 80]]}',
        b'{"url": "https://example.org/", "endpoints": [["a b", "192.0.2.1", 80]]}',
        b'{"url": "https://example.org/", "version": "%s"}' % (b"1" * 65),
        json.dumps({"url": URL, "endpoints": [["a.example", "192.0.2.1", 80]] * (MAX_ENDPOINTS + 1)}).encode(),
        b"\xff\xfe",
        b'{"a":' * 4000,
    ],
)
def test_bad_requests_are_one_line(body: bytes) -> None:
    with pytest.raises(BundleError) as told:
        parse_request(body)
    assert "\n" not in str(told.value) and len(str(told.value)) < 400
