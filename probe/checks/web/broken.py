"""What trials proved about plain exchanges that are broken off:

elsewhere    requests for the target's name end so at our own helper's door too, and those for innocent names do not
name         at the target's own address an innocent name is answered, each time
url          the same, and so is the site's own front page: it is the path that is listened for
not_name     innocent names fail at that address as well
"""

from __future__ import annotations

from collections.abc import Sequence

from probe.checks.web.door import broken_there
from probe.checks.web.looks import BROKEN, Page
from probe.checks.web.proofs import NO_PROOF, TWICE, Proof
from probe.model.target import Target
from probe.verdict.pair import Pairing
from probe.verdict.read import Tried


def proof_of_break(pairing: Pairing, target: Target, judged: Sequence[Page]) -> Proof:
    """What is shown of who broke these exchanges off, all of one URL in the clear."""
    word = judged[0].word
    if word not in BROKEN or target.scheme == "https":
        return NO_PROOF
    visit = broken_there(pairing, target, word)
    if visit:
        return Proof("elsewhere", visit, "path")
    ips = {p.walk.ip for p in judged}
    trials = [w for w in pairing.trials if w.port == target.port and w.ip in ips and w.page is not None]
    of_path = [w for w in trials if w.page is not None and f"//{target.host}" in w.page.url]
    of_name = [w for w in trials if w not in of_path]
    found = {"passes": "name", "fails": "not_name"}.get(_outcome(of_name))
    if found is None:
        return NO_PROOF
    if found == "name" and _outcome(of_path) == "passes":
        found, of_name = "url", trials
    return Proof(found, tuple(w.fetch for w in of_name if w.fetch is not None), "path")


def _outcome(trials: Sequence[Tried]) -> str:
    """What they showed: passes, fails, or nothing that is settled."""
    answered = [w for w in trials if w.page is not None and w.page.status is not None and not w.page.truncated]
    if len(answered) >= TWICE and len(answered) == len(trials):
        return "passes"
    return "fails" if len(trials) >= TWICE and not answered else "undecided"
