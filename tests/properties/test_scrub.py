"""No spelling of an address of ours survives the scrubber, wherever it is planted; what is not ours stays."""

import hashlib
import ipaddress
import json
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from probe.model.measurement import Measurement
from probe.model.observation import Blob
from probe.model.vantage import Run
from probe.store.scrub import MARK, Scrubber, scrub_text
from probe.wire.facts import ObservationRow, canonical, check_row

# Above 1.0.0.0, as the volunteer's address is; sites write a small number for too many other reasons.
V4 = st.integers(0x0B000001, 0xDFFFFFFF).map(ipaddress.IPv4Address).filter(lambda ip: not ip.is_loopback)
GROUP = st.one_of(st.just(0), st.integers(0, 0xFFFF))
V6 = st.lists(GROUP, min_size=7, max_size=7).map(
    lambda g: ipaddress.IPv6Address(b"".join(x.to_bytes(2, "big") for x in (0x2001, *g)))
)
AROUND = st.sampled_from(["", " ", '"', "=", "(", ",", "\n", "<b>", "ip is ", "\u0634"])


def spellings_v4(ip: ipaddress.IPv4Address) -> list[str]:
    text = str(ip)
    padded = ".".join(f"{b:03d}" for b in ip.packed)
    dashed = text.replace(".", "-")
    mapped = ipaddress.IPv6Address(f"::ffff:{ip}")
    return [
        text, padded, dashed, quote(text).replace(".", "%2E"), ip.reverse_pointer, f"host-{dashed}.isp.example",
        "-".join(reversed(text.split("."))), str(int(ip)), hex(int(ip)), f"{int(ip):08X}", f"::ffff:{text}",
        mapped.exploded, mapped.compressed, "".join(f"%{ord(c):02X}" for c in text).replace("%2E", "."),
    ]  # fmt: skip


def spellings_v6(ip: ipaddress.IPv6Address) -> list[str]:
    short, full = ip.compressed, ip.exploded
    return [
        short, full, short.upper(), full.upper(), quote(short, safe=""), quote(quote(short, safe=""), safe=""),
        f"[{short}]:443", f"http://[{full}]/", ip.reverse_pointer, short.replace(":", "-"),
        full.replace(":", ""), str(int(ip)), short.replace(":", "\\u003a"),
    ]  # fmt: skip


@settings(deadline=None, max_examples=30)
@given(V4, AROUND, AROUND, st.data())
def test_every_ipv4_spelling_goes(ip: ipaddress.IPv4Address, left: str, right: str, data: st.DataObject) -> None:
    spelled = data.draw(st.sampled_from(spellings_v4(ip)))
    clean = scrub_text(left + spelled + right, [str(ip)])
    assert MARK in clean
    assert spelled not in clean


@settings(deadline=None, max_examples=30)
@given(V6, AROUND, AROUND, st.data())
def test_every_ipv6_spelling_goes(ip: ipaddress.IPv6Address, left: str, right: str, data: st.DataObject) -> None:
    spelled = data.draw(st.sampled_from(spellings_v6(ip)))
    clean = scrub_text(left + spelled + right, [str(ip)])
    assert MARK in clean
    assert spelled not in clean


@settings(deadline=None, max_examples=30)
@given(V6, st.integers(0, 2**64 - 1))
def test_neighbours_in_the_64_go_too(ip: ipaddress.IPv6Address, tail: int) -> None:
    neighbour = ipaddress.IPv6Address(int(ip) >> 64 << 64 | tail)
    assert scrub_text(f"seen {neighbour}", [str(ip)]) == f"seen {MARK}"


@settings(deadline=None, max_examples=30)
@given(V4, V4)
def test_other_addresses_stay(ours: ipaddress.IPv4Address, other: ipaddress.IPv4Address) -> None:
    text = f"a {other} b 1{ours} c {ours}1.9"
    if ours != other and other.packed[::-1] != ours.packed:
        assert scrub_text(text, [str(ours)]) == text


@settings(deadline=None, max_examples=30)
@given(V4, V6)
def test_a_planted_address_is_nowhere_in_a_fact(v4: ipaddress.IPv4Address, v6: ipaddress.IPv6Address) -> None:
    scrub = Scrubber([str(v4), str(v6)])
    body = f"<p>Your IP: {v4} or {v6.exploded}</p>".encode()
    name = hashlib.sha256(body).hexdigest()
    blob = scrub(Blob(name, "text/html", body))
    detail = {"url": f"http://x/?ip={v4}", "body": name, "headers": [["X-Client", str(v6)]], "number": int(v4)}
    row = ObservationRow("0" * 32, 0, "http.fetch", canonical(detail), host=f"{v4}.example", ip=str(v4))
    clean = scrub(row)
    rest = [scrub(Measurement("0" * 32, "0" * 32, f"http://{v4}/", "web", "2026-01-01T00:00:00Z"))]
    rest.append(scrub(Run("0" * 32, "0" * 32, "2026-01-01T00:00:00Z", config=canonical({"resolver": f"udp:{v6}"}))))
    assert isinstance(blob, Blob) and isinstance(clean, ObservationRow)
    check_row(blob)
    check_row(clean)
    assert json.loads(clean.detail)["body"] == blob.sha256 != name
    everything = f"{blob.data!r} {clean} {rest}".lower()
    for plain in (str(v4), str(int(v4)), str(v6), v6.exploded):
        assert plain not in everything


@settings(deadline=None, max_examples=30)
@given(V4, V6, st.binary(max_size=40))
def test_dns_messages_keep_their_length(v4: ipaddress.IPv4Address, v6: ipaddress.IPv6Address, noise: bytes) -> None:
    subnet = b"\0\x08\0\x07\0\x01\x18\0" + v4.packed[:3]
    data = noise + v4.packed + noise + v6.packed + str(v4).encode() + subnet
    clean = Scrubber([str(v4), str(v6)]).data("application/dns-message", data)
    assert len(clean) == len(data)
    assert v4.packed not in clean and v6.packed not in clean
    assert not clean.endswith(v4.packed[:3])


def test_nothing_to_take_out_gives_the_same_object() -> None:
    row = ObservationRow("0" * 32, 0, "tcp.connect", "{}", ip="192.0.2.9")
    assert Scrubber(["192.0.2.1"])(row) is row


def test_names_go_from_our_own_words_but_not_from_pages() -> None:
    scrub = Scrubber(names=["dawnlaptop"])
    row = ObservationRow("0" * 32, 0, "x", canonical({"raw": "EX dawnlaptop", "title": "dawnlaptop"}))
    clean = scrub(row)
    assert isinstance(clean, ObservationRow)
    assert json.loads(clean.detail) == {"raw": f"EX {MARK}", "title": "dawnlaptop"}
