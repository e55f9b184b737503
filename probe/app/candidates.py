"""Candidates for block page fingerprints, out of a database: one unknown page in the place of several unrelated sites
of one network, while controls were given other pages. Found anew from the facts each time, and shown, never trusted:
what turns one into a fingerprint is a person who knows whose page it is."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from probe.app.judge import field_measurements, load_case
from probe.checks.web.candidates import Stranger, strangers
from probe.checks.web.several import SEVERAL, unrelated
from probe.model.errors import BundleError, StoreError, TargetError, UsageError
from probe.model.kinds import HttpFetch
from probe.model.measurement import Measurement
from probe.store.sqlite import Store
from probe.verdict.case import without_old_controls
from probe.verdict.fingerprints import matches
from probe.verdict.likeness import led_to, same_answer
from probe.verdict.pair import Pairing
from probe.verdict.reference import Fingerprint, FingerprintPlace, Reference
from probe.wire.http1 import header_value
from probe.wire.page import decode_text

SHORTEST_ID = 4
# A literal to search for: long enough to be nobody else's words, short enough to read.
LEAST_TEXT, MOST_TEXT = 16, 120
_TAG = re.compile(r"<[^>]{0,4096}>")
_VARYING = re.compile(r"\d{4}|https?:|(?:\d{1,3}\.){3}\d")


@dataclass(frozen=True, slots=True)
class Sighting:
    """The page once: in which measurement, in whose place, and its text where the body was kept."""

    measurement: Measurement
    stranger: Stranger
    text: str

    @property
    def page(self) -> HttpFetch:
        return self.stranger.page


@dataclass(frozen=True)
class Candidate:
    """One page with its sightings in one network, in order of time."""

    cc: str
    asn: int | None
    sightings: tuple[Sighting, ...]

    @cached_property
    def id(self) -> str:
        """Stays the same as sightings are added: made from the first one's page and the network."""
        page = self.sightings[0].page
        whole = (self.cc, self.asn, page.status, led_to(page), page.body)
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:12]

    @cached_property
    def sites(self) -> tuple[str, ...]:
        """Hosts that have nothing to do with each other, in whose place it came."""
        return tuple(met.host for met in unrelated([s.stranger.met for s in self.sightings]))

    @property
    def title(self) -> str:
        """What to call it: where it leads, its title, or its first words."""
        page = self.sightings[0].page
        named = page.features.title if page.features else None
        return led_to(page) or named or next(iter(_runs(self.sightings[0].text)), "")[:60] or f"status {page.status}"


def find_candidates(store: Store, reference: Reference, run_id: str | None = None) -> list[Candidate]:
    """All candidates of a database, or those that one run alone shows, the most widely seen first."""
    groups: dict[tuple[str, int | None], list[list[Sighting]]] = {}
    for cc, asn, sighting in _sightings(store, reference, run_id):
        known = groups.setdefault((cc, asn), [])
        mine = next((group for group in known if same_answer(group[0].page, sighting.page)), None)
        if mine is None:
            known.append([sighting])
        else:
            mine.append(sighting)
    every = (Candidate(cc, asn, tuple(group)) for (cc, asn), found in groups.items() for group in found)
    several = [one for one in every if len(one.sites) >= SEVERAL]
    return sorted(several, key=lambda one: (-len(one.sites), one.id))


def candidate(store: Store, reference: Reference, text: str) -> Candidate:
    """The one that an id, or its beginning, means. Raises UsageError: unknown, ambiguous."""
    wanted = text.strip().lower()
    found = [one for one in find_candidates(store, reference) if one.id.startswith(wanted)]
    if len(wanted) < SHORTEST_ID or len(found) != 1:
        raise UsageError(f"{text[:40]!r} means {len(found) or 'no'} candidates; `probe candidates list` shows them")
    return found[0]


def _sightings(store: Store, reference: Reference, run_id: str | None) -> Iterator[tuple[str, int | None, Sighting]]:
    """Strange pages that no fingerprint knows. Measurements that cannot be read are passed over, as in judging."""
    sql = (
        "SELECT DISTINCT measurement_id FROM observation WHERE kind = ? AND json_extract(detail, '$.url') LIKE 'http:%'"
    )
    in_the_clear = {name for (name,) in store.query(sql, (HttpFetch.kind,))}
    for measurement in field_measurements(store, run_id):
        if measurement.measurement_id not in in_the_clear:
            continue
        try:
            case = without_old_controls(load_case(store, measurement))
        except (BundleError, StoreError, TargetError):
            continue
        pairing = Pairing(case, reference)
        vantage = case.vantage
        for stranger in strangers(pairing):
            if pairing.fingerprint(stranger.walk) is None:
                body = case.bodies.get(stranger.page.body or "", b"")
                text = decode_text(body, header_value(stranger.page.headers, "content-type") or "")
                seen = Sighting(measurement, stranger, text)
                yield vantage.cc if vantage else "", vantage.asn if vantage else None, seen


