"""Trials: the same thing once more with one thing changed, where a plain walk failed. Anomalies only, bounded, spaced.

    innocent name    an innocent name, or none, to the target's own address: does the name make the difference?
    another hello    the target's name to its own address in another ClientHello: does the way of asking?
    at the helper    the target's name to our own helper's address, where innocent names pass: the strongest one, since
                     neither the target nor its address has any part in it

What flips, and does so again, is the trigger. Trials go to the target itself and to our own helper, never to a third
party that did not ask for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from hashlib import sha256

from probe.checks.question import Door, Question
from probe.checks.web.again import control_fails_too, control_settled, same_endpoint, shuts_out_control
from probe.checks.web.strange import is_strange_walk
from probe.model.failure import is_local
from probe.model.kinds import DnsLookup, Skipped, TlsHandshake
from probe.model.step import Fetch, Step, Visit, Walk
from probe.model.target import build_url
from probe.verdict.case import Case
from probe.verdict.read import (
    HELLO_TRIAL,
    HOST_TRIAL,
    NAMELESS_TRIAL,
    PATH_TRIAL,
    TRIAL,
    Tried,
    accepted,
    addresses_of,
    of_kind,
)

# Trials of one hop go to this many of its addresses at most.
TRIAL_ADDRESSES = 2
# An address whose handshake failed so often, and never worked, is worth a trial at the helper.
SHUT = 2
# Other kinds of ClientHello (`probe.model.step.Walk.profile`), the one that everybody can send first.
PROFILES = ("plain", "browser")
ECH = "ech"
# The parameter `ech` of an HTTPS record as it is written (RFC 9460 section 2.1; RFC 9848).
_ECH = re.compile(r'\bech="?([A-Za-z0-9+/]+=*)')


def trials(question: Question, case: Case, walks: tuple[Tried, ...], planned: tuple[Walk, ...]) -> Iterator[Step]:
    """All trials that the facts so far call for."""
    if not control_settled(question, case):
        return
    yield from _unsupported(question, case, planned)
    if question.role == "control" or case.control_source != "none":
        yield from hellos(question, case, walks, planned)
    if case.control_source == "none":
        return
    yield from _names(question, case, walks, planned)
    yield from _at_helper(question, case, walks, planned)


# ---- an innocent name ----


def _names(question: Question, case: Case, walks: tuple[Tried, ...], planned: tuple[Walk, ...]) -> Iterator[Step]:
    """An innocent name to the same address, for handshakes and plain fetches that fail only here."""
    failing = [step for step in planned if _wants_trial(case, walks, step)]
    for step in failing[:TRIAL_ADDRESSES]:
        for attempt in range(1, question.trial_attempts + 1):
            wait = question.gap_s(attempt + 1)
            if step.sni is not None:
                yield Walk(
                    step.host, step.ip, step.port, question.trial_name, None, attempt, f"{TRIAL}: server name", wait
                )
            elif step.fetch is not None:
                page = Fetch(f"http://{question.trial_name}/", (), step.fetch.hop)
                yield Walk(step.host, step.ip, step.port, None, page, attempt, HOST_TRIAL, wait)
                root = build_url("http", step.host, step.port, "/", "")
                if root != step.fetch.url:
                    yield Walk(
                        step.host, step.ip, step.port, None, Fetch(root, (), step.fetch.hop), attempt, PATH_TRIAL, wait
                    )
        if step.sni is not None:
            # A server may end a handshake for a name that is not its own; without any it has no such reason.
            yield Walk(step.host, step.ip, step.port, "", None, 1, NAMELESS_TRIAL, question.gap_s(2))


def _wants_trial(case: Case, walks: tuple[Tried, ...], step: Walk) -> bool:
    if step.why.startswith("sibling") or step.sni == "" or control_fails_too(case, step):
        return False
    for w in walks:
        failed = w.failed()
        if same_endpoint(w, step) and step.fetch is not None and is_strange_walk(case, w):
            return True
        if not same_endpoint(w, step) or failed is None or not w.connected or is_local(failed.failure):
            continue
        if step.sni is None or failed is w.handshake:
            return True
    return False


# ---- another ClientHello ----


def hellos(question: Question, case: Case, walks: tuple[Tried, ...], planned: tuple[Walk, ...]) -> Iterator[Walk]:
    """Other kinds of ClientHello where the usual one fails: one try of each, and one more where it passed."""
    failing = [step for step in planned if _fails_to_shake(walks, step)]
    sent = {d.profile for _, d in of_kind(case.observations, TlsHandshake)}
    missing = _missing(case)
    for number, step in enumerate(failing[:TRIAL_ADDRESSES]):
        config = ech_config(case, step.host)
        for profile in (*PROFILES, ECH) if config else PROFILES:
            # What an extra may not be there for is tried at one address first.
            if profile in missing or (number and profile != PROFILES[0] and profile not in sent):
                continue
            mine = [w for w in walks if w.is_hello_trial and w.profile == profile and _is_at(w, step)]
            again = question.role == "field" and any(w.shaken for w in mine)
            for attempt in (1, 2) if again else (1,):
                yield Walk(
                    step.host, step.ip, step.port, step.sni, None, attempt, f"{HELLO_TRIAL}: {profile}",
                    question.gap_s(2), profile=profile, ech=config if profile == ECH else "",
                )  # fmt: skip


def _unsupported(question: Question, case: Case, planned: tuple[Walk, ...]) -> Iterator[Walk]:
    """The HTTPS record offers to encrypt the name, and nothing here can: kept as a skipped step, once."""
    if question.role == "control" or ECH in question.profiles or ECH in _missing(case):
        return
    for step in planned[:1]:
        config = ech_config(case, step.host) if step.sni else ""
        if config:
            why = f"{HELLO_TRIAL}: {ECH}"
            yield Walk(step.host, step.ip, step.port, step.sni, why=why, profile=ECH, ech=config)


def ech_config(case: Case, host: str) -> str:
    """The ECHConfigList (base64) of the first HTTPS record that offers one for the host; "" where none does."""
    for o, detail in of_kind(case.observations, DnsLookup):
        if o.host == host and detail.qtype == "HTTPS" and accepted(detail):
            for record in detail.answers:
                found = _ECH.search(record.data) if record.type == "HTTPS" else None
                if found:
                    return found[1]
    return ""


def _missing(case: Case) -> set[str]:
    """Profiles of which a fact says already that this machine cannot send them."""
    return {d.step for _, d in of_kind(case.observations, Skipped) if d.because == "not_supported"}


def _fails_to_shake(walks: Iterable[Tried], step: Walk) -> bool:
    """The handshake for the name failed here, not by our own fault, and never worked."""
    mine = [w for w in walks if same_endpoint(w, step)]
    broken = [w.handshake for w in mine if w.handshake is not None and w.handshake.failure is not None]
    named = bool(step.sni) and not step.why.startswith("sibling")
    return named and any(not is_local(o.failure) for o in broken) and not any(w.shaken for w in mine)


def _is_at(walk: Tried, step: Walk) -> bool:
    return (walk.host, walk.ip, walk.port) == (step.host, step.ip, step.port)


# ---- at the helper ----


def _at_helper(question: Question, case: Case, walks: tuple[Tried, ...], planned: tuple[Walk, ...]) -> Iterator[Visit]:
    """The target's name at a helper's door, for the first address that is shut to it or answers what is strange."""
    for step in planned:
        plain = step.fetch.url if step.fetch is not None and step.sni is None else ""
        wanted = _is_strange(case, walks, step) if plain else _is_shut(case, walks, step)
        door = _door(question, case, walks, step) if wanted else None
        if door is not None and (door.is_apart or not plain):
            innocent = innocent_names(question, step.host)
            why = f"{TRIAL}: at the helper"
            yield Visit(step.host, door.ip, door.port, door.asks, innocent, question.trial_attempts, plain, why=why)
            return


def _is_strange(case: Case, walks: tuple[Tried, ...], step: Walk) -> bool:
    """What is asked for in the clear at this address fails or is somebody else's, again and again, and only here."""
    mine = [w for w in walks if same_endpoint(w, step) and w.page is not None and not control_fails_too(case, step)]
    return sum(w.failed() is not None or is_strange_walk(case, w) for w in mine) >= SHUT


