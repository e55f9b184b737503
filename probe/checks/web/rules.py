"""The web rules, as rows. Read them with `probe explain ID`; docs/rules.md is generated from them.

Every layer has the same skeleton: validity rules take away what our own trouble explains, artefact rules settle what
proves itself, decision rules compare with the control. A row's id never changes its meaning.
"""

from __future__ import annotations

from probe.checks.web.endpoints import FORGED, TCP, TLS
from probe.checks.web.names import DNS, LIES
from probe.checks.web.pages import BROKEN, HTTP
from probe.model.outcome import Layer, Outcome, Reason
from probe.verdict.findings import Domain
from probe.verdict.rule import Rule, Tier

RULESET_VERSION = "2026.1"
DOMAINS: tuple[Domain, ...] = (DNS, TCP, TLS, HTTP)
_PREFIX = {"dns": "DNS", "tcp": "TCP", "tls": "TLS", "http": "WEB"}


def _but(words: tuple[str, ...], *without: str) -> tuple[str, ...]:
    return tuple(w for w in words if w not in without)


def _row(
    layer: Layer,
    number: int,
    tier: Tier,
    outcome: Outcome,
    when: dict[str, tuple[str, ...]],
    because: str,
    pitfalls: str = "",
    reason: Reason | None = None,
    technique: str = "",
) -> Rule:
    rule_id = f"{_PREFIX[layer]}-{number:03d}"
    return Rule(rule_id, tier, layer, outcome, when, because, pitfalls, reason, technique)


def _skeleton(domain: Domain) -> tuple[Rule, ...]:
    """The rows every layer has: numbers 001-019 validity, 060-099 the plain decisions."""
    layer = domain.layer
    ailing = _but(domain.symptom, "none")
    invalid: tuple[tuple[int, str, Reason, str], ...] = (
        (2, "dead", "no_network", "Nothing at all answered on this line, so nothing can be said about the target."),
        (3, "portal", "captive_portal", "Every canary showed a stranger's certificate: a login page or proxy answers."),
        (4, "filter", "local_filter", "A filter of this home or device gives this answer, or it says so itself."),
        (5, "clock", "clock_wrong", "The very certificate that is valid elsewhere is out of date only by our clock."),
        (9, "deaf", "no_network", "This line's own resolvers answer for innocent names neither."),
        (
            6,
            "busy",
            "own_fault",
            "This machine was too late, or its trust store too old, for a failure to mean anything.",
        ),
    )
    rows = [
        _row(
            layer, 1, "validity", "insufficient", {"contrast": ("not_tried",), "ended": ("whole",)},
            "An earlier layer ended the attempt, so this one was never tried.", reason="not_reached",
        ),
        _row(
            layer, 7, "validity", "insufficient", {"contrast": ("not_tried",), "ended": ("budget",)},
            "The time or data that was granted ran out before this was tried.", reason="budget",
        ),
        _row(
            layer, 8, "validity", "insufficient", {"contrast": ("not_tried",), "ended": ("interrupted",)},
            "It was stopped before this was tried.", reason="interrupted",
        ),
        *(
            _row(
                layer, number, "validity", "insufficient", {"symptom": ailing, "line": (line,)},
                because, reason=reason,
            )
            for number, line, reason, because in invalid
        ),
    ]  # fmt: skip
    return tuple(rows)


def _plain(domain: Domain, soft: tuple[str, ...], proofs: tuple[str, ...]) -> tuple[Rule, ...]:
    """Decisions for symptoms that only repetition can support. `soft` are those symptoms, `proofs` what leaves them
    so."""
    layer = domain.layer
    base = {"symptom": soft, "proof": proofs}
    here = base | {"contrast": ("only_here",)}
    return (
        _row(
            layer, 60, "decision", "likely_blocked", here | {"repeat": ("repeated",)},
            "Fails only here, in every one of several spaced tries, while the control is fine and the line healthy.",
            "An outage between this network and the target; a server that dislikes this network without saying so.",
        ),
        _row(
            layer, 61, "decision", "impaired", here | {"repeat": ("mixed",)},
            "Works in some tries and fails in others; the cause cannot be told.",
        ),
        _row(
            layer, 62, "decision", "insufficient", here | {"repeat": ("once",), "ended": ("whole", "budget")},
            "Failed in a single try, which is not enough to say more.", reason="budget",
        ),
        _row(
            layer, 63, "decision", "insufficient", here | {"repeat": ("once",), "ended": ("interrupted",)},
            "Stopped before a failure could be tried again.", reason="interrupted",
        ),
    )  # fmt: skip


