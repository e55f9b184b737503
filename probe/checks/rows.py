"""How rules are written: the rows that every set of findings has, and one way to write a further one.

Numbers 001-019 are validity, 020-039 artefacts, 040-099 decisions, of which 060-063 and 080-081 are the same
everywhere.
"""

from __future__ import annotations

from probe.model.outcome import Outcome, Reason
from probe.verdict.findings import Domain
from probe.verdict.rule import Rule, Tier

WELL = {"symptom": ("none",), "contrast": ("both_ok", "only_there", "no_control")}


def but(words: tuple[str, ...], *without: str) -> tuple[str, ...]:
    return tuple(w for w in words if w not in without)


def row(
    domain: Domain,
    number: int,
    tier: Tier,
    outcome: Outcome,
    when: dict[str, tuple[str, ...]],
    because: str,
    pitfalls: str = "",
    reason: Reason | None = None,
    technique: str = "",
) -> Rule:
    """One rule of the domain. Its id is the domain's prefix and `number`."""
    rule_id = f"{domain.prefix}-{number:03d}"
    return Rule(rule_id, tier, domain.layer, outcome, when, because, pitfalls, reason, technique, about=domain.about)


DEAF = "This line's own resolvers answer for innocent names neither."


def skeleton(domain: Domain, deaf: str = DEAF) -> tuple[Rule, ...]:
    """The rows every layer has: numbers 001-019 validity, 060-099 the plain decisions. `deaf` says what is shown by
    others' fate at the same layer."""
    ailing = but(domain.symptom, "none")
    invalid: tuple[tuple[int, str, Reason, str], ...] = (
        (2, "dead", "no_network", "Nothing at all answered on this line, so nothing can be said about the target."),
        (3, "portal", "captive_portal", "Every canary showed a stranger's certificate: a login page or proxy answers."),
        (4, "filter", "local_filter", "A filter of this home or device gives this answer, or it says so itself."),
        (5, "clock", "clock_wrong", "The very certificate that is valid elsewhere is out of date only by our clock."),
        (9, "deaf", "no_network", deaf),
        (
            6,
            "busy",
            "own_fault",
            "This machine was too late, its trust store too old, or large packets are lost: no failure means anything.",
        ),
    )
    rows = [
        row(
            domain, 1, "validity", "insufficient", {"contrast": ("not_tried",), "ended": ("whole",)},
            "An earlier layer ended the attempt, so this one was never tried.", reason="not_reached",
        ),
        row(
            domain, 7, "validity", "insufficient", {"contrast": ("not_tried",), "ended": ("budget",)},
            "The time or data that was granted ran out before this was tried.", reason="budget",
        ),
        row(
            domain, 8, "validity", "insufficient", {"contrast": ("not_tried",), "ended": ("interrupted",)},
            "It was stopped before this was tried.", reason="interrupted",
        ),
        *(
            row(
                domain, number, "validity", "insufficient", {"symptom": ailing, "line": (line,)},
                because, reason=reason,
            )
            for number, line, reason, because in invalid
        ),
    ]  # fmt: skip
    return tuple(rows)


def plain(
    domain: Domain, soft: tuple[str, ...], proofs: tuple[str, ...], likely: dict[str, tuple[str, ...]] | None = None
) -> tuple[Rule, ...]:
    """Decisions for symptoms that only repetition can support. `soft` are those symptoms, `proofs` what leaves them
    so, `likely` what a claim needs besides."""
    base = {"symptom": soft, "proof": proofs}
    here = base | {"contrast": ("only_here",)}
    return (
        row(
            domain, 60, "decision", "likely_blocked", here | {"repeat": ("repeated",)} | (likely or {}),
            "Fails only here, in every one of several spaced tries, while the control is fine and the line healthy.",
            "An outage between this network and the target; a server that dislikes this network without saying so.",
        ),
        row(
            domain, 61, "decision", "impaired", here | {"repeat": ("mixed",)},
            "Works in some tries and fails in others; the cause cannot be told.",
        ),
        row(
            domain, 62, "decision", "insufficient", here | {"repeat": ("once",), "ended": ("whole", "budget")},
            "Failed in a single try, which is not enough to say more.", reason="budget",
        ),
        row(
            domain, 63, "decision", "insufficient", here | {"repeat": ("once",), "ended": ("interrupted",)},
            "Stopped before a failure could be tried again.", reason="interrupted",
        ),
    )  # fmt: skip


def ends(domain: Domain, failing: tuple[str, ...], excuses: tuple[str, ...] = ()) -> tuple[Rule, ...]:
    """Decisions for failures that the control met too, or that none can confirm. `excuses` are proofs that such a
    failure is our own, not the target's."""
    down = {"symptom": failing, "contrast": ("both_failed",)}
    if excuses:
        down["proof"] = ("none", *but(tuple(domain.proofs), *excuses))
    rows = [
        row(
            domain, 80, "decision", "down", down,
            "Fails from the control as well.",
            "A control that is blocked too; ask from more than one.",
        ),
        row(
            domain, 81, "decision", "insufficient", {"symptom": failing, "contrast": ("no_control",)},
            "Failed here, and there is no control to compare with, or there are some that contradict one another.",
            reason="no_control",
        ),
    ]  # fmt: skip
    return tuple(rows)
