"""The words of a report: techniques, reasons, times and counts in plain words, and text from outside made harmless.
The tables are English and go through the catalogue of the language in use when they are said.

Wording rules: say what was met, never who ordered it; "blocked" only for the outcome `blocked`, "likely blocked" only
for `likely_blocked`. `tests/unit/report` holds every technique of the vocabulary against this table.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime

from probe.inputs.language import _, pgettext
from probe.model.outcome import OUTCOME_MEANING, OUTCOMES, REASON_MEANING, Outcome

OUTCOME_LABEL: dict[Outcome, str] = {
    "blocked": "Blocked",
    "likely_blocked": "Likely blocked",
    "impaired": "Impaired",
    "restricted": "Restricted by the site",
    "down": "Down for everyone",
    "insufficient": "Cannot be said",
    "ok": "Reached",
}

TECHNIQUE_WORDS: dict[str, str] = {
    "dns": "the name lookup failed or gave a false answer",
    "dns.injection": "the name lookup was answered with a false address",
    "dns.injection.blockpage": "the name lookup was answered with the address of a block page",
    "dns.injection.bogon": "the name lookup was answered with an address that leads nowhere on the internet",
    "dns.injection.other": "the name lookup was answered with an address that is not the site’s",
    "dns.nxdomain": "the name lookup was answered with “no such name”",
    "dns.empty": "the name lookup was answered without any address",
    "dns.refused": "the resolver refused to look the name up",
    "dns.servfail": "the resolver answered that it failed to look the name up",
    "dns.timeout": "the name lookup was never answered",
    "ip": "the address could not be reached",
    "ip.unreachable": "the network reported the address as unreachable",
    "tcp": "the connection to the address failed",
    "tcp.timeout": "attempts to connect were never answered",
    "tcp.reset": "the connection was cut by a reset",
    "tcp.refused": "attempts to connect were refused",
    "tcp.throttle": "data over the connection slowed to a crawl",
    "tcp.freeze": "the connection went silent while data was flowing",
    "tls": "the encrypted connection could not be set up",
    "tls.reset": "the connection was reset while encryption was being set up",
    "tls.reset.sni": "the connection was reset as soon as the site’s name was sent",
    "tls.reset.other": "the connection was reset while encryption was being set up, whatever name was sent",
    "tls.timeout": "the connection went silent while encryption was being set up",
    "tls.timeout.sni": "the connection went silent as soon as the site’s name was sent",
    "tls.timeout.other": "the connection went silent while encryption was being set up, whatever name was sent",
    "tls.eof": "the connection was closed while encryption was being set up",
    "tls.eof.sni": "the connection was closed as soon as the site’s name was sent",
    "tls.eof.other": "the connection was closed while encryption was being set up, whatever name was sent",
    "tls.alert": "the encrypted connection was rejected while it was being set up",
    "tls.alert.sni": "the encrypted connection was rejected because of the site’s name",
    "tls.alert.other": "the encrypted connection was rejected, whatever name was sent",
    "tls.mitm": "another certificate was presented in place of the site’s",
    "tls.mitm.self_signed": "a self-made certificate was presented in place of the site’s",
    "tls.mitm.ca_signed": "a certificate of another authority was presented in place of the site’s",
    "tls.throttle": "the encrypted connection slowed to a crawl",
    "tls.throttle.sni": "the encrypted connection slowed to a crawl because of the site’s name",
    "tls.freeze": "the encrypted connection went silent while data was flowing",
    "tls.freeze.sni": "the encrypted connection went silent because of the site’s name",
    "http": "the page could not be fetched as it is",
    "http.blockpage": "a block page was delivered in place of the site",
    "http.redirect": "the request was sent on to another place",
    "http.error": "an error page was delivered in place of the site",
    "http.reset": "the connection was reset when the page was requested",
    "http.reset.host": "the connection was reset when the request named the site",
    "http.reset.url": "the connection was reset when the request named this page",
    "http.timeout": "the request for the page was never answered",
    "http.timeout.host": "a request that named the site was never answered",
    "http.timeout.url": "a request that named this page was never answered",
    "http.eof": "the connection was closed when the page was requested",
    "http.eof.host": "the connection was closed when the request named the site",
    "http.eof.url": "the connection was closed when the request named this page",
    "http.truncated": "the page was cut off part-way",
    "http.proxy": "a proxy on the way altered the exchange",
    "http.throttle": "the page arrived at a crawl",
    "http.throttle.host": "the page arrived at a crawl when the request named the site",
    "quic": "the connection over QUIC failed",
    "quic.timeout": "attempts to connect over QUIC were never answered",
    "quic.timeout.sni": "QUIC went silent as soon as the site’s name was sent",
    "quic.timeout.other": "attempts to connect over QUIC were never answered, whatever name was sent",
    "quic.reset": "the connection over QUIC was reset",
    "quic.reset.sni": "the connection over QUIC was reset because of the site’s name",
    "quic.reset.other": "the connection over QUIC was reset, whatever name was sent",
}

_REASONS: dict[str, str] = {str(word): meaning for word, meaning in REASON_MEANING.items()}

# Marks that reorder or hide text (UAX 9) are shown; the joiners stay, for Urdu and Persian words need them.
_JOINERS = frozenset("\u200c\u200d")
_SPACES = re.compile(r"\s+")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def tame(text: object, limit: int = 300) -> str:
    """Text from outside for a reader's eye: one line, at most `limit` characters, nothing invisible or reordering.
    Control and direction marks become visible, as in ⟨U+202E⟩. Markup stays as it is: escaping is the writer's part."""
    shown = harmless(_SPACES.sub(" ", str(text)[: limit * 4])).strip()
    return shown if len(shown) <= limit else shown[: limit - 1].rstrip() + "…"


