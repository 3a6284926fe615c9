"""Hints that name what a person probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

_MOST_KNOWN = 500
"""How many words are looked at: a hint must not take longer than the rest of the work."""
_MOST_NAMED = 20
_LONGEST_WORD = 200


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "there are: {}") -> str:
    """Return a hint that names the closest known word, or else the known words."""
    words = list(islice(known, _MOST_KNOWN + 1))
    close = closest(word, words)
    if close:
        return _stuck_sign(word, close[0]) or f"did you mean {close[0]!r}?"
    if not words:
        return ""
    some = sorted(words[:_MOST_KNOWN])[:_MOST_NAMED]
    return otherwise.format(", ".join(some) + ", ..." * (len(words) > len(some)))


def closest(word: str, known: Iterable[str]) -> list[str]:
    """Return the known word that a word was probably meant to be; empty when there is none."""
    by_form = {_form(each): each for each in islice(known, _MOST_KNOWN)}
    for variant in (word, word.partition("#")[0], word.partition(":")[0], word.lstrip("-")):
        if _form(variant) in by_form:
            return [by_form[_form(variant)]]
    close = get_close_matches(_form(word[:_LONGEST_WORD]), by_form, n=1, cutoff=0.6)
    return [by_form[each] for each in close]


def _form(word: str) -> str:
    """Return a word without what people vary without thinking."""
    return word.lower().replace("-", "_").strip(" \"'")


def _stuck_sign(word: str, close: str) -> str:
    """Return a hint about a sign that YAML takes as part of the word, since a space is missing beside it."""
    for sign, hint in (("#", "put a space before '#'"), (":", "put a space after the colon")):
        if sign in word and word.partition(sign)[0] == close:
            return f"{hint}: {close!r} is meant"
    return f"put a space after the dash: {close!r} is meant" if word == f"-{close}" else ""
