"""Content codings: what comes out, and that nothing comes out without end."""

from __future__ import annotations

import gzip
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.wire.content import BOMB_FROM, DECODED_CAP, decode_content

PAGE = b"<html>" + bytes(random.Random(1).choices(b"abcdefgh <>", k=5_000)) + b"</html>"


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    "coding,data",
    [
        ("", PAGE),
        ("identity", PAGE),
        ("gzip", gzip.compress(PAGE)),
        ("X-GZIP", gzip.compress(PAGE)),
        ("gzip", gzip.compress(PAGE[:50]) + gzip.compress(PAGE[50:])),
        ("gzip", gzip.compress(PAGE) + b"trailing rubbish"),
        ("deflate", zlib.compress(PAGE)),
        ("deflate", _raw_deflate(PAGE)),
        ("deflate, gzip", gzip.compress(zlib.compress(PAGE))),
    ],
)
def test_undone(coding: str, data: bytes) -> None:
    out = decode_content(data, coding)
    assert (out.data, out.truncated, out.error) == (PAGE, None, None)


def test_cut_input_gives_what_it_held() -> None:
    out = decode_content(gzip.compress(PAGE)[:1_500], "gzip")
    assert PAGE.startswith(out.data) and len(out.data) > 500
    assert out.error is None


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip,gzip,gzip,gzip"])
def test_what_does_not_decode_is_kept_as_it_is(coding: str) -> None:
    out = decode_content(b"<html>blocked</html>", coding)
    assert out.data == b"<html>blocked</html>" and out.error


def test_bomb_of_zeros() -> None:
    out = decode_content(gzip.compress(bytes(50_000_000)), "gzip")
    assert out.truncated == "bomb"
    assert len(out.data) <= BOMB_FROM + 65_536


def test_bomb_in_a_bomb() -> None:
    out = decode_content(gzip.compress(gzip.compress(bytes(200_000_000))), "gzip, gzip")
    assert out.truncated == "bomb" and len(out.data) <= DECODED_CAP


def test_big_but_honest_is_only_cut() -> None:
    noise = random.Random(2).randbytes(DECODED_CAP + 70_000)
    out = decode_content(gzip.compress(noise, 1), "gzip")
    assert out.truncated == "cap" and len(out.data) == DECODED_CAP


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "gzip, deflate", "x", ",,", ""]))
def test_total(data: bytes, coding: str) -> None:
    decode_content(data, coding)
