"""How the lab's sites answer: a table of manners, each a function from a site and a request to a response."""

from __future__ import annotations

import gzip
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from probe.app.demo import pages
from probe.app.demo.webserver import Request, Response
from tests.lab.atlas import ABROAD, CONTROL

_MEGABYTE = 1_000_000
_COOKIE = "seen=1"
# A server that counts its visitors: how many requests each may make, and in how many seconds.
_LIMIT, _LIMIT_S = 3, 30.0
_heard: dict[tuple[str, str], list[float]] = {}
_turns: Counter[str] = Counter()

Manner = Callable[[dict[str, Any], Request], Response]


def is_control(request: Request) -> bool:
    return request.peer in (*CONTROL, *ABROAD)


def page(site: dict[str, Any], request: Request) -> Response:
    """The site's page, the same for everybody."""
    return Response(200, pages.site_page(site["name"], f"Pages of {site['name']}").encode())


def short(status: int, title: str, text: str, *headers: tuple[str, str]) -> Response:
    return Response(status, pages.plain_page(title, text).encode(), headers)


def redirect(where: str, status: int = 302, *headers: tuple[str, str]) -> Response:
    return short(status, "Moved", f"The page is at {where}", ("location", where), *headers)


def _dynamic(site: dict[str, Any], request: Request) -> Response:
    salt = os.urandom(6).hex()
    body = pages.site_page(f"{site['name']}{salt}", f"Pages of {site['name']}")
    return Response(200, f"{body}<!-- {salt} {'x' * (os.urandom(1)[0] * 20)} -->".encode())


def _challenge(site: dict[str, Any], request: Request) -> Response:
    body = (
        "<!DOCTYPE html><html lang='en-US'><head><title>Just a moment...</title></head><body>"
        "<div id='challenge-error-text'>Enable JavaScript and cookies to continue</div>"
        "<script>window._cf_chl_opt={cvId:'3'};</script></body></html>"
    )
    return Response(403, body.encode(), (("cf-mitigated", "challenge"), ("server", "cloudflare")))


def _forbidden(site: dict[str, Any], request: Request) -> Response:
    return short(403, "Forbidden", "You may not see this page.")


def _only(manner: Manner, there: bool) -> Manner:
    """The manner for the control only (`there`) or for everybody else only; the page for the rest."""

    def answer(site: dict[str, Any], request: Request) -> Response:
        return manner(site, request) if is_control(request) is there else page(site, request)

    return answer


def _legal(site: dict[str, Any], request: Request) -> Response:
    return short(
        451,
        "Unavailable for legal reasons",
        "A court ordered it.",
        ("link", '<https://court.example/>; rel="blocked-by"'),
    )


def _too_many(site: dict[str, Any], request: Request) -> Response:
    return short(429, "Too many requests", "Come back later.", ("retry-after", "60"))


def _slow(site: dict[str, Any], request: Request) -> Response:
    body = pages.site_page(site["name"], site["name"]).encode()
    return Response(200, body, pause_s=2.5, drip_s=0.8)


