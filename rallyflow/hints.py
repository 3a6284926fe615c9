"""Hints that name what a person probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def closest(word: str, known: Iterable[str]) -> list[str]:
    """Return the known word that a word was probably meant to be; empty when there is none."""
    return get_close_matches(word, sorted(known), n=1, cutoff=0.6)


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "there are: {}") -> str:
    """Return a hint that names the closest known word, or else the known words."""
    words = sorted(known)
    close = closest(word, words)
    if close:
        return f"did you mean {close[0]!r}?"
    return otherwise.format(", ".join(words[:20])) if words else ""
