"""What a helper's trial door answers to requests in the clear, and how that is known again."""

from __future__ import annotations

from probe.model.kinds import HttpFetch

TITLE = "Trial door"
PAGE = f"<!doctype html><title>{TITLE}</title><p>Whoever asks here, and for whatever name, is given this page.\n"
ANSWER = (
    f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {len(PAGE)}\r\n\r\n{PAGE}"
).encode()


def is_door_page(page: HttpFetch) -> bool:
    """The door itself answered: not somebody who takes requests to wherever their name leads, as some proxies do."""
    return page.features is not None and page.features.title == TITLE
