"""The rules about QUIC. Nothing stronger than `likely_blocked` without a name trial that flips, and nothing at all
where this line does not carry QUIC to others."""

from __future__ import annotations

from probe.checks.quic.reading import PATHS
from probe.checks.rows import WELL, but, ends, plain, row, skeleton
from probe.checks.web.symptoms import NAMED_QUIC as NAMED
from probe.checks.web.symptoms import QUIC
from probe.verdict.rule import Rule

_AILING = but(QUIC.symptom, "none")
_ACTIVE = but(NAMED, *PATHS)
_HERE = {"contrast": ("only_here",)}
_TRIED = {"proof": ("name", "not_name"), "symptom": NAMED} | _HERE
_FLIPS = {"proof": ("name",), "repeat": ("repeated",)} | _HERE
_STAYS = {"proof": ("not_name",), "repeat": ("repeated",)} | _HERE
_UNTESTED = {"proof": ("none",), "symptom": _AILING, "repeat": ("repeated",)} | _HERE

QUIC_RULES: tuple[Rule, ...] = (
    *skeleton(QUIC, deaf="Over QUIC most other hosts do not answer on this line either, canaries among them."),
    row(
        QUIC, 50, "decision", "blocked", _FLIPS | {"symptom": PATHS},
        "At the same address the site's name fails over QUIC and an innocent name passes, each time; the control is "
        "fine.",
        "A server that drops its own name over QUIC from this network only.", technique="sni",
    ),
    row(
        QUIC, 51, "decision", "blocked", _FLIPS | {"symptom": _ACTIVE},
        "At the same address the site's name is turned away over QUIC and an innocent name passes, each time; the "
        "control is fine.",
        "A server that turns its own name away over QUIC from this network only.",
    ),
    row(
        QUIC, 52, "decision", "likely_blocked", _STAYS | {"symptom": PATHS, "path": ("proven",)},
        "QUIC fails only here, for an innocent name at the same address as well, while other hosts answer over it.",
        "An outage of UDP between this network and the target.", technique="other",
    ),
    row(
        QUIC, 53, "decision", "likely_blocked", _STAYS | {"symptom": _ACTIVE, "path": ("proven",)},
        "QUIC is turned away only here, for an innocent name at the same address as well, while other hosts answer.",
        "An outage of UDP between this network and the target.",
    ),
    row(
        QUIC, 54, "decision", "insufficient", _STAYS | {"symptom": NAMED, "path": ("unproven",)},
        "QUIC fails only here, but nothing shows that this line carries QUIC to anybody.", reason="unproven_path",
    ),
    row(
        QUIC, 55, "decision", "impaired", _TRIED | {"repeat": ("mixed",)},
        "A trial was made, but the site's own name works over QUIC in some tries.",
    ),
    row(
        QUIC, 56, "decision", "insufficient", _TRIED | {"repeat": ("once",)},
        "A trial was made, but the failure was seen too seldom.", reason="budget",
    ),
    *plain(QUIC, _AILING, ("none",), likely={"path": ("proven",)}),
    row(
        QUIC, 64, "decision", "insufficient", _UNTESTED | {"path": ("unproven",)},
        "QUIC fails only here, but nothing shows that this line carries QUIC to anybody.", reason="unproven_path",
    ),
    *ends(QUIC, _AILING),
    row(QUIC, 90, "decision", "ok", WELL, "The host answered over QUIC, with a valid certificate for its name."),
)  # fmt: skip
