"""One plain sentence for a verdict. Words are limited to what was shown; nobody is named as having ordered anything."""

from __future__ import annotations

from collections.abc import Iterable

from probe.model.outcome import REASON_MEANING
from probe.model.verdict import LayerVerdict
from probe.verdict.case import Case
from probe.verdict.findings import Findings
from probe.verdict.read import walks_of
from probe.verdict.reference import Reference

_STEP = {
    "dns": "looking up {host}",
    "ip": "reaching the addresses of {host}",
    "tcp": "connecting to {host}",
    "tls": "the TLS handshake with {host}",
    "http": "fetching the page from {host}",
    "quic": "connecting to {host} over QUIC",
}
_WHAT = {
    "bogon": "this line's resolver answered with an address that cannot be the site's ({note})",
    "blockpage": "a known block page answered instead of {host}",
    "other": "a forged answer came for {host} ({note})",
    "strangers": "this line's resolver answered with an address ({note}) whose page has nothing to do with {host}",
    "nxdomain": "this line's resolver says that {host} does not exist",
    "empty": "this line's resolver has no address for {host}",
    "refused": "{step} was refused",
    "servfail": "this line's resolver failed on {host}",
    "timeout": "{step} got no answer",
    "reset": "{step} was cut off by a TCP reset",
    "eof": "{step} was cut off by an early close",
    "alert": "{step} was ended by a TLS alert",
    "garbage": "{step} was answered with something that is not TLS",
    "unreachable": "{step} failed: unreachable",
    "self_signed": "{host} showed a self-signed certificate here that the control was not shown",
    "ca_signed": "{host} showed a certificate here, by an authority nobody trusts, that the control was not shown",
    "bad_chain": "the certificate of {host} does not verify",
    "truncated": "the page of {host} was cut off before its end",
    "held": "{host} keeps the connection open and sends no more of its page",
    "garbled": "the answer of {host} is not HTTP",
    "redirect": "{host} was redirected to a known block page",
    "refusal": "{host} refused this visitor (status {note})",
    "status": "{host} answered with status {note} here",
    "differs": "{host} answered with another page than the control was given",
    "unproven": "the addresses given for {host} are vouched for by nobody",
    "portal": "a login page answered instead of {host}",
    "everybodys": "a page that innocent sites are answered with too answered instead of {host}",
    "parental": "the page of an opt-in filter answered instead of {host}",
    "error": "{step} failed",
    "throttle": "what comes from {host} crawls ({note})",
    "delayed": "every packet from {host} comes late ({note})",
    "freeze": "the page of {host} begins and stands still for good after {note}",
    "slow": "the page of {host} comes slowly here ({note}), on a line that is fast otherwise",
}
# Over QUIC the same word was met in another way.
_OVER_QUIC = {
    "reset": "{step} was ended by a sudden close",
    "garbage": "{step} was answered with something that is not QUIC",
    "version": "{host} seemed to speak no version of QUIC that we speak",
    "bad_chain": "the certificate that {host} shows over QUIC does not verify",
}
_ENDS = {
    "blocked": "{what}, and it is settled: {because}",
    "likely_blocked": "{what}, in every spaced try, while the control reached it.",
    "impaired": "{what}, and the cause cannot be told.",
    "mixed": "{what} in some tries, but not in all of them.",
    "restricted": "{what}: the site's own decision, over a path proven genuine or told to the control too.",
    "down": "{what}, here and from the control alike.",
}


def explain(
    case: Case, reference: Reference, findings: Findings, verdict: LayerVerdict, asides: Iterable[str] = ()
) -> str:
    """The sentence of the headline, and what any layer has to remark; `reference` is at hand for names of networks and
    marks."""
    remarks = "".join(f" {_sentence(aside, '')}" for aside in asides if aside)
    return _headline(case, findings, verdict) + remarks


