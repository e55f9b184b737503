"""What a person agrees to, and the two questions about it. English; a catalogue holds it in other languages.

Rules for this text: plain words; who sees what, what is kept, what is sent and to whom; risks said, not weighed for
the reader; nothing that makes anybody say that what they do is forbidden. A changed meaning is a new VERSION.
"""

from __future__ import annotations

from probe.app.talk import Quiz, paragraphs, unbroken
from probe.inputs.folders import digest
from probe.inputs.language import _, languages, name_of, speaking, spoken

VERSION = 3
TITLE = "Before you measure"
PARTS: tuple[tuple[str, str], ...] = (
    (
        "What it does",
        "It looks up the names of websites, connects to them and fetches their front pages from your line, as a browser"
        " would. Where something looks wrong it asks again in ways that no browser does: with other names, with packets"
        " that travel a part of the way only, and by asking for a name where no name server is.",
    ),
    (
        "Who can see it",
        "Your internet provider, and whoever watches your line, can see which sites are asked for: many in a short"
        " time, so they may notice that somebody measures. The sites see your address. So do the public name servers"
        " that are asked, and a test helper if you use one, which also learns what it is to try. This is not anonymous,"
        " and it does not try to hide.",
    ),
    (
        "What is on the list",
        "A list can hold sites that you may not want to be seen visiting, and sites that are blocked or forbidden where"
        " you are. Look at it before you start: {plan}. Sensitive categories stay off until you choose them.",
    ),
    (
        "The risk",
        "In some places measuring, or a visit to some of these sites, draws attention or worse, and it may be against a"
        " law. We cannot say what holds for you. If you are in doubt, or if others could suffer for it, do not run it."
        " The line should be yours, or its owner should know.",
    ),
    (
        "What is kept",
        "Facts about the answers, in one file on this machine that you can read: sites, times, and the network and"
        " place that you type. Your own address is taken out wherever it is recognised.",
    ),
    (
        "What is sent, and to whom",
        "Nothing, to nobody, until you say so. {bundle} shows what would be sent; {send} sends it to the collector that"
        " you name. What was sent is meant to be published: anybody may read it, and it cannot be called back with"
        " certainty.",
    ),
    (
        "You can stop",
        "Stop at any time with {stop}. Take this agreement back with {withdraw}. Delete what was kept with {forget}.",
    ),
)
QUIZZES: tuple[Quiz, ...] = (
    Quiz(
        "Who can see which sites are measured from your line?",
        ("Nobody: the program hides it", "My internet provider, and whoever watches the line"),
        2,
        "The names and addresses that you ask for can be seen on your line, as with a browser.",
    ),
    Quiz(
        "Who gets the results?",
        ("Nobody until I send them; what I send may be published", "The makers of the program, after every run"),
        1,
        "Results stay on this machine until you send them. What you send may be published.",
    ),
)


def consent_text(width: int = 0) -> str:
    """The text in the language in use, laid out for a terminal of `width` columns (0: this one)."""
    commands = {
        "plan": unbroken("probe run --dry-run"),
        "bundle": unbroken("probe bundle"),
        "send": unbroken("probe send"),
        "stop": unbroken("Ctrl-C"),
        "withdraw": unbroken("probe consent withdraw"),
        "forget": unbroken("probe forget"),
    }
    parts = [(_(heading), _(text).format(**commands)) for heading, text in PARTS]
    others = [f"{name_of(code)}: {unbroken(f'probe consent give --lang {code}')}" for code in _others()]
    return paragraphs([("", "; ".join(others)), (_(TITLE), ""), *parts], width)


def _others() -> list[str]:
    return [code for code in languages() if code != spoken()]


def consent_digest(language: str) -> str:
    """SHA-256 over the text and the questions as they are put in a language, so that any change asks again."""
    with speaking(language):
        questions = [t for quiz in QUIZZES for t in (quiz.question, *quiz.answers, quiz.because)]
        texts = [TITLE, *(t for part in PARTS for t in part), *questions]
        return digest("\n".join(_(text) for text in texts).encode())
