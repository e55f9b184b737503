"""Where a redirect leads, and which cookies go along. Pure; bounded; never raises for what a server wrote.

Cookies live as long as one redirect chain: enough for the sites that set one and send you back to the same page, and
nothing that could recognise a volunteer the next time. Domain, Path and Secure are honoured roughly (RFC 6265).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from probe.model.errors import TargetError
from probe.model.kinds import HttpFetch
from probe.model.target import Target, address_of, parse_target

MAX_LOCATION = 8_192
MAX_COOKIES = 32
MAX_COOKIE_BYTES = 4_096
# RFC 6265 section 4.1.1: a name is a token; a value has no controls, spaces, quotes, commas or semicolons. Browsers
# take spaces, quotes and commas in a value as well, and so do we.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_VALUE = re.compile(r"[\x20-\x3a\x3c-\x7e]{0,4096}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")

Cookies = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Cookie:
    """One Set-Cookie line. `domain` is empty for a cookie of that very host; `gone` asks to forget it."""

    name: str
    value: str
    domain: str = ""
    path: str = "/"
    secure: bool = False
    gone: bool = False


def resolve_location(base: str, location: str) -> tuple[Target | None, str]:
    """The target that a Location leads to from `base`, or None with the reason. Read as browsers do: controls vanish,
    spaces are encoded, a backslash is a slash."""
    if len(location) > MAX_LOCATION:
        return None, f"longer than {MAX_LOCATION} characters"
    cleaned = _CONTROLS.sub("", location.strip())
    head, mark, query = cleaned.partition("?")
    cleaned = (head.replace("\\", "/") + mark + query).replace(" ", "%20")
    if not cleaned:
        return None, "empty"
    try:
        return parse_target(urljoin(base, cleaned)), ""
    except TargetError as error:
        return None, error.reason
    except ValueError as error:
        return None, f"not a URL ({error})"


def parse_set_cookie(line: str, host: str, path: str) -> Cookie | None:
    """A Set-Cookie line received from `host` for `path`; None when it is malformed or for somebody else's domain."""
    pair, *attributes = line[: MAX_COOKIE_BYTES * 2].split(";")[:16]
    name, mark, value = (part.strip() for part in pair.partition("="))
    if not mark or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        return None
    found = {key.strip().lower(): text.strip() for key, _, text in (a.partition("=") for a in attributes)}
    domain = found.get("domain", "").lstrip(".").lower()
    if domain == host:
        # An address has no subdomains (RFC 6265 section 5.1.3).
        domain = "" if address_of(host) else domain
    elif domain and ("." not in domain or address_of(host) or not host.endswith("." + domain)):
        return None
    scope = found.get("path", "")
    return Cookie(
        name, value, domain, scope if scope.startswith("/") else _default_path(path), "secure" in found, _is_gone(found)
    )


def cookies_for(detail: HttpFetch, target: Target) -> Cookies:
    """The cookies to send to `target`, where the fetch `detail` led: those it was sent with, if the host stays the same
    and TLS is not given up, then those its answer set. Their domains are not kept, hence the narrow first rule."""
    here = urlsplit(detail.url)
    host, path = (here.hostname or "").lower(), here.path or "/"
    jar: dict[str, str] = {}
    if host == target.host and (here.scheme == target.scheme or target.scheme == "https"):
        jar.update(_sent(detail))
    for key, text in detail.headers:
        cookie = parse_set_cookie(text, host, path) if key.lower() == "set-cookie" else None
        if cookie is None or not _goes_to(cookie, host, target):
            continue
        if cookie.gone:
            jar.pop(cookie.name, None)
        elif len(jar) < MAX_COOKIES or cookie.name in jar:
            jar[cookie.name] = cookie.value
    return _bounded(jar)


def cookie_header(cookies: Cookies) -> str:
    """The value of a Cookie header."""
    return "; ".join(f"{name}={value}" for name, value in cookies)


def _sent(detail: HttpFetch) -> Cookies:
    lines = [text for key, text in detail.request_headers if key.lower() == "cookie"]
    pairs = (pair.partition("=") for line in lines for pair in line.split("; "))
    return tuple((name, value) for name, mark, value in pairs if mark)[:MAX_COOKIES]


def _goes_to(cookie: Cookie, host: str, target: Target) -> bool:
    same = target.host == host
    below = bool(cookie.domain) and (target.host == cookie.domain or target.host.endswith("." + cookie.domain))
    path = urlsplit(target.normal).path or "/"
    stem = cookie.path.rstrip("/")
    inside = not stem or path == stem or path.startswith(stem + "/")
    return (same or below) and inside and (not cookie.secure or target.scheme == "https")


def _default_path(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _is_gone(attributes: dict[str, str]) -> bool:
    """Asked to be forgotten: Max-Age of 0 or less, or the customary date in 1970. Other dates are not looked at."""
    if "max-age" in attributes:
        return bool(re.fullmatch(r"-\d{1,20}|0{1,20}", attributes["max-age"]))
    return "1970" in attributes.get("expires", "")


def _bounded(jar: dict[str, str]) -> Cookies:
    kept: list[tuple[str, str]] = []
    room = MAX_COOKIE_BYTES
    for name, value in jar.items():
        room -= len(name) + len(value) + 3
        if room < 0:
            break
        kept.append((name, value))
    return tuple(kept)
