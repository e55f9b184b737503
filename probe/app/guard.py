"""Scrubbing an address that nobody has told us: behind NAT, without a helper, the public address is unknown.

Sites echo it all the same. Until it is known, every public address that a page or a response header spells out in plain
text is taken out of that fact, unless this run dialled it or it is the host of a URL (where a redirect or a notice
leads). Some evidence is lost that way; the volunteer's safety outranks it.
"""

from __future__ import annotations

import ipaddress
import re

from probe.model.kinds import HttpFetch
from probe.model.observation import Blob
from probe.store.scrub import Scrubber
from probe.wire.facts import ObservationRow, Row

_V4 = re.compile(r"(?<![\w.])(?<!//)(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_V6 = re.compile(r"(?<![\w:.])(?<!//\[)(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
# Patterns in one search at most; a page that spells out more addresses than this is a list of them.
LITERALS_MAX = 256


class Guard:
    """A scrubber that also takes out strangers' addresses of each family whose own public address is not known yet.
    Give it the blobs of an observation before the observation."""

    def __init__(self, scrubber: Scrubber, known: tuple[str, ...] = ()) -> None:
        self._scrubber = scrubber
        self._families: set[int] = set()
        self._dialled: set[str] = set()
        self._local: Scrubber | None = None
        for address in known:
            self.learn(address)

    def learn(self, address: str) -> None:
        """Our own address, as a helper or an interface tells it. Raises ValueError for what is no address."""
        self._scrubber.learn(address)
        ip = ipaddress.ip_address(address.partition("%")[0])
        if ip.is_global:
            self._families.add(ip.version)

    def __call__(self, row: Row) -> Row:
        """The row as it may be kept."""
        row = self._scrubber(row)
        if isinstance(row, Blob) and _is_text(row.media):
            self._local = self._scrubber_for(row.data.decode("latin-1"))
            return self._local(row)
        if isinstance(row, ObservationRow):
            if row.ip:
                self._dialled.add(row.ip)
            if row.kind == HttpFetch.kind:
                return self._fetch(row)
        return row

    def _fetch(self, row: ObservationRow) -> Row:
        local, self._local = self._local or Scrubber(), None
        for address in self._strangers(row.detail):
            local.learn(address)
        return local(row)

    def _scrubber_for(self, text: str) -> Scrubber:
        return Scrubber(self._strangers(text))

    def _strangers(self, text: str) -> set[str]:
        """Public addresses in a text that are neither dialled nor the host of a URL, of families not known yet."""
        patterns = [p for version, p in ((4, _V4), (6, _V6)) if version not in self._families]
        found = {match[0] for pattern in patterns for match in pattern.finditer(text)}
        return {a for a in sorted(found)[:LITERALS_MAX] if a not in self._dialled and _is_public(a)}


def _is_public(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False


def _is_text(media: str) -> bool:
    return media.startswith("text/") or any(word in media for word in ("html", "json", "xml", "javascript"))
