"""A small file from a link, for who asked for it: verified TLS, nothing but that one answer, and not more than a cap.

Whoever serves it sees the address of whoever asks, so callers ask for consent first and say what is about to happen.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import urlsplit

import certifi
import httpx

from probe import __version__
from probe.model.errors import ProbeError, UsageError


class LinkError(ProbeError):
    """Nothing came from the link, for a reason of the network or of its server."""


def is_link(text: str) -> bool:
    return "://" in text


def host_of(link: str) -> str:
    """The host of an https link. Raises UsageError for any other."""
    try:
        parts = urlsplit(link)
        good = parts.scheme == "https" and parts.hostname and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        good = None
    if not good:
        raise UsageError(f"{link[:120]!r}: a link begins with https:// and a host")
    return str(parts.hostname)


def fetch(link: str, cap: int, ca_files: tuple[Path, ...] = (), proxy: str | None = None) -> bytes:
    """At most `cap` bytes from an https link. Raises LinkError; UsageError for what is no such link."""
    host = host_of(link)
    try:
        context = ssl.create_default_context(cafile=certifi.where())
        for path in ca_files:
            context.load_verify_locations(path)
        headers = {"user-agent": f"vantage-probe/{__version__}"}
        client = httpx.Client(verify=context, proxy=proxy, headers=headers, timeout=20.0, trust_env=False)
    except (OSError, ValueError, ImportError) as error:
        raise UsageError(f"cannot set up the connection: {error}") from None
    try:
        with client, client.stream("GET", link) as answer:
            return _body(answer, host, cap)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise LinkError(
            f"{host}: nothing came ({type(error).__name__}: {str(error)[:160] or 'no reason given'})"
        ) from None


def _body(answer: httpx.Response, host: str, cap: int) -> bytes:
    if answer.is_redirect:
        raise LinkError(f"{host}: it sends on to {answer.headers.get('location', 'nowhere')[:160]!r}; give that link")
    if answer.status_code != 200:
        raise LinkError(f"{host}: it answered with status {answer.status_code}")
    data = b""
    for piece in answer.iter_bytes(16_384):
        data += piece
        if len(data) > cap:
            raise LinkError(f"{host}: its answer is larger than {cap // 1000} kB")
    return data
