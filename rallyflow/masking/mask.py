"""Puts asterisks in place of secrets: in texts, in plain data, and in bytes that arrive piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, AnyStr

from rallyflow.masking.forms import forms_of
from rallyflow.model.secret import MASK, Secret

_SHORTEST = 4  # characters; masking a shorter text would tear harmless words and numbers apart, and hide nothing
_MASK = MASK.encode()


class Mask:
    """Puts asterisks in place of secrets, in all forms that they may be written in; also in place of single lines."""

    def __init__(self, secrets: Iterable[str | Secret]) -> None:
        """Take the secrets; those of fewer than four characters, and such lines of longer ones, stay as they are."""
        texts = [secret.reveal() if isinstance(secret, Secret) else secret for secret in secrets]
        forms = {form for text in texts for form in forms_of(text)}
        self._pieces = sorted(form for form in forms if len(form) >= _SHORTEST)
        self._texts = frozenset(texts)

    def __bool__(self) -> bool:
        """Whether there is anything to mask."""
        return bool(self._pieces)

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        return _covered(text, _found(text, self._pieces), MASK)

    def data(self, value: Any) -> Any:
        """Return plain data without secrets in it."""
        if not self._pieces:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.data(key): self.data(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(item) for item in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return MASK if str(value) in self._texts else value
        return str(value) if isinstance(value, Secret) else value

    def stream(self) -> MaskedStream:
        """Return what masks bytes that arrive piece by piece."""
        return MaskedStream([piece.encode(errors="surrogateescape") for piece in self._pieces])


class MaskedStream:
    """Masks bytes as they come, wherever they are cut: what may be the beginning of a secret waits for what follows."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces
        self._waiting = b""

    def feed(self, data: bytes) -> bytes:
        """Return what can be said of the bytes so far."""
        data = self._waiting + data
        found = _found(data, self._pieces)
        begun = sorted({start for piece in self._pieces for start in _begun(data, piece)})
        until = next((at for at in begun if not any(start < at < end for start, end in found)), len(data))
        self._waiting = data[until:]
        return _covered(data[:until], [place for place in found if place[1] <= until], _MASK)

    def close(self) -> bytes:
        """Return what still waits, when nothing follows any more; the beginning of a secret alone is none."""
        data, self._waiting = self._waiting, b""
        return _covered(data, _found(data, self._pieces), _MASK)


def _found(text: AnyStr, pieces: Sequence[AnyStr]) -> list[tuple[int, int]]:
    """Return where pieces are in a text, from the left; of those that overlap, the first, or else the longest."""
    places = [(start, -len(piece)) for piece in pieces if piece in text for start in _places(text, piece)]
    found: list[tuple[int, int]] = []
    for start, length in sorted(places):
        if not found or start >= found[-1][1]:
            found.append((start, start - length))
    return found


def _places(text: AnyStr, piece: AnyStr) -> Iterator[int]:
    start = text.find(piece)
    while start >= 0:
        yield start
        start = text.find(piece, start + 1)


def _covered(text: AnyStr, places: Sequence[tuple[int, int]], mask: AnyStr) -> AnyStr:
    """Return a text with a mask in each of the places."""
    if not places:
        return text
    starts = [0, *(end for _, end in places)]
    ends = [*(start for start, _ in places), len(text)]
    return mask.join(text[start:end] for start, end in zip(starts, ends, strict=True))


def _begun(data: bytes, piece: bytes) -> Iterator[int]:
    """Yield where a piece may have begun, cut off by the end of the data."""
    head = piece[:_SHORTEST]
    start = data.find(head, max(0, len(data) - len(piece) + 1))
    while start >= 0:
        if piece.startswith(data[start:]):
            yield start
        start = data.find(head, start + 1)
    yield from (len(data) - size for size in range(1, _SHORTEST) if data.endswith(piece[:size]))