def innocent_names(question: Question, host: str) -> tuple[str, ...]:
    """Names that nobody has a reason to stop. The second cannot exist (RFC 2606), so that a server that ends handshakes
    for names it does not know, as those of content networks do, ends this one as well and proves nothing."""
    return question.trial_name, f"www.v{sha256(host.encode()).hexdigest()[:10]}.example"


def _is_shut(case: Case, walks: tuple[Tried, ...], step: Walk) -> bool:
    """The handshake for the name fails at this address again and again, and a trial elsewhere can tell more: not where
    a control met the same on the way to the site, since what cuts it off may stand there."""
    if not _fails_to_shake(walks, step) or (control_fails_too(case, step) and not shuts_out_control(case, step)):
        return False
    return sum(same_endpoint(w, step) and w.failed() is not None for w in walks) >= SHUT


def _door(question: Question, case: Case, walks: tuple[Tried, ...], step: Walk) -> Door | None:
    """A helper's door at an address that has nothing to do with the target's. The port that our own questions go to is
    only used where a name that was stopped leaves no closed doors behind (residual blocking): it would take the control
    from all other targets."""
    known = {ip for facts in (case.observations, *(c.observations for c in case.controls))
             for ip in addresses_of(facts, step.host)}  # fmt: skip
    doors = [d for d in question.doors if d.ip not in known and (d.is_apart or _stays_open(walks, step))]
    # Readers of plain requests, or of names in handshakes, may look at the usual port only.
    return min(
        doors, key=lambda d: (not d.is_apart, d.port != step.port, (":" in d.ip) != (":" in step.ip)), default=None
    )


def _stays_open(walks: tuple[Tried, ...], step: Walk) -> bool:
    """After the site's name was stopped at its address, an innocent one passed there."""
    stopped = [w.connect.seq for w in walks if same_endpoint(w, step) and w.failed() is not None]
    passed = [w.connect.seq for w in walks if w.is_trial and not w.is_hello_trial and _is_at(w, step) and w.shaken]
    return bool(stopped and passed) and max(passed) > min(stopped)
