"""Servers that are not ours: Debian's nginx for sites, its unbound for the ISP's resolver. What they say and how they
say it was decided by people who never saw the prober."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from probe.app.demo import pages
from tests.lab import spaces
from tests.lab.atlas import ISP, Placed
from tests.lab.rules import Rule

if TYPE_CHECKING:
    from tests.lab.world import Lab

# Where the ISP's unbound gets the truth from, over TCP, so that nothing on the way lies to it.
_UPSTREAM = "9.9.9.9"
_ZONES = {
    "nxdomain": "always_nxdomain",
    "refused": "always_refuse",
    "empty": "always_nodata",
    "drop": "always_deny",
    "forge": "redirect",
}
# Manners that nginx has a word for.
NGINX_MANNERS = ("page", "huge", "redirect", "forbidden", "missing", "server_error")
UNBOUND_DEEDS = tuple(_ZONES)


def _program(word: str) -> str | None:
    # Daemons live where an ordinary user's PATH does not look.
    return shutil.which(word, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def lacking(needs: Iterable[str]) -> str:
    """Which of these programs are not installed, as a sentence; empty when all are there."""
    absent = sorted(word for word in needs if _program(word) is None)
    return f"{' and '.join(absent)} not installed" if absent else ""


def start_real_servers(lab: Lab) -> None:
    """Start what the cases ask for. Raises LabError."""
    sites = [placed for placed in lab.atlas.sites if placed.site.server == "nginx"]
    if sites:
        with spaces.inside(f"{lab.prefix}servers"):
            Path("/proc/sys/net/ipv6/ip_nonlocal_bind").write_text("1")
        path = lab.folder / "nginx.conf"
        path.write_text(nginx_conf(sites, lab.folder))
        process = lab.start("servers", (_program("nginx") or "", "-c", str(path), "-e", "stderr"), "nginx.log")
        first = sites[0]
        port = 443 if first.site.alpn else 80
        lab.wait_listening("servers", process, port, "nginx.log", at=(*first.v4, *first.v6)[0])
    if lab.cases[0].run.resolver == "unbound":
        path = lab.folder / "unbound.conf"
        path.write_text(unbound_conf([rule for rule in lab.atlas.rules if rule.at == "resolver"], lab.folder))
        process = lab.start("isp", (_program("unbound") or "", "-d", "-c", str(path)), "unbound.log")
        lab.wait_listening("isp", process, 53, "unbound.log")


def nginx_conf(sites: Sequence[Placed], folder: Path) -> str:
    """A configuration that serves the sites, each at its own addresses; writes their pages into `folder`."""
    servers = "\n".join(_server(placed, _root(placed, folder), folder) for placed in sites)
    return f"""
user root; daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
  access_log off; default_type text/html; charset utf-8; gzip on; gzip_min_length 256; keepalive_timeout 5;
  client_body_temp_path {folder}/nginx-body; proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi; uwsgi_temp_path {folder}/nginx-uwsgi; scgi_temp_path {folder}/nginx-scgi;
{servers}
}}
"""


def _root(placed: Placed, folder: Path) -> Path:
    site = placed.site
    root = folder / "www" / site.name
    root.mkdir(parents=True)
    more = "<p>more</p>\n" * 420_000 if site.manner == "huge" else ""
    (root / "index.html").write_text(pages.site_page(site.name, f"Pages of {site.name}") + more)
    return root


def _server(placed: Placed, root: Path, folder: Path) -> str:
    site = placed.site
    names = f"server_name {site.name} www.{site.name};"
    body = {
        "redirect": f"return 302 {site.to};",
        "forbidden": "return 403;",
        "missing": "return 404;",
        "server_error": "return 503;",
        # Five megabytes of one line would travel as five kilobytes.
        "huge": f"root {root}; gzip off;",
    }.get(site.manner, f"root {root};")
    found = []
    if site.alpn:
        options = "ssl http2" if "h2" in site.alpn else "ssl"
        pem = folder / f"{site.name}.pem"
        keys = f"ssl_certificate {pem}; ssl_certificate_key {pem};"
        found.append(f"  server {{ {_listen(placed, 443, options)} {names} {keys} {body} }}")
    if site.plain != "closed":
        plain = "return 301 https://$host$request_uri;" if site.plain == "to_https" and site.alpn else body
        found.append(f"  server {{ {_listen(placed, 80)} {names} {plain} }}")
    return "\n".join(found)


def _listen(placed: Placed, port: int, options: str = "") -> str:
    v4 = [f"listen {ip}:{port} {options} reuseport;" for ip in placed.v4]
    v6 = [f"listen [{ip}]:{port} {options} reuseport ipv6only=on;" for ip in placed.v6]
    return " ".join((*v4, *v6))


def unbound_conf(lies: Sequence[Rule], folder: Path) -> str:
    """A resolver for everybody that tells these lies."""
    interfaces = "\n".join(f"  interface: {ip}" for ip in ISP)
    zones = "\n".join(line for rule in lies for name in rule.names for line in _lie(rule, name))
    return f"""
server:
{interfaces}
  access-control: 0.0.0.0/0 allow
  access-control: ::/0 allow
  do-daemonize: no
  chroot: ""
  username: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  logfile: ""
  module-config: "iterator"
  tcp-upstream: yes
  qname-minimisation: no
{zones}
forward-zone:
  name: "."
  forward-addr: {_UPSTREAM}
remote-control:
  control-enable: no
"""


def _lie(rule: Rule, name: str) -> list[str]:
    found = [f'  local-zone: "{name}." {_ZONES[rule.do]}']
    if rule.do == "forge":
        found.append(f'  local-data: "{name}. 300 IN {"AAAA" if ":" in rule.to else "A"} {rule.to}"')
    return found
