"""The lab's cases: one TOML file each in `tests/cases/lab`, and how they are grouped into labs.

    id, title, kind, done    as in `tests/cases`: kind is blocking or innocent, `done` the ground truth in a sentence
    url                      default https://ID.example/
    [site]                   what stands at the far end: see `Site`
    [[site_more]]            further sites that the case needs (a redirect's goal, a neighbour)
    [[rule]]                 what is done to packets: see `tests.lab.rules.Rule`; `names` default to the site's name,
                             `addresses` are numbers of the site's addresses (from 0; 6 before it means IPv6: "6:0"),
                             words of a place (isp, helper, portal, doh, dot) or addresses
    [line]                   the volunteer's line: see `LineSpec`
    [run]                    how it is measured: see `RunSpec`
    [truth]                  see `Truth`

Cases with equal line and run, and whose rules touch nothing but their own sites, share a lab and a sitting.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.line import Line

# Cases in one lab, at most.
LARGEST = 30
FOLDER = Path(__file__).parent.parent / "cases" / "lab"


@dataclass(frozen=True, slots=True)
class Site:
    """One site. `v4` and `v6` count its addresses. `alpn` is what its TLS offers; empty means no TLS; with h3 among it,
    HTTP/3 is announced, and `h3` says how it is served: ok, silent, or a word of `cert` but for self_signed. `tls` is
    the newest version that it speaks ("1.2") where that is not 1.3. `manner` is how it answers (see
    `tests.lab.manners`); `cert` is ok, expired, other_name, self_signed or unknown_ca; `plain` what port 80 does: page,
    to_https, closed. `here` and `there` pin the number of the addresses that resolvers give to the volunteer and to the
    control; None gives all. `rotate` is how many of them one answer has, others each time; 0 means all. `stray` are
    addresses ("0", "6:0") whose server does not know the site. `cname` puts an alias in between. `dns` is nxdomain,
    servfail, bogus (signatures that do not fit: validating resolvers refuse, which the public ones are), bogus_here
    (only the ISP's validates), or the address that its owner wrote in by mistake. `server` is nginx where the real one
    is to serve it."""

    name: str
    v4: int = 1
    v6: int = 0
    alpn: tuple[str, ...] = ("h2", "http/1.1")
    manner: str = "page"
    plain: str = "to_https"
    cert: str = "ok"
    to: str = ""
    here: tuple[int, ...] | None = None
    there: tuple[int, ...] | None = None
    rotate: int = 0
    stray: tuple[str, ...] = ()
    tls: str = ""
    cname: str = ""
    dns: str = ""
    www: bool = False
    server: str = ""
    h3: str = "ok"

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, f"www.{self.name}") if self.www else (self.name,)


@dataclass(frozen=True, slots=True)
class LineSpec(Line):
    """The volunteer's line (`tests.lab.line.Line` has the rest of its keys), and the families that it has."""

    ipv6: bool = True


@dataclass(frozen=True, slots=True)
class RunSpec:
    """How a case is measured. `control` names the helpers that are asked, in order: helper (honest), abroad (honest,
    elsewhere), none, down, or a word of `tests.lab.liar.LIES`; with `door` the honest ones have a trial door, at their
    IPv4 address and ports 443 and 80. `clock_s` is how wrong the volunteer's clock is; `trust`
    what the volunteer trusts: ok, old (no root of the lab), expired (the root, out of date), national (the censor's
    authority as well). `asleep` = [after, for] seconds: the machine sleeps in mid-run. `resolver` is unbound where that
    is to be the ISP's resolver. `canaries` is their number; `urls` are measured in the same run and judged by nobody;
    `args` are more words of the command line; `alone` asks for a lab of its own; `lacks` are packages that the
    volunteer has not installed."""

    control: tuple[str, ...] = ("helper",)
    door: bool = False
    clock_s: int = 0
    trust: str = "ok"
    asleep: tuple[float, ...] = ()
    resolver: str = ""
    canaries: int = 3
    alone: bool = False
    urls: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Truth:
    """What may rightly be said. `outcome` are all the words that are right; `techniques` any that fit, best first;
    `layer` any of these. `locus` is where it is done and `hop` the router that does it, counted from the volunteer
    (access 1, censor 2, core 3): both are scored apart, a hop only where the prober names one."""

    outcome: tuple[str, ...]
    layer: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    reason: str | None = None
    locus: str | None = None
    hop: int | None = None


@dataclass(frozen=True)
class LabCase:
    id: str
    title: str
    kind: str
    done: str
    url: str
    sites: tuple[Site, ...]
    rules: tuple[dict[str, Any], ...]
    line: LineSpec
    run: RunSpec
    truth: Truth
    skip: str = field(default="")

    @property
    def needs(self) -> frozenset[str]:
        """Programs that must be installed for it."""
        return frozenset(filter(None, (self.run.resolver, *(site.server for site in self.sites))))

    @property
    def is_patient(self) -> bool:
        """Something is dropped, so that deadlines have to pass."""
        return any(rule.get("do") == "drop" for rule in self.rules)

    @property
    def group(self) -> str:
        """Cases of one group may share a lab."""
        key = json.dumps([repr(self.line), repr(self.run)])
        return f"{key} {self.id}" if self.run.alone else key


def load(folder: Path = FOLDER) -> tuple[LabCase, ...]:
    """All cases by file name. Raises ValueError for a file whose name is not its id."""
    found = []
    for path in sorted(folder.glob("*.toml")):
        case = read(tomllib.loads(path.read_text()))
        if case.id != path.stem:
            raise ValueError(f"{path.name}: its id is {case.id}")
        found.append(case)
    return tuple(found)


def read(table: dict[str, Any]) -> LabCase:
    """One case from its table."""
    name = f"{table['id']}.example"
    sites = [_site(table.get("site", {}), name), *(_site(row, name) for row in table.get("site_more", ()))]
    truth = table["truth"]
    return LabCase(
        id=table["id"],
        title=table["title"],
        kind=table["kind"],
        done=table["done"],
        url=table.get("url", f"https://{name}/"),
        sites=tuple(sites),
        rules=tuple(table.get("rule", ())),
        line=LineSpec(**table.get("line", {})),
        run=_run(table.get("run", {})),
        truth=Truth(
            outcome=_words(truth["outcome"]),
            layer=_words(truth.get("layer", ())),
            techniques=_words(truth.get("techniques", ())),
            reason=truth.get("reason"),
            locus=truth.get("locus"),
            hop=truth.get("hop"),
        ),
        skip=table.get("skip", ""),
    )


def _run(row: dict[str, Any]) -> RunSpec:
    values = _tuples(row)
    control = _words(values.get("control", "helper"))
    return RunSpec(**values | {"control": ("helper", "abroad") if control == ("two",) else control})


def _site(row: dict[str, Any], name: str) -> Site:
    return Site(**{"name": name, **_tuples(row)})


def _words(value: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _tuples(row: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


def grouped(cases: tuple[LabCase, ...], largest: int = LARGEST) -> tuple[tuple[LabCase, ...], ...]:
    """Cases put into labs, the longest first: big ones, and those in which something is dropped and waited for. None
    holds more than `largest`."""
    groups: dict[str, list[LabCase]] = {}
    for case in cases:
        groups.setdefault(case.group, []).append(case)
    cut = [group[i : i + largest] for group in groups.values() for i in range(0, len(group), largest)]
    return tuple(tuple(group) for group in sorted(cut, key=lambda g: (-len(g), not any(c.is_patient for c in g))))