def _headline(case: Case, findings: Findings, verdict: LayerVerdict) -> str:
    symptom, proof = (findings.values.get(word, "none") for word in ("symptom", "proof"))
    # A refusal that somebody else wrote is not the site's.
    symptom = "status" if symptom == "refusal" and proof != "none" else symptom
    step = _STEP[findings.layer].format(host=findings.host)
    told = _WHAT.get(symptom, "{step} failed")
    if findings.layer == "quic":
        told = _OVER_QUIC.get(symptom, told)
    what = told.format(host=findings.host, step=step, note=findings.note or "unknown")
    if verdict.outcome == "ok":
        seen = "as the control did" if case.control_source in ("helper", "db") else "over a proven path"
        return f"{findings.host} was reached and answered {seen}."
    if verdict.outcome == "insufficient":
        meaning = REASON_MEANING[verdict.reason] if verdict.reason else "the evidence is below what is needed"
        meaning = _OURS.get(proof, meaning) if verdict.reason == "own_fault" else meaning
        return _sentence(f"cannot be said: {meaning}" + (f" ({what})" if symptom != "none" else ""), findings.host)
    mixed = verdict.outcome == "impaired" and findings.values.get("repeat") == "mixed"
    ending = _ENDS["mixed" if mixed else verdict.outcome]
    if verdict.outcome in ("likely_blocked", "impaired"):
        ending = _PARTLY.get(proof, ending)
    if proof == "several":
        what += ", with a page that sites which have nothing to do with it were answered with as well"
    because = _BECAUSE.get(f"{findings.layer} {proof}") or _BECAUSE.get(proof, "an artefact proves it.")
    said = _sentence(ending.format(what=what, because=because), findings.host)
    if findings.layer == "quic" and _was_reached(case, findings.host):
        said += " Over TCP the site was reached."
    return f"{said} It is done at hop {verdict.hop} from here." if verdict.hop else said


def _was_reached(case: Case, host: str) -> bool:
    """A page came over TCP from whoever proved to be the host."""
    walks = walks_of(case.observations)
    return any(w.host == host and w.proven and w.page and w.page.status and not w.is_trial for w in walks)


# What is our own in it, and what another ClientHello than our usual one showed.
_OURS = {
    "hello": "the site dislikes our usual ClientHello; another one passes",
    "name_partly": "the site dislikes our usual ClientHello; another one passes",
    "size": "this path loses our usual ClientHello for its size, whatever name it carries; a small one passes",
}
_PARTLY = {
    "hello": "{what} with our usual ClientHello, while another one passes at the same address.",
    "name_partly": "{what}, in every spaced try and for this name only, while another ClientHello gets through.",
}
_BECAUSE = {
    "elsewhere": "the same name fails so at our helper's address too, where innocent names pass.",
    "twin": "two differing answers came to one question.",
    "nobody": "an address where no resolver is gives the same answer, but not for an innocent name.",
    "early": "it came sooner than the round trip to where it claims to come from allows.",
    "early_other": "it came sooner than the round trip to where it claims to come from allows.",
    "ede": "the resolver says itself that it censors the name.",
    "contradicted": "the control and trusted answers contradict it.",
    "url": "at the same address the site's front page and an innocent name pass.",
    "dns name": "in between, the same resolver answers for another name.",
    "name": "at the same address an innocent name passes.",
    "sni": "at the same address a handshake with an innocent name is spared.",
    "host": "at the same address a request for an innocent name is spared.",
    "fingerprint": "the page carries the mark of a public record of block pages.",
    "http elsewhere": "a helper, asked for the same name, is answered with it too, and not for an innocent name.",
    "nearer": "it comes for requests that die before the server, and those for an innocent name die there too.",
    "http early": "it came sooner than the server can be reached, and an innocent name there is given another page.",
}


def _sentence(text: str, host: str) -> str:
    # A host name keeps its lower case even at the beginning.
    text = text if host and text.startswith(host) else text[0].upper() + text[1:]
    return text if text.endswith(".") else text + "."
