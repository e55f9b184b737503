"""Asking a helper over a scripted transport: at which address it was reached."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from probe.model.step import AskControl
from probe.net.fakenet import FakeNet
from probe.perform.control import perform_control
from tests.unit.perform.kit import Facts, world_of


class Connection:
    """What httpcore tells of the connection that an answer came by."""

    def __init__(self, address: Any) -> None:
        self.address = address

    def get_extra_info(self, info: str) -> Any:
        return self.address if info == "server_addr" else None


@pytest.mark.parametrize(
    "address,direct,met",
    [
        (("9.9.9.9", 443), True, ("9.9.9.9", 443)),
        (("2606:4700::1", 8443, 0, 0), True, ("2606:4700::1", 8443)),
        (("9.9.9.9", 443), False, (None, None)),  # a proxy's
        (("10.0.0.5", 443), True, (None, None)),  # of the house
        ("/run/helper.sock", True, (None, None)),
        (None, True, (None, None)),
    ],
)
async def test_where_the_helper_was_reached(address: Any, direct: bool, met: tuple[str | None, int | None]) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, extensions={"network_stream": Connection(address)})

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        world = replace(world_of(FakeNet()), helper_client=client, helper_direct=direct)
        facts = Facts()
        step = AskControl("https://helper.example", "https://site.example/")
        await perform_control(step, world, facts, lambda rows: None)
    (draft,) = facts.drafts
    assert (draft.ip, draft.port) == met and draft.failure == "http_request_failed"