def harmless(text: str) -> str:
    """The text with every control, direction mark and invisible character made visible."""
    return text if text.isascii() and text.isprintable() else "".join(map(_visible, text))


def site(target: str) -> str:
    """A target as readers know it: without https and a bare slash; http is shown, for it is a difference."""
    plain = target.removeprefix("https://")
    return plain[:-1] if plain.endswith("/") and plain.count("/") == 1 else plain


def _visible(char: str) -> str:
    if char in _JOINERS or char == " ":
        return char
    category = unicodedata.category(char)
    # Cf: direction marks and invisible characters; Cc controls; Cs half surrogates; Co private glyphs; Zl, Zp breaks.
    return f"⟨U+{ord(char):04X}⟩" if category in ("Cf", "Cc", "Cs", "Co", "Zl", "Zp") else char


def label(outcome: Outcome) -> str:
    """An outcome as it is shown: "Likely blocked"."""
    return _(OUTCOME_LABEL[outcome])


def glossary() -> tuple[tuple[Outcome, str, str], ...]:
    """The seven words, each with its label and meaning."""
    return tuple((word, label(word), _(OUTCOME_MEANING[word])) for word in OUTCOMES)


def technique_words(technique: str) -> str:
    """What a technique path means; of an unknown one, its deepest known prefix."""
    path = technique
    while path:
        if path in TECHNIQUE_WORDS:
            return _(TECHNIQUE_WORDS[path])
        path = path.rpartition(".")[0]
    return _("an unknown technique")


def reason_words(reason: str) -> str:
    """Why it cannot be said; an unknown reason is shown as it is."""
    return _(_REASONS[reason]) if reason in _REASONS else reason or _("no reason given")


def listed(words: Sequence[str], most: int = 4) -> str:
    """ "a", "a and b", "a, b and 3 more"."""
    if len(words) < 2:
        return "".join(words)
    if len(words) > most:
        return _("{some} and {n} more").format(some=commas(words[: most - 1]), n=len(words) - most + 1)
    return _("{some} and {last}").format(some=commas(words[:-1]), last=words[-1])


def commas(words: Iterable[str]) -> str:
    """ "a, b"."""
    return pgettext("between the parts of a list", ", ").join(words)


def semicolons(parts: Iterable[str]) -> str:
    """ "a; b"."""
    return pgettext("between parts of a sentence", "; ").join(parts)


def parse_time(text: str) -> datetime | None:
    """A UTC time as the store writes it; None for anything else."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None


def day(text: str) -> str:
    """ "29 Nov 2024", or the text itself when it is no time."""
    at = parse_time(text)
    if at is None:
        return text
    month = pgettext("month", MONTHS[at.month - 1])
    return _("{day} {month} {year}").format(day=at.day, month=month, year=at.year)


def when(text: str | None) -> str:
    """ "29 Nov 2024, 18:05 UTC"; unknown times say so."""
    if not text:
        return _("unknown")
    at = parse_time(text)
    return _("{day}, {time} UTC").format(day=day(text), time=f"{at.hour:02}:{at.minute:02}") if at else text


def took(us: int | None) -> str:
    """A duration: "0.4 ms", "38 ms", "10.2 s"."""
    if us is None:
        return _("unknown")
    if us < 1_000_000:
        return _("{n} ms").format(n=f"{us / 1000:.1f}" if us < 10_000 else f"{us / 1000:.0f}")
    return _("{n} s").format(n=f"{us / 1_000_000:.1f}")
