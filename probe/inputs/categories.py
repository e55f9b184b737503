"""The 31 category codes of test lists, and which of them are gated: off until the person at the line chooses them.

Codes and descriptions are the common vocabulary of such lists (Citizen Lab); the gate is ours, and targets/README.md
says why. A test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Category:
    """`gated` says why the category is off until chosen; empty where it is on."""

    code: str
    description: str
    gated: str = ""


CATEGORIES: tuple[Category, ...] = (
    Category("ALDR", "Alcohol & Drugs", "trade or use is a crime in many places"),
    Category("ANON", "Anonymization and circumvention tools"),
    Category("COMM", "E-commerce"),
    Category("COMT", "Communication Tools"),
    Category("CTRL", "Control content"),
    Category("CULTR", "Culture"),
    Category("DATE", "Online Dating", "names the private life of whoever uses the line"),
    Category("ECON", "Economics"),
    Category("ENV", "Environment"),
    Category("FILE", "File-sharing"),
    Category("GAME", "Gaming"),
    Category("GMB", "Gambling", "a crime in many places"),
    Category("GOVT", "Government"),
    Category("GRP", "Social Networking"),
    Category("HACK", "Hacking Tools"),
    Category("HATE", "Hate Speech", "reading it may be watched or punished"),
    Category("HOST", "Hosting and Blogging Platforms"),
    Category("HUMR", "Human Rights Issues"),
    Category("IGO", "Intergovernmental Organizations"),
    Category("LGBT", "LGBT", "being thought to belong is dangerous in many places"),
    Category("MILX", "Terrorism and Militants", "a visit alone can bring an inquiry"),
    Category("MISC", "Miscellaneous content"),
    Category("MMED", "Media sharing"),
    Category("NEWS", "News Media"),
    Category("POLR", "Political Criticism"),
    Category("PORN", "Pornography", "unlawful in many places; can shame the volunteer"),
    Category("PROV", "Provocative Attire", "can shame the volunteer"),
    Category("PUBH", "Public Health"),
    Category("REL", "Religion"),
    Category("SRCH", "Search Engines"),
    Category("XED", "Sex Education", "treated as pornography in some places"),
)
BY_CODE: dict[str, Category] = {category.code: category for category in CATEGORIES}
UNKNOWN_WHY = "nobody here knows what this code stands for"


def why_gated(code: str) -> str:
    """Why rows of this code wait until they are asked for by name; empty where they do not.

    A code outside the vocabulary is gated too: a slip of the pen (`PRON`) must not open what its true spelling keeps
    shut. No code at all is not gated: then the person wrote the line for its own sake."""
    if not code:
        return ""
    known = BY_CODE.get(code)
    return known.gated if known else UNKNOWN_WHY
