"""The router process of a lab: `python -m tests.lab.routers CONFIG`. Says `ready`, forwards until SIGTERM."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

from tests.lab.atlas import PLACES, ROUTERS
from tests.lab.line import Line
from tests.lab.middlebox import Middlebox
from tests.lab.network import HOMES, Network
from tests.lab.packet import packed
from tests.lab.rules import Rule, rule_of
from tests.lab.spaces import open_tun

_ROUTERS = ("access", "censor", "core")


def build(config: dict[str, Any], ports: dict[str, int]) -> Network:
    """The network of a configuration: `rules`, `line`, `seed`."""
    rules = [rule_of(row) for row in config["rules"]]
    homes = {packed(ip): end for end, pair in PLACES for ip in pair}

    def box(n: int) -> Middlebox:
        mine: list[Rule] = [rule for rule in rules if rule.at == _ROUTERS[n]]
        return Middlebox(mine, ROUTERS[n], config["seed"] + n)

    line = Line(**config["line"])
    return Network(ports, homes, (box(0), box(1), box(2)), ROUTERS, line, config["seed"])


def main() -> None:
    config = json.loads(Path(sys.argv[1]).read_text())
    ports = {end: open_tun(f"{config['prefix']}{end}") for end in HOMES}
    network = build(config, ports)

    def halt(signum: int, frame: object) -> None:
        network.stop = True

    signal.signal(signal.SIGTERM, halt)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    network.run()


if __name__ == "__main__":
    main()
