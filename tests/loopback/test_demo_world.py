"""The demo's world as ordinary clients meet it: each deed from the field, and the truth from the control."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urljoin, urlsplit

import dns.asyncquery
import dns.edns
import dns.message
import dns.rcode
import dns.rdatatype
import httpx
import pytest
import trio

from probe.app.demo import pages, sites
from probe.app.demo.doors import missing_addresses
from probe.app.demo.sites import SITES, Site
from probe.app.demo.world import World, open_world

pytestmark = pytest.mark.skipif(bool(missing_addresses()), reason="this system has only part of 127.0.0.0/8")

FIELD, CONTROL = "127.0.0.1", sites.CONTROL_SOURCE
_HELLO_CENSORED = [site for site in SITES if site.deed and site.deed.where == "hello"]
_TRUTHFUL = [site for site in SITES if site.up and not site.expired and site.manner in ("page", "geo_refusal")]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world() as opened:
        yield opened


async def _get(world: World, url: str, ip: str, source: str, http2: bool = True, cookie: str = "") -> httpx.Response:
    """GET `url` from `ip`, dialling from `source`; the certificate is verified for the URL's host."""
    parts = urlsplit(url)
    trust = ssl.create_default_context(cafile=str(world.ca_file))
    transport = httpx.AsyncHTTPTransport(verify=trust, http1=True, http2=http2, local_address=source)
    headers = {"host": parts.netloc, "accept-encoding": "gzip"} | ({"cookie": cookie} if cookie else {})
    async with httpx.AsyncClient(transport=transport, timeout=8) as client:
        dialled = f"{parts.scheme}://{ip}:{parts.port}{parts.path}"
        return await client.get(dialled, headers=headers, extensions={"sni_hostname": parts.hostname})


async def _shake(world: World, ip: str, sni: str | None, source: str, *, verify: bool = True) -> str:
    """A TLS handshake in a word: `ok`, or how it failed."""
    context = ssl.create_default_context(cafile=str(world.ca_file))
    if not verify or sni is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    stream = await trio.open_tcp_stream(ip, world.ports.https, local_address=source)
    tls = trio.SSLStream(stream, context, server_hostname=sni, https_compatible=True)
    try:
        with trio.move_on_after(0.5):
            await tls.do_handshake()
            return "ok"
        return "silence"
    except trio.BrokenResourceError as error:
        return _named(error.__cause__)
    finally:
        await trio.aclose_forcefully(tls)


def _named(cause: BaseException | None) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"verify {cause.verify_code}"
    if isinstance(cause, ssl.SSLEOFError):
        return "eof"
    if isinstance(cause, ssl.SSLError):
        return str(cause.reason)
    while cause is not None and not isinstance(cause, ConnectionResetError):
        cause = cause.__cause__
    return "reset" if cause else "other"


async def _ask(url: str, name: str, qtype: str = "A", source: str = FIELD) -> list[dns.message.Message]:
    """Every answer to one UDP question that arrives within a tenth of a second of the last."""
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    query = dns.message.make_query(name, qtype)
    answers: list[dns.message.Message] = []
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as sock:
        await sock.bind((source, 0))
        await sock.sendto(query.to_wire(), (parts.hostname, parts.port))
        with trio.move_on_after(0.1) as patience:
            while True:
                answers.append(dns.message.from_wire(await sock.recv(65535)))
                patience.deadline = trio.current_time() + 0.1
    return answers


def _addresses(answer: dns.message.Message) -> list[str]:
    return [record.to_text() for rrset in answer.answer for record in rrset if rrset.rdtype == dns.rdatatype.A]


@pytest.mark.parametrize("site", _TRUTHFUL, ids=lambda site: site.name)
async def test_the_control_sees_every_site_as_it_is(world: World, site: Site) -> None:
    place = world.place(site.name)
    found = await _ask(world.control_resolvers[0], site.name, source=CONTROL)
    assert [_addresses(answer) for answer in found] == [[place.control_address]]
    response = await _get(world, place.url, place.control_address, CONTROL)
    assert (response.status_code, response.text) == (200, pages.site_page(site.name, site.title))


@pytest.mark.parametrize("site", sites.FINE, ids=lambda site: site.name)
async def test_healthy_sites_are_healthy_in_the_field(world: World, site: Site) -> None:
    for resolver in (world.isp_resolver, world.resolvers[0]):
        assert [_addresses(answer) for answer in await _ask(resolver, site.name)] == [[site.address]]
    url, cookie = world.place(site.name).url, ""
    for _ in range(3):
        response = await _get(world, url, site.address, FIELD, cookie=cookie)
        cookie = response.headers.get("set-cookie", cookie).split(";")[0]
        url = urljoin(url, response.headers.get("location", ""))
        if not response.is_redirect:
            break
    assert (response.status_code, response.text) == (200, pages.site_page(site.name, site.title))


