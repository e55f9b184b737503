"""Bookkeeping that travels between an operator's own databases: where measurements came from, what was quarantined."""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass
from typing import ClassVar

from probe.model.errors import BundleError
from probe.wire.blindrsa import issuer_id
from probe.wire.codec import CodecError, decode, encode
from probe.wire.facts import canonical, load_object
from probe.wire.signed import closed
from probe.wire.voucher import Voucher, check_voucher

_ID = re.compile(r"[0-9a-f]{32}")
_KEY = re.compile(r"(?:[0-9a-f]{64})?")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LABEL = re.compile(r"[^\x00-\x1f\x7f]{0,255}")


@dataclass(frozen=True, slots=True)
class Origin:
    """A row of `origin`."""

    table: ClassVar[str] = "origin"
    measurement_id: str
    source: str
    signer: str
    network: str

    def is_sound(self) -> bool:
        """True when every field keeps to its form."""
        return bool(
            _ID.fullmatch(self.measurement_id)
            and _KEY.fullmatch(self.signer)
            and _LABEL.fullmatch(self.source)
            and _LABEL.fullmatch(self.network)
        )


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row of `quarantine`; `fact` is a JSON line and is never read as a fact."""

    table: ClassVar[str] = "quarantine"
    digest: str
    source: str
    because: str
    fact: str

    def is_sound(self) -> bool:
        """True when every field keeps to its form."""
        labels = _LABEL.fullmatch(self.source) and _LABEL.fullmatch(self.because)
        return bool(_DIGEST.fullmatch(self.digest) and labels)


@dataclass(frozen=True, slots=True)
class Vouched:
    """A row of `voucher`. It carries its own proof, so it is checked wherever it comes from."""

    table: ClassVar[str] = "voucher"
    token: str
    signer: str
    issuer: str
    proof: str

    @classmethod
    def of(cls, voucher: Voucher) -> Vouched:
        """The row for a voucher that was checked."""
        return cls(voucher.key, voucher.bearer, issuer_id(voucher.issuer), canonical(encode(voucher)))

    def is_sound(self) -> bool:
        """True when the proof holds, and is for what the row says."""
        try:
            voucher = closed(Voucher, self.proof)
            check_voucher(voucher)
        except BundleError:
            return False
        return Vouched.of(voucher) == self


Ledger = Origin | Quarantined | Vouched
LEDGERS: tuple[type[Origin] | type[Quarantined] | type[Vouched], ...] = (Origin, Quarantined, Vouched)


def values_of_ledger(row: Ledger) -> tuple[str, ...]:
    """The row's values in its table's column order."""
    return astuple(row)


def ledger_line(row: Ledger) -> str:
    """The row as a JSON line: `ledger` names the table."""
    return canonical({"ledger": row.table, **encode(row)})


def parse_ledger(line: str | bytes) -> Ledger:
    """The row of such a line. Raises BundleError."""
    value = load_object(line)
    name = value.pop("ledger", None)
    cls = next((cls for cls in LEDGERS if cls.table == name), None)
    if cls is None:
        raise BundleError("unknown ledger")
    try:
        row: Ledger = decode(cls, value)
    except CodecError as error:
        raise BundleError(str(error)) from None
    if not row.is_sound():
        raise BundleError(f"a row of {row.table} is malformed")
    return row
