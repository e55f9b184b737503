"""Where may be dialled."""

from __future__ import annotations

import ipaddress

import pytest

from probe.inputs.deny import DenyList
from probe.perform.world import Network, Policy

SPECIAL: tuple[tuple[Network, str], ...] = (
    (ipaddress.ip_network("127.0.0.0/8"), "Loopback"),
    (ipaddress.ip_network("10.0.0.0/8"), "Private-Use"),
    (ipaddress.ip_network("0.0.0.0/8"), "This network"),
    (ipaddress.ip_network("0.0.0.0/32"), "This host"),
    (ipaddress.ip_network("::1/128"), "Loopback Address"),
    (ipaddress.ip_network("fe80::/10"), "Link-Local Unicast"),
)


@pytest.mark.parametrize(
    "ip,port,why_not",
    [
        ("192.0.2.1", 443, None),
        ("192.0.2.1", 25, "port: 25"),
        ("127.0.0.1", 443, "special_address: 127.0.0.0/8 Loopback"),
        ("0.0.0.0", 80, "special_address: 0.0.0.0/32 This host"),
        ("::1", 443, "special_address: ::1/128 Loopback Address"),
        ("fe80::1%eth0", 443, "special_address: fe80::/10 Link-Local Unicast"),
        ("::ffff:127.0.0.1", 443, "special_address: 127.0.0.0/8 Loopback"),
        ("64:ff9b::7f00:1", 443, "special_address: 127.0.0.0/8 Loopback"),
        ("64:ff9b::c000:201", 443, None),
        ("2002:0a00:0001::1", 443, "special_address: 10.0.0.0/8 Private-Use"),
        ("localhost", 443, "special_address: not an IP address"),
    ],
)
def test_policy(ip: str, port: int, why_not: str | None) -> None:
    assert Policy(SPECIAL).allows(ip, port) == why_not


def test_allowed_nets_win_and_ports_are_still_asked() -> None:
    policy = Policy(SPECIAL, (ipaddress.ip_network("127.80.0.0/16"),), frozenset({8443}))
    assert policy.allows("127.80.0.1", 8443) is None
    assert policy.allows("::ffff:127.80.0.1", 8443) is None
    assert policy.allows("127.0.0.1", 8443) == "special_address: 127.0.0.0/8 Loopback"
    assert policy.allows("127.80.0.1", 443) == "port: 443"


def test_what_a_person_denies_is_denied_first() -> None:
    denied = DenyList(frozenset({"example.org"}), (ipaddress.ip_network("192.0.2.0/24"),))
    policy = Policy(SPECIAL, (ipaddress.ip_network("192.0.2.0/24"),), denied=denied)
    assert policy.allows("192.0.2.1", 443) == "denied: by the person at this line"
    assert policy.allows("198.51.100.1", 443) is None
    assert policy.refuses("www.example.org") and not policy.refuses("example.net")
