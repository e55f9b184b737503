"""The speed rules, as rows. They speak for no layer of their own: where the name is shown to be the trigger it is the
layer that shows the name, else TCP's. A page that is merely slow accuses nobody."""

from __future__ import annotations

from probe.checks.rows import WELL, ends, plain, row, skeleton
from probe.verdict.findings import Domain
from probe.verdict.rule import Rule

SPEED = Domain(
    "tcp",
    "SPD",
    ("none", "throttle", "delayed", "freeze", "slow"),
    {"sni": ("throttle", "delayed", "freeze"), "host": ("throttle", "delayed")},
    about="speed",
)
DOMAINS: tuple[Domain, ...] = (SPEED,)
_PATIENT = ("throttle", "delayed", "slow")
_ONLY_HERE = {"contrast": ("only_here",), "repeat": ("repeated",)}

SPEED_RULES: tuple[Rule, ...] = (
    *skeleton(SPEED),
    row(
        SPEED, 50, "decision", "blocked", {"proof": ("sni",), **_ONLY_HERE},
        "At the same address the handshake with the site's name is followed by a crawl, a delay or a freeze, and one "
        "with an innocent name is not, each time; the control is fine.",
        "A server that slows down or holds its own name for this network only.", technique="sni",
    ),
    row(
        SPEED, 51, "decision", "blocked", {"proof": ("host",), **_ONLY_HERE},
        "At the same address a request for the site is followed by a crawl or a delay, and one for an innocent name is "
        "not, each time; the control is fine.",
        "A server that slows down its own name for this network only.", technique="host",
    ),
    row(
        SPEED, 52, "decision", "insufficient",
        {"proof": ("sni", "host"), "contrast": ("only_here",), "repeat": ("once",)},
        "A trial was made, but it was seen only once.", reason="budget",
    ),
    row(
        SPEED, 53, "decision", "impaired", {"proof": ("sni", "host"), "contrast": ("only_here",), "repeat": ("mixed",)},
        "A trial was made, but the site's own name comes as it should in some tries.",
    ),
    *plain(SPEED, ("throttle", "freeze"), ("none",)),
    row(
        SPEED, 64, "decision", "impaired",
        {"symptom": ("delayed", "slow"), "proof": ("none",), "contrast": ("only_here",)},
        "Slow only here, on a line that is fast otherwise; nothing shows whether the path or the server is slow.",
        "A server that takes its time with this network, or a full link on the way to it.",
    ),
    *ends(SPEED, ("freeze",)),
    row(
        SPEED, 82, "decision", "ok", {"symptom": _PATIENT, "contrast": ("both_failed",)},
        "The control finds it as slow: that is the server's own pace.",
    ),
    row(
        SPEED, 83, "decision", "ok", {"symptom": _PATIENT, "contrast": ("no_control",)},
        "Slow, and there is no control to compare with: slowness alone is no failure.",
    ),
    row(SPEED, 90, "decision", "ok", WELL, "What came, came as fast as elsewhere."),
)  # fmt: skip
