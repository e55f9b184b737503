"""What `probe bundle` does: cut what was not sent yet, scrub once more, seal; and encrypt for a recipient."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from probe.app.home import home_dir
from probe.app.invite import default_wallet
from probe.app.own import local_scrubber
from probe.store.bundle import SUFFIX, Cut, Sealed, cuts, file_size, seal_cut
from probe.store.envelope import SUFFIX as AGE
from probe.store.envelope import encrypt
from probe.store.keys import signing_key
from probe.store.sqlite import Store
from probe.wire.signed import public_hex


def key_of_vantage(vantage_id: str) -> Path:
    """Where the signing key of a vantage point lies."""
    return home_dir() / "keys" / f"{vantage_id}.pem"


def files_of_vantage(vantage_id: str) -> tuple[Path, ...]:
    """What this home keeps for a vantage point: its key, and the token that vouches for that key and for no other."""
    path = key_of_vantage(vantage_id)
    if not path.is_file():
        return ()
    bearer = public_hex(signing_key(path))
    return path, *(file for file, token in default_wallet().tokens() if token.bearer == bearer)


def seal(store: Store, cut: Cut, path: Path) -> Sealed:
    """One bundle file of a cut, signed with its vantage point's key; with a voucher, if there is a token."""
    key = signing_key(key_of_vantage(cut.vantage_id))
    voucher = default_wallet().voucher_for(public_hex(key))
    return seal_cut(store, cut, key, local_scrubber(), path, voucher)


def seal_all(store: Store, out: Path | None, *, everything: bool = False, recipient: str = "") -> list[Sealed]:
    """Cut and seal all there is to send: into `out`, or beside it with a number where it takes several bundles; without
    `out` into the current folder under the bundle's name. With a recipient the files are envelopes. Empty when there is
    nothing."""
    found = cuts(store, everything=everything)
    suffix = SUFFIX + AGE if recipient else SUFFIX
    sealed = []
    for number, cut in enumerate(found, start=1):
        # Beside its place, so that it can be moved there in one step; nothing readable is left where it is encrypted.
        with TemporaryDirectory(prefix=".probe-", dir=out.parent if out else Path()) as folder:
            made = seal(store, cut, Path(folder, "bundle"))
            target = out or Path(f"{made.name[:16]}{suffix}")
            if out is not None and len(found) > 1:
                target = out.with_name(_numbered(out.name, number, suffix))
            if recipient:
                encrypt(made.path, recipient, target)
            else:
                made.path.replace(target)
        sealed.append(replace(made, path=target, size=file_size(target)))
    return sealed


def _numbered(name: str, number: int, suffix: str) -> str:
    stem, dot, rest = name.partition(".")
    return f"{stem}-{number}{dot + rest or suffix}"
