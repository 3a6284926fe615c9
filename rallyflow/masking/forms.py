"""The forms in which a secret may be written down: as it is, escaped, quoted, encoded."""

from __future__ import annotations

import base64
import html
import json
import shlex
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

_WRAPPED = (57, 48)  # bytes in a line of base64: 76 characters by the program base64, 64 by openssl

_QUOTES_IN_HTML = tuple(
    str.maketrans(dict(zip("\"'", pair, strict=True)))
    for pair in (('"', "'"), ("&quot;", "&#x27;"), ("&#34;", "&#39;"), ("&quot;", "&apos;"), ("&quot;", "'"))
)
_JSON_IN_HTML = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&'"})


def forms_of(secret: str) -> Iterator[str]:
    """Yield every form of a secret that has to be masked; of one with several lines, also those of each line."""
    raw = secret.encode(errors="surrogateescape")
    yield from _encoded(raw)
    for text in (secret, *(line.strip() for line in secret.splitlines())):
        yield from _escaped(text)


def _escaped(text: str) -> Iterator[str]:
    """Yield a text as programs quote and escape it."""
    raw = text.encode(errors="surrogateescape")
    yield text
    yield _inner(json.dumps(text))
    yield _inner(json.dumps(text, ensure_ascii=False))
    yield _inner(json.dumps(json.dumps(text)), 3)  # JSON in JSON
    yield _inner(repr(text))
    yield _inner(repr(raw), 1, 2)
    for quotes in _QUOTES_IN_HTML:
        yield html.escape(text, quote=False).translate(quotes)
    for form in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
        yield _inner(form).translate(_JSON_IN_HTML)
        yield _inner(form).replace("</", "<\\/")
    yield _inner(shlex.quote(text)) if "'" in text else text
    yield text.replace("'", r"'\''")  # as a shell prints what it runs
    for quoted in (quote(raw), quote(raw, safe=""), quote_plus(raw), quote(raw, safe="~()*!'")):
        yield quoted
        yield _lowered(quoted)


def _inner(quoted: str, end: int = 1, start: int | None = None) -> str:
    """Return what is between the quotes."""
    return quoted[end if start is None else start : -end]


def _lowered(quoted: str) -> str:
    """Return a URL-quoted text with the digits of its escapes in lower case."""
    first, *rest = quoted.split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in rest)])


def _encoded(raw: bytes) -> Iterator[str]:
    """Yield base64 of a secret: alone, in lines, and as the part that stays the same when other text surrounds it."""
    lines = [raw[start : start + size] for size in _WRAPPED for start in range(0, len(raw), size)]
    for piece in (raw, *lines):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(piece).decode()
            yield whole
            yield whole.rstrip("=")
            yield whole[: len(piece) * 8 // 6]  # the part that a line end behind the secret does not change
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift, start in enumerate((0, 2, 3)):  # how far it stands behind a multiple of three bytes
            yield encode(b"\0" * shift + raw).decode()[start : (shift + len(raw)) * 8 // 6]
