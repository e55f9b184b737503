"""A helper that does not tell the truth: `python -m tests.lab.liar LIE FRONT BEHIND`.

It listens at the URL FRONT, asks the honest helper at BEHIND, and leaves out, breaks off or makes up. Says `ready`,
then serves until it is ended. Everything it says is well formed, as a liar's words would be.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from tests.lab.atlas import canary_name

Row = dict[str, Any]
Ask = Callable[[Row], list[Row]]
Lie = Callable[[Row, Ask], list[Row]]

_ASK_S = 60
_LATER_KINDS = ("tls.", "http.", "quic.")


def _is_kind(row: Row, *prefixes: str) -> bool:
    return row.get("fact") == "observation" and str(row["kind"]).startswith(prefixes)


def _is_about_ipv6(row: Row) -> bool:
    return _is_kind(row, "dns.") and row["detail"].get("qtype") == "AAAA"


def _silent(request: Row, ask: Ask) -> list[Row]:
    """That it measured, and nothing of what it met."""
    return [row for row in ask(request) if row.get("fact") not in ("observation", "blob")]


def _no_addresses(request: Row, ask: Ask) -> list[Row]:
    """All but the lookups."""
    return [row for row in ask(request) if not _is_kind(row, "dns.")]


def _only_names(request: Row, ask: Ask) -> list[Row]:
    """The lookups and nothing after them."""
    return [row for row in ask(request) if not _is_kind(row, "tcp.", *_LATER_KINDS)]


def _half(request: Row, ask: Ask) -> list[Row]:
    """Connects, and no word of how they went on."""
    return [row for row in ask(request) if not _is_kind(row, *_LATER_KINDS)]


def _lying_down(request: Row, ask: Ask) -> list[Row]:
    """Whatever was reached was not."""
    rows = _half(request, ask)
    for row in rows:
        if _is_kind(row, "tcp.connect"):
            row |= {"failure": "generic_timeout_error", "took_us": 10_000_000, "detail": {}}
    return rows


def _lying_ok(request: Row, ask: Ask) -> list[Row]:
    """A healthy site's facts under another name and address."""
    asked = ask(request)
    wanted = [a["data"] for row in asked if _is_kind(row, "dns.") for a in row["detail"].get("answers", ())]
    address = next((ip for ip in wanted if ":" not in ip), "45.60.1.10")
    known = canary_name(0)
    healthy = ask({"url": f"https://{known}/"})
    own = next(row["ip"] for row in healthy if _is_kind(row, "tcp.connect") and ":" not in row["ip"])
    text = json.dumps([row for row in healthy if ":" not in row.get("ip", "") and not _is_about_ipv6(row)])
    made = json.loads(text.replace(known, urlsplit(request["url"]).hostname or "").replace(own, address))
    for row in made:
        if row.get("fact") == "measurement":
            row |= {"url": request["url"], "checks": "endpoints" if request.get("endpoints") else "web"}
    return list(made)


def _lying_address(request: Row, ask: Ask) -> list[Row]:
    """The truth, and a stranger's address among the answers."""
    stranger = next(row["ip"] for row in ask({"url": f"https://{canary_name(0)}/"}) if _is_kind(row, "tcp.connect"))
    rows = ask(request)
    for row in rows:
        answers = row["detail"].get("answers", []) if _is_kind(row, "dns.") else []
        answers += [answers[0] | {"data": stranger}] if answers and (":" in stranger) is _is_about_ipv6(row) else []
    return rows


LIES: dict[str, Lie] = {
    "silent": _silent,
    "no_addresses": _no_addresses,
    "only_names": _only_names,
    "half": _half,
    "lying_down": _lying_down,
    "lying_ok": _lying_ok,
    "lying_address": _lying_address,
    # The honest words, broken off in the middle.
    "cut": lambda request, ask: ask(request),
}


def _ask(behind: str, request: Row) -> list[Row]:
    wire = Request(f"{behind}/v1/measure", json.dumps(request).encode(), {"content-type": "application/json"})
    with build_opener(ProxyHandler({})).open(wire, timeout=_ASK_S) as answer:
        rows = [json.loads(line) for line in answer]
    return rows[:-1]  # the last says how many there were


def _told(word: str, behind: str, request: Row, asker: str) -> bytes:
    rows = LIES[word](request, lambda wanted: _ask(behind, wanted))
    rows[0]["client"] = {"address": asker}  # the honest one saw us
    lines = [json.dumps(row, sort_keys=True, separators=(",", ":")) for row in rows]
    if word == "cut":
        return "\n".join(lines[: len(lines) // 2]).encode()
    # Line 1 is no fact, so it does not count.
    return "\n".join([*lines, json.dumps({"counts": len(rows) - 1, "end": 1}, separators=(",", ":")), ""]).encode()


def _handler(word: str, behind: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Take a question and lie."""
            request = json.loads(self.rfile.read(int(self.headers.get("content-length", "0"))))
            body = _told(word, behind, request, self.client_address[0])
            self.send_response(200)
            self.send_header("content-type", "application/x-ndjson")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: standard output is for `ready`."""

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    word, front, behind = sys.argv[1:4]
    place = urlsplit(front)
    assert place.hostname is not None and place.port is not None
    _Server.address_family = socket.AF_INET6 if ":" in place.hostname else socket.AF_INET
    with _Server((place.hostname, place.port), _handler(word, behind)) as server:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