# ---- as a row for seeds/fingerprints.toml ----


def fingerprint_of(one: Candidate, reference: Reference) -> Fingerprint:
    """The mark that all sightings have in common. Raises UsageError where they have too little."""
    where, pattern, regex, match = _mark(one)
    days = sorted({s.measurement.started_at[:10] for s in one.sightings})
    sentence = f"Candidate: one page in the place of {len(one.sites)} unrelated sites, {days[0]} to {days[-1]}."
    return Fingerprint(
        id=_free_id(one.cc, reference),
        kind="blockpage",
        where=where,
        pattern=pattern,
        regex=regex,
        scope_cc=one.cc,
        scope_asn=(one.asn,) if one.asn else (),
        because=f"{sentence} Find out whose page it is before it is believed.",
        source=f"own measurements {' '.join(s.measurement.measurement_id[:12] for s in one.sightings[:4])}",
        match=match,
        lookalike=_near_miss(match, pattern),
    )


def _mark(one: Candidate) -> tuple[FingerprintPlace, str, bool, str]:
    """(where, pattern, whether it is an expression, what it matches)."""
    first = one.sightings[0].page
    host = led_to(first)
    if host:
        return "location", rf"^https?://{re.escape(host)}(?:[:/?]|$)", True, first.location or ""
    text = _common_text(one)
    if text:
        return "body", text, False, text
    title = first.features.title if first.features else None
    if (
        title
        and len(title) >= LEAST_TEXT
        and all(s.page.features and s.page.features.title == title for s in one.sightings)
    ):
        return "title", title, False, title
    raise UsageError(f"candidate {one.id} has no text of its own that a fingerprint could look for")


def _common_text(one: Candidate) -> str:
    """The longest run of text that all sightings hold to the letter, and in which nothing varies by site or day."""
    hosts = {s.stranger.target.host for s in one.sightings}
    texts = [s.text for s in one.sightings]
    usable = (r for r in _runs(texts[0]) if not _VARYING.search(r) and not any(host in r for host in hosts))
    common = [run[:MOST_TEXT] for run in usable if all(run[:MOST_TEXT] in text for text in texts)]
    return max(common, key=len, default="")


def _runs(text: str) -> list[str]:
    """Pieces of visible text as they stand in the source: between tags, within a line."""
    pieces = (piece.strip() for part in _TAG.split(text) for piece in part.splitlines())
    return [piece for piece in pieces if len(piece) >= LEAST_TEXT]


def _near_miss(match: str, pattern: str) -> str:
    """Text that is much like it and does not match: without its end, or the redirect's host inside a query."""
    return f"https://example.org/?to={match}" if match != pattern else match[: len(match) * 2 // 3]


def _free_id(cc: str, reference: Reference) -> str:
    prefix = f"FP-{cc or 'NEW'}-"
    taken = [int(f.id[-3:]) for f in reference.fingerprints if f.id.startswith(prefix)]
    return f"{prefix}{max(taken, default=0) + 1:03d}"


def toml_row(mark: Fingerprint) -> str:
    """A fingerprint as it stands in the file. Raises nothing; refuses nothing: `matches` was asked before."""
    assert matches(mark, mark.match) and not matches(mark, mark.lookalike)
    asns = ", ".join(str(asn) for asn in mark.scope_asn)
    rows: Sequence[tuple[str, str]] = (
        ("id", _text(mark.id)), ("kind", _text(mark.kind)), ("scope_cc", _text(mark.scope_cc)),
        ("scope_asn", f"[{asns}]"), ("where", _text(mark.where)), ("pattern", _text(mark.pattern)),
        *((("regex", "true"),) if mark.regex else ()), ("because", _text(mark.because)),
        ("source", _text(mark.source)), ("match", _text(mark.match)), ("lookalike", _text(mark.lookalike)),
    )  # fmt: skip
    return "\n".join(("[[fingerprint]]", *(f"{name} = {value}" for name, value in rows)))


def _text(text: str) -> str:
    """A TOML string: literal where it can be, so that expressions stay readable; else a basic one, of which JSON's form
    is one."""
    plain = text.isprintable() and "'" not in text
    return f"'{text}'" if plain and ("\\" in text or '"' in text) else json.dumps(text)


def in_words(found: Iterable[Candidate]) -> str:
    """One sentence for the end of a run; empty when there is nothing to say."""
    names = [f"{one.title!r}" for one in found]
    if not names:
        return ""
    few = ", ".join(names[:3]) + (" and more" if len(names) > 3 else "")
    return f"Unknown pages in the place of several sites: {few}. See them: probe candidates list"
