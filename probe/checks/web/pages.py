"""Findings about pages: did the exchange over a genuine endpoint yield the page that the control was given?

Over a proven path whatever comes is the site's own word: a refusal is `restricted`, a notice is a quotation. Over
plain HTTP nothing vouches for the page, so only a fingerprint, a trial or a broken exchange can accuse, and a mere
difference cannot.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from probe.checks.speed.freeze import freeze_of
from probe.checks.speed.transfers import is_held
from probe.checks.web.common import UNAIDED, genuine, is_portal
from probe.checks.web.residual import belated, residual
from probe.checks.web.told import is_notice
from probe.model.failure import is_local
from probe.model.kinds import HttpFetch
from probe.model.observation import Observation
from probe.model.outcome import Contrast
from probe.model.target import Target
from probe.model.verdict import Scope
from probe.verdict.findings import Domain, Findings
from probe.verdict.judge import ended
from probe.verdict.likeness import alike
from probe.verdict.pair import Pairing, contrast, refuses, was_busy
from probe.verdict.read import Tried, redirect_target

HTTP = Domain(
    "http",
    "WEB",
    (
        "none", "timeout", "reset", "eof", "truncated", "error", "garbled", "held",
        "blockpage", "redirect", "refusal", "status", "differs", "portal", "parental",
    ),
    {
        "fingerprint": ("blockpage", "redirect"),
        "name": ("timeout", "reset", "eof", "truncated", "garbled"),
        "url": ("timeout", "reset", "eof", "truncated", "garbled"),
        "not_name": ("timeout", "reset", "eof", "truncated", "garbled"),
    },
    path=("proven", "unproven"),
    never_bare=("blockpage", "redirect"),
)  # fmt: skip
ANSWERS = ("refusal", "status", "differs")
BROKEN = ("timeout", "reset", "eof", "truncated", "garbled")
_WORDS = {
    "generic_timeout_error": "timeout",
    "connection_reset": "reset",
    "connection_aborted": "reset",
    "eof_error": "eof",
    "http_request_failed": "garbled",
}


@dataclass(frozen=True, slots=True)
class Page:
    """One fetch read: its word, and whether the path was proven."""

    word: str
    walk: Tried
    fetch: Observation


def read_page(pairing: Pairing, target: Target, hop: int) -> Findings:
    """The http findings of one URL of the chain."""
    theirs = [w for w in pairing.there if _is_fetch_of(w, target)]
    mine = [w for w in pairing.here if _is_fetch_of(w, target)]
    # What stands at a false address is the answer's consequence; what an unproven TLS path carries is a stranger's.
    of_site = [w for w in mine if w.ip in genuine(pairing, target) and (w.proven or target.scheme == "http")]
    freeze = freeze_of(pairing, target)
    if freeze is not None and freeze.settled:
        # That is TCP's or TLS's affair (`probe.checks.speed`): those pages were cut off below HTTP.
        of_site = [w for w in of_site if w not in freeze.walks]
    late = belated(pairing, target)
    pages = [_page(pairing, w, theirs) for w in of_site if w not in late]
    pages += _shut(pairing, target, pages)
    cut = pairing.line.cut(p.fetch for p in pages if p.word in BROKEN)
    valid = [p for p in pages if not is_local(p.fetch.failure) and not was_busy(p.fetch) and p.fetch.seq not in cut]
    judged = _judged(pairing, valid)
    if not judged:
        return _findings(pairing, target, hop, [], "not_tried", theirs, "once", cut=bool(cut))
    contrasted = _contrast(judged[0].word, _control_word(pairing, theirs), theirs)
    return _findings(pairing, target, hop, judged, contrasted, theirs, _repeat(pairing, judged, valid))


def _shut(pairing: Pairing, target: Target, pages: list[Page]) -> list[Page]:
    """Residual blocking behind a broken plain request: the connects that failed after it, under the same word."""
    words = {p.walk.ip: p.word for p in pages if p.word in BROKEN}
    shut = residual(pairing, target) if target.scheme == "http" else ()
    return [Page(words[w.ip], w, w.connect) for w in shut if w.ip in words]


def _is_fetch_of(walk: Tried, target: Target) -> bool:
    page = walk.page
    if page is None or walk.host != target.host or walk.port != target.port:
        return False
    return page.url == target.normal or (not walk.proven and walk.sni is not None)


def _is_split(pairing: Pairing, target: Target) -> bool:
    return pairing.is_split(
        lambda w: _is_fetch_of(w, target), lambda w: w.page is not None and w.page.status is not None
    )


def _repeat(pairing: Pairing, judged: list[Page], pages: list[Page]) -> str:
    """Whether some address gave both the page and a failure; else whether it failed more often than noise explains."""
    bad = {p.walk.ip for p in judged if p.word != "none"}
    broken = bool(judged) and judged[0].word in BROKEN
    if any((p.word == "none" or (broken and p.word in ANSWERS)) and p.walk.ip in bad for p in pages):
        return "mixed"
    return "repeated" if pairing.line.weigh((p.fetch for p in judged), (), "walks") == "apart" else "once"


def _judged(pairing: Pairing, pages: list[Page]) -> list[Page]:
    """The pages that speak for the URL: marks first; then the proven ones if there are any; then the good ones if
    noise explains the others."""
    marked = [p for p in pages if p.word in ("blockpage", "redirect", "portal", "parental")]
    if marked:
        return marked
    pages = [p for p in pages if p.walk.proven] or pages
    good = [p for p in pages if p.word == "none"]
    bad = [p for p in pages if p.word != "none"]
    if not good and any(p.word in BROKEN for p in bad):
        # What the server answered, whatever it was, came through: beside it a broken exchange may be noise.
        good, bad = [p for p in bad if p.word not in BROKEN], [p for p in bad if p.word in BROKEN]
    if good and pairing.line.weigh((p.fetch for p in bad), (p.fetch for p in good), "walks") == "noise":
        return good
    # One try in which the server was seen to hold its page back speaks for the others: that is nobody else's doing.
    return [p for p in (*good, *bad) if p.word == "held"] or bad or good


def _page(pairing: Pairing, walk: Tried, theirs: list[Tried]) -> Page:
    assert walk.fetch is not None and walk.page is not None
    return Page(_page_word(pairing, walk, walk.page, theirs), walk, walk.fetch)


def _page_word(pairing: Pairing, walk: Tried, page: HttpFetch, theirs: list[Tried]) -> str:
    mark = pairing.fingerprint(walk)
    if mark is not None and mark.kind == "blockpage":
        return "redirect" if mark.where == "location" else "blockpage"
    if not walk.proven and leads_to_notice(pairing, walk):
        return "redirect"
    if mark is not None and mark.kind in ("portal", "parental"):
        return mark.kind
    if not walk.proven and is_portal(pairing):
        # Whoever answers in every canary's place answers here too.
        return "portal"
    failure = walk.fetch.failure if walk.fetch else None
    if is_held(walk):
        return "held"
    if failure is not None and page.status is None:
        return _WORDS.get(failure, "error")
    if page.truncated in ("cut", "stall") or (failure is not None and failure in _WORDS):
        return "truncated"
    if refuses(page, mark):
        return "refusal"
    others = [w.page for w in theirs if w.page is not None and is_given(pairing, w, w.page)]
    if (page.status or 0) >= 400 and not any(o.status == page.status for o in others):
        return "status"
    if walk.proven or not others or any(alike(page, other) for other in others):
        return "none"
    return "differs"


def is_given(pairing: Pairing, walk: Tried, page: HttpFetch) -> bool:
    """The control was given a page, of whatever status, and not turned away: something to compare with."""
    return page.status is not None and not refuses(page, pairing.fingerprint(walk))


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


def leads_to_notice(pairing: Pairing, walk: Tried) -> bool:
    """A redirect to another host, which showed a known block page. One within the site is the site's own; what came
    there is a hop of its own."""
    leads = redirect_target(walk.page) if walk.page is not None else None
    return (
        leads is not None
        and leads.host != walk.host
        and any(is_notice(pairing, w) for w in pairing.here if w.host == leads.host and w.port == leads.port)
    )


def _control_word(pairing: Pairing, theirs: list[Tried]) -> str | None:
    """What the controls got: none when any got a page, else a word for what they met; None when none of them
    fetched."""
    words = {_page_word(pairing, w, w.page, []) for w in theirs if w.page is not None}
    if not words:
        return None
    if "none" in words:
        return "none"
    return sorted(words)[0]


def _findings(
    pairing: Pairing,
    target: Target,
    hop: int,
    judged: list[Page],
    contrasted: str,
    theirs: list[Tried],
    repeat: str,
    cut: bool = False,
) -> Findings:
    word = judged[0].word if judged else "none"
    if cut:
        # Only tried while nothing at all came through.
        word, contrasted = "timeout", "no_control"
    proven = bool(judged) and all(p.walk.proven for p in judged)
    proof = _proof(pairing, target, word, judged)
    if contrasted == "only_here" and word in (*BROKEN, "error") and proof in UNAIDED and _is_split(pairing, target):
        contrasted = "no_control"
    values = {
        "contrast": contrasted,
        "symptom": word,
        "proof": proof,
        "repeat": repeat,
        "line": _line(pairing, judged, proof, cut),
        "ended": ended(pairing.case),
        "path": "proven" if proven else "unproven",
    }
    return Findings(
        "http",
        target.host,
        hop,
        values,
        technique=_technique(word),
        locus="server" if proven else "path" if proof != "none" else "unknown",
        scope=_scope(target, judged),
        witness=pairing.witness(_facts(judged, theirs)),
        note=_note(judged),
    )


def _line(pairing: Pairing, judged: list[Page], proof: str, cut: bool) -> str:
    if pairing.line_is_dead or cut:
        return "dead"
    if is_portal(pairing):
        return "portal"
    # Whoever withholds an answer does not send its small last piece.
    return "busy" if proof in UNAIDED and judged and all(_is_torn(p.fetch) for p in judged) else "ok"


def _is_torn(fetch: Observation) -> bool:
    """An answer came, of which only a later piece got through: the kernel holds segments out of order (TCP_INFO
    tcpi_rcv_ooopack) and has not one byte in order. Large packets vanish on the way (RFC 2923 section 2.1)."""
    info = fetch.detail.info if isinstance(fetch.detail, HttpFetch) else None
    silent = fetch.failure == "generic_timeout_error" and info is not None
    return silent and info is not None and bool(info.out_of_order) and not info.bytes_received


def _technique(word: str) -> str:
    if word in ("blockpage", "redirect", "timeout", "reset", "eof", "truncated", "error"):
        return f"http.{word}"
    return "http"


def _proof(pairing: Pairing, target: Target, word: str, judged: list[Page]) -> str:
    if word in ("blockpage", "redirect"):
        return "fingerprint"
    if word not in BROKEN or target.scheme == "https":
        return "none"
    host = _trial(pairing, target, judged, of_path=False)
    if host == "passes" and _trial(pairing, target, judged, of_path=True) == "passes":
        # The site's own front page comes by the same way, so it is the path that is listened for.
        return "url"
    return {"passes": "name", "fails": "not_name"}.get(host, "none")


def _trial(pairing: Pairing, target: Target, judged: list[Page], *, of_path: bool) -> str:
    """What trials of the path (the site's own front page) or of the name showed at the judged addresses: passes, fails,
    or nothing that is settled."""
    ips = {p.walk.ip for p in judged}
    trials = [w for w in pairing.trials if w.port == target.port and w.ip in ips and w.page is not None]
    mine = [w for w in trials if (w.page is not None and f"//{target.host}" in w.page.url) == of_path]
    flips = [w for w in mine if w.page is not None and w.page.status is not None and not w.page.truncated]
    if len(flips) >= 2 and len(flips) == len(mine):
        return "passes"
    return "fails" if len(mine) >= 2 and not flips else "undecided"


def _facts(judged: list[Page], theirs: list[Tried]) -> Iterable[Observation]:
    yield from (p.fetch for p in judged)
    yield from (w.fetch for w in theirs if w.fetch is not None)


def _scope(target: Target, judged: list[Page]) -> Scope:
    ips = sorted({p.walk.ip for p in judged})
    families = tuple(sorted({"ipv6" if ":" in ip else "ipv4" for ip in ips}))
    failed = len(ips) if judged and judged[0].word != "none" else 0
    return Scope(families, f"{failed}/{len(ips)}", (target.port,))


def _note(judged: list[Page]) -> str:
    page = judged[0].walk.page if judged else None
    return str(page.status) if page is not None and page.status is not None else ""
