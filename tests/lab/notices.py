"""Pages that are put in a site's place: by a censor, by a provider, by a hotel. A table of words, so that a rule can
name one."""

from __future__ import annotations

from http import HTTPStatus

from probe.app.demo import pages


def _page(title: str, body: str) -> bytes:
    return f"<html><head><title>{title}</title></head><body>{body}</body></html>\n".encode()


PAGES: dict[str, bytes] = {
    # The national notice, which has a known fingerprint.
    "notice": pages.NOTICE.encode(),
    # Notices that nobody has written down yet.
    "unknown": _page(
        "Access to this resource is restricted",
        "<h1>Restricted</h1><p>The resource you have requested is not available on this network under the directive of"
        " the competent office. Reference 7731.</p>",
    ),
    "terse": _page("", "<p>Not permitted.</p>"),
    "empty": b"",
    # Pages of innocents.
    "login": _page(
        "Hotel Wi-Fi login",
        "<h1>Please log in to use the Internet.</h1><form action='/login' method='post'><input name='room'>"
        "<input type='password' name='code'></form>",
    ),
    "quota": _page(
        "Your data is used up",
        "<h1>You have used 100% of your monthly data.</h1><p>Recharge to go on surfing at full speed.</p>"
        "<form action='/recharge' method='post'><input name='scratch_card'></form>",
    ),
    "search": _page(
        "Search help",
        "<h1>We could not find that address.</h1><form action='/search'><input name='q'></form>"
        "<ul><li><a href='http://ads.example/1'>Cheap flights</a></li><li><a href='http://ads.example/2'>Shoes</a></li>"
        "</ul>",
    ),
    "family": _page("Safeweb", "<b>As per your subscription of Nayatel Safeweb service, this page is not shown.</b>"),
}


def page_response(word: str, status: int = 200) -> bytes:
    """A whole HTTP/1.1 response with one of the pages."""
    return _response(status, PAGES[word], "Content-Type: text/html")


def redirect_response(to: str) -> bytes:
    return _response(302, b"", f"Location: {to}")


def _response(status: int, body: bytes, field: str) -> bytes:
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{field}\r\nContent-Length: {len(body)}"
    return f"{head}\r\nConnection: close\r\n\r\n".encode() + body
