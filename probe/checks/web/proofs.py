"""What trials proved about handshakes that fail: that the name is the trigger, that it is not, or that we are.

    elsewhere    the target's name fails in the same way at our own helper's address, where innocent names pass before
                 and after: it proves itself, since neither the site nor its address has any part in it
    name         at the site's own address an innocent name passes; or its own name does once it is encrypted
    name_partly  the same, and yet another ClientHello passes with the name in the clear
    hello        another ClientHello passes, here or where a control's usual one fails as ours does
    size         another ClientHello passes that is small, and our large one is lost whatever name it carries
    not_name     innocent names fail at that address as well

Where and when it is done, `born` adds: that may name somebody else than the path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from probe.checks.web.symptoms import word_of
from probe.checks.web.trials import ECH, PROFILES
from probe.model.failure import is_local
from probe.model.kinds import TlsHandshake
from probe.model.observation import Observation
from probe.model.outcome import Locus
from probe.model.target import Target
from probe.verdict.pair import Pairing, was_busy
from probe.verdict.read import ALIVE_THERE, INNOCENT_THERE, NAMED_THERE, NAMELESS_TRIAL, TRIAL, Tried

# What a trial must show before it counts: once may be chance.
TWICE = 2
# What fits into one segment on any path: IPv6's smallest MTU (RFC 8200 section 5) less its headers. A larger hello goes
# in two, and is lost where full-sized packets are (RFC 2923 section 2.1).
ONE_SEGMENT = 1_220


@dataclass(frozen=True, slots=True)
class Proof:
    """The word, the facts of the trials that it rests on, and where it is done, as far as anything tells."""

    word: str = "none"
    facts: tuple[Observation, ...] = ()
    locus: Locus = "unknown"
    located: int | None = None


NO_PROOF = Proof()


def proof_of(pairing: Pairing, target: Target, failing: Mapping[str, str], shut: Iterable[Tried]) -> Proof:
    """What trials showed about the failing addresses (to the symptom of each); `shut` are walks that met residual
    blocking there."""
    if not failing:
        return NO_PROOF
    visit, settled = _elsewhere(pairing, target, failing, any(w.ip in failing for w in shut))
    if settled:
        return Proof("elsewhere", _facts(visit))
    ours = [w for w in pairing.trials if w.host == target.host and w.port == target.port and w.ip in failing]
    name = _name(ours, failing)
    if visit and name == "not_name":
        # The name was stopped elsewhere, and then everything was: so may innocent names have been here.
        name = "none"
    others = [w for w in _hellos(pairing, target, ours) if w.shaken and w.profile in PROFILES]
    if not others:
        return Proof(name, _facts(w for w in ours if not w.is_hello_trial or w.profile == ECH))
    word = "name_partly" if name == "name" else "hello"
    if name == "not_name" and _is_too_large(pairing, failing, others):
        word = "size"
    return Proof(word, _facts(others))


def _facts(walks: Iterable[Tried]) -> tuple[Observation, ...]:
    return tuple(o for w in walks for o in (w.connect, w.handshake, w.verify) if o is not None)


# ---- at the helper ----


def _elsewhere(pairing: Pairing, target: Target, failing: Mapping[str, str], shut: bool) -> tuple[list[Tried], bool]:
    """The trials at a helper's door where the name failed and innocent ones had passed, and whether that is settled: an
    innocent one passed again, or the door was shut as the site's own address was, while the helper lived."""
    there = [w for w in pairing.trials if w.host == target.host and _is_valid(pairing, w)]
    if _control_met_it(pairing, target, set(failing.values())):
        return [], False
    for door in sorted({(w.ip, w.port) for w in there if w.connect.why == NAMED_THERE}):
        at_door = [w for w in there if (w.ip, w.port) == door]
        named = [w for w in at_door if w.connect.why == NAMED_THERE]
        innocent = [w for w in at_door if w.connect.why == INNOCENT_THERE]
        first, last = min(w.connect.seq for w in named), max(w.seqs()[-1] for w in named)
        before = [w for w in innocent if w.connect.seq < first]
        after = [w for w in innocent if w.connect.seq > last and w.shaken]
        if shut:
            # The door may be shut by then as the site's own address was; that the helper lives must show all the same.
            after += [w for w in there if w.ip == door[0] and w.connect.why == ALIVE_THERE and w.connected
                      and w.connect.seq > last]  # fmt: skip
        passed = [w for w in before if w.shaken]
        if len(passed) >= TWICE and passed == before and _fail_alike(named, set(failing.values())):
            return [*before, *named, *after], bool(after)
    return [], False


