"""Rates and places, by a clock of our own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from probe.serve import Meter, Places
from probe.serve.limits import client_key

SALT = b"0" * 16


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_the_rate() -> None:
    time = Time()
    meter = Meter(60, 2, time)
    assert [meter.wait_s("192.0.2.1") for _ in range(3)] == [0.0, 0.0, 1.0]
    assert meter.wait_s("192.0.2.2") == 0.0
    time.now = 1.0
    assert meter.wait_s("192.0.2.1") == 0.0


def test_a_cost_above_the_burst_can_still_be_paid() -> None:
    meter = Meter(60, 3, Time())
    assert meter.wait_s("192.0.2.1", 50) == 0.0
    assert meter.wait_s("192.0.2.1") == 1.0


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(1, 5)), max_size=60))
def test_never_more_than_burst_and_rate(asks: list[tuple[float, int]]) -> None:
    time = Time()
    meter = Meter(60, 5, time)
    taken = 0
    for after, cost in asks:
        time.now += after
        taken += cost if meter.wait_s("x", cost) == 0.0 else 0
    assert taken <= 5 + time.now + 1e-6


def test_memory_is_bounded() -> None:
    meter = Meter(60, 5, Time(), most=10)
    for n in range(1000):
        meter.wait_s(f"192.0.{n // 250}.{n % 250}")
    assert len(meter._buckets) == 10


def test_an_address_is_kept_as_a_salted_hash_only() -> None:
    meter = Meter(60, 5, Time())
    meter.wait_s("192.0.2.77")
    assert "192.0.2.77" not in repr(vars(meter))
    assert client_key("192.0.2.77", SALT) != client_key("192.0.2.77", b"1" * 16)


def test_a_household_is_one_client() -> None:
    same = ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:2::1%eth0")
    assert len({client_key(ip, SALT) for ip in same}) == 1
    assert client_key("2001:db8:1:3::1", SALT) != client_key("2001:db8:1:2::1", SALT)
    assert client_key("::ffff:192.0.2.1", SALT) == client_key("192.0.2.1", SALT)
    assert client_key("", SALT) != client_key("unix", SALT)


def test_places_are_given_back() -> None:
    places = Places(1, 2)
    with places.hold("a") as first, places.hold("a") as second, places.hold("b") as third, places.hold("c") as fourth:
        assert (first, second, third, fourth) == (True, False, True, False)
    with places.hold("a") as again:
        assert again
    assert not places._held
