"""As root: a dozen cases in real labs, every end where it belongs, and nothing left behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.lab import spaces
from tests.lab.cases import LabCase, grouped, load
from tests.lab.real import lacking
from tests.lab.runner import run_group
from tests.lab.world import open_lab

pytestmark = pytest.mark.root
# Something of each layer and of each look-alike, none that has to wait out many a deadline.
_SOME = (
    "ok", "ok-cdn", "restricted-here", "control-refused", "down-refused", "down-other-name", "tls-reset-sni",
    "tls-mitm-self-signed", "http-blockpage", "http-reset-host", "dns-isp-nxdomain", "dns-race-all",
    "line-nat64-both", "line-vpn", "dns-unbound-bogon", "control-lies-down",
)  # fmt: skip
# Sends one datagram for each TTL and prints who returned it: the router's address stands in the error queue.
_HOPS = """
import socket, struct, time
for ttl in (1, 2, 3):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
    s.setsockopt(socket.IPPROTO_IP, 11, 1)
    s.sendto(b'x' * 20, ('8.8.8.8', 53))
    time.sleep(0.3)
    _, ancillary, _, _ = s.recvmsg(512, 512, socket.MSG_ERRQUEUE)
    print(socket.inet_ntoa(ancillary[0][2][20:24]))
"""


def _left_behind() -> list[str]:
    return [path.name for path in Path("/var/run/netns").glob(f"{spaces.own()}*")]


@pytest.fixture(autouse=True)
def able() -> None:
    if reason := spaces.missing():
        pytest.skip(f"no lab here: {reason}")
    spaces.remove_orphans()


def _groups() -> list[tuple[LabCase, ...]]:
    return list(grouped(tuple(case for case in load() if case.id in _SOME)))


def test_each_router_is_a_hop() -> None:
    with open_lab(_groups()[0][:1]) as lab:
        done = lab.volunteer(sys.executable, "-c", _HOPS)
        assert done.stdout.split() == ["39.50.0.1", "39.50.0.9", "62.115.0.1"], done.stderr
        assert _left_behind()
    assert not _left_behind()


@pytest.mark.parametrize("group", _groups(), ids=lambda group: group[0].id)
def test_cases_come_out_right(group: tuple[LabCase, ...]) -> None:
    cases = [case for case in group if not lacking(case.needs)]
    if not cases:
        pytest.skip(lacking(group[0].needs))
    results = run_group(cases)
    assert [(r.id, r.got, r.explanation) for r in results if not r.right] == []
    assert len(results) == len(cases)
    assert not _left_behind()
