"""A target: the URL we ask about, in one normal form (RFC 3986 section 6, WHATWG defaults for http and https).

The input is kept to the letter beside the normal form, so that two spellings are one measurement and one line.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import idna

from probe.model.errors import TargetError

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_URL = 4096
# A scheme must be followed by "//" or be no host:port, so that "example.org:8080/x" is a host and a port.
_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*):(?!\d+(?:[/?#]|$))")
# Words that registries of countries put before their ending: under `co.uk` names belong to different owners.
_REGISTRY_WORDS = frozenset({"ac", "co", "com", "edu", "go", "gob", "gop", "gov", "gok", "mil", "net", "org", "web"})
_PATH_SAFE = "!$%&'()*+,-./:;=@_~"
_QUERY_SAFE = _PATH_SAFE + "?"


@dataclass(frozen=True, slots=True)
class Target:
    """`url` is the input to the letter, `normal` its normal form; `host` is ASCII (IDNA 2008), lower case."""

    url: str
    normal: str
    scheme: str
    host: str
    port: int
    category: str = ""

    @property
    def is_address(self) -> bool:
        """True when the host is an IP address, so that there is nothing to look up."""
        return address_of(self.host) is not None

    @property
    def site(self) -> str:
        """What is paced as one: see `site_of`."""
        return site_of(self.host)

    @property
    def sibling_port(self) -> int:
        """The port of the other scheme, tried for the record but never judged for the headline."""
        return 80 if self.scheme == "https" else 443


@lru_cache(maxsize=4096)
def address_of(host: str) -> str | None:
    """The canonical text of an IP address literal, or None when `host` is a name."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def site_of(host: str) -> str:
    """The registrable domain of a host, near enough for pacing: the last two labels, three under a registry's own
    word (`dawn.com.pk`). The public suffix list would be exact; here it may only group too much, never too little: all
    blogs of one platform count as one site, as they live on one. An address is its own site."""
    labels = host.split(".")
    if address_of(host) or len(labels) < 3:
        return host
    keep = 3 if len(labels[-1]) == 2 and labels[-2] in _REGISTRY_WORDS else 2
    return ".".join(labels[-keep:])


def parse_target(text: str, *, category: str = "", line: int | None = None) -> Target:
    """A target from what a person typed. No scheme means https. Raises TargetError with the reason."""

    def bad(reason: str) -> TargetError:
        return TargetError(text, reason, line)

    stripped = text.strip()
    if not stripped:
        raise bad("empty")
    if len(stripped) > MAX_URL:
        raise bad(f"longer than {MAX_URL} characters")
    if any(ord(c) <= 32 or ord(c) == 127 for c in stripped):
        raise bad("has spaces or control characters")
    if "://" not in stripped:
        named = _SCHEME.match(stripped)
        if named:
            raise bad(f"scheme {named[1].lower()!r} is not http or https")
        stripped = "https://" + stripped
    try:
        parts = urlsplit(stripped)
        port, userinfo, raw_host = parts.port, parts.username, parts.hostname
    except ValueError as error:
        raise bad(f"not a URL ({error})") from None
    if parts.scheme.lower() not in DEFAULT_PORTS:
        raise bad(f"scheme {parts.scheme!r} is not http or https")
    if userinfo is not None or "@" in parts.netloc:
        raise bad("holds a user name or password; leave it out")
    if port == 0 or parts.netloc.endswith(":") and port is None and not raw_host:
        raise bad("has no usable port")
    scheme = parts.scheme.lower()
    try:
        host = normal_host(raw_host or "")
    except ValueError as error:
        raise bad(str(error)) from None
    chosen = port or DEFAULT_PORTS[scheme]
    normal = build_url(scheme, host, chosen, parts.path, parts.query)
    return Target(text, normal, scheme, host, chosen, category)


def normal_host(host: str) -> str:
    """ASCII, lower case, no trailing dot; addresses canonical. Raises ValueError with a reason."""
    if not host.isascii():
        try:
            # Once more from the top: digits of other scripts come out as digits, and may make an address.
            return normal_host(idna.encode(host, uts46=True).decode())
        except idna.IDNAError as error:
            raise ValueError(f"host is no valid international name ({error})") from None
    host = host.rstrip(".").lower()
    if not host:
        raise ValueError("has no host")
    literal = address_of(host)
    if literal:
        return literal
    if re.fullmatch(r"[0-9.]+|0[xX][0-9a-fA-F.xX]*", host):
        raise ValueError("host is neither a name nor a whole IP address")
    if len(host) > 253 or not all(_is_label(label) for label in host.split(".")):
        raise ValueError("host is no valid name")
    return host


def _is_label(label: str) -> bool:
    # Underscores are not host names by RFC 952, yet sites use them; hyphens at the ends likewise resolve.
    return bool(re.fullmatch(r"[a-z0-9_-]{1,63}", label))


def build_url(scheme: str, host: str, port: int, path: str, query: str) -> str:
    """The normal form: default port left out, dot segments removed, path and query percent-encoded once."""
    netloc = f"[{host}]" if ":" in host else host
    if port != DEFAULT_PORTS[scheme]:
        netloc += f":{port}"
    clean_path = quote(_remove_dot_segments(path or "/"), safe=_PATH_SAFE)
    return urlunsplit((scheme, netloc, clean_path, quote(query, safe=_QUERY_SAFE), ""))


def _remove_dot_segments(path: str) -> str:
    """RFC 3986 section 5.2.4, for a path that begins with a slash."""
    out: list[str] = []
    segments = path.split("/")[1:]
    for i, segment in enumerate(segments):
        last = i == len(segments) - 1
        plain = unquote(segment) if segment.lower() in ("%2e", "%2e%2e", ".%2e", "%2e.") else segment
        if plain == "..":
            del out[-1:]
        if plain in (".", ".."):
            if last:
                out.append("")
            continue
        out.append(segment)
    return "/" + "/".join(out)
