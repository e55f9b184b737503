"""The reference data keeps its promises: digests, marks that match and near misses that do not, blocks, canaries."""

import ipaddress
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from probe.inputs.folders import data_folder
from probe.inputs.reference import load_reference
from probe.model.kinds import HttpFetch, PageFeatures
from probe.model.target import parse_target
from probe.model.vantage import Vantage
from probe.verdict.fingerprints import in_scope, match_address, match_page, matches
from probe.verdict.reference import Canary, Fingerprint, PublicResolver
from tests.tools.digest_seeds import complaints

REFERENCE = load_reference()
FINGERPRINTS = pytest.mark.parametrize("mark", REFERENCE.fingerprints, ids=lambda mark: mark.id)
# Outside RE2: lookaround, backreferences, conditionals, atomic groups and possessive repeats.
NOT_RE2 = re.compile(r"\(\?(?:[=!>(]|<[=!]|P=)|\\[1-9]|[*+?}]\+")
UNBOUNDED = re.compile(r"(?<!\\)(?:[*+]|\{\d*,\})")


def test_the_manifest_tells_the_truth() -> None:
    assert complaints(data_folder("seeds")) == []


# ---- fingerprints ----


@FINGERPRINTS
def test_a_mark_matches_its_example_and_not_its_lookalike(mark: Fingerprint) -> None:
    assert mark.match and mark.lookalike and mark.because and mark.source
    assert matches(mark, mark.match)
    assert not matches(mark, mark.lookalike)


@FINGERPRINTS
def test_a_mark_is_found_where_it_says(mark: Fingerprint) -> None:
    """Through the door that judging uses, from a vantage point within the scope; perhaps by a more innocent one."""
    vantage = Vantage("0" * 32, "field", cc=mark.scope_cc, asn=mark.scope_asn[0] if mark.scope_asn else None)
    assert in_scope(mark, vantage)
    if mark.where == "address":
        assert match_address(REFERENCE, mark.match, vantage) is not None
        return
    features = PageFeatures(title=mark.match) if mark.where == "title" else None
    headers = ((mark.header.title(), mark.match),) if mark.where == "header" else ()
    location = mark.match if mark.where == "location" else None
    page = HttpFetch("http://a.example/", status=200, headers=headers, location=location, features=features)
    body = mark.match.encode() if mark.where == "body" else None
    assert match_page(REFERENCE, page, body, vantage) is not None


@FINGERPRINTS
def test_expressions_stay_within_re2_and_bounds(mark: Fingerprint) -> None:
    if mark.regex:
        assert not NOT_RE2.search(mark.pattern)
        # Inside a class a star is a star.
        assert not UNBOUNDED.search(re.sub(r"\[(?:\\.|[^\]\\])+\]", "x", mark.pattern))


@FINGERPRINTS
def test_a_blockpage_has_a_scope_and_ids_their_form(mark: Fingerprint) -> None:
    assert re.fullmatch(r"FP-[A-Z]{2,5}-\d{3}", mark.id)
    assert re.fullmatch(r"([A-Z]{2})?", mark.scope_cc)
    assert bool(mark.scope_cc) or mark.kind != "blockpage" or not mark.scope_asn


def test_addresses_are_addresses() -> None:
    for mark in REFERENCE.fingerprints:
        if mark.where == "address":
            ipaddress.ip_address(mark.match)
            ipaddress.ip_address(mark.lookalike)


# ---- special addresses ----


def test_special_blocks_are_unique_and_whole() -> None:
    networks = [block.network for block in REFERENCE.special]
    assert len(set(networks)) == len(networks) >= 50


@pytest.mark.parametrize(
    ("ip", "name"),
    [
        ("127.0.0.1", "Loopback"), ("10.1.2.3", "Private-Use"), ("100.64.0.1", "Shared"), ("169.254.169.254", "Link"),
        ("192.168.1.1", "Private-Use"), ("0.0.0.0", "This host"),
        ("224.0.0.1", "Multicast"), ("198.18.0.1", "Benchmarking"),
        ("::1", "Loopback"), ("::", "Unspecified"), ("fe80::1", "Link-Local"), ("fd00::1", "Unique-Local"),
        ("::ffff:10.0.0.1", "Private-Use"), ("64:ff9b::7f00:1", "Loopback"), ("2002:7f00:1::", "Loopback"),
        ("2001:db8::1", "Documentation"), ("nonsense", "not an address"),
    ],
)  # fmt: skip
def test_special_addresses(ip: str, name: str) -> None:
    block = REFERENCE.special_block(ip)
    assert block is not None and name in block.name


@pytest.mark.parametrize("ip", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "192.0.0.9", "64:ff9b::101:101"])
def test_public_addresses_are_not_special(ip: str) -> None:
    assert REFERENCE.special_block(ip) is None


# ---- resolvers, canaries, networks ----


@pytest.mark.parametrize("resolver", REFERENCE.resolvers, ids=lambda r: r.id)
def test_resolvers_are_dialled_by_public_address(resolver: PublicResolver) -> None:
    for url in resolver.urls:
        parts = urlsplit(url)
        assert parts.scheme in ("udp", "tcp", "tls", "https") and parts.hostname
        assert REFERENCE.special_block(parts.hostname) is None
        named = parse_qs(parts.query).get("name")
        assert (named is not None) == (parts.scheme in ("tls", "https"))
    assert all(REFERENCE.special_block(ip) is None for ip in resolver.also)


def test_the_default_resolvers_withhold_nothing_and_differ() -> None:
    chosen = [r for r in REFERENCE.resolvers if r.id in REFERENCE.default_resolvers]
    assert len(chosen) >= 3 and not any(r.filters for r in chosen)
    assert len({r.asn for r in chosen}) == len({r.operator for r in chosen}) == len(chosen)


@pytest.mark.parametrize("canary", REFERENCE.canaries, ids=lambda c: c.id)
def test_canaries_are_plain_front_pages(canary: Canary) -> None:
    target = parse_target(canary.url)
    assert target.normal == canary.url and target.scheme == "https" and canary.because
    assert re.fullmatch(r"([A-Z]{2})?", canary.home)


def test_canaries_differ_in_operator_and_cover_both_sides() -> None:
    assert len({c.operator for c in REFERENCE.canaries}) == len(REFERENCE.canaries)
    assert sum(not c.home for c in REFERENCE.canaries) >= 3
    assert sum(c.home == "PK" for c in REFERENCE.canaries) >= 2


def test_networks_are_unique_and_kinds_few() -> None:
    numbers = [asn for asn, _, _ in REFERENCE.networks]
    assert len(set(numbers)) == len(numbers) >= 20
    kinds = {kind for _, _, kind in REFERENCE.networks}
    assert kinds <= {"incumbent", "transit", "mobile", "fixed", "education", "government"}
