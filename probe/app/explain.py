"""What a word means: a rule, outcome, reason, failure, technique, layer or kind, as a value that can be printed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from probe.checks import RULES, RULESET
from probe.inputs.categories import CATEGORIES
from probe.model.errors import UsageError
from probe.model.failure import FAILURES
from probe.model.kinds import KINDS
from probe.model.outcome import LAYERS, OUTCOME_MEANING, REASON_MEANING, TECHNIQUES, prefixes

FAULT = {
    "remote": "the remote server",
    "path": "anything on the path, the remote server included",
    "local": "this machine: never evidence about a target",
}
# Parts of technique paths, so that every path and prefix can be said in words.
_PARTS = {
    "dns": "looking up the name",
    "ip": "reaching the address",
    "tcp": "connecting to the address",
    "tls": "the TLS handshake",
    "http": "the exchange of the page",
    "quic": "the QUIC handshake",
    "injection": "a forged answer was put in",
    "bogon": "its address belongs to no public place",
    "nxdomain": "the answer denied that the name exists",
    "empty": "the answer held no address",
    "refused": "it was refused",
    "servfail": "the resolver gave up",
    "timeout": "nothing came back",
    "unreachable": "the network said that it cannot be reached",
    "reset": "a TCP reset cut it off",
    "throttle": "it was slowed down",
    "freeze": "it stood still after a beginning",
    "eof": "it was closed early",
    "alert": "a TLS alert ended it",
    "mitm": "a certificate was shown that is not the site's",
    "self_signed": "signed by itself",
    "ca_signed": "signed by an authority that nobody trusts",
    "blockpage": "a block page was given instead",
    "redirect": "a redirect led to a block page",
    "error": "an error was given instead",
    "truncated": "the page was cut off",
    "proxy": "a proxy in between answered",
    "sni": "the server name triggers it, as a trial showed",
    "host": "the Host header triggers it, as a trial showed",
    "url": "the address of the page triggers it, as a trial showed",
    "other": "not by the name, as far as was shown",
}
_OVER_QUIC = {"reset": "a sudden close ended it"}


@dataclass(frozen=True, slots=True)
class Explained:
    """One word: `sort` says what it is, `lines` are (label, text) for reading, `value` is the JSON."""

    word: str
    sort: str
    meaning: str
    lines: tuple[tuple[str, str], ...] = ()
    value: Mapping[str, Any] = field(default_factory=dict)


def explain(word: str) -> list[Explained]:
    """Every meaning of a word; most have one. Raises UsageError with the nearest words when there is none."""
    wanted = word.strip()
    found = [one for one in every_word() if one.word.lower() == wanted.lower()]
    if not found:
        known = {one.word.lower(): one.word for one in every_word()}
        near = [known[word] for word in difflib.get_close_matches(wanted.lower(), known, 3, 0.6)]
        hint = f"; did you mean {', '.join(near)}?" if near else "; `probe explain` lists all words"
        raise UsageError(
            f"{word[:60]!r} is no rule, outcome, reason, failure, technique, layer, kind or category{hint}"
        )
    return found


def every_word() -> Iterator[Explained]:
    """All words that this version knows, by sort."""
    yield from _rules()
    for outcome, meaning in OUTCOME_MEANING.items():
        yield Explained(outcome, "outcome", meaning)
    for reason, meaning in REASON_MEANING.items():
        yield Explained(reason, "reason", meaning, (("goes with", "insufficient"),))
    for row in FAILURES:
        yield Explained(row.word, "failure", row.meaning, (("may be due to", FAULT[row.fault]),), {"fault": row.fault})
    for technique in sorted(TECHNIQUES - set(LAYERS)):
        yield Explained(technique, "technique", technique_meaning(technique), _named_by(technique))
    for layer in LAYERS:
        yield Explained(layer, "layer", _PARTS[layer])
    for cls in KINDS:
        yield Explained(cls.kind, "kind", " ".join((cls.__doc__ or "").split()))
    for category in CATEGORIES:
        gate = (("off until chosen", category.gated),) if category.gated else ()
        yield Explained(category.code, "category", category.description, gate)


def technique_meaning(technique: str) -> str:
    """A path in words: `tls.reset.sni` -> "the TLS handshake: a TCP reset cut it off; the server name triggers it"."""
    layer, *rest = technique.split(".")
    if rest == ["injection", "other"]:
        return "looking up the name: a forged answer was put in, of neither a known block page nor a bogon"
    words = _PARTS | (_OVER_QUIC if layer == "quic" else {})
    return f"{_PARTS[layer]}: " + "; ".join(words[part] for part in rest)


def _rules() -> Iterator[Explained]:
    for rule in RULES:
        when = tuple((name, " or ".join(words)) for name, words in rule.when.items())
        lines = (
            ("says", rule.outcome + (f": {rule.reason}" if rule.reason else "")),
            ("layer", rule.layer),
            ("tier", rule.tier),
            *(("when", f"{name} is {words}") for name, words in when),
            *((("technique adds", rule.technique),) if rule.technique else ()),
            *((("known pitfalls", rule.false_positives),) if rule.false_positives else ()),
            ("status", f"{rule.status}, in ruleset {RULESET.version}"),
        )
        yield Explained(rule.id, "rule", rule.because, lines, asdict(rule))


def _named_by(technique: str) -> tuple[tuple[str, str], ...]:
    deeper = sorted(t for t in TECHNIQUES if technique in prefixes(t) and t != technique)
    return (("deeper", ", ".join(deeper)),) if deeper else ()