def _ends(domain: Domain, failing: tuple[str, ...]) -> tuple[Rule, ...]:
    layer = domain.layer
    rows = [
        _row(
            layer, 80, "decision", "down", {"symptom": failing, "contrast": ("both_failed",)},
            "Fails from the control as well.",
            "A control that is blocked too; ask from more than one.",
        ),
        _row(
            layer, 81, "decision", "insufficient", {"symptom": failing, "contrast": ("no_control",)},
            "Failed here, and there is no control to compare with.", reason="no_control",
        ),
    ]  # fmt: skip
    return tuple(rows)


_WELL = {"symptom": ("none",), "contrast": ("both_ok", "only_there", "no_control")}

DNS_RULES: tuple[Rule, ...] = (
    *_skeleton(DNS),
    _row(
        "dns", 20, "artefact", "blocked", {"proof": ("twin",)},
        "Two differing answers came to one question: one of them was injected on the way.",
        "Resent questions may bring two true answers; only more answers than questions count.",
    ),
    _row(
        "dns", 21, "artefact", "blocked", {"proof": ("ede",)},
        "The resolver itself says that it censors the name (EDE 16, RFC 8914).",
    ),
    _row(
        "dns", 40, "decision", "blocked", {"symptom": LIES, "proof": ("contradicted",), "contrast": ("only_here",)},
        "The answer is an address that cannot be the site's, and a trusted answer contradicts it.",
        "Split-horizon names; a resolver's own opt-in filter.",
    ),
    _row(
        "dns", 41, "decision", "insufficient",
        {"symptom": ("unproven",), "proof": ("none",), "contrast": ("only_here",)},
        "The answers differ from the trusted ones and nothing vouches for them; a difference alone is no evidence.",
        reason="unproven_path",
    ),
    *_plain(DNS, _but(DNS.symptom, "none", "unproven"), ("none", "home")),
    *_ends(DNS, _but(DNS.symptom, "none")),
    _row(
        "dns", 90, "decision", "ok", _WELL,
        "The line's own resolvers gave an address that is, or may be, the site's.",
    ),
)  # fmt: skip

TCP_RULES: tuple[Rule, ...] = (
    *_skeleton(TCP),
    *_plain(TCP, _but(TCP.symptom, "none"), ("none",)),
    *_ends(TCP, _but(TCP.symptom, "none")),
    _row("tcp", 90, "decision", "ok", _WELL, "A genuine address of the site accepted the connection."),
)

_TLS_NAMED = ("timeout", "reset", "eof", "alert")
TLS_RULES: tuple[Rule, ...] = (
    *_skeleton(TLS),
    _row(
        "tls", 40, "decision", "blocked", {"symptom": FORGED, "proof": ("contradicted",), "contrast": ("only_here",)},
        "At an address proven genuine a certificate was shown here that does not verify and that no control saw.",
        "An antivirus or company proxy on this line; canaries would show it too.",
    ),
    _row(
        "tls", 50, "decision", "blocked",
        {"symptom": _TLS_NAMED, "proof": ("name",), "contrast": ("only_here",), "repeat": ("repeated",)},
        "At the same address the site's name fails and an innocent name passes, each time; the control is fine.",
        "A server that resets connections for its own name from this network only.", technique="sni",
    ),
    _row(
        "tls", 51, "decision", "likely_blocked",
        {"symptom": _TLS_NAMED, "proof": ("not_name",), "contrast": ("only_here",), "repeat": ("repeated",)},
        "The handshake fails only here, for an innocent name at the same address as well.", technique="other",
    ),
    _row(
        "tls", 52, "decision", "insufficient",
        {"symptom": _TLS_NAMED, "proof": ("name", "not_name"), "contrast": ("only_here",), "repeat": ("once",)},
        "A trial was made, but the failure was seen only once.", reason="budget",
    ),
    _row(
        "tls", 53, "decision", "impaired",
        {"symptom": _TLS_NAMED, "proof": ("name", "not_name"), "contrast": ("only_here",), "repeat": ("mixed",)},
        "A trial was made, but the site's own name works in some tries.",
    ),
    *_plain(TLS, _but(TLS.symptom, "none", *FORGED), ("none",)),
    *_ends(TLS, _but(TLS.symptom, "none")),
    _row("tls", 90, "decision", "ok", _WELL, "A valid certificate for the name was shown at an address of the site."),
)  # fmt: skip

