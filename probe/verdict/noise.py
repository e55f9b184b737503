"""Is it the target, or this line's own noise? A sequential test that says how many tries are enough, both ways.

Every try at an endpoint passes or fails. On a line whose innocent operations fail with probability p0, failures of a
blocked endpoint (which fails nine times in ten) pile up faster than noise can: Wald's ratio test stops as soon as the
evidence is strong enough either way. With the bounds below a quiet line needs three failures in a row, one that loses
a tenth of its operations five, a worse one more than is ever tried.
"""

from __future__ import annotations

from math import comb, log
from typing import Literal

Ratio = Literal["apart", "noise", "open"]

# A. Wald, Sequential Tests of Statistical Hypotheses (1945): the error of calling noise a block, and the reverse.
ALPHA, BETA = 1e-4, 0.05
# How often a blocked endpoint fails: censors miss some connections (Bock et al. 2021; Ensafi et al. 2015).
P_BLOCKED = 0.9
# No line is taken to be better than this, and none to be so bad that a failure says nothing at all.
FLOOR, CEILING = 0.02, 0.6
MIXED = 0.01
# What is believed of a line before anything was tried on it: half a failure in twenty-five.
PRIOR_FAILED, PRIOR_TRIED = 0.5, 25.0


def noise_of(failed: int, tried: int) -> float:
    """The probability that an operation towards something healthy fails on this line."""
    return min(CEILING, max(FLOOR, (failed + PRIOR_FAILED) / (max(tried, failed) + PRIOR_TRIED)))


def weigh(failed: int, passed: int, p0: float) -> Ratio:
    """What so many failed and passed tries at one endpoint say against noise `p0`: `apart` from it, mere `noise`, or
    still `open`."""
    ratio = failed * log(P_BLOCKED / p0) + passed * log((1 - P_BLOCKED) / (1 - p0))
    if ratio >= log((1 - BETA) / ALPHA):
        return "apart"
    return "noise" if ratio <= log(BETA / (1 - ALPHA)) else "open"


def is_mixed(failed: int, passed: int, p0: float) -> bool:
    """Whether several failures beside passes are worth a word: noise would bring as many in less than one case in a
    hundred (the upper tail of the binomial distribution)."""
    n = failed + passed
    tail = sum(comb(n, k) * p0**k * (1 - p0) ** (n - k) for k in range(failed, n + 1))
    return failed >= 2 and tail < MIXED
