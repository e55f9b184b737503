"""What must never be contacted: a file of one name, URL or address range a line, `#` for comments.

A line stands for its whole host and everything below it, whatever path it names: who denies one page of a site hardly
wants its front page asked for. Unlike a bad line of a target list, a bad line here is fatal: a list of what to keep
away from that is understood in part is worse than none.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from probe.inputs.folders import digest, read_bounded
from probe.model.errors import TargetError, UsageError
from probe.model.target import address_of, parse_target

MAX_BYTES = 2_000_000
# Meant as a range, though it may not be one; without this, `10.0.0.0/99` would be a page of a host.
_RANGE = re.compile(r"[0-9a-fA-F:.]*[:.][0-9a-fA-F:.]*/[0-9]+")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class DenyList:
    """Hosts (each with all below it) and address ranges. `digest` is over what is denied, not over the files."""

    hosts: frozenset[str] = frozenset()
    nets: tuple[Network, ...] = ()

    def covers(self, host: str) -> bool:
        """Whether a name or an address, in normal form, is denied."""
        literal = address_of(host)
        if literal is not None:
            ip = ipaddress.ip_address(literal)
            return any(ip in net for net in self.nets)
        labels = host.split(".")
        return any(".".join(labels[n:]) in self.hosts for n in range(len(labels)))

    @property
    def digest(self) -> str:
        """SHA-256 of the sorted entries; empty where nothing is denied."""
        lines = (*sorted(self.hosts), *sorted(map(str, self.nets)))
        return digest("\n".join(lines).encode()) if lines else ""


NOTHING = DenyList()


def read_denied(paths: Iterable[Path]) -> DenyList:
    """All that the files deny. Raises UsageError for a file that cannot be read and for the first bad line."""
    hosts: set[str] = set()
    nets: set[Network] = set()
    for path in paths:
        for number, line in enumerate(_lines(path), 1):
            text = line.partition("#")[0].strip()
            if text:
                _take(text, f"{path}: line {number}", hosts, nets)
    return DenyList(frozenset(hosts), tuple(sorted(nets, key=str)))


def _lines(path: Path) -> list[str]:
    try:
        return read_bounded(path, MAX_BYTES).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not UTF-8") from None


def _take(text: str, where: str, hosts: set[str], nets: set[Network]) -> None:
    try:
        nets.add(ipaddress.ip_network(text, strict=False))
        return
    except ValueError:
        if _RANGE.fullmatch(text):
            raise UsageError(f"{where}: {text[:80]!r} is no address range") from None
    try:
        host = parse_target(text.removeprefix("*.")).host
    except TargetError as error:
        raise UsageError(f"{where}: {error.text[:80]!r} is no name, URL or address range ({error.reason})") from None
    literal = address_of(host)
    if literal is None:
        hosts.add(host)
    else:
        nets.add(ipaddress.ip_network(literal))
