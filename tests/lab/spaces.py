"""Network namespaces: made, wired to TUN devices, entered, removed. Linux and root only."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "vplab-"
_CLONE_NEWNET = 0x40000000
# linux/if_tun.h
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_RUN = Path("/var/run/netns")
_ETC = Path("/etc/netns")


def missing() -> str:
    """Why there can be no lab here; empty when there can."""
    if os.name != "posix" or not Path("/proc/self/ns/net").exists():
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "needs root"
    if shutil.which("ip") is None:
        return "needs iproute2"
    return "" if Path("/dev/net/tun").exists() else "needs TUN devices"


def ip(*words: str) -> None:
    """`ip ...`; raises CalledProcessError with what it said."""
    subprocess.run(("ip", *words), check=True, capture_output=True, text=True)


@contextlib.contextmanager
def inside(name: str) -> Iterator[None]:
    """Sockets and devices made in the block belong to the namespace. This thread only."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as home, (_RUN / name).open() as there:
        _enter(libc, there.fileno())
        try:
            yield
        finally:
            _enter(libc, home.fileno())


def _enter(libc: ctypes.CDLL, fd: int) -> None:
    if libc.setns(fd, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def open_tun(name: str, device: str = "tun0") -> int:
    """The far end of the TUN device of a namespace: what the kernel there sends is read here. It lives as long as the
    descriptor does."""
    with inside(name):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", device.encode(), _IFF_TUN | _IFF_NO_PI))
    return fd


def make(name: str) -> None:
    ip("netns", "add", name)
    ip("-n", name, "link", "set", "lo", "up")


def configure(name: str, addresses: tuple[str, ...], owned: tuple[str, ...], resolver: str) -> None:
    """Addresses and default routes on tun0; `owned` networks are the namespace's own to the last address."""
    ip("-n", name, "link", "set", "tun0", "mtu", "1500", "txqueuelen", "2000", "up")
    for address in addresses:
        family = "-6" if ":" in address else "-4"
        options = ("nodad",) if family == "-6" else ()
        ip("-n", name, family, "addr", "add", f"{address}/{128 if family == '-6' else 32}", "dev", "tun0", *options)
    if any("." in a for a in (*addresses, *owned)):
        ip("-n", name, "-4", "route", "add", "default", "dev", "tun0")
    if any(":" in a for a in (*addresses, *owned)):
        ip("-n", name, "-6", "route", "add", "default", "dev", "tun0")
    for net in owned:
        ip("-n", name, "-6" if ":" in net else "-4", "route", "add", "local", net, "dev", "lo")
    if resolver:
        folder = _ETC / name
        with contextlib.suppress(FileNotFoundError):  # another lab may be removing the empty parent just now
            folder.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "resolv.conf").write_text(f"nameserver {resolver}\noptions timeout:3 attempts:2\n")
        (folder / "hosts").write_text("127.0.0.1 localhost\n")


def remove(prefix: str) -> None:
    """Remove every namespace and resolver file whose name begins so. Only names of ours."""
    if not prefix.startswith(_PREFIX):
        raise ValueError(f"not a lab: {prefix}")
    for folder, drop in ((_RUN, None), (_ETC, shutil.rmtree)):
        for path in sorted(folder.glob(f"{prefix}*")) if folder.exists() else ():
            if drop is None:
                subprocess.run(("ip", "netns", "del", path.name), check=False, capture_output=True)
            else:
                drop(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        _ETC.rmdir()


def remove_orphans() -> None:
    """Remove what labs left behind whose process is gone: a lab that was killed could not tidy up."""
    found = {path.name for folder in (_RUN, _ETC) if folder.exists() for path in folder.glob(f"{_PREFIX}*")}
    for pid in {name.split("-")[1] for name in found}:
        if not pid.isdigit() or not Path(f"/proc/{pid}").exists():
            remove(f"{_PREFIX}{pid}-")


def own() -> str:
    """The names of this process's labs begin so."""
    return f"{_PREFIX}{os.getpid()}-"


def prefix(number: int) -> str:
    """The names of this process's lab with that number begin so."""
    return f"{own()}{number}-"