_HTTP_SOFT = (*BROKEN, "error")
_HTTP_OTHER = ("refusal", "portal", "parental", "blockpage", "redirect")
HTTP_RULES: tuple[Rule, ...] = (
    *_skeleton(HTTP),
    _row(
        "http", 20, "artefact", "blocked", {"proof": ("fingerprint",), "contrast": ("only_here", "no_control")},
        "A block page of public record answered, inside its scope, over a path that nothing vouches for.",
        "A page that quotes the notice; over a proven path it would not count.",
    ),
    _row(
        "http", 21, "artefact", "insufficient", {"proof": ("fingerprint",), "contrast": ("both_failed",)},
        "The control was shown the same mark: the site quotes it, or the control stands behind the same wall.",
        reason="unproven_path",
    ),
    _row(
        "http", 30, "decision", "restricted",
        {"symptom": ("refusal",), "path": ("proven",)},
        "The site itself turns this visitor away, over a path proven genuine.",
    ),
    _row(
        "http", 31, "decision", "restricted",
        {"symptom": ("refusal",), "path": ("unproven",), "contrast": ("both_failed",)},
        "The site turns the control away in the same way.",
    ),
    _row(
        "http", 32, "decision", "insufficient",
        {
            "symptom": ("refusal", "differs", "status"), "path": ("unproven",),
            "contrast": ("only_here",),
        },
        "The answer differs from the control's, and nothing vouches for the path it came by.",
        reason="unproven_path",
    ),
    _row(
        "http", 33, "decision", "impaired",
        {"symptom": ("status", "differs"), "path": ("proven",), "contrast": ("only_here",)},
        "The site's own server answers with an error here and not to the control.",
    ),
    _row(
        "http", 34, "decision", "insufficient",
        {"symptom": ("portal",)},
        "The page is a login page, by its mark.", reason="captive_portal",
    ),
    _row(
        "http", 35, "decision", "insufficient",
        {"symptom": ("parental",)},
        "The page is that of a filter which the subscriber, household or firm chose, by its mark.",
        reason="local_filter",
    ),
    _row(
        "http", 50, "decision", "blocked",
        {
            "symptom": ("timeout", "reset", "eof"), "proof": ("name",), "contrast": ("only_here",),
            "repeat": ("repeated",),
        },
        "At the same address the site's name fails and an innocent name is answered, each time; the control is fine.",
        technique="host",
    ),
    _row(
        "http", 54, "decision", "blocked",
        {
            "symptom": ("timeout", "reset", "eof"), "proof": ("url",), "contrast": ("only_here",),
            "repeat": ("repeated",),
        },
        "At the same address an innocent name and the site's own front page are answered, and only this path fails.",
        "A server that ends connections for this very page, from this network only.",
        technique="url",
    ),
    _row(
        "http", 51, "decision", "likely_blocked",
        {
            "symptom": ("truncated", "garbled"), "proof": ("name", "url"), "contrast": ("only_here",),
            "repeat": ("repeated",),
        },
        "The exchange is broken only for the site's name, each time.",
    ),
    _row(
        "http", 52, "decision", "insufficient",
        {"symptom": _HTTP_SOFT, "proof": ("name", "url"), "contrast": ("only_here",), "repeat": ("once",)},
        "A trial was made, but the failure was seen only once.", reason="budget",
    ),
    _row(
        "http", 53, "decision", "impaired",
        {"symptom": _HTTP_SOFT, "proof": ("name", "url"), "contrast": ("only_here",), "repeat": ("mixed",)},
        "A trial was made, but the site's own name works in some tries.",
    ),
    *_plain(HTTP, _HTTP_SOFT, ("none", "not_name")),
    _row(
        "http", 80, "decision", "down",
        {
            "symptom": _but(HTTP.symptom, "none", *_HTTP_OTHER),
            "contrast": ("both_failed",),
        },
        "The page fails from the control in the same way.",
    ),
    _row(
        "http", 81, "decision", "insufficient",
        {
            "symptom": _but(HTTP.symptom, "none", *_HTTP_OTHER),
            "contrast": ("no_control",),
        },
        "Failed here, and there is no control to compare with.", reason="no_control",
    ),
    _row(
        "http", 82, "decision", "insufficient",
        {"symptom": ("refusal",), "contrast": ("no_control",), "path": ("unproven",)},
        "Refused over a path that nothing vouches for, and there is no control.", reason="no_control",
    ),
    _row("http", 90, "decision", "ok", _WELL | {"path": ("proven",)}, "The site's own page came, over a proven path."),
    _row(
        "http", 91, "decision", "ok", _WELL | {"path": ("unproven",), "contrast": ("both_ok", "only_there")},
        "The page is the one that the control was given.",
    ),
    _row(
        "http", 92, "decision", "insufficient", _WELL | {"path": ("unproven",), "contrast": ("no_control",)},
        "A page came over a path that nothing vouches for, and there is no control.", reason="no_control",
    ),
)  # fmt: skip

WEB_RULES: tuple[Rule, ...] = (*DNS_RULES, *TCP_RULES, *TLS_RULES, *HTTP_RULES)
