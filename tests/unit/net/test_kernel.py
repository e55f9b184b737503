"""The kernel's structs: short ones, and errors of both IP versions."""

from __future__ import annotations

import socket
import struct
import sys

import pytest

from probe.model.kinds import Icmp
from probe.net.base import Failure, UdpPlan
from probe.net.errqueue import QueuedError, parse_error
from probe.net.hops import NOT_SUPPORTED, limit_hops
from probe.net.roundtrips import MOST, RoundTrips
from probe.net.tcpinfo import parse_tcp_info
from probe.net.udp import is_answer, linger_s


def tcp_info_bytes(min_rtt: int = 90) -> bytes:
    """A struct tcp_info as Linux lays it out, through rcv_ooopack."""
    u32 = [0] * 24
    u32[11], u32[12], u32[15], u32[23] = 900, 40, 120, 3  # last_data_recv, last_ack_recv, rtt, total_retrans
    head = struct.pack("=8B24I", 1, *[0] * 7, *u32)
    counts = struct.pack("=4Q6I", 0, 0, 517, 4_000, 9, 7, 0, min_rtt, 0, 0)
    return head + counts + struct.pack("=4Q2I2Q3I", 0, 0, 0, 0, 0, 0, 517, 33, 0, 0, 5)


def test_a_whole_struct() -> None:
    info = parse_tcp_info(tcp_info_bytes() + bytes(60))
    assert info is not None
    assert (info.state, info.rtt_us, info.min_rtt_us, info.retransmits) == (1, 120, 90, 3)
    assert (info.bytes_acked, info.bytes_received, info.segs_out, info.segs_in) == (517, 4_000, 9, 7)
    assert (info.bytes_retrans, info.out_of_order, info.quiet_ms) == (33, 5, 40)


def test_an_older_kernel_tells_less() -> None:
    info = parse_tcp_info(tcp_info_bytes()[:160])
    assert info is not None and (info.segs_in, info.bytes_retrans) == (7, 0)


def test_a_kernel_too_old_to_count_segments_tells_nothing() -> None:
    assert parse_tcp_info(tcp_info_bytes()[:104]) is None


def test_no_round_trip_yet() -> None:
    info = parse_tcp_info(tcp_info_bytes(min_rtt=0xFFFF_FFFF))
    assert info is not None and info.min_rtt_us == 0


def queued(origin: int, kind: int, code: int, sockaddr: bytes, number: int = 113) -> bytes:
    return struct.pack("=IBBBBII", number, origin, kind, code, 0, 0, 0) + sockaddr


IPV4 = socket.AF_INET.to_bytes(2, sys.byteorder) + bytes(2) + socket.inet_aton("192.0.2.9") + bytes(8)
IPV6 = socket.AF_INET6.to_bytes(2, sys.byteorder) + bytes(6) + socket.inet_pton(socket.AF_INET6, "2001:db8::9")


@pytest.mark.parametrize(
    ("data", "icmp"),
    [
        (queued(2, 3, 13, IPV4), Icmp(3, 13, "192.0.2.9")),
        (queued(3, 1, 1, IPV6 + bytes(4)), Icmp(1, 1, "2001:db8::9")),
        (queued(2, 11, 0, b""), Icmp(11, 0, "")),
        (queued(1, 0, 0, IPV4), None),
        (b"", None),
    ],
    ids=["v4", "v6", "no sender", "our own kernel", "empty"],
)
def test_queued_errors(data: bytes, icmp: Icmp | None) -> None:
    assert parse_error(data).icmp == icmp


@pytest.mark.skipif(sys.platform != "linux", reason="errno numbers of Linux")
def test_no_route_said_by_a_router_is_about_the_path() -> None:
    assert QueuedError(101, None).failure == Failure("network_unreachable", "ENETUNREACH")
    assert QueuedError(101, Icmp(3, 0, "192.0.2.9")).failure == Failure("host_unreachable", "ENETUNREACH")


@pytest.mark.parametrize(
    ("data", "yes"),
    [
        (b"\x12\x34\x80", True),
        (b"\x12\x34\x01\x80", False),
        (b"\x12\x35\x80", False),
        (b"\x12\x34", False),
        (b"", False),
    ],
)
def test_what_counts_as_an_answer(data: bytes, yes: bool) -> None:
    assert is_answer(b"\x12\x34\x01\x00", data) is yes


@pytest.mark.parametrize("family,level,option", [
    (socket.AF_INET, socket.IPPROTO_IP, socket.IP_TTL),
    (socket.AF_INET6, socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS),
])  # fmt: skip
def test_hop_limits_of_both_families(family: socket.AddressFamily, level: int, option: int) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        assert limit_hops(sock, 7) is None
        assert sock.getsockopt(level, option) == 7
        assert limit_hops(sock, 300) == NOT_SUPPORTED


def test_the_least_round_trip_counts_and_strangers_take_the_usual_one() -> None:
    trips = RoundTrips()
    assert trips.of("192.0.2.1") is None
    for took_us in (30_000, 20_000, 90_000, 0):
        trips.note("192.0.2.1", took_us)
    trips.note("192.0.2.2", 40_000)
    assert (trips.of("192.0.2.1"), trips.of("192.0.2.2"), trips.of("192.0.2.3")) == (20_000, 40_000, 30_000)


def test_round_trips_of_old_are_forgotten() -> None:
    trips = RoundTrips()
    for n in range(MOST + 1):
        trips.note(f"2001:db8::{n:x}", 1_000 + n)
    assert trips.of("2001:db8::0") == trips.of("192.0.2.1") != 1_000
    assert trips.of("2001:db8::1") == 1_001


@pytest.mark.parametrize("after_us,known_us,seconds", [
    (10_000, None, 0.15),  # nothing known of the path: the plan's own word
    (100_000, None, 0.2),
    (10_000, 60_000, 0.12),  # early, on a path known to be longer: round trips of the path
    (5_000, 4_000, 0.05),  # a fast line does not wait long
    (5_000_000, 60_000, 1.0),
    (10_000, 5_000_000, 1.0),
])  # fmt: skip
def test_the_window_follows_the_path(after_us: int, known_us: int | None, seconds: float) -> None:
    assert linger_s(UdpPlan(), after_us, known_us) == seconds
