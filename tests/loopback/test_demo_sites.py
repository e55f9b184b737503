"""The demo's data and its reader of ClientHellos, without a socket."""

from __future__ import annotations

import ssl

import h2.connection
import h2.events
import h2.settings
import pytest
import trio.testing

from probe.app.demo import pages, sites
from probe.app.demo.censor import sni_of
from probe.app.demo.sites import SITES
from probe.app.demo.webserver import Ends, Response, serve_http2
from probe.app.demo.world import is_field


def test_sites_are_honest_data() -> None:
    assert len({site.name for site in SITES}) == len(SITES) >= 20
    for site in SITES:
        size = len(pages.site_page(site.name, site.title))
        assert site.name.endswith((".example", ".test")) and site.told.endswith(".") and 10_000 <= size <= 50_000
        assert bool(site.deed) == (site.expect.layer is not None)
        assert set(site.expect.outcomes) <= {"ok", "blocked", "likely_blocked", "down", "restricted"}
    assert is_field("::1") and is_field("127.0.0.1") and not is_field(sites.CONTROL_SOURCE)


def test_the_reader_of_hellos_takes_anything() -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="News.Example")
    with pytest.raises(ssl.SSLWantReadError):
        hello.do_handshake()
    record = outgoing.read()
    assert sni_of(record) == "news.example"
    assert all(sni_of(record[:cut]) in (None, "news.example") for cut in range(60))
    assert sni_of(b"") is None and sni_of(b"GET / HTTP/1.1\r\n\r\n") is None


async def test_http2_waits_for_a_narrow_window() -> None:
    near, far = trio.testing.memory_stream_pair()
    client = h2.connection.H2Connection()
    client.initiate_connection()
    client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1000})
    heads = ((":method", "GET"), (":scheme", "https"), (":authority", "news.example"), (":path", "/"))
    client.send_headers(1, heads, end_stream=True)
    body = bytes(range(256)) * 100
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_http2, far, Ends("127.0.0.1", "127.0.0.1", True), lambda _: Response(200, body))
        got = b""
        ended = False
        while not ended:
            await near.send_all(client.data_to_send())
            for event in client.receive_data(bytes(await near.receive_some(65536))):
                ended = ended or isinstance(event, h2.events.StreamEnded)
                if isinstance(event, h2.events.DataReceived) and event.data:
                    assert len(event.data) <= 1000
                    got += event.data
                    client.acknowledge_received_data(event.flow_controlled_length or 0, 1)
        await near.aclose()
    assert got == body
