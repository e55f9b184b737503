"""Findings: named readings of facts, each from a small closed set, with the facts that witness them.

A layer's findings are a row of words; rules admit some of them. The domains are data, so that a test can enumerate
every combination and show that each meets exactly one rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from probe.model.outcome import CONTRASTS, Layer, Locus
from probe.model.verdict import Scope

# How the run's own line fared; anything but `ok` can explain a failure away.
LINE = ("ok", "dead", "portal", "filter", "clock", "busy", "deaf")
# How often it was seen: in one try, in every one of several spaced tries, or in some of them.
REPEAT = ("once", "repeated", "mixed")
# Why asking stopped.
ENDED = ("whole", "budget", "interrupted")

# Contrasts that can go with no symptom here, and with one.
WELL = ("both_ok", "only_there", "no_control", "not_tried")
AILING = ("only_here", "both_failed", "no_control")

Witness = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Domain:
    """The closed set of words of each finding about one thing of one layer. `symptom` always begins with `none`;
    `proofs` maps each proof to the symptoms it can go with. `never_bare` symptoms are only found together with a proof;
    all others may also come with the proof `none`. `prefix` begins the ids of its rules. `about` names what is read
    where a layer has more than one such set: rules and findings meet by it."""

    layer: Layer
    prefix: str
    symptom: tuple[str, ...]
    proofs: Mapping[str, tuple[str, ...]]
    never_bare: tuple[str, ...] = ()
    path: tuple[str, ...] = ("unproven",)
    about: str = ""

    @property
    def subject(self) -> str:
        """What findings and rules of this domain meet by: `about`, else the layer."""
        return self.about or self.layer

    def table(self) -> dict[str, tuple[str, ...]]:
        return {
            "contrast": CONTRASTS,
            "symptom": self.symptom,
            "proof": ("none", *self.proofs),
            "repeat": REPEAT,
            "line": LINE,
            "ended": ENDED,
            "path": self.path,
        }

    def combinations(self) -> Iterator[dict[str, str]]:
        """Every row of words that can occur: a symptom says that something failed here, and nothing proves no
        symptom."""
        table = self.table()
        for row in product(*table.values()):
            values = dict(zip(table, row, strict=True))
            well = values["symptom"] == "none"
            proof = values["proof"]
            symptom = values["symptom"]
            fits = symptom in self.proofs[proof] if proof != "none" else symptom not in self.never_bare
            if fits and values["contrast"] in (WELL if well else AILING):
                yield values


@dataclass(frozen=True, slots=True)
class Findings:
    """One layer of one hop: its words, and what stands behind them. `technique` is the deepest path that the symptom
    supports by itself; rules may go deeper where a proof allows it. `located` is the hop at which it is done, where
    packets with a hop limit told that. `aside` is a remark that belongs in the sentence and decides nothing."""

    layer: Layer
    host: str
    hop: int
    values: Mapping[str, str]
    technique: str = ""
    locus: Locus = "unknown"
    scope: Scope = field(default_factory=Scope)
    witness: tuple[Witness, ...] = ()
    note: str = ""
    about: str = ""
    located: int | None = None
    aside: str = ""

    @property
    def subject(self) -> str:
        """See `Domain.subject`."""
        return self.about or self.layer
