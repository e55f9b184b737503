"""What this machine knows of itself, so that it can be kept out of facts. Nothing is sent to find it out."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterator

from probe.store.scrub import Scrubber

# Names that say nothing of anybody.
_COMMON = frozenset(
    {"localhost", "root", "user", "admin", "ubuntu", "debian", "home", "raspberrypi", "desktop", "laptop"}
)


def local_scrubber() -> Scrubber:
    """What this machine knows of itself at this moment: addresses of its interfaces in use, host name, user name."""
    names = {socket.gethostname(), socket.gethostname().partition(".")[0], _user()}
    return Scrubber(own_addresses(), {n for n in names if len(n) >= 4 and n.lower() not in _COMMON})


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user, as in some containers
        return ""


def own_addresses() -> Iterator[str]:
    """The addresses that this machine would send from, one of each family."""
    # Connecting a UDP socket sends nothing; it makes the kernel choose a source address (targets: RFC 5737, RFC 3849).
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect((far, 9))
                yield str(sock.getsockname()[0])
        except OSError:
            continue
