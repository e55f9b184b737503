"""The envelope: a bundle encrypted to a collector, so that whoever carries it cannot read it.

It is an age file (age-encryption.org/v1: X25519, ChaCha20-Poly1305 in pieces of 64 KiB), made and opened by pyrage.
The format is public and has several independent programs, so `age -r KEY` makes and `age -d -i FILE` opens one without
ours. An envelope names neither its sender nor its collector, and hides everything but its size and its time.

Memory is bounded: bytes flow from file to file. Whoever opens one trusts nothing: the header is measured before it is
parsed, since every recipient in it costs a key exchange, and what comes out is counted.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from probe.model.errors import BundleError, ProbeError, StoreError, UsageError
from probe.store.files import whole_file
from probe.store.keys import secret_file

SUFFIX = ".age"
_MAGIC = b"age-encryption.org/v1\n"
# A header for one recipient has 200 bytes; 64 KiB hold 600 recipients, which cost less than a tenth of a second.
_HEADER_MAX = 65_536


def is_envelope(path: Path) -> bool:
    """True when the file begins like an age file. Raises BundleError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError as error:
        raise BundleError(f"{path.name}: {error.strerror}") from None


def check_recipient(text: str) -> str:
    """`text` if it is an age public key. Raises UsageError."""
    return str(_recipient(text))


def recipient_of(path: Path) -> str:
    """The public half of the identity at `path`, which is made when it is missing. Raises StoreError."""
    return str(_identity(path).to_public())


def encrypt(source: Path, recipient: str, out: Path) -> None:
    """Write the envelope of a file to `out`, whole or not at all. Raises UsageError, StoreError."""
    to = _recipient(recipient)
    with whole_file(out) as file, source.open("rb") as plain:
        _pyrage().encrypt_io(plain, file, [to])


def decrypt(source: Path, identity: Path, out: Path, most: int) -> None:
    """Write what an envelope holds to `out`, whole or not at all. Raises BundleError: not for this identity, cut,
    changed on the way, or more than `most` bytes; StoreError when it cannot be written."""
    pyrage, key = _pyrage(), _identity(identity)
    with whole_file(out) as file, source.open("rb") as packed:
        if b"\n--- " not in packed.read(_HEADER_MAX):
            raise BundleError(f"{source.name}: the envelope's header is malformed")
        packed.seek(0)
        try:
            pyrage.decrypt_io(packed, _Counted(file, most), [key])
        except (pyrage.DecryptError, OSError) as error:
            # A piece that was changed comes as an OSError without a number; with one, it is the system's.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise BundleError(f"{source.name}: is not for this collector, or was changed on the way") from None


class _Counted:
    """A file that takes so many bytes and no more."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file, self._left = file, most

    def write(self, data: bytes) -> int:
        self._left -= len(data)
        if self._left < 0:
            raise BundleError("the envelope holds too much")
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


# ---- keys ----


def _recipient(text: str) -> Any:
    pyrage = _pyrage()
    try:
        return pyrage.x25519.Recipient.from_str(text.strip())
    except pyrage.RecipientError:
        raise UsageError(f"{text[:80]!r} is no public key to encrypt to; those begin with age1") from None


def _identity(path: Path) -> Any:
    pyrage = _pyrage()
    lines = secret_file(path, _new_identity).decode("ascii", "replace").splitlines()
    secret = next((line.strip() for line in lines if line.startswith("AGE-SECRET-KEY-1")), "")
    try:
        return pyrage.x25519.Identity.from_str(secret)
    except pyrage.IdentityError:
        raise StoreError(f"{path}: holds no age secret key") from None


def _new_identity() -> bytes:
    # The form of age-keygen, so that age itself reads it.
    made = _pyrage().x25519.Identity.generate()
    return f"# public key: {made.to_public()}\n{made}\n".encode()


def can_encrypt() -> bool:
    """True where the package that encrypts is installed."""
    try:
        _pyrage()
    except ProbeError:
        return False
    return True


def _pyrage() -> ModuleType:
    try:
        import pyrage
    except ImportError:
        raise ProbeError("encrypting needs one more package: pip install 'vantage-probe[encrypt]'") from None
    module: ModuleType = pyrage
    return module
