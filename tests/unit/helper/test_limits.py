"""What a helper allows, as values."""

from __future__ import annotations

import pytest

from probe.helper.limits import SERVE_LIMITS, HelperLimits, cost_of, question_for
from probe.model.target import parse_target
from probe.perform.control import EXCHANGE_S
from probe.wire.control import DEFAULT_BOUNDS, MAX_ENDPOINTS, HelperRequest, request_body

ENDPOINT = ("a" * 200 + ".example", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 65535)


@pytest.mark.parametrize(("endpoints", "cost"), [(0, 1), (3, 1), (4, 2), (16, 5)])
def test_endpoints_cost(endpoints: int, cost: int) -> None:
    assert cost_of(HelperRequest("https://example.org/", (ENDPOINT,) * endpoints)) == cost


def test_the_question_is_the_askers_in_the_helpers_terms() -> None:
    request = HelperRequest("https://example.org/", (ENDPOINT,))
    question = question_for(request, parse_target(request.url), ("system",), HelperLimits())
    assert (question.role, question.helpers, question.endpoints) == ("control", (), (ENDPOINT,))
    assert question.addresses_max <= 8 and question.redirects_max <= 10


def test_both_sides_bounds_fit_each_other() -> None:
    limits = HelperLimits()
    # What a helper sends at most is what a field takes, and in time.
    assert limits.plain < DEFAULT_BOUNDS.plain and limits.lines < DEFAULT_BOUNDS.lines
    assert limits.total_s + 10 < EXCHANGE_S < SERVE_LIMITS.request_s
    # The longest request that a field can send is one that a helper reads.
    longest = HelperRequest("https://example.org/" + "x" * 4000, (ENDPOINT,) * MAX_ENDPOINTS, "9" * 64)
    assert len(request_body(longest)) < SERVE_LIMITS.body
