"""Pairing field with controls: what each side saw of the same name, endpoint or page, and the contrast between the
two."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from probe.model.failure import is_local
from probe.model.kinds import DnsLookup, HttpFetch, LineState
from probe.model.observation import Observation
from probe.model.outcome import Contrast
from probe.model.target import address_of
from probe.verdict.case import Case
from probe.verdict.fingerprints import match_page
from probe.verdict.line import Line
from probe.verdict.read import (
    ReadWalks,
    Tried,
    addresses_of,
    answer_addresses,
    is_verified_resolver,
    of_kind,
    walks_of,
)
from probe.verdict.reference import Fingerprint, Reference, nat64_target

# A site's own refusal of a visitor: forbidden, too many requests, unavailable for legal reasons (RFC 9110, 6585, 7725).
REFUSALS = frozenset({401, 403, 429, 451})
# A timeout says nothing when the event loop itself was late by more than this, or by a quarter of the wait.
LAG_FLOOR_US = 200_000


@dataclass(frozen=True)
class Pairing:
    """A case with both sides' walks put together once, by `read`. Every reading of facts about endpoints starts from
    here."""

    case: Case
    reference: Reference
    read: ReadWalks = walks_of

    @cached_property
    def here(self) -> tuple[Tried, ...]:
        """The field's own walks; trials, sibling ports and what was only timed left out."""
        return tuple(w for w in self._walks if not w.is_trial and not w.is_sibling and not w.for_speed)

    @cached_property
    def trials(self) -> tuple[Tried, ...]:
        """The field's own trials, those of hops and of speed left out: see `Tried.is_trial`."""
        return tuple(w for w in self._walks if w.is_trial and not w.is_hop_trial and not w.for_speed)

    @cached_property
    def hop_trials(self) -> tuple[Tried, ...]:
        """Walks whose hello was sent to die on the way."""
        return tuple(w for w in self._walks if w.is_hop_trial)

    @cached_property
    def timed(self) -> tuple[Tried, ...]:
        """Walks of the speed check, for the site's own name and for an innocent one."""
        return tuple(w for w in self._walks if w.for_speed)

    @cached_property
    def _walks(self) -> tuple[Tried, ...]:
        return self.read(self.case.observations)

    @cached_property
    def hellos_there(self) -> tuple[Tried, ...]:
        """The controls' walks with another ClientHello than the usual one."""
        return tuple(w for c in self.living_controls for w in self.read(c) if w.is_hello_trial)

    @cached_property
    def there_each(self) -> tuple[tuple[Tried, ...], ...]:
        """The walks of each control."""
        return tuple(
            tuple(w for w in self.read(c) if not w.is_trial and not w.is_sibling) for c in self.living_controls
        )

    @cached_property
    def there(self) -> tuple[Tried, ...]:
        """The controls' walks."""
        return tuple(w for walks in self.there_each for w in walks)

    def is_split(self, concerns: Callable[[Tried], bool], worked: Callable[[Tried], bool]) -> bool:
        """Controls contradict one another: to one of them some such walk worked, to another one none did. Then one of
        them errs, lies, or is treated otherwise, and none can be held against the field's failure alone."""
        sides = [[w for w in walks if concerns(w)] for walks in self.there_each]
        return len({any(worked(w) for w in side) for side in sides if side}) == 2

    @cached_property
    def living_controls(self) -> tuple[tuple[Observation, ...], ...]:
        """Facts of the controls whose own line works: something answered them, or their canaries did."""
        return tuple(c.observations for c in self.case.controls if _alive(c.observations))

    @property
    def has_control(self) -> bool:
        return bool(self.living_controls)

    def control_addresses(self, host: str) -> tuple[str, ...]:
        """Addresses that any control's resolvers gave for the host."""
        return addresses_of((o for facts in self.living_controls for o in facts), host)

    def control_looked_up(self, host: str) -> bool:
        return any(o.host == host for facts in self.living_controls for o, _ in of_kind(facts, DnsLookup))

    def vouched(self, host: str) -> frozenset[str]:
        """Addresses at which anybody was shown a valid certificate for the name: genuine, whoever named them and
        however hello was said."""
        hellos = (*self.hellos_there, *(w for w in self.trials if w.is_hello_trial))
        return frozenset(w.ip for w in (*self.here, *self.there, *hellos) if w.host == host and w.proven)

    def trusted(self, host: str) -> frozenset[str]:
        """Vouched addresses, and those that a control or a verified encrypted resolver named."""
        sealed = [o for o, d in of_kind(self.case.observations, DnsLookup) if is_verified_resolver(d)]
        named = (*addresses_of(sealed, host), *self.control_addresses(host))
        literal = address_of(host)
        found = self.vouched(host) | frozenset(named) | (frozenset([literal]) if literal else frozenset())
        # An IPv6-only network reaches a trusted IPv4 address through its NAT64 (RFC 6052).
        return found | {w.ip for w in self.here if w.host == host and nat64_target(w.ip) in found}

    def fingerprint(self, walk: Tried) -> Fingerprint | None:
        """What a fetched page's mark says. Over a proven path the page is the site's own, so that a notice in it is a
        quotation; only the site's own refusals count there."""
        page = walk.page
        if page is None:
            return None
        body = self.case.bodies.get(page.body or "")
        found = match_page(self.reference, page, body, self.case.vantage)
        if found is not None and walk.proven and found.kind not in ("refusal", "innocent"):
            return None
        return found

    @cached_property
    def line(self) -> Line:
        """What the run had met on its own line meanwhile."""
        return Line(self.case.observations)

    @property
    def line_state(self) -> LineState:
        """The last count of it; empty when none was kept."""
        return self.line.last

    @cached_property
    def line_is_dead(self) -> bool:
        """Nothing at all answered: not the control, no canary, no other target, and nothing in this measurement."""
        state = self.line_state
        if (
            state.control_reached
            or state.canaries_reached
            or state.others_reached
            or self.case.control_source == "helper"
        ):
            return False
        observations = self.case.observations
        answered = any(answer_addresses(d) for _, d in of_kind(observations, DnsLookup) if _came_from_afar(d))
        return not answered and not any(w.connected for w in walks_of(observations))

    def witness(self, observations: Iterable[Observation]) -> tuple[tuple[str, int], ...]:
        """References to facts, in order, each once."""
        return tuple(dict.fromkeys(sorted((o.measurement_id, o.seq) for o in observations)))


