"""What was not measured, and which innocent explanations the facts rule out. Both are sections of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from probe.inputs.language import _, plural
from probe.model.corpus import Corpus, Judged
from probe.report.events import CLEAR, Episode, outcome_of
from probe.report.model import Alternative, Gap
from probe.report.words import listed, semicolons, site, tame

_MAX_PAIRS = 200
_GOOD_CONTROLS = ("helper", "db")


def not_measured(corpus: Corpus, judged: Sequence[Judged], known: Sequence[tuple[str, str]]) -> tuple[Gap, ...]:
    """Every gap that these databases themselves show, most general first."""
    return (*_networks(judged, known), *_pairs(judged), *_layers(judged), *_places(judged), *_unjudged(corpus.unjudged))


def _networks(judged: Iterable[Judged], known: Sequence[tuple[str, str]]) -> Iterator[Gap]:
    rows = list(judged)
    countries = {one.vantage.cc for one in rows if one.vantage.cc}
    measured = {one.network.split(" ", 1)[0] for one in rows}
    for country, name in sorted(set(known)):
        if country in countries and name.split(" ", 1)[0] not in measured:
            yield Gap(
                "network",
                tame(name),
                _("a known network of {country}; nobody measured from it").format(country=country),
            )


def _pairs(judged: Iterable[Judged]) -> Iterator[Gap]:
    """Targets that some networks were asked about and others were not."""
    rows = list(judged)
    done = {(one.target, one.network) for one in rows}
    networks = sorted({one.network for one in rows})
    lacking = [
        (target, [network for network in networks if (target, network) not in done])
        for target in sorted({one.target for one in rows})
    ]
    gaps = [(target, missing) for target, missing in lacking if missing]
    for target, missing in gaps[:_MAX_PAIRS]:
        yield Gap("pair", tame(site(target)), _("not measured on {networks}").format(networks=tame(listed(missing))))
    if len(gaps) > _MAX_PAIRS:
        more = plural("{n} more website", "{n} more websites", len(gaps) - _MAX_PAIRS)
        yield Gap("pair", more, _("measured on some of the networks only"))


def _layers(judged: Iterable[Judged]) -> Iterator[Gap]:
    met = {opinion.layer for one in judged for opinion in one.opinions}
    if met and "quic" not in met:
        yield Gap("layer", _("HTTP/3 over QUIC"), _("no measurement tried it"))


def _places(judged: Iterable[Judged]) -> Iterator[Gap]:
    unknown = {one.vantage.vantage_id for one in judged if not one.vantage.place}
    if unknown:
        who = plural("{n} vantage point", "{n} vantage points", len(unknown))
        yield Gap("place", who, _("the volunteer did not say in which place"))


def _unjudged(rows: Sequence[Judged]) -> Iterator[Gap]:
    by_target: dict[str, int] = {}
    for one in rows:
        by_target[one.target] = by_target.get(one.target, 0) + 1
    for target, number in sorted(by_target.items())[:_MAX_PAIRS]:
        because = plural(
            "{n} measurement not judged by the ruleset of this report",
            "{n} measurements not judged by the ruleset of this report",
            number,
        )
        yield Gap("judgement", tame(site(target)), because)


def alternatives(event_id: str, episode: Episode, judged: Sequence[Judged]) -> tuple[Alternative, ...]:
    """The innocent explanations of a blocking event, each with what the facts say to it."""
    scene = _Scene(episode, judged)
    found = (scene.site_down(), scene.line_down(), scene.one_device(), scene.refused_by_site())
    return tuple(Alternative(event_id, name, gone, because) for name, gone, because in found)


class _Scene:
    """What these vantage points met around an event."""

    def __init__(self, episode: Episode, judged: Sequence[Judged]) -> None:
        self.affected = episode.affected
        self.vantages = {one.vantage.vantage_id for one in self.affected}
        self.targets = {one.target for one in self.affected}
        within = [one for one in judged if episode.first <= one.started_at <= episode.last]
        self.meanwhile = within
        runs = {one.run_id for one in self.affected}
        self.same_runs = [one for one in judged if one.run_id in runs and one.target not in self.targets]

    def site_down(self) -> tuple[str, bool, str]:
        vouched = sum(_control(one) in _GOOD_CONTROLS for one in self.affected)
        total = len(self.affected)
        elsewhere = [one for one in self.meanwhile if one.target in self.targets and outcome_of(one) in CLEAR]
        parts = [
            plural(
                "{some} of {n} measurement had a control to compare with",
                "{some} of {n} measurements had a control to compare with",
                total,
                some=vouched,
            )
        ]
        if elsewhere:
            parts.append(
                plural(
                    "{n} measurement elsewhere reached it meanwhile",
                    "{n} measurements elsewhere reached it meanwhile",
                    len(elsewhere),
                )
            )
        return _("The site was down for everyone"), vouched > 0 or bool(elsewhere), semicolons(parts)

    def line_down(self) -> tuple[str, bool, str]:
        clear = {one.vantage.vantage_id for one in self.same_runs if outcome_of(one) in CLEAR}
        because = plural(
            "{some} of {n} vantage point reached other sites in the same sitting",
            "{some} of {n} vantage points reached other sites in the same sitting",
            len(self.vantages),
            some=len(clear),
        )
        return _("The line was out of order"), len(clear) == len(self.vantages), because

    def one_device(self) -> tuple[str, bool, str]:
        number = len(self.vantages)
        met = plural("{n} vantage point met it", "{n} vantage points met it", number)
        return _("A filter or fault of one device or home"), number > 1, met

    def refused_by_site(self) -> tuple[str, bool, str]:
        """`restricted` is another outcome, given only over a proven path; a server's refusal is never `blocked`."""
        mixed = sum(one.target in self.targets and outcome_of(one) == "restricted" for one in self.meanwhile)
        name = _("The site refuses visitors from here")
        if not mixed:
            return name, True, _("no measurement met a refusal by the site itself meanwhile")
        met = plural(
            "{n} measurement met such a refusal meanwhile", "{n} measurements met such a refusal meanwhile", mixed
        )
        return name, False, met


def _control(one: Judged) -> str:
    headline = one.headline
    return str(headline.detail.get("control", "")) if headline else ""
