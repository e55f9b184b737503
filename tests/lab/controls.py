"""The helpers that a case asks: honest ones in two places, and liars in front of the first."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.lab.atlas import ABROAD, CONTROL, HELPER_PORT, LIAR_PORT
from tests.lab.liar import LIES

if TYPE_CHECKING:
    from tests.lab.world import Lab

HONEST = ("helper", "abroad")
# Where a helper takes any name.
DOOR_PORTS = (443, 80)
# Words that start nothing: no helper is given, or one that is not there.
NOBODY = ("none", "down")
_PLACES = {"helper": (CONTROL, "DE", "AS64501"), "abroad": (ABROAD, "US", "AS64502")}


def control_url(word: str, *, over_ipv6: bool) -> str:
    """What `--control` gets for a word of `RunSpec.control`."""
    if word == "none":
        return word
    addresses = _PLACES.get(word, _PLACES["helper"])[0]
    port = LIAR_PORT + list(LIES).index(word) if word in LIES else HELPER_PORT
    return f"http://[{addresses[1]}]:{port}" if over_ipv6 else f"http://{addresses[0]}:{port}"


def start_controls(lab: Lab, words: Sequence[str], over_ipv6: bool) -> None:
    """Start every helper that a run asks, and the honest one behind a liar. Raises LabError."""
    for place in HONEST:
        if place in words or (place == "helper" and any(word in LIES for word in words)):
            _start_helper(lab, place, over_ipv6)
    for word in words:
        if word in LIES:
            front, behind = control_url(word, over_ipv6=over_ipv6), control_url("helper", over_ipv6=over_ipv6)
            lab.start_ready("control", ("-m", "tests.lab.liar", word, front, behind), f"{word}.log")


def _start_helper(lab: Lab, place: str, over_ipv6: bool) -> None:
    addresses, country, network = _PLACES[place]
    doors = [f"{addresses[0]}:{port}" for port in DOOR_PORTS if lab.cases[0].run.door]
    log = f"{place}.log"
    words = (
        sys.executable, "-m", "probe", "helper", "--ca-file", str(lab.ca_file), "--no-system-resolver",
        "--listen", f"[{addresses[1]}]:{HELPER_PORT}" if over_ipv6 else f"{addresses[0]}:{HELPER_PORT}",
        "--country", country, "--network", network, "--rate", "6000",
        *(word for door in doors for word in ("--trial-listen", door)),
    )  # fmt: skip
    end = "control" if place == "helper" else place
    process = lab.start(end, words, log)
    lab.wait_listening(end, process, HELPER_PORT, log)
