"""What name trials over QUIC proved: that the name is the trigger, that it is not, or nothing."""

from __future__ import annotations

from collections.abc import Mapping

from probe.checks.quic.steps import QUIC_NAMELESS, QUIC_TRIAL
from probe.checks.web.proofs import NO_PROOF, TWICE, Proof
from probe.checks.web.symptoms import word_of
from probe.model.failure import is_local
from probe.model.kinds import QuicHandshake
from probe.model.target import Target
from probe.verdict.pair import Pairing
from probe.verdict.read import Tried

# For so long after a name was blocked over QUIC, everything between the two ends may stay blocked (measured in China:
# Zohaib et al. 2025). An innocent name that fails meanwhile says nothing of the name. Microseconds.
RESIDUE_US = 180_000_000
# Ends of a handshake that are answers too: the server read the innocent name and declined it.
DECLINED = ("alert", "close")


def proof_of(pairing: Pairing, target: Target, failing: Mapping[str, str]) -> Proof:
    """What trials showed about the failing addresses (to the symptom of each)."""
    ours = [w for w in pairing.trials if w.host == target.host and w.port == target.port and w.ip in failing]
    flips, same, nameless = 0, 0, False
    for w in ours:
        if w.handshake is None or is_local(w.handshake.failure):
            continue
        word, usual = word_of(w.handshake), failing[w.ip]
        if w.connect.why == QUIC_NAMELESS:
            nameless = nameless or w.shaken
        elif w.shaken or (_is_declined(w) and word != usual):
            flips += 1
        elif word == usual and is_clean(pairing, w):
            same += 1
    facts = tuple(w.connect for w in ours)
    if flips >= TWICE and not same:
        return Proof("name", facts, "path")
    # A server may drop names that are not its own. One without any name passes there.
    return Proof("not_name", facts) if same >= TWICE and not flips and not nameless else NO_PROOF


def _is_declined(walk: Tried) -> bool:
    detail = walk.connect.detail
    return isinstance(detail, QuicHandshake) and detail.ended in DECLINED


def is_clean(pairing: Pairing, trial: Tried) -> bool:
    """No name was sent to the trial's address so shortly before that what was done to it may linger."""
    at_us = trial.connect.at_us
    sent = [w.connect.at_us for w in pairing.here if w.ip == trial.ip and not is_local(w.connect.failure)]
    return trial.connect.why == QUIC_TRIAL and all(not at_us - RESIDUE_US < other <= at_us for other in sent)
