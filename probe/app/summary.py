"""The end of a run in plain words: what looks blocked on this network, what could not be judged and why, what next.

Said of this network and this time only, and never that a site is "censored": who did what is not in these facts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from probe.app.eta import size
from probe.app.home import default_db
from probe.app.look import Found
from probe.model.outcome import OUTCOMES, REASON_MEANING, REASONS
from probe.model.target import parse_target
from probe.model.verdict import Judgement

SUSPECT = ("blocked", "likely_blocked")
# Names in one sentence; the rest is counted, and listed below it in any case.
NAMED = 5
# Where the meaning of a reason is no clause that could follow "because".
_BECAUSE = {"no_control": "there was no control measurement to compare with"}
# For one site, for several.
_OTHERS = {
    "impaired": ("works only in part, or at times, and nobody can say why", "work only in part, or at times"),
    "restricted": ("refuses visitors from here by itself", "refuse visitors from here by themselves"),
    "down": ("does not work from the control either", "do not work from the control either"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One target and what was found. `how` is the techniques, joined by spaces."""

    url: str
    host: str
    measurement_id: str
    outcome: str
    reason: str | None
    how: str
    explanation: str

    @property
    def is_cut(self) -> bool:
        """It was not measured to its end, since the run was stopped."""
        return self.reason in ("interrupted", "budget")


def told(judgement: Judgement, url: str) -> Told:
    """From a verdict just reached."""
    j = judgement
    how = " ".join(j.techniques)
    return Told(url, j.host, j.measurement_id, j.outcome, j.reason, how, j.explanation)


def told_before(found: Iterable[Found]) -> list[Told]:
    """From verdicts that lie in a database; what nobody judged is left out."""
    return [
        Told(
            f.measurement.url, parse_target(f.measurement.url).host, f.measurement.measurement_id,
            f.headline.outcome, f.headline.reason, f.headline.technique or "", f.headline.explanation,
        )
        for f in found
        if f.headline is not None
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Closing:
    """What a summary is made from. `unmeasured` counts targets that were not measured to their end."""

    found: tuple[Told, ...]
    unmeasured: int
    db: Path
    bytes_used: int
    interrupted: bool = False
    over_budget: bool = False
    helper_trouble: str = ""

    @property
    def suspects(self) -> list[Told]:
        """What looks blocked, the surest first."""
        return by_outcome(t for t in self.found if t.outcome in SUSPECT)


def by_outcome(found: Iterable[Told]) -> list[Told]:
    """In the order of the outcomes, then of hosts."""
    return sorted(found, key=lambda t: (OUTCOMES.index(t.outcome), t.host, t.url))


def summary(c: Closing) -> list[str]:
    """The lines for a person, without colour or layout."""
    judged = [t for t in c.found if not t.is_cut]
    lines = [_sentence(c.suspects, judged)]
    lines += [f"  {t.outcome}: {t.explanation}" for t in c.suspects]
    counts = Counter(t.outcome for t in judged)
    lines += [
        f"{_count(counts[word], 'site')} {said[counts[word] != 1]}." for word, said in _OTHERS.items() if counts[word]
    ]
    lines += _unjudged(judged)
    if c.helper_trouble:
        lines.append(
            f"The control helper was not reached ({c.helper_trouble}); without it little can be called blocked."
        )
    lines += _cut(c)
    lines.append(f"All facts are kept in {c.db}; {size(c.bytes_used)} of traffic. No result was sent to anybody.")
    return lines


def _sentence(suspects: Sequence[Told], judged: Sequence[Told]) -> str:
    if not judged:
        return "Nothing was measured to its end."
    sites = _count(len(judged), "site")
    if all(t.outcome == "insufficient" for t in judged):
        return f"Of {sites} measured, nothing can be said."
    names = list(dict.fromkeys(t.host for t in suspects))
    if not names:
        return f"None of {sites} looks blocked on this network."
    shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    verb = "looks" if len(suspects) == 1 else "look"
    return f"{len(suspects)} of {sites} {verb} blocked on this network: {shown}."


def _unjudged(judged: Sequence[Told]) -> list[str]:
    reasons = Counter(t.reason for t in judged if t.outcome == "insufficient" and t.reason)
    return [
        f"{reasons[r]} could not be judged because {_BECAUSE.get(r, REASON_MEANING[r])}." for r in REASONS if reasons[r]
    ]


def _cut(c: Closing) -> list[str]:
    if not c.unmeasured:
        return []
    why = (
        "Interrupted"
        if c.interrupted
        else "The time or data you allowed is used up"
        if c.over_budget
        else "Ended early"
    )
    verb = "is" if c.unmeasured == 1 else "are"
    return [f"{why}: {_count(c.unmeasured, 'target')} {verb} not measured yet. Everything measured so far is saved."]


def next_steps(c: Closing) -> list[tuple[str, str]]:
    """(command, what it is for), most useful first."""
    db = "" if c.db.absolute() == default_db().absolute() else f" --db {c.db}"
    steps = []
    if c.unmeasured:
        steps.append((f"probe run --resume{db}", "go on where it stopped"))
    if c.suspects:
        first = c.suspects[0]
        steps.append((f"probe show {first.measurement_id[:8]}{db}", f"the evidence for {first.host}, step by step"))
    if any(t.reason == "no_control" for t in c.found):
        steps.append((f"probe run --control https://HELPER{db}", "with a control to compare with"))
    if any(t.reason in ("no_network", "captive_portal", "clock_wrong", "own_fault") for t in c.found):
        steps.append(("probe doctor --network", "what is wrong with this line or machine"))
    steps.append((f"probe list{db}", "this run and earlier ones"))
    steps.append((f"probe report {c.db}" if db else "probe report", "a page to read or hand on"))
    return steps


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
