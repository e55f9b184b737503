"""The speed check played against thousands of situations drawn at random: whoever is innocent stays so, and whoever is
slowed down on purpose is found, on lines of all sorts."""

from __future__ import annotations

from collections import Counter
from random import Random

from tests.cases.paces import PART, Paces
from tests.cases.timed import Flow, Timed

# Raise this when the thresholds are touched (30,000 take three minutes).
INNOCENTS = 1_500
CENSORS = 150
ACCUSING = ("blocked", "likely_blocked")


def innocent(seed: int) -> tuple[str, Timed]:
    """(its cause, the situation) of that number."""
    r = Random(seed)
    paces = Paces(r)

    def flow(attempt: int, trial: bool, ip: str, size: int) -> Flow:
        edge = ip.endswith(".2")
        return paces.trial(attempt) if trial else paces.own(attempt, min(size or PART, paces.page), edge)

    edges = paces.cause == "one slow edge" or r.random() < 0.3
    url = r.choice(("https", "http")) + "://site.example/"
    return paces.cause, Timed(flow, paces.helpers, url, edges, control=paces.there(), others=paces.others())


def test_nobody_is_accused_for_being_slow() -> None:
    accused = []
    for seed in range(INNOCENTS):
        cause, situation = innocent(seed)
        situation.play()
        said = situation.judged()
        if said.outcome in ACCUSING:
            accused.append((seed, cause, said.rules, said.explanation))
    assert accused == []


def test_the_situations_lead_far_enough_to_be_a_test() -> None:
    steps = Counter[str]()
    for seed in range(300):
        cause, situation = innocent(seed)
        steps[cause] += len(situation.play())
    assert len(steps) >= 10 and steps["fast"] < 30
    assert all(steps[cause] > 10 for cause in ("slow line", "lossy line", "full line", "grudging server"))


def slowed(seed: int, by: str) -> Timed:
    """A site that is policed, delayed or frozen by its name in the handshake, on some line."""
    r = Random(seed)
    rtt, rate, lossy = r.uniform(10, 250), r.uniform(4_000, 20_000), r.random() < 0.3
    spread = 0.25 if lossy else 0.1

    def flow(attempt: int, trial: bool, ip: str, size: int) -> Flow:
        segments = max(1, size // 1_400)
        lost = sum(r.random() < 0.03 for _ in range(segments)) if lossy else 0
        well = {"size": size, "rate": r.uniform(2e5, 2e6) * r.lognormvariate(0, spread), "rtt": rtt, "lost": lost}
        if trial or by == "none":
            return well | {"late": r.uniform(0, 60)}
        if by == "delay":
            return well | {"late": r.uniform(0.9, 1.1) * max(800, 3 * rtt)}
        if by == "freeze":
            return {"raw": 16_000 - r.randrange(1_400), "quiet": 10_000, "rtt": rtt}
        return well | {"rate": rate * r.lognormvariate(0, 0.05), "lost": max(1, segments // 30)}

    return Timed(flow, lambda: (r.uniform(2e5, 2e6), 60, 0), met="still" if by == "freeze" else "ok")


def test_whoever_is_slowed_down_by_name_is_found() -> None:
    found = Counter[tuple[str, str]]()
    for by, technique in (("rate", "tls.throttle.sni"), ("delay", "tls.throttle.sni"), ("freeze", "tls.freeze.sni")):
        for seed in range(CENSORS):
            situation = slowed(seed, by)
            if by == "freeze":
                for attempt in (2, 3):
                    situation.here.walk(
                        "192.0.2.1", "still", attempt=attempt, flow=situation.flow(attempt, False, "", 0)
                    )
            situation.play()
            found[by, situation.said()] += 1
        assert found[by, technique] >= 0.95 * CENSORS, found