def _came_from_afar(detail: DnsLookup) -> bool:
    # A device's own hosts file or cache may answer while the line is dead.
    return detail.resolver != "system"


def _alive(facts: tuple[Observation, ...]) -> bool:
    states = [detail for _, detail in of_kind(facts, LineState)]
    if states and (states[-1].canaries_reached or states[-1].others_reached):
        return True
    silent = {"generic_timeout_error", "dns_temporary_failure", "skipped"}
    operations = [o for o in facts if o.kind in ("dns.lookup", "tcp.connect")]
    return any(o.failure not in silent and not is_local(o.failure) for o in operations)


def was_busy(o: Observation) -> bool:
    """The machine was too late for this timeout to mean anything (a saturated loop invents latency). What did arrive,
    a page, a denial or a reset, arrived however late we looked."""
    lag = getattr(o.detail, "lag_us", 0) if o.failure == "generic_timeout_error" else 0
    return bool(lag) and lag > max(LAG_FLOOR_US, o.took_us // 4)


def contrast(here_ok: bool | None, there_ok: bool | None) -> Contrast:
    """Field against control; None means not tried."""
    if here_ok is None:
        return "not_tried"
    if there_ok is None:
        return "no_control"
    if here_ok:
        return "both_ok" if there_ok else "only_there"
    return "only_here" if there_ok else "both_failed"


def refuses(page: HttpFetch, mark: Fingerprint | None) -> bool:
    """The server itself turns this visitor away."""
    return page.status in REFUSALS or (mark is not None and mark.kind == "refusal")
