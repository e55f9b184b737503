"""The web rules, as rows. Read them with `probe explain ID`; docs/rules.md is generated from them.

Every layer has the same skeleton: validity rules take away what our own trouble explains, artefact rules settle what
proves itself, decision rules compare with the control. A row's id never changes its meaning.
"""

from __future__ import annotations

from probe.checks.rows import WELL, but, ends, plain, row, skeleton
from probe.checks.web.names import DNS
from probe.checks.web.pagerules import HTTP_RULES
from probe.checks.web.pages import HTTP
from probe.checks.web.symptoms import FORGED, NAMED, TCP, TLS
from probe.checks.web.told import LIES
from probe.verdict.findings import Domain
from probe.verdict.rule import Rule

DOMAINS: tuple[Domain, ...] = (DNS, TCP, TLS, HTTP)


DNS_RULES: tuple[Rule, ...] = (
    *skeleton(DNS),
    row(
        DNS, 20, "artefact", "blocked", {"proof": ("twin",)},
        "Two differing answers came to one question: one of them was injected on the way.",
        "Resent questions may bring two true answers; only more answers than questions count.",
    ),
    row(
        DNS, 21, "artefact", "blocked", {"proof": ("ede",)},
        "The resolver itself says that it censors the name (EDE 16, RFC 8914).",
    ),
    row(
        DNS, 22, "artefact", "blocked", {"proof": ("nobody",), "contrast": ("only_here", "no_control")},
        "An address where no resolver is answers a question about this name, and none about an innocent one.",
        "A server of names at the target's own address that gives wrong answers and ignores other names.",
    ),
    row(
        DNS, 23, "artefact", "blocked", {"proof": ("early",), "contrast": ("only_here",)},
        "False answers came sooner than the round trip to that resolver allows; those about innocent names did not.",
        "Anycast that takes datagrams to a nearer place than connections, and innocent names to the farther one.",
    ),
    row(
        DNS, 40, "decision", "blocked", {"symptom": LIES, "proof": ("contradicted",), "contrast": ("only_here",)},
        "The answer is an address that cannot be the site's, and a trusted answer contradicts it.",
        "Split-horizon names; a resolver's own opt-in filter.",
    ),
    row(
        DNS, 41, "decision", "insufficient",
        {"symptom": ("unproven",), "proof": ("none",), "contrast": ("only_here",)},
        "The answers differ from the trusted ones and nothing vouches for them; a difference alone is no evidence.",
        reason="unproven_path",
    ),
    row(
        DNS, 50, "decision", "blocked",
        {"symptom": ("refused", "timeout"), "proof": ("name",), "contrast": ("only_here",), "repeat": ("repeated",)},
        "Asked in turn, the same resolver answers for another name and not for this one; the control is fine.",
        "A resolver that cannot reach the name's own servers, and remembers a name below it.",
    ),
    row(
        DNS, 52, "decision", "insufficient",
        {"symptom": ("refused", "timeout"), "proof": ("name",), "contrast": ("only_here",), "repeat": ("once",)},
        "Another name was answered, but this one failed too seldom to say more.", reason="budget",
    ),
    row(
        DNS, 53, "decision", "impaired",
        {"symptom": ("refused", "timeout"), "proof": ("name",), "contrast": ("only_here",), "repeat": ("mixed",)},
        "Another name was answered, but this one is in some tries.",
    ),
    *plain(DNS, but(DNS.symptom, "none", "unproven"), ("none", "home")),
    *ends(DNS, but(DNS.symptom, "none")),
    row(
        DNS, 90, "decision", "ok", WELL,
        "The line's own resolvers gave an address that is, or may be, the site's.",
    ),
)  # fmt: skip

TCP_RULES: tuple[Rule, ...] = (
    *skeleton(TCP),
    *plain(TCP, but(TCP.symptom, "none"), ("none",)),
    *ends(TCP, but(TCP.symptom, "none")),
    row(TCP, 90, "decision", "ok", WELL, "A genuine address of the site accepted the connection."),
)

