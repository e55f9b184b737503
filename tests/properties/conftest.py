"""One profile of Hypothesis for all properties: the same examples every time, and no deadline on slow machines.
`HYPOTHESIS_PROFILE=search` looks for new examples."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_CHECKS = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large)
settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=_CHECKS, database=None)
settings.register_profile("search", deadline=None, max_examples=3000, suppress_health_check=_CHECKS, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