async def test_versions_encodings_and_the_other_family(world: World) -> None:
    news = await _get(world, world.place("news.example").url, "127.80.1.1", FIELD)
    weather = await _get(world, world.place("weather.example").url, "127.80.1.2", FIELD)
    assert (news.http_version, weather.http_version) == ("HTTP/2", "HTTP/1.1")
    assert weather.headers["content-encoding"] == "gzip"
    assert weather.headers["transfer-encoding"] == "chunked"
    assert bool((await _ask(world.resolvers[0], "news.example", "AAAA"))[0].answer) == world.ipv6
    if world.ipv6:
        assert (await _get(world, world.place("news.example").url, "[::1]", "::1")).status_code == 200
        assert await _shake(world, "::1", "weather.example", "::1", verify=False) == "ok"


async def test_a_content_network_differs_by_country_with_the_same_certificate(world: World) -> None:
    here = (await _ask(world.isp_resolver, "clips.example"))[0]
    assert [rrset.to_text().split()[3] for rrset in here.answer] == ["CNAME", "A"]
    for ip in (sites.EDGE_HERE, sites.EDGE_ABROAD):
        assert await _shake(world, ip, "clips.example", FIELD) == "ok"


async def test_a_shop_without_its_cookie_goes_round_in_circles(world: World) -> None:
    away = await _get(world, f"https://www.shop.example:{world.ports.https}/", "127.80.1.4", FIELD)
    assert away.headers["location"] == f"https://shop.example:{world.ports.https}/"


@pytest.mark.parametrize(
    ("name", "rcode", "addresses"),
    [
        ("opposition.example", dns.rcode.NOERROR, [sites.BLOCK_PORTAL]),
        ("archive.example", dns.rcode.NXDOMAIN, []),
        ("rights.example", dns.rcode.NOERROR, [sites.BOGON]),
        ("casino.example", dns.rcode.REFUSED, []),
    ],
)
async def test_the_isp_resolver_lies_and_the_public_one_does_not(
    world: World, name: str, rcode: int, addresses: list[str]
) -> None:
    (lie,) = await _ask(world.isp_resolver, name)
    (truth,) = await _ask(world.resolvers[0], name)
    assert (lie.rcode(), _addresses(lie), lie.authority) == (rcode, addresses, [])
    assert _addresses(truth) == [world.place(name).address]
    censored = [option for option in lie.options if isinstance(option, dns.edns.EDEOption)]
    assert bool(censored) == (rcode == dns.rcode.REFUSED)


async def test_names_that_do_not_exist_come_with_their_soa(world: World) -> None:
    for resolver in (world.isp_resolver, world.resolvers[0]):
        (absent,) = await _ask(resolver, "no-such-label.news.example")
        assert absent.rcode() == dns.rcode.NXDOMAIN
        assert absent.authority[0].name.to_text() == "news.example."


@pytest.mark.parametrize("which", ["isp", "public"])
async def test_the_path_injects_a_forgery_ahead_of_the_truth(world: World, which: str) -> None:
    resolver = world.isp_resolver if which == "isp" else world.resolvers[0]
    answers = await _ask(resolver, "radio.example")
    assert [_addresses(answer) for answer in answers] == [[sites.EDGE_ABROAD], ["127.80.2.5"]]
    assert len(await _ask(resolver, "radio.example", "AAAA")) == 1
    assert len(await _ask(resolver, "radio.example", source=CONTROL)) == 1


async def test_clean_transports_bring_the_truth(world: World) -> None:
    query = dns.message.make_query("radio.example", "A")
    trust = ssl.create_default_context(cafile=str(world.ca_file))
    for resolvers in (world.resolvers, world.control_resolvers):
        _, tcp, dot, doh = (urlsplit(url) for url in resolvers)
        assert tcp.hostname and tcp.port and dot.hostname and dot.port
        plain = await dns.asyncquery.tcp(query, tcp.hostname, port=tcp.port, timeout=3)
        name = parse_qs(dot.query)["name"][0]
        private = await dns.asyncquery.tls(
            query, dot.hostname, port=dot.port, timeout=3, server_hostname=name, ssl_context=trust
        )
        async with httpx.AsyncClient(verify=trust, http2=True) as client:
            response = await client.post(
                f"https://{doh.netloc}{doh.path}",
                content=query.to_wire(),
                headers={"content-type": "application/dns-message"},
                extensions={"sni_hostname": name},
            )
        assert (response.http_version, response.headers["content-type"]) == ("HTTP/2", "application/dns-message")
        for answer in (plain, private, dns.message.from_wire(response.content)):
            assert _addresses(answer) == ["127.80.2.5"]