_TRIED = ("name", "not_name", "name_partly", "elsewhere", "home", "door", "early_other")
# Proofs that it is our way of asking.
_OURS = ("hello", "size", "name_partly")
TLS_RULES: tuple[Rule, ...] = (
    *skeleton(TLS),
    row(
        TLS, 20, "artefact", "blocked", {"proof": ("early",), "contrast": ("only_here",), "repeat": ("repeated",)},
        "Each time the handshake was ended sooner than the round trip to the server allows; the control is fine.",
        "A guard of the site's that stands far in front of it.",
    ),
    row(
        TLS, 21, "artefact", "blocked",
        {"proof": ("early_other",), "contrast": ("only_here",), "repeat": ("repeated",)},
        "The same, and for an innocent name at this address as well.",
        "A guard of the site's that stands far in front of it.", technique="other",
    ),
    row(
        TLS, 22, "artefact", "blocked", {"proof": ("elsewhere",), "repeat": ("repeated",)},
        "The site's name fails in the same way at our own helper's address, where innocent names pass.",
        "A filter on this device or at home that reads names; a helper that stands behind a filter of its own.",
        technique="sni",
    ),
    row(
        TLS, 40, "decision", "blocked",
        {
            "symptom": FORGED, "proof": ("contradicted",), "contrast": ("only_here",), "repeat": ("repeated",),
        },
        "At an address proven genuine a certificate was shown here that does not verify and that no control saw.",
        "An antivirus or company proxy on this line; canaries would show it too, and this machine's own store know it.",
    ),
    row(
        TLS, 41, "decision", "insufficient",
        {"symptom": FORGED, "proof": ("contradicted",), "contrast": ("only_here",), "repeat": ("once",)},
        "A stranger's certificate was shown, in a single try: one server of several may have been set up badly.",
        reason="budget",
    ),
    row(
        TLS, 42, "decision", "impaired",
        {"symptom": FORGED, "proof": ("contradicted",), "contrast": ("only_here",), "repeat": ("mixed",)},
        "A stranger's certificate was shown in some tries, and the site's own in others.",
    ),
    row(
        TLS, 50, "decision", "blocked",
        {"symptom": NAMED, "proof": ("name",), "contrast": ("only_here",), "repeat": ("repeated",)},
        "At the same address the site's name fails and an innocent name passes, each time; the control is fine.",
        "A server that resets connections for its own name from this network only.", technique="sni",
    ),
    row(
        TLS, 51, "decision", "likely_blocked",
        {"symptom": NAMED, "proof": ("not_name",), "contrast": ("only_here",), "repeat": ("repeated",)},
        "The handshake fails only here, for an innocent name at the same address as well.", technique="other",
    ),
    row(
        TLS, 54, "decision", "likely_blocked",
        {"symptom": NAMED, "proof": ("home", "door"), "contrast": ("only_here",), "repeat": ("repeated",)},
        "Only the site's name fails, and it is done by the first router of all, or not before the server itself.",
        "A filter of the house; a server that ends connections for its own name from this network only.",
        technique="sni",
    ),
    row(
        TLS, 52, "decision", "insufficient",
        {"proof": (*_TRIED, "hello"), "contrast": ("only_here",), "repeat": ("once",)},
        "A trial was made, but the failure was seen only once.", reason="budget",
    ),
    row(
        TLS, 53, "decision", "impaired",
        {"symptom": NAMED, "proof": _TRIED, "contrast": ("only_here",), "repeat": ("mixed",)},
        "A trial was made, but the site's own name works in some tries.",
    ),
    row(
        TLS, 58, "decision", "likely_blocked",
        {"symptom": NAMED, "proof": ("name_partly",), "contrast": ("only_here",), "repeat": ("repeated",)},
        "Only the site's name fails, each time and only here; but another ClientHello gets through with it.",
        "A server that turns away clients like ours, for this site and from this network only.", technique="sni",
    ),
    row(
        TLS, 55, "decision", "impaired",
        {"proof": ("hello",), "contrast": ("only_here",), "repeat": ("repeated", "mixed")},
        "Our usual ClientHello fails only here, and another one passes at the same address: a browser may well get in.",
        "A server that turns away clients like ours from this network only.",
    ),
    row(
        TLS, 56, "decision", "insufficient", {"proof": _OURS, "contrast": ("both_failed",)},
        "Our usual ClientHello fails here and at the control, and another one passes: the site dislikes how we ask.",
        reason="own_fault",
    ),
    row(
        TLS, 57, "decision", "insufficient", {"proof": ("size",), "contrast": ("only_here",)},
        "Our usual ClientHello is lost whatever name it carries, and a small one passes: the path loses large packets.",
        reason="own_fault",
    ),
    *plain(TLS, but(TLS.symptom, "none", *FORGED), ("none", "early")),
    *ends(TLS, but(TLS.symptom, "none"), _OURS),
    row(TLS, 90, "decision", "ok", WELL, "A valid certificate for the name was shown at an address of the site."),
)  # fmt: skip

WEB_RULES: tuple[Rule, ...] = (*DNS_RULES, *TCP_RULES, *TLS_RULES, *HTTP_RULES)