def _tarpit(site: dict[str, Any], request: Request) -> Response:
    """A server that is patient with visitors whom it dislikes: four kilobytes a second."""
    body = page(site, request).body
    return Response(200, body + b"<p>more of it</p>\n" * ((49_152 - len(body)) // 18), drip_s=2.0)


def _held(site: dict[str, Any], request: Request) -> Response:
    """Half of the page, and then nothing, on a connection that stays open."""
    body = page(site, request).body
    return Response(200, body, drip_s=90.0)


def _loop(site: dict[str, Any], request: Request) -> Response:
    number = int(request.path.rpartition("/")[2] or "0") if request.path[1:].isdigit() else 0
    return redirect(f"https://{request.host}/{(number + 1) % 3}")


def _cookie(site: dict[str, Any], request: Request) -> Response:
    if _COOKIE in request.cookie:
        return page(site, request)
    return redirect(f"https://{request.host}/", 302, ("set-cookie", f"{_COOKIE}; Path=/"))


def _huge(site: dict[str, Any], request: Request) -> Response:
    return Response(200, page(site, request).body + b"<p>more</p>\n" * (5 * _MEGABYTE // 12))


def _endless(site: dict[str, Any], request: Request) -> Response:
    return Response(
        200, page(site, request).body + b"<p>and on</p>\n" * (24 * _MEGABYTE // 14), drip_s=0.002, chunked=True
    )


def _bomb(site: dict[str, Any], request: Request) -> Response:
    body = gzip.compress(page(site, request).body + b" " * (150 * _MEGABYTE), 9)
    return Response(200, body, (("content-encoding", "gzip"),))


def _goal(site: dict[str, Any], request: Request) -> Response:
    return redirect(site["to"])


def _server_error(site: dict[str, Any], request: Request) -> Response:
    return short(503, "Service unavailable", "Too busy.")


def _missing(site: dict[str, Any], request: Request) -> Response:
    return short(404, "Not found", "No such page.")


def _quote(site: dict[str, Any], request: Request) -> Response:
    """News about censorship that quotes the notice word for word."""
    told = pages.NOTICE.split("<p>")[1].split("</p>")[0]
    body = pages.site_page(site["name"], "On blocking").replace(
        "<main>", f"<main><blockquote><p>{told}</p></blockquote>"
    )
    return Response(200, body.encode())


def _login(site: dict[str, Any], request: Request) -> Response:
    form = "<form action='/login' method='post'><input name='user'><input name='password' type='password'></form>"
    return Response(
        200, f"<html><head><title>Log in to {site['name']}</title></head><body>{form}</body></html>".encode()
    )


def _language(site: dict[str, Any], request: Request) -> Response:
    """The same site in the visitor's language: another page for the control."""
    key = f"{site['name']}/{'en' if is_control(request) else 'ur'}"
    return Response(200, pages.site_page(key, f"Pages of {site['name']}").encode())


def _limited(site: dict[str, Any], request: Request) -> Response:
    """So many requests in so much time for each visitor."""
    now, key = time.monotonic(), (site["name"], request.peer)
    recent = [at for at in _heard.get(key, ()) if at > now - _LIMIT_S]
    _heard[key] = [*recent, now]
    return page(site, request) if len(recent) < _LIMIT else _too_many(site, request)


def takes_turns(name: str, of: int = 3) -> bool:
    """True for every so-manieth visitor: the one whom the broken server behind the balancer gets."""
    _turns[name] += 1
    return _turns[name] % of == 0


def _one_backend(site: dict[str, Any], request: Request) -> Response:
    return short(502, "Bad gateway", "nginx") if takes_turns(site["name"]) else page(site, request)


def _later(site: dict[str, Any], request: Request) -> Response:
    """The front door takes its time, and leads to the page."""
    if request.path != "/":
        return page(site, request)
    answer = redirect(f"{'https' if request.secure else 'http'}://{request.host}/page")
    return replace(answer, pause_s=3.0)


def _late(site: dict[str, Any], request: Request) -> Response:
    return replace(page(site, request), pause_s=8.0)


def _cut(site: dict[str, Any], request: Request) -> Response:
    """A length is announced and less is sent."""
    return replace(page(site, request), cut_after=6000)


def _members(site: dict[str, Any], request: Request) -> Response:
    return short(401, "Members only", "Name and password, please.", ("www-authenticate", "Basic realm=members"))


def _empty(site: dict[str, Any], request: Request) -> Response:
    return Response(200)


def _geo_goal(site: dict[str, Any], request: Request) -> Response:
    return page(site, request) if is_control(request) else redirect(site["to"])


MANNERS: dict[str, Manner] = {
    "page": page,
    "limited": _limited,
    "one_backend": _one_backend,
    "later": _later,
    "late": _late,
    "cut": _cut,
    "members": _members,
    "empty": _empty,
    "challenge_here": _only(_challenge, False),
    "legal_here": _only(_legal, False),
    "too_many_there": _only(_too_many, True),
    "dynamic": _dynamic,
    "challenge": _challenge,
    "challenge_there": _only(_challenge, True),
    "forbidden": _forbidden,
    "forbidden_here": _only(_forbidden, False),
    "forbidden_there": _only(_forbidden, True),
    "legal": _legal,
    "too_many": _too_many,
    "too_many_here": _only(_too_many, False),
    "slow": _slow,
    "tarpit_here": _only(_tarpit, False),
    "held_here": _only(_held, False),
    "any_name": _huge,
    "loop": _loop,
    "cookie": _cookie,
    "huge": _huge,
    "endless": _endless,
    "bomb": _bomb,
    "redirect": _goal,
    "geo_redirect": _geo_goal,
    "server_error": _server_error,
    "server_error_here": _only(_server_error, False),
    "missing": _missing,
    "quote": _quote,
    "login": _login,
    "language": _language,
}  # fmt: skip
# Manners below HTTP, carried out by `tests.lab.origins`: what the server does to a connection; to the control alone
# (`_there`), to hellos like the prober's, to names that are not its own, to every third one, as a broken server behind
# a balancer does.
RAW_MANNERS = frozenset(
    {
        "reset_hello", "silent_hello", "alert_hello", "close_hello", "slowloris", "reset_request",
        "reset_hello_there", "silent_hello_there", "picky_hello", "own_names_only", "one_backend_hello",
        "one_backend_expired", "no_length",
    }
)  # fmt: skip