async def test_nonsense_gets_no_answer_and_does_no_harm(world: World) -> None:
    parts = urlsplit(world.isp_resolver)
    sock = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
    with sock:
        await sock.sendto(b"\x00\x01garbage", (parts.hostname, parts.port))
    for port in (world.ports.http, world.ports.https):
        stream = await trio.open_tcp_stream("127.80.1.1", port)
        await stream.send_all(b"\x00" * 50 + b"\r\n\r\n")
        await stream.aclose()
    assert len(await _ask(world.isp_resolver, "news.example")) == 1
    assert await _shake(world, "127.80.1.1", "news.example", FIELD) == "ok"


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("dissent.example", "reset"),
        ("messenger.example", "silence"),
        ("forum.example", "eof"),
        ("podcast.example", "TLSV1_UNRECOGNIZED_NAME"),
        ("mail.example", "verify 19"),  # self-signed certificate in chain: a root that nobody here trusts
    ],
)
async def test_the_name_in_the_hello_is_the_trigger(world: World, name: str, ends: str) -> None:
    address, elsewhere = world.place(name).address, world.consenting[0]
    assert await _shake(world, address, name, FIELD) == ends
    assert await _shake(world, elsewhere.ip, name, FIELD) == ends
    assert await _shake(world, address, elsewhere.name, FIELD, verify=False) == "ok"
    assert await _shake(world, address, None, FIELD) == "ok"
    assert await _shake(world, elsewhere.ip, elsewhere.name, FIELD) == "ok"
    assert await _shake(world, address, name, CONTROL) == "ok"


def test_every_deed_at_the_hello_is_tried_above() -> None:
    assert {site.name.split(".")[0] for site in _HELLO_CENSORED} == {"dissent", "messenger", "forum", "podcast", "mail"}


async def test_plain_requests_meet_the_censor_by_host(world: World) -> None:
    satire, blog = world.place("satire.example"), world.place("blog.example")
    assert (await _get(world, satire.url, satire.address, FIELD)).text == pages.NOTICE
    assert (await _get(world, satire.url, world.consenting[0].ip, FIELD)).text == pages.NOTICE
    away = await _get(world, blog.url, blog.address, FIELD)
    assert (away.status_code, away.headers["location"]) == (302, f"http://notice.isp.example:{world.ports.http}/")
    notice = await _get(world, away.headers["location"], sites.BLOCK_PORTAL, FIELD)
    assert notice.text == pages.NOTICE


async def test_plain_requests_are_reset_or_cut_by_host(world: World) -> None:
    leaks, video = world.place("leaks.example"), world.place("video.example")
    with pytest.raises(httpx.ReadError):
        await _get(world, leaks.url, leaks.address, FIELD)
    innocent = leaks.url.replace("leaks.example", "canary-one.example")
    assert (await _get(world, innocent, leaks.address, FIELD)).status_code == 404
    with pytest.raises(httpx.RemoteProtocolError, match="received 6000 bytes"):
        await _get(world, video.url, video.address, FIELD)


async def test_the_block_page_stands_at_the_forged_address(world: World) -> None:
    url = world.place("opposition.example").url
    assert "prohibited for viewership" in (await _get(world, url, sites.BLOCK_PORTAL, FIELD)).text
    assert await _shake(world, sites.BLOCK_PORTAL, "opposition.example", FIELD) == "verify 19"


@pytest.mark.parametrize(("source", "bank"), [(FIELD, 403), (CONTROL, 200)])
async def test_servers_refuse_by_themselves(world: World, source: str, bank: int) -> None:
    answers = [world.place("bank.example"), world.place("legal.example")]
    assert [(await _get(world, at.url, at.address, source)).status_code for at in answers] == [bank, 451]


@pytest.mark.parametrize("source", [FIELD, CONTROL])
async def test_what_is_broken_is_broken_for_everybody(world: World, source: str) -> None:
    closed, expired = world.place("closed.example"), world.place("expired.example")
    with pytest.raises(OSError):
        await trio.open_tcp_stream(closed.address, world.ports.https, local_address=source)
    assert await _shake(world, expired.address, "expired.example", source) == "verify 10"


async def test_two_worlds_stand_side_by_side_and_leave_no_trace(world: World) -> None:
    async with open_world(sites.FINE) as second:
        assert not set(second.allow_ports) & set(world.allow_ports)
        assert await _shake(second, "127.80.1.1", "news.example", FIELD) == "ok"
    assert not second.ca_file.exists()
    with pytest.raises(OSError):
        await trio.open_tcp_stream("127.80.1.1", second.ports.https)


async def test_a_world_that_is_cancelled_from_outside_closes() -> None:
    with trio.move_on_after(0.05) as scope:
        async with open_world(sites.FINE):
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_what_the_block_raises_comes_out_as_it_was() -> None:
    with pytest.raises(LookupError):
        async with open_world(()):
            raise LookupError