def _is_valid(pairing: Pairing, walk: Tried) -> bool:
    """Not a try that our own machine or a dead line has spoilt."""
    failed = walk.failed()
    return failed is None or not (is_local(failed.failure) or was_busy(failed) or pairing.line.was_cut(failed))


def _fail_alike(named: list[Tried], words: set[str]) -> bool:
    """The name's tries at the door: all failed, the first as at the site's own address; later ones may have found the
    door shut."""
    broken = {word_of(w.handshake) for w in named if w.handshake is not None and w.handshake.failure is not None}
    first = min(named, key=lambda w: w.connect.seq)
    if len(named) < TWICE or any(w.shaken for w in named) or not first.connected:
        return False
    return bool(broken) and broken <= words


def _control_met_it(pairing: Pairing, target: Target, words: set[str]) -> bool:
    """A control's handshake with the site ends in the same way, and none works: what does it may stand on the helper's
    side, and then the trial there says nothing of ours."""
    theirs = [w for w in pairing.there if w.host == target.host and w.port == target.port and w.handshake is not None]
    return bool(theirs) and all(
        not w.shaken and w.handshake is not None and word_of(w.handshake) in words for w in theirs
    )


# ---- at the site's own address ----


def _name(ours: list[Tried], failing: Mapping[str, str]) -> str:
    """Whether the name is the trigger at the failing addresses: name, not_name, or none yet."""
    if _is_hidden_name_welcome(ours):
        return "name"
    flips, same, nameless = 0, 0, False
    for w in ours:
        if w.handshake is None or w.is_hello_trial or is_local(w.handshake.failure):
            continue
        word, usual = word_of(w.handshake), failing[w.ip]
        # An alert is an answer too: the server read the innocent name and declined it.
        passes = w.shaken or (word == "alert" and usual != "alert")
        if w.connect.why == NAMELESS_TRIAL:
            nameless = nameless or w.shaken
        elif w.connect.why.startswith(TRIAL) and passes:
            flips += 1
        elif word == usual:
            same += 1
    if flips >= TWICE and not same:
        return "name"
    # A server may end handshakes for names that are not its own. One without any name passes there, and shows that
    # the failures of innocent names say nothing.
    return "not_name" if same >= TWICE and not flips and not nameless else "none"


def _is_hidden_name_welcome(ours: list[Tried]) -> bool:
    """In the very same kind of hello the site's name fails in the clear, and passes when nobody on the way can read
    it: the site itself read it both times."""
    hidden = [w for w in ours if w.profile == ECH]
    clear = [w for w in ours if w.is_hello_trial and w.profile == PROFILES[-1]]
    passed = [w for w in hidden if w.proven]
    return len(passed) >= TWICE and passed == hidden and bool(clear) and not any(w.shaken for w in clear)


def _hellos(pairing: Pairing, target: Target, ours: list[Tried]) -> list[Tried]:
    """Trials of another hello: our own, and those of controls to whose usual hello the site was as deaf as to ours."""
    mine = [w for w in ours if w.is_hello_trial]
    theirs = [w for w in pairing.there if w.host == target.host and w.port == target.port]
    if any(w.shaken for w in theirs):
        return mine
    return mine + [w for w in pairing.hellos_there if w.host == target.host and w.port == target.port]


def _is_too_large(pairing: Pairing, failing: Mapping[str, str], others: list[Tried]) -> bool:
    """Our usual hello needs two segments and is lost, the one that passes needs one."""
    usual = [w.handshake.detail for w in pairing.here if w.ip in failing and w.handshake is not None]
    sizes = [d.hello_bytes for d in usual if isinstance(d, TlsHandshake)]
    other = [w.handshake.detail for w in others if w.handshake is not None]
    passed = [d.hello_bytes for d in other if isinstance(d, TlsHandshake)]
    lost = set(failing.values()) == {"timeout"}
    return lost and bool(sizes) and min(sizes) > ONE_SEGMENT and any(0 < n <= ONE_SEGMENT for n in passed)
