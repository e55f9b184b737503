"""Secrets on disk, made when first needed, mode 0600: an Ed25519 key for each vantage point and collector, and others.

A vantage point's key is as short-lived as its id: it proves that two bundles came from one place, nothing of a person.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from probe.model.errors import StoreError


def signing_key(path: Path) -> Ed25519PrivateKey:
    """The key at `path`; made there when it is missing. Raises StoreError: unreadable, or readable by others."""
    try:
        key = load_pem_private_key(secret_file(path, _new_key), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise StoreError(f"{path}: is not a private key in PEM form") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise StoreError(f"{path}: is not an Ed25519 key")
    return key


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def secret_file(path: Path, make: Callable[[], bytes]) -> bytes:
    """The secret at `path`; what `make` gives is put there when it is missing. Raises StoreError: unreadable, or
    readable by others."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _put(path, make())
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise StoreError(f"{path}: others can read this key; chmod 600 it, or delete it to get a new one")
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from None


def _put(path: Path, secret: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with open(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    try:
        # Two processes may be here at once; the first key stays, since something may be signed with it already.
        os.link(part, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        os.replace(part, path)
    part.unlink(missing_ok=True)
