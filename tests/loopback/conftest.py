"""What tests over real sockets share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.loopback.commands import Site


@pytest.fixture
def served() -> Iterator[Site]:
    """A plain HTTP site."""
    server = Site()
    yield server
    server.gate.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def site(served: Site) -> str:
    """Its URL."""
    return served.url
