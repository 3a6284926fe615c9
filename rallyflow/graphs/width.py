"""Texts of a graph in a monospaced font: how wide they are, and without what is no character."""

from __future__ import annotations

from unicodedata import combining, east_asian_width


def wide(text: str) -> int:
    """Return how many cells a text takes: two for each character of East Asia's scripts, none for an accent."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def padded(text: str, width: int) -> str:
    """Return a text with spaces behind it, so that it takes `width` cells."""
    return text + " " * (width - wide(text))


def plain(text: str) -> str:
    """Return a text on one line, without the characters by which it could command a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)
