"""Findings about pages: did the exchange over a genuine endpoint yield the page that the control was given?

Over a proven path whatever comes is the site's own word: a refusal is `restricted`, a notice is a quotation. Over
plain HTTP nothing vouches for the page, so only a fingerprint, a trial or a broken exchange can accuse, and a mere
difference cannot.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from probe.checks.speed.freeze import freeze_of
from probe.checks.web.altered import altered_pages, proof_of, proxy_words, technique_of
from probe.checks.web.broken import proof_of_break
from probe.checks.web.common import UNAIDED, genuine, is_portal
from probe.checks.web.looks import ALTERED, BROKEN, MARKED, Page, control_word, given_pages, read_fetch
from probe.checks.web.proofs import NO_PROOF, Proof
from probe.checks.web.residual import belated, residual
from probe.model.failure import is_local
from probe.model.kinds import HttpFetch
from probe.model.observation import Observation
from probe.model.outcome import TECHNIQUES, Contrast
from probe.model.target import Target
from probe.model.verdict import Scope
from probe.verdict.findings import Domain, Findings
from probe.verdict.judge import ended
from probe.verdict.likeness import is_among
from probe.verdict.pair import Pairing, contrast, was_busy
from probe.verdict.read import Tried
from probe.wire.http1 import header_value

HTTP = Domain(
    "http",
    "WEB",
    ("none", *BROKEN, "error", "held", *MARKED, *ALTERED),
    {
        "fingerprint": ("blockpage", "redirect"),
        "name": BROKEN,
        "url": BROKEN,
        "not_name": BROKEN,
        "elsewhere": (*ALTERED, *BROKEN),
        "nearer": ALTERED,
        "home": ALTERED,
        "early": ALTERED,
        "several": ("differs",),
    },
    path=("proven", "unproven"),
    never_bare=("blockpage", "redirect"),
)


# RFC 7725 section 4: who implements the blocking, which may be the site, its host, or somebody on the way.
_BLOCKED_BY = re.compile(r"""<([^>]{1,500})>\s{0,4};[^,<]{0,200}rel="?blocked-by""", re.I)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the fetches of one URL come to: the pages that speak for it, what the controls were given, and what is shown
    of who answered. `cut` when it was only tried while nothing at all came through."""

    judged: Sequence[Page]
    contrast: str = "not_tried"
    repeat: str = "once"
    proof: Proof = NO_PROOF
    given: Sequence[HttpFetch] = ()
    cut: bool = False

    @property
    def word(self) -> str:
        return "timeout" if self.cut else self.judged[0].word if self.judged else "none"

    @property
    def proven(self) -> bool:
        return bool(self.judged) and all(p.walk.proven for p in self.judged)


def read_page(pairing: Pairing, target: Target, hop: int) -> Findings:
    """The http findings of one URL of the chain."""
    theirs = [w for w in pairing.there if _is_fetch_of(w, target)]
    return _findings(pairing, target, hop, _read(pairing, target, theirs), theirs)


def _read(pairing: Pairing, target: Target, theirs: list[Tried]) -> Reading:
    given = given_pages(pairing, theirs)
    mine = [w for w in pairing.here if _is_fetch_of(w, target)]
    # What stands at a false address is the answer's consequence; what an unproven TLS path carries is a stranger's.
    of_site = [w for w in mine if w.ip in genuine(pairing, target) and (w.proven or target.scheme == "http")]
    freeze = freeze_of(pairing, target)
    if freeze is not None and freeze.settled:
        # That is TCP's or TLS's affair (`probe.checks.speed`): those pages were cut off below HTTP.
        of_site = [w for w in of_site if w not in freeze.walks]
    late = belated(pairing, target)
    pages = [read_fetch(pairing, w, given) for w in of_site if w not in late]
    pages += _shut(pairing, target, pages)
    cut = pairing.line.cut(p.fetch for p in pages if p.word in BROKEN)
    valid = [p for p in pages if not is_local(p.fetch.failure) and not was_busy(p.fetch) and p.fetch.seq not in cut]
    judged = _judged(pairing, valid)
    if not judged:
        return Reading([], "no_control" if cut else "not_tried", cut=bool(cut))
    altered = altered_pages(valid, given)
    proof = proof_of(pairing, target, altered, given)
    if proof.word in ("elsewhere", "nearer", "home", "early"):
        # Shown to be somebody else's, they speak even where other tries brought the site's own page.
        judged = altered
    elif any(p not in altered for p in judged):
        # Some other word speaks, and has proofs of its own.
        proof = _proof(pairing, target, judged)
    contrasted = _contrast(judged[0].word, _control_word(pairing, theirs), theirs)
    if judged[0].word == "blockpage" and is_among(judged[0].detail, given):
        # The control's page is like the one with the mark in it: the site quotes the notice, or both stand behind it.
        contrasted = "both_failed"
    return Reading(judged, contrasted, _repeat(pairing, judged, valid), proof, given)


def _shut(pairing: Pairing, target: Target, pages: list[Page]) -> list[Page]:
    """Residual blocking behind a broken plain request: the connects that failed after it, under the same word."""
    broken = {p.walk.ip: p for p in pages if p.word in BROKEN}
    shut = residual(pairing, target) if target.scheme == "http" else ()
    return [Page(broken[w.ip].word, w, w.connect, broken[w.ip].detail) for w in shut if w.ip in broken]


def _is_fetch_of(walk: Tried, target: Target) -> bool:
    page = walk.page
    if page is None or walk.host != target.host or walk.port != target.port:
        return False
    return page.url == target.normal or (not walk.proven and walk.sni is not None)


def _is_split(pairing: Pairing, target: Target) -> bool:
    return pairing.is_split(
        lambda w: _is_fetch_of(w, target), lambda w: w.page is not None and w.page.status is not None
    )


def _repeat(pairing: Pairing, judged: Sequence[Page], pages: Sequence[Page]) -> str:
    """Whether some address gave both the page and a failure; else whether it failed more often than noise explains. No
    noise turns one page into another: there a second try is a repetition."""
    bad = {p.walk.ip for p in judged if p.word != "none"}
    broken = judged[0].word in BROKEN
    if any((p.word == "none" or (broken and p.word in ALTERED)) and p.walk.ip in bad for p in pages):
        return "mixed"
    if judged[0].word in ALTERED:
        return "repeated" if len({p.fetch.attempt for p in judged}) >= 2 else "once"
    return "repeated" if pairing.line.weigh((p.fetch for p in judged), (), "walks") == "apart" else "once"


def _judged(pairing: Pairing, pages: list[Page]) -> list[Page]:
    """The pages that speak for the URL: marks first; then the proven ones if there are any; then the good ones if
    noise explains the others."""
    marked = [p for p in pages if p.word in MARKED]
    if marked:
        return marked
    pages = [p for p in pages if p.walk.proven] or pages
    good = [p for p in pages if p.word == "none"]
    bad = [p for p in pages if p.word != "none"]
    if not good and any(p.word in BROKEN for p in bad):
        # What the server answered, whatever it was, came through: beside it a broken exchange may be noise.
        good, bad = [p for p in bad if p.word not in BROKEN], [p for p in bad if p.word in BROKEN]
    if good and all(p.word == "differs" for p in bad):
        # A site that showed the control's page here even once merely has several.
        return good
    if good and pairing.line.weigh((p.fetch for p in bad), (p.fetch for p in good), "walks") == "noise":
        return good
    # One try in which the server was seen to hold its page back speaks for the others: that is nobody else's doing.
    return [p for p in (*good, *bad) if p.word == "held"] or bad or good


def _contrast(word: str, there: str | None, theirs: list[Tried]) -> Contrast:
    """The field's word against the control's. A control that the site turns away is no control for a failure here, and
    what a mark or a refusal says is not explained by some other failure elsewhere."""
    if there is None:
        return "no_control"
    if word == "none":
        return contrast(True, there == "none")
    if there == "none":
        return "only_here"
    if there == word:
        return "both_failed"
    if there == "status" and word in (*BROKEN, "error"):
        # The site answers the control, if only that the page is not there; an ailing server would say 5xx.
        sound = any(w.page is not None and 0 < (w.page.status or 0) < 500 for w in theirs)
        return "only_here" if sound else "both_failed"
    if there == "refusal" or word in ("refusal", "blockpage", "redirect"):
        return "no_control"
    return "both_failed"


def _control_word(pairing: Pairing, theirs: list[Tried]) -> str | None:
    """What the controls got: none when any got a page, else a word for what they met; None when none of them
    fetched."""
    words = {control_word(pairing, w, w.page) for w in theirs if w.page is not None}
    if not words:
        return None
    if "none" in words:
        return "none"
    return sorted(words)[0]


def _findings(pairing: Pairing, target: Target, hop: int, read: Reading, theirs: list[Tried]) -> Findings:
    contrasted = read.contrast
    if contrasted == "only_here" and read.word in (*BROKEN, "error") and read.proof.word in UNAIDED:
        contrasted = "no_control" if _is_split(pairing, target) else contrasted
    values = {
        "contrast": contrasted,
        "symptom": read.word,
        "proof": read.proof.word,
        "repeat": read.repeat,
        "line": _line(pairing, read),
        "ended": ended(pairing.case),
        "path": "proven" if read.proven else "unproven",
    }
    return Findings(
        "http",
        target.host,
        hop,
        values,
        technique=_technique(read),
        locus="server" if read.proven else read.proof.locus,
        located=read.proof.located,
        scope=_scope(target, read.judged),
        witness=pairing.witness((*_facts(read.judged, theirs), *read.proof.facts)),
        note=_note(read.judged),
        aside=_aside(read),
    )


def _line(pairing: Pairing, read: Reading) -> str:
    if pairing.line_is_dead or read.cut:
        return "dead"
    if is_portal(pairing):
        return "portal"
    # Whoever withholds an answer does not send its small last piece.
    torn = read.proof.word in UNAIDED and read.judged and all(_is_torn(p.fetch) for p in read.judged)
    return "busy" if torn else "ok"


def _is_torn(fetch: Observation) -> bool:
    """An answer came, of which only a later piece got through: the kernel holds segments out of order (TCP_INFO
    tcpi_rcv_ooopack) and has not one byte in order. Large packets vanish on the way (RFC 2923 section 2.1)."""
    info = fetch.detail.info if isinstance(fetch.detail, HttpFetch) else None
    silent = fetch.failure == "generic_timeout_error" and info is not None
    return silent and info is not None and bool(info.out_of_order) and not info.bytes_received


def _technique(read: Reading) -> str:
    if read.judged and read.word in ALTERED:
        return technique_of(read.judged[0].detail, read.given)
    return named(read.word)


def named(word: str) -> str:
    """The technique that a word supports by itself. What is not HTTP at all is an error in its place."""
    word = "error" if word == "garbled" else word
    return f"http.{word}" if f"http.{word}" in TECHNIQUES else "http"


def _proof(pairing: Pairing, target: Target, judged: Sequence[Page]) -> Proof:
    if judged[0].word in ("blockpage", "redirect"):
        return Proof("fingerprint", locus="path")
    return proof_of_break(pairing, target, judged)


def _facts(judged: Sequence[Page], theirs: list[Tried]) -> Iterable[Observation]:
    yield from (p.fetch for p in judged)
    yield from (w.fetch for w in theirs if w.fetch is not None)


def _scope(target: Target, judged: Sequence[Page]) -> Scope:
    ips = sorted({p.walk.ip for p in judged})
    families = tuple(sorted({"ipv6" if ":" in ip else "ipv4" for ip in ips}))
    failed = len(ips) if judged and judged[0].word != "none" else 0
    return Scope(families, f"{failed}/{len(ips)}", (target.port,))


def _note(judged: Sequence[Page]) -> str:
    page = judged[0].walk.page if judged else None
    return str(page.status) if page is not None and page.status is not None else ""


def _aside(read: Reading) -> str:
    """What an answer says of who stands in between, for the record: it accuses nobody."""
    if not read.judged or read.proven:
        return ""
    page = read.judged[0].detail
    said = [f"a proxy on the way names itself ({words})" for words in proxy_words(page, read.given)[:1] if read.given]
    blocker = _BLOCKED_BY.search(header_value(page.headers, "link") or "") if page.status == 451 else None
    if blocker:
        said.append(f"the answer names {blocker[1][:100]} as who blocks")
    return "; ".join(said)
