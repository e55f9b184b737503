"""What every test starts from: a home of its own, no consent or certificates of whoever runs it, and no network."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from probe.inputs.language import ENGLISH, speak


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PROBE_HOME in a fresh folder, so that no test reads or writes what is the developer's own."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("PROBE_HOME", str(home))
    for name in ("PROBE_CONSENT", "SSL_CERT_FILE", "PROBE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    speak(ENGLISH)
    return home


@pytest.fixture(autouse=True)
def no_outside_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Dialling anything but loopback fails the test that tries. Connecting a datagram socket sends nothing."""
    dial, dial_ex = socket.socket.connect, socket.socket.connect_ex

    def refuse(sock: socket.socket, address: Any) -> None:
        if sock.type == socket.SOCK_STREAM and isinstance(address, tuple) and not _is_here(str(address[0])):
            raise AssertionError(f"a test dialled {address!r}: only loopback is allowed")

    def connect(sock: socket.socket, address: Any) -> None:
        refuse(sock, address)
        dial(sock, address)

    def connect_ex(sock: socket.socket, address: Any) -> int:
        refuse(sock, address)
        return dial_ex(sock, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)
    yield


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"
