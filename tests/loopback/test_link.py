"""A dossier behind a link, over real TLS on loopback: what is taken, and what is refused in one line."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from probe.app.link import LinkError, fetch
from tests.loopback.servers import CA, Serve, serving, tls_context


@pytest.fixture
def roots(tmp_path: Path) -> tuple[Path, ...]:
    path = tmp_path / "ca.pem"
    path.write_bytes(x509.load_der_x509_certificate(CA).public_bytes(Encoding.PEM))
    return (path,)


def answering(head: str, body: bytes = b"") -> Serve:
    async def serve(stream: trio.abc.Stream) -> None:
        await stream.receive_some(4096)
        await stream.send_all(f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    return serve


async def fetched(serve: Serve, roots: tuple[Path, ...], name: str = "127.0.0.1") -> bytes | LinkError:
    """What came, or what was told: an error would leave the servers' nursery as a group."""
    async with serving(serve, tls_context(name)) as port:
        try:
            return await trio.to_thread.run_sync(fetch, f"https://127.0.0.1:{port}/x.toml", 1000, roots)
        except LinkError as error:
            return error


async def test_the_answer_comes_whole(roots: tuple[Path, ...]) -> None:
    assert await fetched(answering("200 OK", b"schema = 1\n"), roots) == b"schema = 1\n"


@pytest.mark.parametrize(
    ("head", "body", "told"),
    [
        ("302 Found\r\nLocation: https://else.example/", b"", "it sends on to 'https://else.example/'"),
        ("404 Not Found", b"", "it answered with status 404"),
        ("200 OK", b"x" * 1001, "its answer is larger than"),
        ("nonsense", b"", "nothing came"),
    ],
)
async def test_anything_else_is_told(roots: tuple[Path, ...], head: str, body: bytes, told: str) -> None:
    error = await fetched(answering(head, body), roots)
    assert isinstance(error, LinkError) and "\n" not in str(error)
    assert str(error).startswith("127.0.0.1: ") and told in str(error)


@pytest.mark.parametrize(("trusted", "name"), [(False, "127.0.0.1"), (True, "else.example")])
async def test_a_stranger_s_certificate_is_refused(roots: tuple[Path, ...], trusted: bool, name: str) -> None:
    error = await fetched(answering("200 OK", b"x"), roots if trusted else (), name)
    assert isinstance(error, LinkError) and "CERTIFICATE_VERIFY_FAILED" in str(error)


async def test_nobody_there(roots: tuple[Path, ...]) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(LinkError, match="nothing came"):
            await trio.to_thread.run_sync(fetch, f"https://127.0.0.1:{held.getsockname()[1]}/", 1000, roots)
