"""An address that nobody told us is taken out where a site echoes it; evidence that leads somewhere stays."""

from __future__ import annotations

import hashlib
import json

import pytest

from probe.app.guard import Guard
from probe.model.kinds import DnsLookup, HttpFetch, Record, TcpConnect
from probe.model.observation import Blob
from probe.store.scrub import MARK, Scrubber
from probe.wire.facts import ObservationRow, detail_text

OURS, OURS6, SITE = "39.50.10.2", "2a02:1234:5678::9", "45.60.1.7"


def fact(detail: HttpFetch | TcpConnect | DnsLookup, ip: str | None = None) -> ObservationRow:
    return ObservationRow("a" * 32, 0, detail.kind, detail_text(detail), ip=ip)


def page(text: str) -> Blob:
    data = text.encode()
    return Blob(hashlib.sha256(data).hexdigest(), "text/html", data)


@pytest.mark.parametrize("address", [OURS, OURS6])
def test_an_echo_in_page_and_header_is_taken_out(address: str) -> None:
    guard = Guard(Scrubber())
    blob = page(f"<p>You come from {address}, friend.</p>")
    kept = guard(blob)
    row = guard(fact(HttpFetch("http://x.example/", headers=(("X-Client", address),), body=blob.sha256)))
    assert isinstance(kept, Blob) and isinstance(row, ObservationRow)
    assert address.encode() not in kept.data and address not in row.detail and MARK in row.detail
    assert json.loads(row.detail)["body"] == kept.sha256


def test_where_a_redirect_or_notice_leads_stays() -> None:
    guard = Guard(Scrubber())
    blob = page('<iframe src="http://119.73.65.87:8080/redirect.html?accessurl=x"></iframe>')
    row = fact(HttpFetch("http://x.example/", location="http://119.73.65.87/notice"))
    assert guard(blob) is blob and guard(row) is row


def test_dialled_and_private_addresses_stay() -> None:
    guard = Guard(Scrubber())
    guard(fact(TcpConnect(), ip=SITE))
    blob = page(f"served by {SITE} behind 10.0.0.1, version 1.2.3")
    assert guard(blob) is blob


def test_once_the_address_is_known_only_that_one_goes() -> None:
    guard = Guard(Scrubber())
    guard.learn(OURS)
    kept = guard(page(f"{OURS} and 8.8.4.4"))
    assert isinstance(kept, Blob) and kept.data == f"{MARK} and 8.8.4.4".encode()


def test_one_echo_says_nothing_of_the_next_fact() -> None:
    guard = Guard(Scrubber())
    guard(page("see 45.60.9.9"))
    guard(fact(HttpFetch("http://x.example/")))
    answer = fact(DnsLookup("udp://9.9.9.9", "A", answers=(Record("y.example", "A", 60, "45.60.9.9"),)))
    assert guard(answer) is answer
