"""What tests of performers share: a world over any net, a trust store by script, and a list that collects facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from probe.model.kinds import TlsVerify
from probe.model.observation import Blob, Draft
from probe.net.base import Net, UdpPlan
from probe.perform.world import Limits, Policy, Trust, World

D = TypeVar("D")
QUICK = Limits(
    dns=UdpPlan(resend_s=(), timeout_s=0.4, linger_s=0.05), connect_s=2, handshake_s=2, stall_s=0.3, fetch_s=1.0
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """A trust store that always says the same."""

    reason: str = "ok"
    digest: str = "0" * 64

    def verify(self, chain: tuple[bytes, ...], name: str, at_unix_s: int) -> TlsVerify:
        return TlsVerify(self.digest, self.reason, (self.reason,), name=name)


@dataclass(slots=True)
class Facts:
    """An `emit` that keeps everything."""

    drafts: list[Draft] = field(default_factory=list)
    blobs: dict[str, Blob] = field(default_factory=dict)

    def __call__(self, draft: Draft, blobs: tuple[Blob, ...]) -> int:
        self.drafts.append(draft)
        self.blobs.update((blob.sha256, blob) for blob in blobs)
        return len(self.drafts) - 1

    def of(self, kind: type[D]) -> list[tuple[Draft, D]]:
        """(draft, detail) pairs of one kind, in order."""
        return [(draft, draft.detail) for draft in self.drafts if isinstance(draft.detail, kind)]

    def one(self, kind: type[D]) -> tuple[Draft, D]:
        """The only one of its kind."""
        (found,) = self.of(kind)
        return found


ANYWHERE = Policy((), (), frozenset(range(65_536)))


def world_of(
    net: Net,
    trust: Trust | None = None,
    limits: Limits = QUICK,
    policy: Policy = ANYWHERE,
    local_resolvers: tuple[str, ...] = (),
) -> World:
    """A world where everything may be dialled, and every chain verifies unless `trust` says otherwise."""
    return World(net, trust or Verdict(), policy, limits, local_resolvers, random_id=lambda: 0x1234)
