"""Same page or not, by structure; and whose making two unlike answers are."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from probe.model.kinds import HttpFetch
from probe.verdict.likeness import alike, is_among, is_restless, led_to, makers, same_answer, same_maker
from probe.wire.page import page_features

URL = "http://site.example/"
ENGLISH = "harbour council evening market letter river teacher mountain window winter engine garden".split()
OTHERS = "bridge doctor season kitchen signal reader copper morning story valley railway singer".split()


def page(
    body: str,
    status: int = 200,
    media: str = "text/html",
    location: str | None = None,
    headers: dict[str, str] | None = None,
) -> HttpFetch:
    names = (headers or {}).items()
    text = body.encode()
    features = page_features(text, media) if media == "text/html" and text else None
    return HttpFetch(
        URL, status=status, body=str(hash(body)) if body else None, features=features, location=location,
        headers=(("Content-Type", media), *names),
    )  # fmt: skip


def prose(seed: int, words: list[str] = ENGLISH, count: int = 200) -> str:
    dice = Random(seed)
    return " ".join(dice.choice(words) for _ in range(count))


def site(text: str, title: str = "", menu: str = "") -> str:
    items = "".join(f"<li><a href='/section/{n}'>{n}</a></li>" for n in range(12))
    assets = "<link rel=stylesheet href='/static/site-81f.css'><script src='/static/app-81f.js'></script>"
    return f"<html><head><title>{title}</title>{assets}</head><nav><ul>{menu or items}</ul></nav><p>{text}</p></html>"


NOTICE = (
    "<html><head><title>Note</title></head><body><h1>Note</h1><p>" + "you may not read this here " * 8 + "</p></html>"
)


@pytest.mark.parametrize(
    "here,there",
    [
        (page(NOTICE), page(NOTICE)),
        (page(site(prose(1), "News")), page(site(prose(2), "News"))),
        (page(site(prose(1))), page(site(prose(2, OTHERS)))),
        (page(f"<p>{prose(1)} a line of today"), page(f"<p>{prose(1)} another of tomorrow")),
        (page("", location="/a?x=1", status=302), page("", location="/a?x=2", status=302)),
        (page("{}", media="application/json"), page('{"n": 2}', media="application/json; charset=utf-8")),
        (page(""), page("")),
        (
            page("<link rel=canonical href='http://site.example/a'><p>x"),
            page("<link rel=canonical href='http://site.example/a'><p>quite another thing"),
        ),
    ],
    ids=["bytes", "title", "pointers", "words", "redirect", "media", "empty", "canonical"],
)  # fmt: skip
def test_one_sign_is_enough(here: HttpFetch, there: HttpFetch) -> None:
    assert alike(here, there) and alike(there, here)


@pytest.mark.parametrize(
    "here,there",
    [
        (page(NOTICE), page(site(prose(1), "News"))),
        (page(NOTICE), page("<html><head><title>Shop</title></head><body><h1>Shop</h1><p>bread and wine</p></html>")),
        (page(NOTICE), page("{}", media="application/json")),
        (page("{}", media="application/json"), page("x", media="image/png")),
        (page(""), page(NOTICE)),
        (page(f"<p>{prose(1)}"), page(f"<p>{prose(2)}")),
    ],
    ids=["another", "same few tags", "no page", "media", "empty", "same words only"],
)
def test_unlike_pages(here: HttpFetch, there: HttpFetch) -> None:
    assert not alike(here, there) and not alike(there, here)


def redirect(location: str) -> HttpFetch:
    return page("", status=302, location=location)


@pytest.mark.parametrize(
    "here,there,same",
    [
        ("https://site.example/ur", "https://site.example/en", True),
        ("https://fd.site.example/", "https://int.site.example/", True),
        ("http://site.example/", "https://site.example/", False),
        ("http://stop.provider.example/", "https://site.example/", False),
        ("mailto:x@y", "https://site.example/", False),
    ],
)
def test_redirects_within_a_site_are_its_own_doors(here: str, there: str, same: bool) -> None:
    assert alike(redirect(here), redirect(there)) is same


def test_facts_of_before_tags_were_counted_are_compared_by_words() -> None:
    def old(p: HttpFetch) -> HttpFetch:
        assert p.features is not None
        return replace(p, features=replace(p.features, tag_count=0, sketch=None, pointers=None, simhash=None))

    assert alike(old(page(site(prose(1)))), old(page(site(prose(2, OTHERS)))))
    assert not alike(old(page(site("few"))), old(page(site("words"))))


def test_a_site_may_be_restless() -> None:
    first, second = page(site(prose(1), "News")), page(site(prose(2), "News"))
    assert not is_restless([first, second]) and not is_restless([first]) and not is_restless([])
    assert is_restless([first, second, page(NOTICE)])
    assert is_among(first, [page(NOTICE), second]) and not is_among(page(NOTICE), [first, second])


@pytest.mark.parametrize(
    "here,there,same",
    [
        (NOTICE, NOTICE.replace("Note</h1>", "bread.example</h1>"), True),
        ("<title>Access denied</title><p>by our firewall", "<title>Access denied</title><p>you are too young", False),
        (
            "<iframe src='http://stop.example/n?u=1'></iframe>",
            "<iframe src='http://stop.example/n?u=2'></iframe>",
            True,
        ),
        ("", "", False),
        (site(prose(1)), site(prose(2, OTHERS)), False),
    ],
)
def test_one_answer_in_the_place_of_two_sites(here: str, there: str, same: bool) -> None:
    assert same_answer(page(here), page(there)) is same


def test_redirects_to_one_host_are_one_answer() -> None:
    here, there = redirect("http://stop.example/?u=1"), redirect("http://stop.example/x?u=2")
    assert same_answer(here, there) and led_to(here) == "stop.example"
    assert not same_answer(here, redirect("http://bread.example/")) and not same_answer(here, page(NOTICE))
    assert not same_answer(redirect("mailto:x@y"), redirect("mailto:x@y"))


@pytest.mark.parametrize(
    "here,there,same",
    [
        ({"Server": "nginx/1.18.0"}, {"server": "nginx/1.18.0"}, False),
        ({"Server": "homemade/3"}, {"server": "homemade/3"}, False),
        ({"Server": "ddos-guard"}, {"server": "DDoS-Guard"}, True),
        ({"X-Edge-Ray": "1"}, {"x-edge-ray": "2"}, True),
        ({"X-Cache": "HIT"}, {"x-cache": "MISS"}, False),
        ({"Set-Cookie": "visit_81=1; Path=/"}, {"set-cookie": "Visit_81=2"}, True),
        ({"Set-Cookie": "PHPSESSID=1"}, {"set-cookie": "PHPSESSID=2"}, False),
        ({}, {}, False),
    ],
)
def test_headers_name_the_maker(here: dict[str, str], there: dict[str, str], same: bool) -> None:
    a, b = page(NOTICE, headers=here), page(site(prose(1)), headers=there)
    assert same_maker(a, b) is same and bool(makers(a) & makers(b)) is same
