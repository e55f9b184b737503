"""The rules of the http layer, as rows: see `probe.checks.web.rules`."""

from __future__ import annotations

from probe.checks.rows import WELL, but, plain, row, skeleton
from probe.checks.web.looks import ALTERED, BROKEN, MARKED
from probe.checks.web.pages import HTTP
from probe.verdict.rule import Rule

_HTTP_SOFT = (*BROKEN, "error")
_HTTP_TRIED = ("name", "url", "elsewhere")
_HTTP_SENT = ("timeout", "reset", "eof")
_HTTP_OTHER = (*MARKED, "refusal")
_NOT_ITS_OWN = ("nearer", "home", "early", "several")
_ALTERED_HERE = {"symptom": ALTERED, "path": ("unproven",), "contrast": ("only_here",)}
HTTP_RULES: tuple[Rule, ...] = (
    *skeleton(HTTP),
    row(
        HTTP, 20, "artefact", "blocked", {"proof": ("fingerprint",), "contrast": ("only_here", "no_control")},
        "A block page of public record answered, inside its scope, over a path that nothing vouches for.",
        "A page that quotes the notice; over a proven path it would not count.",
    ),
    row(
        HTTP, 21, "artefact", "insufficient", {"proof": ("fingerprint",), "contrast": ("both_failed",)},
        "The control was shown the same mark: the site quotes it, or the control stands behind the same wall.",
        reason="unproven_path",
    ),
    row(
        HTTP, 22, "artefact", "blocked",
        {
            "symptom": ALTERED, "proof": ("elsewhere",), "path": ("unproven",),
            "contrast": ("only_here", "no_control"),
        },
        "A helper that consents to it was asked for the same name and the same strange page came, each time, and for an"
        " innocent name never: somebody on the way reads the name.",
        "A proxy that answers for names which it denies to this network only by its operator's own choice.",
    ),
    row(
        HTTP, 23, "artefact", "blocked",
        {
            "symptom": _HTTP_SENT, "proof": ("elsewhere",), "contrast": ("only_here", "no_control"),
            "repeat": ("repeated",),
        },
        "A request for the name ends in the same way at our helper's address, each time, where innocent names are"
        " answered: somebody on the way reads the name.",
        technique="host",
    ),
    row(
        HTTP, 24, "artefact", "blocked",
        {
            "symptom": ("truncated", "garbled"), "proof": ("elsewhere",), "contrast": ("only_here", "no_control"),
            "repeat": ("repeated",),
        },
        "An answer to the name is broken in the same way at our helper's address, each time, and innocent names are"
        " answered there.",
    ),
    row(
        HTTP, 30, "decision", "restricted",
        {"symptom": ("refusal",), "path": ("proven",)},
        "The site itself turns this visitor away, over a path proven genuine.",
    ),
    row(
        HTTP, 31, "decision", "restricted",
        {"symptom": ("refusal",), "path": ("unproven",), "contrast": ("both_failed",)},
        "The site turns the control away in the same way.",
    ),
    row(
        HTTP, 32, "decision", "insufficient",
        {**_ALTERED_HERE, "proof": ("none",)},
        "The answer differs from the control's, and nothing vouches for the path it came by.",
        reason="unproven_path",
    ),
    row(
        HTTP, 33, "decision", "impaired",
        {"symptom": ("status", "differs"), "path": ("proven",), "contrast": ("only_here",)},
        "The site's own server answers with an error here and not to the control.",
    ),
    row(
        HTTP, 36, "decision", "impaired", {"symptom": ("held",), "contrast": ("only_here",)},
        "The server keeps the connection open, its kernel answers, and no more of the page is sent, only here.",
        "A path that lets acknowledgements through and holds back data.",
    ),
    row(
        HTTP, 34, "decision", "insufficient",
        {"symptom": ("portal",)},
        "The page is a login page, by its mark.", reason="captive_portal",
    ),
    row(
        HTTP, 35, "decision", "insufficient",
        {"symptom": ("parental",)},
        "The page is that of a filter which the subscriber, household or firm chose, by its mark.",
        reason="local_filter",
    ),
    row(
        HTTP, 37, "decision", "insufficient",
        {"symptom": ("everybodys",)},
        "Innocent sites are answered with the same page on this line: a login page, a used-up quota, a proxy for all.",
        reason="captive_portal",
    ),
    row(
        HTTP, 50, "decision", "blocked",
        {
            "symptom": ("timeout", "reset", "eof"), "proof": ("name",), "contrast": ("only_here",),
            "repeat": ("repeated",),
        },
        "At the same address the site's name fails and an innocent name is answered, each time; the control is fine.",
        technique="host",
    ),
    row(
        HTTP, 54, "decision", "blocked",
        {
            "symptom": ("timeout", "reset", "eof"), "proof": ("url",), "contrast": ("only_here",),
            "repeat": ("repeated",),
        },
        "At the same address an innocent name and the site's own front page are answered, and only this path fails.",
        "A server that ends connections for this very page, from this network only.",
        technique="url",
    ),
    row(
        HTTP, 51, "decision", "likely_blocked",
        {
            "symptom": ("truncated", "garbled"), "proof": ("name", "url"), "contrast": ("only_here",),
            "repeat": ("repeated",),
        },
        "The exchange is broken only for the site's name, each time.",
    ),
    row(
        HTTP, 52, "decision", "insufficient",
        {"symptom": _HTTP_SOFT, "proof": _HTTP_TRIED, "contrast": ("only_here",), "repeat": ("once",)},
        "A trial was made, but the failure was seen only once.", reason="budget",
    ),
    row(
        HTTP, 53, "decision", "impaired",
        {"symptom": _HTTP_SOFT, "proof": _HTTP_TRIED, "contrast": ("only_here",), "repeat": ("mixed",)},
        "A trial was made, but the site's own name works in some tries.",
    ),
    row(
        HTTP, 55, "decision", "blocked",
        {**_ALTERED_HERE, "proof": ("early",), "repeat": ("repeated",)},
        "At the site's own address an innocent name gets another answer, and this one comes, each time, sooner than any"
        " connection to that address ever answered.",
        "A balancer that leads requests, not connections, to a nearer server.",
    ),
    row(
        HTTP, 38, "decision", "blocked",
        {**_ALTERED_HERE, "proof": ("nearer",), "repeat": ("repeated",)},
        "Requests that die before the server are answered with this page, each time, and those for an innocent name at"
        " no such distance: somebody on the way reads the name.",
        "A cache of the provider's that serves this site alone, and wrongly; ways to the server that differ by several"
        " hops.",
    ),
    row(
        HTTP, 39, "decision", "likely_blocked",
        {**_ALTERED_HERE, "proof": ("home",), "repeat": ("repeated",)},
        "The page comes for the site's name alone, and from the first router of all, which may be that of the house.",
        "A filter of the house.",
    ),
    row(
        HTTP, 56, "decision", "likely_blocked",
        {**_ALTERED_HERE, "proof": ("several",), "repeat": ("repeated",)},
        "Several sites with nothing in common are answered with the same page here, each time, and with their own at"
        " the controls, while innocent sites get through.",
        "A host or a content network of them all that hides its name and sends visitors from here away.",
    ),
    row(
        HTTP, 57, "decision", "impaired",
        {**_ALTERED_HERE, "proof": _NOT_ITS_OWN, "repeat": ("mixed",)},
        "A page that is not the site's comes in some tries, the site's own in others.",
    ),
    row(
        HTTP, 58, "decision", "insufficient",
        {**_ALTERED_HERE, "proof": _NOT_ITS_OWN, "repeat": ("once",)},
        "A page that seems to be somebody else's, not asked for often enough.", reason="budget",
    ),
    *plain(HTTP, _HTTP_SOFT, ("none", "not_name")),
    row(
        HTTP, 80, "decision", "down",
        {
            "symptom": but(HTTP.symptom, "none", *_HTTP_OTHER),
            "contrast": ("both_failed",),
        },
        "The page fails from the control in the same way.",
    ),
    row(
        HTTP, 81, "decision", "insufficient",
        {
            "symptom": but(HTTP.symptom, "none", *_HTTP_OTHER),
            "contrast": ("no_control",),
        },
        "Failed here, and there is no control to compare with, or there are some that contradict one another.",
        reason="no_control",
    ),
    row(
        HTTP, 82, "decision", "insufficient",
        {"symptom": ("refusal",), "contrast": ("no_control",), "path": ("unproven",)},
        "Refused over a path that nothing vouches for, and there is no control.", reason="no_control",
    ),
    row(HTTP, 90, "decision", "ok", WELL | {"path": ("proven",)}, "The site's own page came, over a proven path."),
    row(
        HTTP, 91, "decision", "ok", WELL | {"path": ("unproven",), "contrast": ("both_ok", "only_there")},
        "The page is the one that the control was given.",
    ),
    row(
        HTTP, 92, "decision", "insufficient", WELL | {"path": ("unproven",), "contrast": ("no_control",)},
        "A page came over a path that nothing vouches for, and there is no control.", reason="no_control",
    ),
)  # fmt: skip
