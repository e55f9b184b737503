"""A volunteer's invitations: from a code to tokens, and from a token to the voucher of a vantage point.

PROBE_HOME/tokens/NAME.json    one token: first what is needed to ask for it again, then its proof; later whom it serves

The order protects the person. A token is asked for on its own, over connections of its own, and nothing else is sent
with it. When its proof is here, the code and the number that blinded it are forgotten: then nothing on this machine,
at the organiser's or at the collector's joins the invitation to the token.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe.app.home import home_dir
from probe.app.way import SendError, Way, exchange
from probe.model.collector import Collector
from probe.model.errors import BundleError, ProbeError, StoreError, UsageError
from probe.store.files import whole_file
from probe.wire.blindrsa import SALT, blind, read_issuer, unblind
from probe.wire.card import CARD_MAX, read_card
from probe.wire.codec import CodecError, decode, encode
from probe.wire.facts import load_object
from probe.wire.signed import public_hex
from probe.wire.voucher import (
    TokenRequest,
    Voucher,
    make_voucher,
    read_invitation,
    read_token_answer,
    token_message,
)

# More tokens of one invitation than an organiser gives out.
NUMBERS_MOST = 20


@dataclass(frozen=True, slots=True)
class Token:
    """A token on disk; hex all but `issuer`. While it is being asked for it has a `code`, a `number`, a `salt` and the
    blinding `r`; afterwards a `proof`; and once it vouches for a vantage point that one's public key, `bearer`."""

    issuer: str
    secret: str
    code: str = ""
    number: int = 0
    salt: str = ""
    r: str = ""
    proof: str = ""
    bearer: str = ""

    @property
    def key(self) -> Ed25519PrivateKey:
        """Its signing key."""
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(self.secret))

    @property
    def blinded(self) -> bytes:
        """What the issuer is asked to sign; always the same for this token."""
        salt, r = bytes.fromhex(self.salt), int(self.r, 16)
        return blind(read_issuer(self.issuer), token_message(public_hex(self.key)), salt, r)


@dataclass(frozen=True)
class Wallet:
    """The tokens in a folder."""

    folder: Path

    def tokens(self) -> Iterator[tuple[Path, Token]]:
        """Every token, in order of their names. Raises StoreError for one that cannot be read."""
        for path in sorted(self.folder.glob("*.json")) if self.folder.exists() else ():
            try:
                yield path, decode(Token, load_object(path.read_bytes()))
            except (OSError, BundleError, CodecError):
                raise StoreError(f"{path}: is no token that can be read") from None

    def put(self, path: Path, token: Token) -> None:
        """Keep a token, on the disk before it is used."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreError(f"{self.folder}: {error.strerror or error}") from None
        with whole_file(path) as file:
            file.write(json.dumps(encode(token)).encode())

    def begun(self, issuer: str, code: str, number: int) -> tuple[Path, Token]:
        """The token that was begun to be asked for with this code, or a new one, kept."""
        for path, token in self.tokens():
            if (token.issuer, token.code, token.number) == (issuer, code, number):
                return path, token
        modulus = read_issuer(issuer).public_numbers().n
        token = Token(
            issuer, Ed25519PrivateKey.generate().private_bytes_raw().hex(), code, number,
            secrets.token_bytes(SALT).hex(), f"{secrets.randbelow(modulus - 2) + 2:x}",
        )  # fmt: skip
        path = self.folder / f"{secrets.token_hex(8)}.json"
        self.put(path, token)
        return path, token

    def voucher_for(self, bearer: str) -> Voucher | None:
        """The voucher of a vantage point's key, from a token that serves it already or from a free one; None when there
        is none."""
        ready = [(path, token) for path, token in self.tokens() if token.proof]
        mine = next((one for one in ready if one[1].bearer == bearer), None)
        if mine is None:
            free = next((one for one in ready if not one[1].bearer), None)
            if free is None:
                return None
            mine = free[0], replace(free[1], bearer=bearer)
            self.put(*mine)
        token = mine[1]
        return make_voucher(token.issuer, bytes.fromhex(token.proof), token.key, bearer)


def default_wallet() -> Wallet:
    """The wallet in PROBE_HOME."""
    return Wallet(home_dir() / "tokens")


# ---- redeeming ----


@dataclass(frozen=True)
class Redeemer:
    """Turns an invitation into tokens, at the first address of a collector that answers."""

    way: Way
    collectors: tuple[Collector, ...]
    wallet: Wallet

    async def redeem(self, text: str) -> int:
        """Ask for every token of an invitation; returns how many there are now. Raises UsageError, ProbeError."""
        code = read_invitation(text)
        problem: ProbeError = UsageError("name a collector with --to URL")
        for collector in self.collectors:
            for url in collector.urls:
                try:
                    async with self.way.open() as client:
                        return await self._redeem_at(client, url, await _issuer(client, url, collector), code)
                except (SendError, BundleError) as error:
                    problem = error
        raise problem

    async def _redeem_at(self, client: httpx.AsyncClient, url: str, issuer: str, code: str) -> int:
        count = 0
        for number in range(NUMBERS_MOST):
            path, token = self.wallet.begun(issuer, code, number)
            asked = TokenRequest(code, token.blinded.hex(), number)
            status, answer = await _ask(client, "POST", f"{url}/v1/token", json.dumps(encode(asked)).encode())
            if status in (403, 409):
                path.unlink(missing_ok=True)
            if status == 403:
                break
            if status == 409:
                continue
            if status != 200:
                raise SendError(f"{url}: answered {status}")
            message = token_message(public_hex(token.key))
            proof = unblind(read_issuer(issuer), message, read_token_answer(answer), int(token.r, 16))
            # Code and blinding are gone from here on: they alone could join the invitation to the token.
            self.wallet.put(path, Token(issuer, token.secret, proof=proof.hex()))
            count += 1
        if not count:
            raise BundleError(f"{url}: this invitation is not known there, or somebody used it up")
        return count


async def _issuer(client: httpx.AsyncClient, url: str, collector: Collector) -> str:
    """The key that tokens are signed with: as the card says, else as the collector does."""
    if collector.issuer:
        return collector.issuer
    status, text = await _ask(client, "GET", f"{url}/v1/card")
    if status != 200:
        raise SendError(f"{url}: answered {status}; no collector there, or an old one")
    card = read_card(text[: CARD_MAX + 1])
    if collector.key and card.key != collector.key:
        raise BundleError(f"{url}: the card is signed with another key than this collector's")
    if not card.issuer:
        raise BundleError(f"{url}: nobody was invited there")
    return card.issuer


async def _ask(client: httpx.AsyncClient, method: str, url: str, body: bytes = b"") -> tuple[int, bytes]:
    try:
        status, _, answer = await exchange(client, method, url, body)
        return status, answer
    except httpx.HTTPError as error:
        raise SendError(f"{url}: {type(error).__name__} {error}".strip()) from None
