"""The way to a collector: straight, or through a proxy, with verified TLS at its end either way.

Through a proxy the collector's name is looked up there and nowhere else, and nothing falls back to the straight way
when the proxy fails: that would show the very address that the proxy was to hide.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import certifi
import httpx
import trio

from probe import __version__
from probe.model.collector import Collector
from probe.model.errors import ProbeError, UsageError
from probe.model.target import address_of
from probe.net.socks import Socks, SocksTransport
from probe.store.envelope import check_recipient
from probe.wire.card import CARD_MAX, read_card

# Where Tor listens: the service, and the one that Tor Browser brings.
TOR_PORTS = (9050, 9150)
# The longest name that DNS has (RFC 1035, section 3.1, as text).
_NAME_MAX = 253
_ANSWER_MAX = 65_536
# One request and its answer never take longer, however slowly either drips: a piece of an upload on 3 kbit/s.
_EXCHANGE_S = 900.0
_LOCAL_S = 3.0


class SendError(ProbeError):
    """One collector could not be given something; another may."""


class UnreachedError(SendError):
    """It did not come through for now; later it may."""


@dataclass(frozen=True, slots=True)
class Way:
    """How requests travel. `proxy` is `tor`, or a socks5h://, socks5://, http:// or https:// URL, or empty for none;
    `ca_file` holds roots to trust as well."""

    proxy: str = ""
    ca_file: Path | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client: no redirects, no cookies kept, no environment proxies by surprise. Each has connections of its own,
        and with Tor a circuit of its own. Raises UsageError."""
        context = ssl.create_default_context(cafile=certifi.where())
        try:
            if self.ca_file is not None:
                context.load_verify_locations(self.ca_file)
            transport = await _transport(self.proxy, context)
        except (OSError, ValueError) as error:
            raise UsageError(f"cannot set up the connection: {error}") from None
        headers = {"user-agent": f"vantage-probe/{__version__}", "accept": "application/json"}
        timeout = httpx.Timeout(60.0, connect=20.0, read=600.0)
        async with httpx.AsyncClient(transport=transport, headers=headers, timeout=timeout, trust_env=False) as client:
            yield client


async def exchange(
    client: httpx.AsyncClient, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, httpx.Headers, bytes]:
    """One request and its answer, which is a small one or none of a collector's. Raises httpx.HTTPError, SendError."""
    answer = b""
    try:
        with trio.fail_after(_EXCHANGE_S):
            async with client.stream(method, url, content=body or None, headers=headers) as response:
                async for chunk in response.aiter_raw():
                    answer += chunk
                    if len(answer) > _ANSWER_MAX:
                        raise SendError(f"{url}: the answer is no collector's (too long)")
    except trio.TooSlowError:
        raise httpx.ReadTimeout(f"not done within {_EXCHANGE_S:.0f} s") from None
    return response.status_code, response.headers, answer


async def _transport(proxy: str, context: ssl.SSLContext) -> httpx.AsyncHTTPTransport:
    if not proxy:
        return httpx.AsyncHTTPTransport(verify=context, trust_env=False)
    if proxy == "tor":
        return SocksTransport((await _tor()).isolated(), context)
    parts = urlsplit(check_proxy(proxy))
    if parts.scheme.startswith("socks"):
        name, word = unquote(parts.username or ""), unquote(parts.password or "")
        return SocksTransport(Socks(parts.hostname or "", parts.port or 1080, name, word), context)
    return httpx.AsyncHTTPTransport(verify=context, trust_env=False, proxy=httpx.Proxy(proxy))


async def _tor() -> Socks:
    """The Tor of this machine. Raises UsageError when none listens."""
    for port in TOR_PORTS:
        try:
            with trio.fail_after(_LOCAL_S):
                stream = await trio.open_tcp_stream("127.0.0.1", port)
        except (OSError, trio.TooSlowError):
            continue
        await stream.aclose()
        return Socks("127.0.0.1", port)
    ports = " or ".join(map(str, TOR_PORTS))
    raise UsageError(f"no Tor listens on 127.0.0.1 port {ports}: start Tor, or Tor Browser and leave it open")


def check_proxy(text: str) -> str:
    """`text` if it names a proxy. Raises UsageError."""
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("socks5", "socks5h", "http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known and text != "tor":
        raise UsageError(f"{text!r} is no proxy; write tor, socks5h://HOST:PORT or http://HOST:PORT")
    return text


def collector_url(text: str, *, allow_http: bool = False, proxy: str = "") -> str:
    """A collector's base URL. Plain http must stay on this machine, be an onion service (which encrypts by itself), or
    be allowed. Raises UsageError."""
    parts = urlsplit(text.strip())
    host = parts.hostname or ""
    has_more = parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in ("http", "https") or not 0 < len(host) <= _NAME_MAX or has_more:
        raise UsageError(f"{text!r} is no collector; write https://host")
    literal = address_of(host)
    is_here = host == "localhost" or (literal is not None and literal.startswith(("127.", "::1")))
    is_onion = host.endswith(".onion")
    if is_onion and not proxy:
        # RFC 7686: such a name must not be looked up; asking for it would tell the network where we are going.
        raise UsageError(f"{text}: an onion service is reached through Tor only; add --proxy tor")
    if parts.scheme == "http" and not is_here and not is_onion and not allow_http:
        raise UsageError(f"{text}: http can be read and changed on the way; use https (or --insecure-http in a lab)")
    return text.strip().rstrip("/")


def collectors_of(texts: Iterable[str], key: str = "", *, allow_http: bool, proxy: str) -> tuple[Collector, ...]:
    """What the words after --to name: URLs, and cards in files. `key` pins the receipts of all. Raises UsageError,
    BundleError."""
    found = [Collector((text,), key) if "://" in text else card_file(Path(text)) for text in texts]
    if key and any(one.key != key for one in found):
        raise UsageError("the card and --key name different keys")
    return tuple(
        replace(one, urls=tuple(collector_url(url, allow_http=allow_http, proxy=proxy) for url in one.urls))
        for one in found
    )


def card_file(path: Path) -> Collector:
    """The collector that a card file describes. Raises UsageError, BundleError."""
    try:
        with path.open("rb") as file:
            return read_card(file.read(CARD_MAX + 1)).collector
    except OSError as error:
        raise UsageError(f"{path}: is neither a URL nor a card that can be read ({error.strerror})") from None


def recipient_from(text: str) -> str:
    """The age public key that `text` is, or that the card in this file names. Raises UsageError, BundleError."""
    if text.startswith("age1"):
        return check_recipient(text)
    recipient = card_file(Path(text)).recipient
    if not recipient:
        raise UsageError(f"{text}: this collector has no key to encrypt to")
    return check_recipient(recipient)
