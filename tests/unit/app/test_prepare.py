"""A plan before the first packet: order by its seed, what a person denies, and what is announced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from probe.app.announce import announce, announced_text
from probe.app.prepare import DENY_FILE, Prepared, prepare
from probe.app.wanted import Wanted
from probe.model.errors import UsageError

HOSTS = tuple(f"https://site{n}.example/" for n in range(30))


def planned(*urls: str, **more: object) -> Prepared:
    wanted = Wanted(urls=urls or HOSTS, **more)  # type: ignore[arg-type]
    return prepare(wanted, local_resolvers=("udp://192.168.1.1:53",))


def order(plan: Prepared) -> list[str]:
    return [item.target.normal for item in plan.items]


def test_the_order_is_thrown_anew_and_its_seed_recorded() -> None:
    one, two = planned(), planned()
    assert order(one) != order(two) and sorted(order(one)) == sorted(HOSTS)
    assert json.loads(one.config())["order_seed"] == one.seed
    assert order(planned(seed=one.seed)) == order(one)
    assert planned(seed=one.seed).canaries == one.canaries


def test_the_order_does_not_depend_on_how_targets_were_given() -> None:
    assert order(planned(*HOSTS, seed=5)) == order(planned(*reversed(HOSTS), seed=5)) != list(HOSTS)


def test_what_is_denied_is_left_out_everywhere(tmp_path: Path, own_home: Path) -> None:
    mine = tmp_path / "never.txt"
    mine.write_text("site1.example\n1.1.1.0/24\n")
    (own_home / DENY_FILE).write_text("site2.example # every time\n")
    whole, plan = planned(seed=1), planned(seed=1, deny=(mine,))
    assert set(order(whole)) - set(order(plan)) == {HOSTS[1]} and HOSTS[2] not in order(whole)
    assert (whole.denied, plan.denied, json.loads(plan.config())["denied"]) == (1, 2, 2)
    assert not any("1.1.1." in url for url in plan.resolvers) and any("1.1.1." in url for url in whole.resolvers)
    assert plan.policy.refuses("www.site1.example") and plan.policy.allows("1.1.1.1", 443)


def test_a_denied_canary_is_never_picked(tmp_path: Path) -> None:
    mine = tmp_path / "never.txt"
    mine.write_text("\n".join(target.host for target in planned().canary_pool[1:]))
    assert len(planned(deny=(mine,)).canaries) == 1


def test_a_denied_helper_and_a_plan_with_nothing_left_are_refused(tmp_path: Path) -> None:
    mine = tmp_path / "never.txt"
    mine.write_text("helper.example\nsite1.example")
    with pytest.raises(UsageError, match="deny list"):
        planned(deny=(mine,), controls=("https://helper.example",))
    with pytest.raises(UsageError, match="every target is denied"):
        planned(HOSTS[1], deny=(mine,))


def test_everything_that_would_be_contacted_is_announced() -> None:
    plan = planned("https://a.example:8443/x", "http://b.example/", controls=("https://helper.example",))
    said = announce(plan)
    assert said["hosts"] == {"a.example": [80, 8443], "b.example": [80, 443]}
    assert said["helpers"] == ["https://helper.example"] and set(said["resolvers"]) == set(plan.resolvers)
    text = "\n".join(announced_text(said))
    for word in (*said["hosts"], *said["canaries"], *said["helpers"], *said["targets"], "192.168.1.1", str(plan.db)):
        assert word in text
    assert all(canary.normal in said["canaries"] for canary in plan.canaries)


def test_without_a_seed_every_canary_that_may_be_picked_is_announced() -> None:
    assert len(announce(planned())["canaries"]) > announce(planned())["canaries_asked"] == 3
    assert len(announce(planned(seed=1))["canaries"]) == 3


def test_the_amount_grows_with_targets_resolvers_and_helpers_and_keeps_to_the_bound() -> None:
    one, many = announce(planned(HOSTS[0], seed=1)), announce(planned(seed=1))
    assert 28 * one["bytes_per_target"] < many["bytes_expected"] < 31 * one["bytes_expected"]
    helped = announce(planned(seed=1, controls=("https://helper.example",)))
    plain = announce(planned(seed=1, resolvers=("udp://9.9.9.9",)))
    assert helped["bytes_per_target"] > many["bytes_per_target"] > plain["bytes_per_target"]
    bound = announce(planned(max_data=1_000_000, max_rate=50_000))
    assert bound["bytes_expected"] == 1_000_000
    text = "\n".join(announced_text(bound))
    assert "Never more than 1.0 MB and one page" in text and "50 kB a second" in text
    assert "--max-data" in "\n".join(announced_text(many))


def test_the_figure_is_of_the_size_of_real_pages() -> None:
    """A complete measurement of a site that is well, with the default resolvers: 100 to 300 kB."""
    assert 100_000 < announce(planned())["bytes_per_target"] < 300_000
