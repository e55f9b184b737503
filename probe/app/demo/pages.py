"""The pages of the demo's sites: generated from the site's name alone, so every run serves the same bytes."""

from __future__ import annotations

import random
from functools import cache

_WORDS = (
    "harbour council evening market letter river teacher mountain window winter engine garden paper village bridge "
    "doctor season kitchen signal reader copper morning story valley railway singer island record candle budget "
    "farmer question answer library festival measure weather history painter journey factory meeting shelter orchard"
).split()
_VERBS = "opens follows describes remembers repairs visits counts carries paints questions welcomes studies".split()

# The sentence by which the national notice is recognised (seeds/fingerprints.toml, FP-PK-001); the rest is ours.
NOTICE = (
    "<!doctype html>\n<html lang='en'><head><title>Surf Safely!</title></head><body><h1>Surf Safely!</h1>"
    "<p>The site you are trying to access contains content that is prohibited for viewership from within Pakistan.</p>"
    "<p>This notice is part of a demonstration on one machine: nobody has blocked anything.</p></body></html>\n"
)


def _sentence(dice: random.Random) -> str:
    one, two, three, four = dice.sample(_WORDS, 4)
    return f"The {one} {dice.choice(_VERBS)} the {two} while a {three} waits by the {four}."


def _article(dice: random.Random) -> str:
    heading = " ".join(dice.sample(_WORDS, 4)).capitalize()
    paragraphs = ("".join(f" {_sentence(dice)}" for _ in range(dice.randint(5, 9))).strip() for _ in range(4))
    body = "".join(f"  <p>{text}</p>\n" for text in paragraphs)
    return f" <article>\n  <h2>{heading}</h2>\n{body} </article>\n"


@cache
def site_page(name: str, title: str) -> str:
    """A page of 10 to 50 kB: a header, a menu, ten or more articles, a footer. Depends on nothing but its arguments."""
    dice = random.Random(name)
    menu = "".join(f"<li><a href='/{word}'>{word.capitalize()}</a></li>" for word in dice.sample(_WORDS, 7))
    articles = "".join(_article(dice) for _ in range(dice.randint(9, 22)))
    return (
        f"<!doctype html>\n<html lang='en'>\n<head><meta charset='utf-8'><title>{title}</title></head>\n<body>\n"
        f" <header><h1>{title}</h1><nav><ul>{menu}</ul></nav></header>\n<main>\n{articles}</main>\n"
        f" <footer><p>{title}, served by {name}</p></footer>\n</body>\n</html>\n"
    )


def plain_page(title: str, text: str) -> str:
    """A short page: refusals, errors, the hosting company's default."""
    return (
        f"<!doctype html>\n<html lang='en'><head><title>{title}</title></head>"
        f"<body><h1>{title}</h1><p>{text}</p></body></html>\n"
    )
